"""The registry decides; what is published and git only explain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eggcrate.build.keys import Keyed
from eggcrate.build.plan import (
    STABLE,
    Plan,
    Planned,
    Published,
    Reason,
    make_plan,
    read_published,
)
from eggcrate.build.recipe import Recipe
from eggcrate.build.resolve import Resolved
from eggcrate.build.values import Verdict
from eggcrate.errors import ConfigError, EggcrateError, LockStaleError, UnsupportedPackageError
from eggcrate.packages.changes import Change
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.target import Platform, Target
from eggcrate.repo.values import Environment
from eggcrate.report import plan as report

if TYPE_CHECKING:
    from collections.abc import Sequence


class Shelf:
    """A registry in memory."""

    def __init__(self, **images: Sequence[Published]) -> None:
        self.images = images

    def holds(self, images: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        return {
            (name, tag): image.digest
            for name, tag in images
            for image in self.images.get(name, ())
            if image.tag == tag
        }

    def published(self, environment: str) -> Sequence[Published]:
        return self.images.get(environment, ())

    def environments(self) -> frozenset[str]:
        return frozenset(self.images)


def resolved(name: str = "mine", base: str = "0" * 64, **packages: str) -> Resolved:
    recipe = Recipe(
        environment=name,
        target=Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36)),
        base="python-3.11",
        base_key=base,
        interpreter="/usr/bin/python3.11",
        distributions=tuple(
            Distribution(name=package, version=version, filename="x.whl", sha256=version * 8)
            for package, version in packages.items()
        ),
        compile=True,
        allow_overlap=(),
    )
    environment = Environment(
        name=name,
        path=Path(name),
        description="",
        requires_python="",
        dependencies=(),
        base="python-3.11",
    )
    return Resolved(environment=environment, base=None, system=None, recipe=recipe)  # type: ignore[arg-type]


def published(item: Resolved, tag: str = "") -> Published:
    return Published(
        tag=tag or item.recipe.tag,
        digest="sha256:" + "a" * 64,
        key=item.recipe.key,
        platform=str(item.recipe.target.platform),
        base="python-3.11",
        base_key=item.recipe.base_key,
        packages=dict(item.packages),
    )


def plan_of(item: Resolved, shelf: Shelf, **options: bool) -> tuple[Plan, Planned]:
    plan = make_plan([Keyed.of(item)], {}, shelf, known=frozenset({"mine"}), **options)
    return plan, plan.environments[0]


def test_a_tag_that_is_published_is_up_to_date() -> None:
    """Nothing but the tag counts: no history, no dates."""
    item = resolved(pandas="2.2")
    plan, told = plan_of(item, Shelf(mine=[published(item)]))
    assert (told.verdict, told.reasons, plan.to_build) == (Verdict.UP_TO_DATE, (), ())
    assert "is up to date" in report.explain(plan, "mine")


def test_an_environment_without_images_is_new() -> None:
    """The first build of all."""
    plan, told = plan_of(resolved(), Shelf())
    assert (told.verdict, told.reasons) == (Verdict.BUILD, (Reason.NEW,))
    assert [item.environment.name for item in plan.to_build] == ["mine"]


def test_a_changed_package_is_named_with_both_versions() -> None:
    """Changed, new and removed packages against the image that is published."""
    before = resolved(pandas="2.2", numpy="1.26", six="1")
    after = resolved(pandas="2.3", numpy="1.26", polars="1")
    plan, told = plan_of(after, Shelf(mine=[published(before)]))
    assert told.reasons == (Reason.LOCK_CHANGED,)
    assert told.changes == (
        Change(package="pandas", before="2.2", after="2.3"),
        Change(package="polars", after="1"),
        Change(package="six", before="1"),
    )
    sentences = report.explain(plan, "mine")
    assert "pandas went from 2.2 to 2.3" in sentences
    assert "polars 1 is new" in sentences
    assert "six 1 is gone" in sentences


def test_a_moved_base_is_told_apart_from_a_changed_lock() -> None:
    """Both can be true at once."""
    before = resolved(pandas="2.2")
    _, told = plan_of(resolved(base="1" * 64, pandas="2.2"), Shelf(mine=[published(before)]))
    assert told.reasons == (Reason.BASE_MOVED,)
    _, told = plan_of(resolved(base="1" * 64, pandas="2.3"), Shelf(mine=[published(before)]))
    assert told.reasons == (Reason.LOCK_CHANGED, Reason.BASE_MOVED)


def test_a_tag_that_vanished_is_missing_and_not_changed() -> None:
    """The stable image has this very key, but the key's own tag is gone."""
    item = resolved(pandas="2.2")
    _, told = plan_of(item, Shelf(mine=[published(item, STABLE)]))
    assert told.reasons == (Reason.MISSING,)


