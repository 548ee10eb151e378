"""The catalogue's numbers: the basket, what is shared, the aims, the drawing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from bench.basket import Basket, filled, project, wanted
from bench.catalogue import page, plot
from bench.drawing import Bar, bars
from bench.environment_image import Measured, modules
from eggcrate.repo.environments import read_environment
from eggcrate.repo.values import Environment

if TYPE_CHECKING:
    from collections.abc import Sequence

SVG = "{http://www.w3.org/2000/svg}"


def environment(name: str, *dependencies: str) -> Environment:
    return Environment(
        name=name,
        path=Path(name),
        description=name,
        requires_python=">=3.13,<3.14",
        dependencies=dependencies,
        base="",
    )


def measured(name: str, *layers: tuple[str, int], cold: float = 8.0) -> Measured:
    return Measured(
        name=name,
        layers=dict(layers),
        unpacked=3 * sum(size for _, size in layers),
        packages=len(layers),
        cold=cold,
        warm=0.5,
        pulled=3.0,
        imported=1.5,
    )


def test_all_that_is_asked_for_is_wanted_once() -> None:
    """Versions and markers go, extras stay, and what most ask for comes first."""
    found = wanted(
        [
            environment("a", "Pandas>=2", "torch[cuda]~=2.9"),
            environment("b", "pandas<3", "scikit_learn==1.4.*; python_version > '3.9'"),
        ]
    )
    assert found == ("pandas", "scikit-learn", "torch[cuda]")


def test_two_builds_of_one_library_do_not_go_together() -> None:
    """The one that more environments ask for stays, for both write the same files."""
    found = filled(["xgboost-cpu", "pandas", "xgboost"], lambda _: True)
    assert found.held == ("xgboost-cpu", "pandas")
    assert found.dropped == {"xgboost": "the same library as xgboost-cpu"}


@given(names=st.lists(st.sampled_from("abcdefgh"), unique=True), bad=st.sets(st.sampled_from("ab")))
def test_only_what_conflicts_is_dropped(names: list[str], bad: set[str]) -> None:
    """The rest is held together, and nothing is lost without being told."""

    def locks(some: Sequence[str]) -> bool:
        return not bad.intersection(some)

    found = filled(names, locks)
    assert set(found.dropped) == bad.intersection(names)
    assert [*found.held] == [name for name in names if name not in bad]


def test_a_basket_is_an_environment(tmp_path: Path) -> None:
    """The tool reads what is written for it."""
    (tmp_path / "pyproject.toml").write_text(project(("pandas", "torch[cuda]"), ">=3.13,<3.14"))
    assert read_environment(tmp_path).dependencies == ("pandas", "torch[cuda]")


def test_packages_are_imported_by_their_modules() -> None:
    """Where a module is called otherwise than its package, it is known."""
    asked = ["scikit-learn~=1.4", "google-cloud-bigquery-storage", "xgboost-cpu", "numpy>=2"]
    assert modules(asked) == ["sklearn", "google.cloud.bigquery_storage", "xgboost", "numpy"]


def test_the_page_judges_the_aims() -> None:
    """Shared layers count once for the registry; each aim is met or missed by its own figures.

    Seconds stand beside those of the basket.
    """
    base = ("base", 10_000_000)
    two = [measured("a", base, ("x", 2_000_000), cold=4.0), measured("b", base, ("y", 4_000_000))]
    whole = measured("one-basket", base, ("z", 120_000_000), cold=60.0)
    lines = page(two, whole, Basket(held=("x",), dropped={"w": "of a reason"})).splitlines()
    told = {line.split(" | ")[0].strip("|` "): line for line in lines if line.startswith("|")}
    assert "| 2 | 1 | 10.0 MB | 4.0 s | 0.50 s | 3.0 s | 1.5 s |" in told["a"]
    assert told["cold build"] == "| cold build | 6.0 s | 60 s | 10 x |"
    assert told["pull"] == "| pull | 3.0 s | 3.0 s | 1.0 x |"
    assert (
        "13.0 MB of 130.0 MB | 10 x | 5.0 x: met |"
        in told["the median environment, beside the one basket"]
    )
    least = told["registry bytes of all environments, layers shared"]
    assert "16.0 MB of 26.0 MB | 1.6 x | 2.0 x: missed |" in least
    assert lines[-1] == "The basket holds `x`. Left out: `w`: of a reason."


def test_the_plot_is_true_to_scale() -> None:
    """The largest fills its row, half of it half; smaller images stand higher, the basket last."""
    base = ("base", 10)
    drawn = plot([measured("b", base, ("y", 40)), measured("a", base)], measured("w", ("z", 100)))
    root = ET.fromstring(drawn)  # noqa: S314 - our own drawing
    texts = [node.text for node in root.iter(f"{SVG}text") if node.get("text-anchor")]
    assert texts == ["a", "b", "w"]
    own = [node for node in root.iter(f"{SVG}rect") if node.get("class") == "own"][1:]
    assert [float(node.attrib["width"]) for node in own] == [0, 192, 480]


def test_what_is_drawn_is_escaped_and_adapts() -> None:
    """A name cannot end a tag, and a dark page has colours of its own."""
    drawn = bars("a < b", ("x & y", "z"), [Bar(name="<q>", shared=0, own=0, told="0 B")])
    ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert "&lt;q&gt;" in drawn
    assert "prefers-color-scheme:dark" in drawn
