"""The graph of a run in layers: boxes that do not overlap, edges that go forward alone.

Tasks are laid out group by group (a nested pipeline, an iteration of a loop), from the inside
out, as Sugiyama, Tagawa and Toda (1981) do: longest-path layers, crossings reduced by
barycentres, an edge over several layers led through a gap in each.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDE, TALL = 196, 48
"""Size of a task's box, in CSS pixels."""
_PADDING, _HEADER = 12, 36
_BETWEEN, _LAYER_GAP, _EDGE_ROOM = 16, 40, 8
_SWEEPS = 4

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A task, and what it stands in and waits for."""

    id: str
    parent: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where a task or a group of tasks is drawn."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A way from a task to one that needs it: straight to each odd point, curved to each even."""

    source: str
    target: str
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A graph with everything in its place."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    edges: tuple[Edge, ...]


@dataclass(kw_only=True)
class _Slot:
    """A place in a layer: a child, or room for an edge that passes."""

    name: str
    long: float
    """Along the flow."""
    broad: float
    """Across it."""
    before: list[_Slot] = field(default_factory=list)
    after: list[_Slot] = field(default_factory=list)
    middle: float = 0
    """Of it, across the flow."""


def draw(nodes: Sequence[Node], *, across: bool) -> Drawing:
    """Lay a graph out.

    Args:
        nodes: tasks; a parent or a need that is not among them does not count, nor does one that
            would close a circle; a task without a name cannot be drawn.
        across: from left to right; otherwise from top to bottom.
    """
    nodes = [node for node in nodes if node.id]  # the name of the whole is the empty one
    parents = _parents(nodes)
    inside: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        inside[parents[node.id]].append(node.id)
    between = _siblings(nodes, parents)
    return _group("", inside, between, across=across)


def _parents(nodes: Iterable[Node]) -> dict[str, str]:
    known = {node.id: node.parent for node in nodes}
    found: dict[str, str] = {}
    for name, parent in known.items():
        above, at = [name], parent
        while at in known and at not in above:
            above.append(at)
            at = known[at]
        found[name] = parent if parent in known and at not in above else ""
    return found


