"""Whether a program is prepared for an import to fail, or never does it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_CATCH_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_ASK_THE_PLACE = {"version_info", "platform", "find_spec", "implementation", "__name__"}


@dataclass(frozen=True, kw_only=True)
class Where:
    """What surrounds a statement: whether it is run, and what its failure means."""

    guarded: bool = False
    typing: bool = False
    deferred: bool = False


def branches(test: ast.expr, place: Where) -> tuple[Where, Where]:
    """Where the body and the else of an ``if`` are."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inside, otherwise = branches(test.operand, place)
        return otherwise, inside
    if _for_typing(test):
        return replace(place, typing=True), place
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(test)
        if isinstance(node, ast.Name | ast.Attribute)
    }
    asks = bool(names & _ASK_THE_PLACE)
    sometimes = replace(place, deferred=True, guarded=place.guarded or asks)
    return sometimes, sometimes


def _for_typing(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Constant(value=value):
            return not value
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_for_typing(value) for value in values)
    return False


def last_name(node: ast.expr) -> str:
    """The name itself, or of an attribute the last one; empty for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _names_import_errors(nodes: Sequence[ast.expr]) -> bool:
    return any(last_name(node) in _CATCH_IMPORT_ERRORS for node in nodes)


def catches(handler: ast.ExceptHandler) -> bool:
    """Whether an ``except`` catches the failure of an import."""
    if handler.type is None:
        return True
    several = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return _names_import_errors(several)


def gives_up(handler: ast.ExceptHandler) -> bool:
    """Whether a handler only explains: then the import is needed all the same."""
    tries_another = any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(handler))
    return isinstance(handler.body[-1], ast.Raise) and not tries_another


def suppresses(node: ast.expr) -> bool:
    """Whether a context manager is ``contextlib.suppress`` of the failure of an import."""
    return (
        isinstance(node, ast.Call)
        and last_name(node.func) == "suppress"
        and _names_import_errors(node.args)
    )
