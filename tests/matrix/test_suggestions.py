"""Suggestions: made where everything speaks for them, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from eggcrate.matrix import ranges
from eggcrate.matrix.cells import Cell, CellResult, Column, Outcome, lay_out
from eggcrate.matrix.suggestion import Facts, Kind, Place, Suggestion
from eggcrate.matrix.suggestions import suggest
from eggcrate.packages.target import Platform, Target
from eggcrate.repo.values import Component
from eggcrate.report.suggestions import MOST, as_json, sentences, text

TARGET = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))
VERSIONS = st.builds(
    lambda numbers: Version(".".join(map(str, numbers))),
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
)
CLAUSES = st.one_of(
    st.builds(
        lambda operator, version: f"{operator}{version}",
        st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
        VERSIONS,
    ),
    st.builds(lambda version: f"=={version}.*", VERSIONS),
    st.builds(lambda version, last: f"~={version}.{last}", VERSIONS, st.integers(0, 3)),
)
RANGES = st.lists(CLAUSES, max_size=3).map(lambda clauses: SpecifierSet(",".join(clauses)))


def component(name: str, *dependencies: str, **fields: object) -> Component:
    given = {
        "path": Path("components") / name,
        "description": "",
        "requires_python": ">=3.9",
        "dependencies": dependencies,
    }
    return Component(name=name, **(given | fields))  # type: ignore[arg-type] # kept short


def place(name: str, packages: dict[str, str], **fields: object) -> Place:
    given: dict[str, object] = {"target": TARGET, "packages": packages}
    return Place(name=name, **(given | fields))  # type: ignore[arg-type] # kept short


def facts(
    components: list[Component],
    places: list[Place],
    failed: tuple[tuple[str, str], ...] = (),
    *,
    whole: bool = True,
) -> Facts:
    """A run in which everything passed but what is named."""
    columns = [
        Column(environment=one.name, target=one.target, packages=one.packages) for one in places
    ]
    grid = lay_out(components, columns)
    ran = [
        CellResult(
            cell=cell,
            outcome=Outcome.FAILED
            if (cell.component, cell.environment) in failed
            else Outcome.PASSED,
        )
        for cell in grid.cells
    ]
    return Facts(
        components={one.name: one for one in components},
        places={one.name: one for one in places},
        results=(*ran, *grid.incompatible),
        whole=whole,
    )


def only(found: tuple[Suggestion, ...]) -> Suggestion:
    assert len(found) == 1, found
    return found[0]


@given(RANGES, VERSIONS, VERSIONS)
def test_a_wider_range_holds_the_version_and_all_before(
    given: SpecifierSet, wanted: Version, other: Version
) -> None:
    """Whatever the range was."""
    wider = ranges.loosened(given, wanted)
    if wider is None:
        named = any(one.operator == "!=" and not one.contains(wanted) for one in given)
        assert wanted in given or named
        return
    assert wanted in wider
    assert other in wider or other not in given


@given(RANGES, st.sets(VERSIONS, min_size=2, max_size=2))
def test_a_narrower_range_parts_what_passes_from_what_fails(
    every: SpecifierSet, versions: set[Version]
) -> None:
    """On either side; what passed and was in the range stays."""
    low, high = sorted(versions)
    given = SpecifierSet(",".join(str(one) for one in every if low in one and high in one))
    under, over = ranges.below(given, high, low), ranges.above(given, low, high)
    assert low in under
    assert high not in under
    assert high in over
    assert low not in over


def test_ranges_are_as_people_write_them() -> None:
    """No more numbers than tell."""

    def wider(text: str, version: str) -> str:
        found = ranges.loosened(SpecifierSet(text), Version(version))
        return ranges.written(found) if found else ""

    assert wider(">=2,<3", "3.0.1") == ">=2,<4"
    assert wider("~=1.5.2", "1.9.0") == ">=1.5.2,<2"
    assert wider(">=0.3,<0.5", "0.7.1") == ">=0.3,<0.8"
    assert wider(">=2.2", "1.26.4") == ">=1.26"
    assert wider("==1.5.*", "1.4.2") == ">=1.4,<1.6"
    assert wider("<3,!=4.1", "4.1") == ""
    narrower = ranges.below(SpecifierSet(">=1,<4"), Version("3.0.1"), Version("2.3.3"))
    assert ranges.written(narrower) == ">=1,<3"
    later = ranges.above(SpecifierSet(">=1"), Version("1.5.3"), Version("1.7.2"))
    assert ranges.written(later) == ">=1.7"


def test_failures_on_one_side_of_a_version_narrow() -> None:
    """The package that the failure names comes first; the others are told."""
    found = only(
        suggest(
            facts(
                [component("predict", "pandas>=2", "numpy")],
                [
                    place("old", {"pandas": "2.2.3", "numpy": "1.26.4"}),
                    place("mid", {"pandas": "2.3.3", "numpy": "2.1.0"}),
                    place("new", {"pandas": "3.0.1", "numpy": "2.4.0"}),
                ],
                failed=(("predict", "new"),),
                whole=False,
            )
        )
    )
    assert found.kind is Kind.NARROW
    assert found.sentence == "predict may need numpy<2.4 where it asks for numpy"
    assert "fails with numpy 2.4.0 (new), passes with 1.26.4, 2.1.0" in found.evidence
    assert "pandas would tell them apart as well" in found.evidence
    assert found.command == "eggcrate matrix --component predict"


def test_failures_that_no_version_explains_narrow_nothing() -> None:
    """The failing version lies between those that pass; or nothing else was run."""
    versions = {"a": "1.0", "b": "2.0", "c": "3.0"}
    places = [place(name, {"pandas": version}) for name, version in versions.items()]
    one = component("predict", "pandas")
    assert suggest(facts([one], places, (("predict", "b"),), whole=False)) == ()
    everywhere = tuple(("predict", name) for name in versions)
    assert suggest(facts([one], places, everywhere, whole=False)) == ()


def test_one_bound_in_the_way_widens() -> None:
    """The nearest environment beyond what passes, with the command that proves it."""
    places = [
        place("old", {"pandas": "2.3.3"}),
        place("new", {"pandas": "3.0.1"}),
        place("newest", {"pandas": "4.0"}),
    ]
    found = only(suggest(facts([component("predict", "pandas>=2,<3")], places, whole=False)))
    assert found.kind is Kind.WIDEN
    assert found.sentence == (
        "predict: try pandas>=2,<4 in place of pandas>=2,<3, to run in new too"
    )
    assert found.command == "eggcrate matrix --component predict --environment new"


def test_nothing_widens_without_a_pass_or_with_more_in_the_way() -> None:
    """A failure anywhere, another requirement that fails, a version excluded by name."""
    places = [place("old", {"pandas": "2.3.3"}), place("new", {"pandas": "3.0.1"})]
    plain = component("predict", "pandas<3")
    assert suggest(facts([plain], places, (("predict", "old"),), whole=False)) == ()
    both = component("predict", "pandas<3", "numpy")
    assert suggest(facts([both], [place("old", {"pandas": "2", "numpy": "1"}), places[1]])) == ()
    named = component("predict", "pandas!=3.0.1")
    assert suggest(facts([named], places, whole=False)) == ()


def spacious(**fields: object) -> Place:
    """An environment with one package that nothing imports, and one that this one alone needs."""
    return place(
        "roomy",
        {"pandas": "2.3.3", "torch": "2.9", "sympy": "1.14"},
        **{
            "wanted": {"pandas": ">=2", "torch": "*"},
            "used": frozenset({"pandas"}),
            "sizes": {"pandas": 10, "torch": 900, "sympy": 6},
            "without": lambda names: (
                frozenset({"torch", "sympy"}) if "torch" in names else frozenset()
            ),
        }
        | fields,
    )


def test_what_no_component_imports_is_told_with_its_size() -> None:
    """With what goes along with it."""
    found = only(suggest(facts([component("predict", "pandas")], [spacious()])))
    assert found.kind is Kind.UNUSED
    assert found.sentence == "roomy: no component that fits it imports torch"
    assert "sympy would go too" in found.evidence
    assert found.size == 906
    assert found.command == "eggcrate remove roomy torch && eggcrate matrix --environment roomy"


def test_nothing_is_unused_unless_everything_is_known() -> None:
    """Components or imports unknown, still needed, needed by what is used, a Dockerfile's."""
    one = [component("predict", "pandas")]
    assert suggest(facts(one, [spacious()], whole=False)) == ()
    assert suggest(facts(one, [spacious(used=None)])) == ()
    assert suggest(facts(one, [spacious(without=lambda _: frozenset())])) == ()
    assert suggest(facts(one, [spacious(used=frozenset({"pandas", "sympy"}))])) == ()
    assert suggest(facts(one, [spacious(own_build=True)])) == ()