def _siblings(
    nodes: Iterable[Node], parents: Mapping[str, str]
) -> dict[str, list[tuple[str, str]]]:
    """Edges by the group that they are in: each lifted to where both ends stand side by side."""
    edges: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)

    def line(name: str) -> list[str]:
        told = [name]
        while told[-1]:
            told.append(parents[told[-1]])
        return told[::-1]

    for node in nodes:
        for need in node.needs:
            if need not in parents:
                continue
            one, other = line(need), line(node.id)
            depth = next(
                (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0
            )
            if depth:
                edges[one[depth - 1]][one[depth], other[depth]] = None
    return {group: list(found) for group, found in edges.items()}


def _group(
    name: str,
    inside: Mapping[str, list[str]],
    between: Mapping[str, list[tuple[str, str]]],
    *,
    across: bool,
) -> Drawing:
    children = inside[name]
    inner = {
        child: _framed(_group(child, inside, between, across=across))
        for child in children
        if child in inside
    }
    sizes = {}
    for child in children:
        wide, tall = (inner[child].width, inner[child].height) if child in inner else (WIDE, TALL)
        sizes[child] = (wide, tall) if across else (tall, wide)
    layers, ways = _layers(children, sizes, _forward(children, between.get(name, ())))
    _order(layers)
    _settle(layers)
    low = min((slot.middle - slot.broad / 2 for layer in layers for slot in layer), default=0)
    boxes: dict[str, Box] = {}
    edges: list[Edge] = []
    begins: dict[int, tuple[float, float]] = {}
    along = 0.0
    for layer in layers:
        end = along + max(slot.long for slot in layer)
        for slot in layer:
            slot.middle -= low
            begins[id(slot)] = (along, end)
            if slot.name:
                c = slot.middle - slot.broad / 2
                x, y, wide, tall = (
                    (along, c, slot.long, slot.broad)
                    if across
                    else (c, along, slot.broad, slot.long)
                )
                boxes[slot.name] = Box(x=x, y=y, width=wide, height=tall)
                if slot.name in inner:
                    _put(inner[slot.name], x, y, boxes, edges)
        along = end + _LAYER_GAP
    for way in ways:
        points = [(begins[id(way[0])][0] + way[0].long, way[0].middle)]
        for one, other in pairwise(way):
            points.append((begins[id(one)][1], one.middle))
            points.append((begins[id(other)][0], other.middle))
        placed = tuple(point if across else (point[1], point[0]) for point in points)
        edges.append(Edge(source=way[0].name, target=way[-1].name, points=placed))
    return Drawing(
        width=max((box.x + box.width for box in boxes.values()), default=0),
        height=max((box.y + box.height for box in boxes.values()), default=0),
        boxes=boxes,
        edges=tuple(edges),
    )


def _framed(drawing: Drawing) -> Drawing:
    boxes: dict[str, Box] = {}
    edges: list[Edge] = []
    _put(drawing, _PADDING, _PADDING + _HEADER, boxes, edges)
    return Drawing(
        width=max(WIDE, drawing.width) + 2 * _PADDING,
        height=drawing.height + 2 * _PADDING + _HEADER,
        boxes=boxes,
        edges=tuple(edges),
    )


def _put(drawing: Drawing, x: float, y: float, boxes: dict[str, Box], edges: list[Edge]) -> None:
    for name, box in drawing.boxes.items():
        boxes[name] = Box(x=box.x + x, y=box.y + y, width=box.width, height=box.height)
    for edge in drawing.edges:
        points = tuple((px + x, py + y) for px, py in edge.points)
        edges.append(Edge(source=edge.source, target=edge.target, points=points))


def _forward(
    children: Sequence[str], edges: Iterable[tuple[str, str]]
) -> dict[str, tuple[int, list[str]]]:
    """The layer of each child, and what it needs; an edge that closes a circle is left out."""
    needs: dict[str, list[str]] = {child: [] for child in children}
    for source, target in edges:
        needs[target].append(source)
    found: dict[str, tuple[int, list[str]]] = {}
    open_ones: set[str] = set()
    for first in children:
        stack = [first]
        while stack:
            at = stack[-1]
            open_ones.add(at)
            missing = [one for one in needs[at] if one not in found and one not in open_ones]
            if missing:
                stack.append(missing[0])
                continue
            stack.pop()
            if at not in found:
                kept = [one for one in needs[at] if one in found]
                found[at] = (max((found[one][0] + 1 for one in kept), default=0), kept)
    return found


def _layers(
    children: Sequence[str],
    sizes: Mapping[str, tuple[float, float]],
    forward: Mapping[str, tuple[int, list[str]]],
) -> tuple[list[list[_Slot]], list[list[_Slot]]]:
    slots = {one: _Slot(name=one, long=sizes[one][0], broad=sizes[one][1]) for one in children}
    count = max((layer for layer, _ in forward.values()), default=-1) + 1
    layers: list[list[_Slot]] = [[] for _ in range(count)]
    for child in children:
        layers[forward[child][0]].append(slots[child])
    ways = []
    for target in children:
        for source in forward[target][1]:
            way = [slots[source]]
            for depth in range(forward[source][0] + 1, forward[target][0]):
                way.append(_Slot(name="", long=0, broad=_EDGE_ROOM))
                layers[depth].append(way[-1])
            way.append(slots[target])
            for one, other in pairwise(way):
                one.after.append(other)
                other.before.append(one)
            ways.append(way)
    return layers, ways


def _order(layers: Sequence[list[_Slot]]) -> None:
    """Fewer crossings: each slot near the middle of those that it is tied to."""
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer, fixed in pairwise(layers[::-1] if not down else layers):
            places = {id(slot): place for place, slot in enumerate(layer)}
            now = {id(slot): place for place, slot in enumerate(fixed)}

            def wish(
                slot: _Slot,
                *,
                down: bool = down,
                places: dict[int, int] = places,
                now: dict[int, int] = now,
            ) -> float:
                tied = [places[id(one)] for one in (slot.before if down else slot.after)]
                return sum(tied) / len(tied) if tied else now[id(slot)]

            fixed.sort(key=wish)


def _settle(layers: Sequence[list[_Slot]]) -> None:
    for layer in layers:
        _near(layer, [0.0] * len(layer))
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else layers[::-1]:
            wishes = []
            for slot in layer:
                tied = slot.before if down else slot.after
                wishes.append(sum(one.middle for one in tied) / len(tied) if tied else slot.middle)
            _near(layer, wishes)


def _near(layer: Sequence[_Slot], wishes: Sequence[float]) -> None:
    """Put slots as near to where they would be as their order and sizes allow.

    Least squares under minimal distances is isotonic regression: pool adjacent violators.
    """
    offsets, at = [], 0.0
    for place, slot in enumerate(layer):
        if place:
            at += (layer[place - 1].broad + slot.broad) / 2 + _BETWEEN
        offsets.append(at)
    pools: list[list[float]] = []  # sum, count
    for wish, offset in zip(wishes, offsets, strict=True):
        pools.append([wish - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = [pools[-1][0] + total, pools[-1][1] + count]
    flat = [total / count for total, count in pools for _ in range(int(count))]
    for slot, start, offset in zip(layer, flat, offsets, strict=True):
        slot.middle = start + offset
