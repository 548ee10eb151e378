"""Units are shared out among layers by rules that keep changes small."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from eggcrate.build.grouping import LARGE, group
from eggcrate.build.values import Unit, UnitKind

KINDS = st.sampled_from([UnitKind.FILES, UnitKind.BYTECODE])
NAMES = st.from_regex(r"[a-z]{1,6}(-[a-z]{1,4})?", fullmatch=True)


def unit(kind: UnitKind, name: str, size: int) -> Unit:
    key = hashlib.sha256(f"{kind} {name}".encode()).hexdigest()
    return Unit(
        kind=kind,
        name=name,
        version="1",
        source=key,
        key=key,
        digest=f"sha256:{key}",
        size=size,
        diff_id=f"sha256:{key}",
        tar_size=size,
        files=1,
    )


UNITS = st.lists(
    st.builds(unit, KINDS, NAMES, st.integers(100, 4 << 20)),
    unique_by=lambda item: item.key,
    max_size=40,
)


@given(UNITS, st.randoms())
def test_every_unit_is_in_exactly_one_layer_whatever_the_order(units, random) -> None:  # type: ignore[no-untyped-def]
    """Nothing is lost or doubled, and the order in which units come does not matter."""
    groups = group(units)
    assert sorted(item.key for layer in groups for item in layer) == sorted(u.key for u in units)
    random.shuffle(units)
    assert group(units) == groups


@given(UNITS)
def test_large_units_are_alone_and_groups_stay_below_the_ceiling(units: list[Unit]) -> None:
    """A unit of 800 KiB or more is a layer of its own, and no group outgrows that."""
    for layer in group(units):
        if len(layer) > 1:
            assert all(item.size < LARGE for item in layer)
            assert sum(item.size for item in layer) <= LARGE


@given(st.lists(st.builds(unit, KINDS, NAMES, st.integers(2 << 20, 9 << 20)), max_size=60,
                unique_by=lambda item: item.key))  # fmt: skip
def test_there_are_never_too_many_layers(units: list[Unit]) -> None:
    """Over the limit the smallest join groups, so that container engines can run the image."""
    assert len(group(units, max_layers=20)) <= 20


@given(UNITS, NAMES, st.integers(100, 1000))
def test_adding_a_small_package_changes_small_layers_only(
    units: list[Unit], name: str, size: int
) -> None:
    """A new small wheel never changes a large layer, and pushes two groups' worth at most."""
    new = unit(UnitKind.FILES, f"{name}-new", size)
    before = set(group(units, max_layers=1000))
    after = set(group([*units, new], max_layers=1000))
    for layer in before - after:
        assert all(item.size < LARGE for item in layer)
    assert sum(item.size for layer in after - before for item in layer) <= 2 * LARGE


def test_a_changed_version_keeps_the_cut() -> None:
    """Cuts come from names: another version of a package changes its own group only."""
    units = [unit(UnitKind.FILES, f"google-{n}", 300_000) for n in range(60)]
    before = group(units)
    units[30] = replace(units[30], version="2", key="f" * 64, digest="sha256:" + "f" * 64)
    changed = set(group(units)) - set(before)
    assert len(changed) == 1
