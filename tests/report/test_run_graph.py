"""The graph's layout: nothing overlaps, every edge goes forward, whatever the graph."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from eggcrate.report.run_graph import Box, Drawing, Node, draw

NAMES = st.sampled_from([f"t{number}" for number in range(14)])


@st.composite
def graphs(drawer: st.DrawFn) -> list[Node]:
    """Any tasks at all: with circles, parents of parents, and names of what there is not."""
    names = drawer(st.lists(NAMES, unique=True, max_size=14))
    tied = st.lists(NAMES, max_size=4)
    return [
        Node(
            id=name,
            parent=drawer(st.one_of(st.just(""), NAMES)),
            needs=tuple(drawer(tied)),
        )
        for name in names
    ]


def inside(one: Box, other: Box) -> bool:
    return (
        one.x > other.x
        and one.y > other.y
        and one.x + one.width < other.x + other.width
        and one.y + one.height < other.y + other.height
    )


def apart(one: Box, other: Box) -> bool:
    return (
        one.x + one.width < other.x
        or other.x + other.width < one.x
        or one.y + one.height < other.y
        or other.y + other.height < one.y
    )


def check(drawing: Drawing, nodes: list[Node], *, across: bool) -> None:
    assert drawing.boxes.keys() == {node.id for node in nodes}
    for one, other in combinations(drawing.boxes.values(), 2):
        assert apart(one, other) or inside(one, other) or inside(other, one)
    for box in drawing.boxes.values():
        assert box.x > -1e-6
        assert box.x + box.width <= drawing.width + 1e-6
        assert box.y > -1e-6
        assert box.y + box.height <= drawing.height + 1e-6
    for edge in drawing.edges:
        flow = [point[0] if across else point[1] for point in edge.points]
        assert flow[-1] > flow[0]
        assert all(one <= other for one, other in pairwise(flow))
        for at in range(0, len(edge.points) - 1, 2):  # the straight parts are within layers
            (x, y), (x2, y2) = edge.points[at], edge.points[at + 1]
            assert (y == y2) if across else (x == x2)
            for name, box in drawing.boxes.items():
                passes = (
                    box.x < max(x, x2)
                    and min(x, x2) < box.x + box.width
                    and box.y < y < box.y + box.height
                    if across
                    else box.y < max(y, y2)
                    and min(y, y2) < box.y + box.height
                    and box.x < x < box.x + box.width
                )
                ends = {edge.source, edge.target}
                around = any(inside(drawing.boxes[end], box) for end in ends)
                assert not passes or name in ends or around, (edge, name)


@given(graphs(), st.booleans())
def test_nothing_overlaps_and_edges_go_forward(nodes: list[Node], across: bool) -> None:
    """Boxes are apart or one in the other; no edge turns back or passes through a box."""
    check(draw(nodes, across=across), nodes, across=across)


def test_every_need_is_an_edge() -> None:
    """Also over several layers; a need inside another group is tied to the group."""
    nodes = [
        Node(id="a"),
        Node(id="b", needs=("a",)),
        Node(id="c", needs=("a", "b", "gone")),
        Node(id="loop", needs=("a",)),
        Node(id="loop/x", parent="loop"),
        Node(id="loop/y", parent="loop", needs=("loop/x", "b")),
    ]
    drawing = draw(nodes, across=False)
    check(drawing, nodes, across=False)
    assert {(edge.source, edge.target) for edge in drawing.edges} == {
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
        ("a", "loop"),
        ("b", "loop"),
        ("loop/x", "loop/y"),
    }
    assert inside(drawing.boxes["loop/y"], drawing.boxes["loop"])


def test_a_circle_is_drawn_all_the_same() -> None:
    """The edge that closes it is left out; nobody is kept waiting."""
    nodes = [Node(id="a", needs=("b",)), Node(id="b", needs=("a", "b"))]
    drawing = draw(nodes, across=True)
    assert len(drawing.edges) == 1


def test_nothing_is_drawn_of_nothing() -> None:
    """A run that has no task yet has an empty graph."""
    assert draw([], across=False).boxes == {}
