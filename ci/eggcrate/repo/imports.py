"""What one Python file imports, by its source alone; and how certain it is that it does."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eggcrate.repo.guards import Where, branches, catches, gives_up, last_name, suppresses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

_CALLS = {"import_module", "__import__", "importorskip"}
_CALL = re.compile(rb"\b(import_module|__import__|importorskip)\b")
_LEAVES = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Raise, ast.Assert)
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


@dataclass(frozen=True, kw_only=True, order=True)
class Found:
    """One name that a file imports, as it is written there."""

    line: int
    module: str
    """Behind ``from`` or ``import``; without the dots of a relative import."""
    name: str = ""
    """One name behind ``from ... import``; may be dotted for what is reached by attribute."""
    level: int = 0
    """How many dots a relative import has."""
    guarded: bool = False
    typing: bool = False
    """Under ``if TYPE_CHECKING``: it never happens."""
    deferred: bool = False
    """In a function or under a condition: it happens only sometimes."""
    loose: bool = False
    """Said by a string or an attribute: it may mean no module at all."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What was found in one file."""

    found: tuple[Found, ...]
    exports: tuple[str, ...] | None = ()
    """The names in ``__all__``; ``None`` when it is computed, empty when there is none."""
    bound: tuple[tuple[str, Found], ...] = ()
    """Local names of what may be a package of the repository, see :func:`attributes`."""


@dataclass(kw_only=True)
class _Scanner:
    tops: frozenset[str]
    expressions: bool
    """Whether expressions can hold anything of interest."""
    found: set[Found] = field(default_factory=set)
    bound: dict[str, Found] = field(default_factory=dict)
    """Local names of what may be a package of the repository."""

    def block(self, nodes: Iterable[ast.AST], place: Where) -> None:
        for node in nodes:
            if isinstance(node, ast.expr):
                self.expression(node, place)
            elif self.expressions or not isinstance(node, _LEAVES):
                self.visit(node, place)

    def visit(self, node: ast.AST, place: Where) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self.statement(node, place)
            case ast.If(test=test):
                self.expression(test, place)
                inside, otherwise = branches(test, place)
                self.block(node.body, inside)
                self.block(node.orelse, otherwise)
            case ast.Try() | ast.TryStar():
                self.attempt(node, place)
            case ast.With() if any(suppresses(item.context_expr) for item in node.items):
                self.block(node.body, replace(place, guarded=True))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self.function(node, place)
            case ast.match_case():
                self.block(node.body, replace(place, deferred=True))
            case _:
                self.block(ast.iter_child_nodes(node), place)

    def function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, place: Where
    ) -> None:
        if self.expressions:
            self.visit(node.args, place)
        inside = replace(place, deferred=True)
        if isinstance(node, ast.Lambda):
            self.expression(node.body, inside)
        else:
            self.block(node.decorator_list, place)
            self.block(node.body, inside)

    def attempt(self, node: ast.Try | ast.TryStar, place: Where) -> None:
        prepared = any(catches(handler) and not gives_up(handler) for handler in node.handlers)
        inside = replace(place, guarded=place.guarded or prepared)
        sometimes = replace(inside, deferred=True)
        self.block(node.body, inside)
        for handler in node.handlers:
            self.block(handler.body, sometimes)
        self.block(node.orelse, sometimes)
        self.block(node.finalbody, place)

    def statement(self, node: ast.Import | ast.ImportFrom, place: Where) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                found = _found(node.lineno, place, alias.name)
                local = alias.asname or alias.name.partition(".")[0]
                bound = found if alias.asname else replace(found, module=local)
            else:
                found = bound = _found(
                    node.lineno, place, node.module or "", name=alias.name, level=node.level
                )
                local = alias.asname or alias.name
            self.found.add(found)
            if local != "*" and (found.level or found.module.partition(".")[0] in self.tops):
                self.bound[local] = bound

    def expression(self, node: ast.expr, place: Where) -> None:
        if not self.expressions:
            return
        if isinstance(node, ast.Lambda):
            self.function(node, place)
            return
        if isinstance(node, ast.Call) and (called := _called(node)):
            for found in _dynamic(node, called, place):
                self.found.add(found)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if text.partition(".")[0] in self.tops and _DOTTED.fullmatch(text):
                module, _, name = text.rpartition(".")
                found = _found(node.lineno, place, module, name=name)
                self.found.add(replace(found, loose=True))
        self.block(ast.iter_child_nodes(node), place)


