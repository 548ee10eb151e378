"""A YAML file as strict tables whose every text knows its line."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from eggcrate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import yaml

_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]{1,9})?)s")
_STR, _INT, _BOOL, _NULL = (f"tag:yaml.org,2002:{name}" for name in ("str", "int", "bool", "null"))


class Text(str):
    """A text of a file, which knows where it stands."""

    __slots__ = ("line",)
    line: int

    @classmethod
    def at(cls, text: str, line: int) -> Self:
        """A text and the line it begins on."""
        made = cls(text)
        made.line = line
        return made


@dataclass(frozen=True, kw_only=True)
class YamlTable:
    """One mapping of a file, its names as protocol buffers' JSON writes them (``waitFor``)."""

    path: Path
    what: str
    """For messages: ``steps[2]``."""
    line: int
    nodes: dict[str, yaml.Node]
    key_lines: dict[str, int]

    @classmethod
    def read(cls, path: Path) -> YamlTable:
        """Read a file that holds one mapping.

        Raises:
            ConfigError: it cannot be read, or is not one; with the line.
        """
        import yaml  # noqa: PLC0415 - an extra's package

        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read", why=str(error.strerror)) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            raise ConfigError(f"{where}: this is not YAML", why=str(error)) from error
        if node is None:
            raise ConfigError(f"{path} is empty")
        return cls.of(node, path, "")

    @classmethod
    def of(cls, node: yaml.Node, path: Path, what: str, *, fields: bool = True) -> YamlTable:
        """A node that has to be a mapping.

        Args:
            node: of the file.
            path: the file.
            what: name of the node in messages.
            fields: whether its keys are names of fields, which may be written ``wait_for`` too.
        """
        import yaml  # noqa: PLC0415 - as above

        line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{path}:{line}: {what or 'the file'} must be a table")
        nodes: dict[str, yaml.Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            name = _camel(key.value) if fields else key.value
            if not isinstance(key, yaml.ScalarNode) or name in nodes:
                raise ConfigError(f"{path}:{at}: {key.value!r} stands twice, or is no name")
            nodes[name], lines[name] = value, at
        return cls(path=path, what=what, line=line, nodes=nodes, key_lines=lines)

    def only(self, names: Iterable[str]) -> None:
        """Refuse every name but these."""
        known = tuple(names)
        for name in self.nodes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise self.wrong(
                    name,
                    "there is no such field",
                    hint=f"write {near[0]}" if near else f"known are {', '.join(known)}",
                )

    def text(self, name: str) -> Text | None:
        """A text; ``None`` where there is none."""
        node = self.nodes.get(name)
        return None if node is None else self._text(node, name)

    def texts(self, name: str) -> tuple[Text, ...]:
        """A list of texts, empty where there is none."""
        return tuple(self._text(item, name) for item in self.items(name))

    def mapping(self, name: str) -> dict[str, Text]:
        """A mapping of texts, empty where there is none."""
        if name not in self.nodes:
            return {}
        table = YamlTable.of(self.nodes[name], self.path, self._name(name), fields=False)
        return {key: table.text(key) or Text.at("", table.line) for key in table.nodes}

    def flag(self, name: str) -> bool | None:
        """``true`` or ``false``; ``None`` where neither stands."""
        node = self.nodes.get(name)
        if node is None:
            return None
        if node.tag != _BOOL:
            raise self.wrong(name, "must be true or false")
        return str(node.value).lower() in ("true", "yes", "on")

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers, empty where there is none."""
        found = self.items(name)
        if any(item.tag != _INT for item in found):
            raise self.wrong(name, "must be a list of whole numbers")
        return tuple(int(str(item.value), 0) for item in found)

    def seconds(self, name: str) -> float | None:
        """A duration, written ``600s``; ``None`` where there is none."""
        text = self.text(name)
        if text is None:
            return None
        match = _SECONDS.fullmatch(text)
        if not match:
            raise self.wrong(name, f"{text!r} is no duration", hint="write seconds, such as 600s")
        return float(match[1])

    def items(self, name: str) -> list[yaml.Node]:
        """The nodes of a list."""
        import yaml  # noqa: PLC0415 - as above

        node = self.nodes.get(name)
        if node is None or node.tag == _NULL:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise self.wrong(name, "must be a list")
        return list(node.value)

    def tables(self, name: str) -> list[YamlTable]:
        """A list of mappings."""
        return [
            YamlTable.of(node, self.path, f"{self._name(name)}[{number}]")
            for number, node in enumerate(self.items(name))
        ]

    def table(self, name: str) -> YamlTable | None:
        """A mapping in this one."""
        node = self.nodes.get(name)
        return None if node is None else YamlTable.of(node, self.path, self._name(name))

    def wrong(self, name: str, problem: str, *, hint: str = "") -> ConfigError:
        """The error about a field of this table."""
        line = self.key_lines.get(name, self.line)
        return ConfigError(f"{self.path}:{line}: {self._name(name)}: {problem}", hint=hint)

    def _text(self, node: yaml.Node, name: str) -> Text:
        if node.tag != _STR:
            line = node.start_mark.line + 1
            raise ConfigError(
                f"{self.path}:{line}: {self._name(name)}: {node.value!r} is not a text",
                hint="put it into quotation marks" if isinstance(node.value, str) else "",
            )
        return Text.at(str(node.value), node.start_mark.line + 1)

    def _name(self, name: str) -> str:
        return f"{self.what}.{name}" if self.what else name


def _camel(name: object) -> str:
    head, *rest = str(name).split("_")
    return str(name) if not head else head + "".join(part[:1].upper() + part[1:] for part in rest)
