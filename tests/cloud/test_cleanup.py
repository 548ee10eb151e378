"""Clean-up deletes nothing that is in use, whatever happened before."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from eggcrate.cloud.cleanup import Decision, Fate, carry_out, decide, earlier
from eggcrate.cloud.inventory import Held, uses
from eggcrate.errors import RegistryError

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
PREFIX = "registry.example:5000/eggs"
Name = tuple[str, str]


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def held(text: str, *tags: str, days: float | None = 90, **more: tuple[str, ...]) -> Held:
    uploaded = None if days is None else NOW - timedelta(days=days)
    return Held(name="one", digest=digest(text), tags=tags, uploaded=uploaded, **more)


def fates(*items: Held, used: dict[Name, tuple[str, ...]] | None = None, **more: bool) -> list[str]:
    decisions = decide(items, used or {}, now=NOW, keep_for=MONTH, **more)
    return [one.fate.value for one in decisions]


def test_age_decides_only_of_what_nothing_uses() -> None:
    """Old and unused goes; young stays; of unknown age stays unless it is asked for."""
    old, young, unknown = held("old"), held("young", days=29), held("unknown", days=None)
    assert fates(old, young, unknown) == ["delete", "young", "unknown-age"]
    assert fates(unknown, unknown_age=True) == ["delete"]
    assert fates(old, used={old.named: ("tag stable",)}) == ["in-use"]


def test_a_clock_that_was_set_ahead_makes_nothing_old() -> None:
    """The registry's own time counts where it is earlier; what is no time does not."""
    assert earlier(NOW, "Sat, 01 Dec 2029 00:00:00 GMT") == NOW - timedelta(days=31)
    assert earlier(NOW, "Fri, 01 Feb 2030 00:00:00 GMT") == NOW
    for told in ("", "yesterday", "Sat, 01 Dec 2029 00:00:00 -0000", "\0", "Sat, 99 Dec 2029"):
        assert earlier(NOW, told) == NOW


def test_what_is_kept_keeps_its_parts_and_what_is_about_it() -> None:
    """An index keeps its images, an image its signature, the signature what is about it."""
    part = held("part")
    index = held("index", "stable", parts=(part.digest,))
    signature = held("signature", about=(part.digest,))
    on_it = held("on it", about=(signature.digest,))
    stray = held("stray", about=(digest("gone"),))
    used = {index.named: ("tag stable",)}
    assert fates(stray, on_it, signature, part, index, used=used) == [
        *("delete", "needed", "needed", "needed", "in-use")
    ]


def test_tags_locks_and_pipelines_use_images(tmp_path: Path) -> None:
    """Tags of people use what they name; those that Eggcrate makes of content do not."""
    items = [
        *(held("a", "key-0a"), held("b", "key-0b"), held("c", "proof-0c"), held("d", "v1.2")),
        *(held("e", "stable", "key-0e"), held("f"), held("g"), held("h", f"sha256-{'0' * 64}.sig")),
    ]
    compiled = tmp_path / "build" / "pipelines" / "train.yaml"
    compiled.parent.mkdir(parents=True)
    compiled.write_text(f"image: {PREFIX}/one@{digest('f')}\n")
    more = tmp_path / "uploaded.json"
    more.write_text(f'{{"image": "{PREFIX}/one@{digest("g")}", "other": "x/one@{digest("a")}"}}')
    found = uses(items, keys={"one": {"key-0b"}}, root=tmp_path, prefix=PREFIX, more=[more])
    assert {name[1]: users for name, users in found.items()} == {
        digest("b"): ("the lock",),
        digest("d"): ("tag v1.2",),
        digest("e"): ("tag stable",),
        digest("f"): ("build/pipelines/train.yaml",),
        digest("g"): (str(more),),
    }
    every = uses(items, keys={}, unread={"one"}, root=tmp_path, prefix=PREFIX)
    assert set(every) >= {item.named for item in items}