def twins(packages: dict[str, str] | None = None, **fields: object) -> list[Place]:
    """Two environments, the first of which asks for less than the second holds."""
    held = {"pandas": "2.3.3", "numpy": "2.1.0", "pytz": "2025.1"}
    wanted = {"wanted": {"pandas": ">=2"}, "requires_python": ">=3.11,<3.12"}
    sizes = dict.fromkeys(held, 100)
    return [
        place("one", held, **wanted, sizes=sizes, layers={"shared": 50, "own": 30}),
        place(
            "other",
            packages or held | {"tiny": "1.0"},
            **(
                {
                    "wanted": {"pandas": "<2.4", "tiny": "*"},
                    "sizes": sizes | {"tiny": 1},
                    "layers": {"shared": 50, "more": 31},
                }
                | fields
            ),
        ),
    ]


def test_an_environment_that_another_stands_in_for() -> None:
    """With what would be saved: the layers that no other image has."""
    found = only(suggest(facts([component("predict", "pandas")], twins())))
    assert found.kind is Kind.ALIKE
    assert found.sentence == "other would do for one as well"
    assert "they differ in tiny" in found.evidence
    assert found.size == 30


def test_environments_that_differ_for_a_reason_stay() -> None:
    """In what they were made for, how long they are supported, what they weigh, or what runs."""
    one = [component("predict", "pandas")]
    newer = {"pandas": "1.5.3", "numpy": "2.1.0", "pytz": "2025.1"}
    assert suggest(facts(one, twins(packages=newer))) == ()
    assert suggest(facts(one, twins(until=date(2027, 1, 1)))) == ()
    assert suggest(facts(one, twins(sizes={"tiny": 1000}))) == ()
    assert suggest(facts(one, twins(own_build=True))) == ()
    more = {**twins()[1].packages, **{f"more-{number}": "1" for number in range(3)}}
    assert suggest(facts(one, twins(packages=more))) == ()
    assert suggest(facts([component("train", "tiny")], twins())) == ()
    fails = facts([component("predict", "pandas")], twins(), (("predict", "other"),))
    assert not [item for item in suggest(fails) if item.kind is Kind.ALIKE]