def test_same_packages_and_base_but_another_key_is_the_recipe() -> None:
    """A setting such as `compile`, or Eggcrate's own rules."""
    before = resolved(pandas="2.2")
    after = replace(before, recipe=replace(before.recipe, compile=False))
    _, told = plan_of(after, Shelf(mine=[published(before)]))
    assert told.reasons == (Reason.RECIPE_CHANGED,)


def test_force_builds_what_is_up_to_date() -> None:
    """And says that it was asked for."""
    item = resolved(pandas="2.2")
    _, told = plan_of(item, Shelf(mine=[published(item)]), force=True)
    assert (told.verdict, told.reasons) == (Verdict.BUILD, (Reason.FORCED,))


def test_stable_is_compared_with_before_the_nearest() -> None:
    """Without a stable image, the one whose packages differ least explains."""
    far, near = resolved(pandas="1", numpy="0"), resolved(pandas="2.2", numpy="1")
    now = resolved(pandas="2.3", numpy="1")
    _, told = plan_of(now, Shelf(mine=[published(far), published(near)]))
    assert told.against == near.recipe.tag
    _, told = plan_of(now, Shelf(mine=[published(far, STABLE), published(near)]))
    assert told.against == STABLE


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LockStaleError("stale"), Reason.LOCK_STALE),
        (UnsupportedPackageError("git"), Reason.UNSUPPORTED),
        (ConfigError("base"), Reason.INVALID),
    ],
)
def test_what_cannot_be_resolved_is_blocked(error: EggcrateError, reason: Reason) -> None:
    """Each kind of problem has its word, and the others are planned all the same."""
    fine = Keyed.of(resolved("fine"))
    plan = make_plan([fine], {"mine": error}, Shelf(), known=frozenset({"mine", "fine"}))
    told = {item.environment: item for item in plan.environments}
    assert (told["mine"].verdict, told["mine"].reasons) == (Verdict.BLOCKED, (reason,))
    assert told["fine"].verdict is Verdict.BUILD
    assert plan.blocked


def test_a_deleted_environment_is_retired_and_never_to_be_deleted() -> None:
    """Only what really has images is listed; a rename is a deletion and a new one."""
    old, mine = resolved("old", pandas="2"), Keyed.of(resolved("mine"))
    plan = make_plan([mine], {}, Shelf(old=[published(old)], none=[]), known=frozenset({"mine"}))
    assert plan.retired == ("old",)
    assert "retired" in report.summary(plan)


def test_git_is_asked_for_deleted_environments_only_when_the_registry_cannot_tell() -> None:
    """Its history may be long."""

    class NoCatalogue(Shelf):
        def environments(self) -> frozenset[str]:
            return frozenset()

    def names() -> frozenset[str]:
        return frozenset({"old", "never-built"})

    def must_not_be_asked() -> frozenset[str]:
        raise AssertionError

    shelf, known = {"old": [published(resolved("old"))]}, frozenset({"mine"})
    mine = [Keyed.of(resolved("mine"))]
    plan = make_plan(mine, {}, NoCatalogue(**shelf), known=known, deleted=names)
    assert plan.retired == ("old",)
    plan = make_plan(mine, {}, Shelf(**shelf), known=known, deleted=must_not_be_asked)
    assert plan.retired == ("old",)


def test_what_is_up_to_date_or_new_is_not_resolved() -> None:
    """Its key says enough; the rest is read for what is explained or built."""

    def must_not_be_asked() -> Resolved:
        raise AssertionError

    items = [resolved("there", pandas="2.2"), resolved("fresh", pandas="2.2")]
    lazy = [replace(Keyed.of(item), resolve=must_not_be_asked) for item in items]
    shelf = Shelf(there=[published(items[0])])
    plan = make_plan(lazy, {}, shelf, known=frozenset({"there", "fresh"}))
    assert {item.environment: item.verdict for item in plan.environments} == {
        "there": Verdict.UP_TO_DATE,
        "fresh": Verdict.BUILD,
    }
    with pytest.raises(AssertionError):
        _ = plan.to_build


def test_an_image_for_another_architecture_explains_nothing() -> None:
    """Images of both are published side by side under one name."""
    item = resolved(pandas="2.2")
    other = replace(published(item), platform="linux/arm64", tag="key-of-the-other")
    _, told = plan_of(item, Shelf(mine=[other]))
    assert told.reasons == (Reason.NEW,)


def test_an_image_of_somebody_else_explains_nothing() -> None:
    """Annotations that are missing or mangled are passed over."""
    assert read_published("v1", "sha256:0", {}) is None
    assert (
        read_published("v1", "", {"dev.eggcrate.key": "k", "dev.eggcrate.packages": "[]"}) is None
    )