def scan(content: bytes, tops: frozenset[str]) -> Scan:
    """Find the imports in a file.

    Statements, ``importlib.import_module("literal")`` and its like, and strings that name a
    module of the repository (``pytest_plugins``, ``mock.patch``, tables of plugins), which may
    mean none.

    Args:
        content: of the file; its encoding is the one that it declares.
        tops: top-level names that the repository may mean.

    Raises:
        SyntaxError: it is not Python, or newer than ours.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is its author's business
        try:
            tree = ast.parse(content)
        except ValueError as error:  # null bytes
            raise SyntaxError(str(error)) from error
        except (RecursionError, MemoryError) as error:
            raise SyntaxError("it is nested too deeply") from error
    scanner = _Scanner(tops=tops, expressions=_expressions_matter(content, tops))
    try:
        scanner.block(tree.body, Where())
    except RecursionError as error:
        raise SyntaxError("it is nested too deeply") from error
    return Scan(
        found=tuple(sorted(scanner.found)),
        exports=_exports(tree),
        bound=tuple(sorted(scanner.bound.items())),
    )


def attributes(content: bytes, bound: Mapping[str, Found]) -> tuple[Found, ...]:
    """Find what is reached by attribute of an imported package: ``import a``, then ``a.b.c``.

    Args:
        content: of a file that :func:`scan` could read.
        bound: local names of packages with what was imported as them.
    """
    if not _attributes_matter(content, bound):
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(content)
    found: set[Found] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        names = [node.attr]
        inner = node.value
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and (package := bound.get(inner.id)):
            name = ".".join([package.name, *names] if package.name else names)
            found.add(replace(package, name=name, loose=True, line=node.lineno))
    return tuple(sorted(found))


def _expressions_matter(content: bytes, tops: frozenset[str]) -> bool:
    if _CALL.search(content):
        return True
    return any(f"{quote}{top}.".encode() in content for top in tops for quote in "'\"")


def _attributes_matter(content: bytes, names: Collection[str]) -> bool:
    """Whether any of the names is followed by a dot; encodings write only ASCII alike."""
    if not all(name.isascii() for name in names):
        return True
    dotted = rb"\b(?:%s)(?:\s|\\|#[^\n]*)*\." % "|".join(names).encode()
    return bool(names) and re.search(dotted, content) is not None


def _found(line: int, place: Where, module: str, *, name: str = "", level: int = 0) -> Found:
    return Found(
        line=line,
        module=module,
        name=name,
        level=level,
        guarded=place.guarded or place.typing,
        typing=place.typing,
        deferred=place.deferred,
    )


def _called(node: ast.Call) -> str:
    name = last_name(node.func)
    return name if name in _CALLS else ""


def _dynamic(node: ast.Call, called: str, place: Where) -> Iterator[Found]:
    arguments = [*node.args, *(word.value for word in node.keywords if word.arg == "package")]
    texts = [a.value if isinstance(a, ast.Constant) else None for a in arguments[:2]]
    if not texts or not isinstance(text := texts[0], str) or not text:
        return
    if called == "importorskip":
        place = replace(place, guarded=True)
    module = text.lstrip(".")
    level = len(text) - len(module)
    if level and called == "import_module":
        package = texts[1] if len(texts) > 1 else None
        if isinstance(package, str):
            kept = package.split(".")[: 1 - level or None]
            module, level = ".".join([*kept, module] if module else kept), 0
        elif len(arguments) < 2 or last_name(arguments[1]) not in {"__package__", "__name__"}:  # noqa: PLR2004 - name and package
            return
    yield _found(node.lineno, place, module, level=level)


def _exports(tree: ast.Module) -> tuple[str, ...] | None:
    """The names that ``import *`` takes, where ``__all__`` says it literally."""
    names: list[str] = []
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                pass
            case (
                ast.AnnAssign(target=ast.Name(id="__all__"), value=value)
                | ast.AugAssign(target=ast.Name(id="__all__"), value=value)
            ) if value is not None:
                pass
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="__all__")))):
                return None
            case _:
                continue
        if not isinstance(value, ast.List | ast.Tuple):
            return None
        for item in value.elts:
            if not (isinstance(item, ast.Constant) and isinstance(item.value, str)):
                return None
            names.append(item.value)
    return tuple(names)