def test_the_most_valuable_comes_first() -> None:
    """What fails before what is large before what might be; a terminal gets a few."""
    small = spacious(sizes={"torch": 5})
    large = replace(spacious(), name="large")
    every = suggest(facts([component("predict", "pandas<3")], [small, large]))
    assert [one.kind for one in every] == [Kind.UNUSED, Kind.UNUSED, Kind.ALIKE]
    found = every[:2]
    assert [one.subject for one in found] == ["environments/large", "environments/roomy"]
    lines = text(found * MOST).splitlines()
    assert lines[0] == "suggestions:"
    assert lines[-1] == f"  and {MOST} more: build/matrix/summary.md"
    assert as_json(found)[0]["kind"] == "unused"
    assert "Prove it with: eggcrate remove large torch" in sentences(found)[0]
    assert text(()) == ""


def test_cells_that_were_not_run_say_nothing() -> None:
    """Neither for nor against."""
    nothing = facts([component("predict", "pandas<3")], [place("new", {"pandas": "2.0"})])
    idle = tuple(replace(one, outcome=Outcome.NOT_SELECTED) for one in nothing.results)
    assert suggest(replace(nothing, results=idle)) == ()
    stray = CellResult(
        cell=Cell(component="gone", flavour="", environment="gone"), outcome=Outcome.FAILED
    )
    assert suggest(replace(nothing, results=(stray,))) == ()