def test_what_changed_meanwhile_is_left_alone() -> None:
    """Decided twice: what became used, or went, between is not deleted; failures are told."""
    items = [held(name) for name in ("index", "used", "gone", "fails", "lost")]
    items[0] = held("index", parts=(digest("used"),))
    decisions = [Decision(item=item, fate=Fate.DELETE) for item in items]
    asked = []

    def delete(name: str, what: str) -> bool:
        asked.append(what)
        if what == digest("fails"):
            raise RegistryError("it does not", why="405")
        return what != digest("lost")

    def again() -> dict[Name, Fate]:
        now = {item.named: Fate.DELETE for item in items if item.digest != digest("gone")}
        return now | {items[1].named: Fate.IN_USE}

    done = carry_out(decisions, delete, again)
    assert [one.fate.value for one in done] == ["deleted", "in-use", "gone", "failed", "gone"]
    assert asked[0] == digest("index")
    assert digest("used") not in asked


@dataclass
class World:
    """A registry, and all that happens to it."""

    items: dict[Name, Held] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pins: set[str] = field(default_factory=set)
    now: datetime = NOW
    made: list[str] = field(default_factory=list)

    def put(self, text: str, **more: tuple[str, ...]) -> str:
        made = digest(text)
        if ("one", made) not in self.items:
            self.items["one", made] = Held(name="one", digest=made, uploaded=self.now, **more)
            self.made.append(made)
        return made

    def inventory(self) -> list[Held]:
        found = []
        for (name, what), item in self.items.items():
            tags = tuple(tag for tag, there in self.tags.items() if there == what)
            found.append(
                Held(
                    name=name,
                    digest=what,
                    tags=tags,
                    uploaded=item.uploaded,
                    parts=item.parts,
                    about=item.about,
                )
            )
        return found

    def needed(self) -> set[str]:
        """What pins and people's tags reach; worked out by sets, until nothing is added."""
        reached = {self.tags[tag] for tag in self.tags if tag in ("stable", "v1")} | self.pins
        reached &= {what for _, what in self.items}
        while True:
            parts = {
                part
                for _, what in self.items
                for part in self.items["one", what].parts
                if what in reached
            }
            about = {what for (_, what), item in self.items.items() if reached & set(item.about)}
            more = (reached | parts | about) & {what for _, what in self.items}
            if more == reached:
                return reached
            reached = more


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "build",
                "build",
                "index",
                "sign",
                "promote",
                "release",
                "pin",
                "unpin",
                "days",
                "clean",
            ]
        ),
        st.integers(0, 1000),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(_EVENTS)
def test_nothing_in_use_is_ever_deleted(events: list[tuple[str, int]]) -> None:
    """Over any history, all that tags and pins reach is there after each clean-up, and nothing
    that is old and unreached is left by it.
    """  # noqa: D205 - one claim
    world = World()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, (event, choice) in enumerate([*events, ("days", 400), ("clean", 0)]):
            _happen(world, root, event, choice, number)


def _happen(world: World, root: Path, event: str, choice: int, number: int) -> None:
    there = [what for what in world.made if ("one", what) in world.items]
    one = there[choice % len(there)] if there else ""
    if event == "build":
        world.tags[f"key-{number:x}"] = world.put(f"image {choice % 7} {number % 5}")
    elif event == "days":
        world.now += timedelta(days=choice % 50)
    elif event == "clean":
        _clean(world, root)
    elif not one:
        return
    elif event == "index":
        world.tags[f"key-{number:x}"] = world.put(f"index {number}", parts=tuple(there[-2:]))
    elif event == "sign":
        world.put(f"signature {number}", about=(one,))
    elif event in ("promote", "release"):
        world.tags["stable" if event == "promote" else "v1"] = one
    elif event == "pin":
        world.pins.add(one)
    elif event == "unpin":
        world.pins.discard(one)


def _clean(world: World, root: Path) -> None:
    pipelines = root / "pipelines"
    pipelines.mkdir(exist_ok=True)
    (pipelines / "all.yaml").write_text("".join(f"{PREFIX}/one@{pin}\n" for pin in world.pins))
    needed = world.needed()

    def decided() -> tuple[Decision, ...]:
        items = world.inventory()
        used = uses(items, keys={}, root=root, prefix=PREFIX)
        return decide(items, used, now=world.now, keep_for=MONTH)

    def delete(name: str, what: str) -> bool:
        return world.items.pop((name, what), None) is not None

    carry_out(decided(), delete, lambda: {one.item.named: one.fate for one in decided()})
    left = {what for _, what in world.items}
    world.tags = {tag: what for tag, what in world.tags.items() if what in left}
    assert needed <= left
    fresh = {what for (_, what), item in world.items.items() if world.now - item.uploaded < MONTH}
    if not fresh:
        assert left == needed
