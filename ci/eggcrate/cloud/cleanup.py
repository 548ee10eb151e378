"""Which images of a registry may go: by use first, and by age only then.

Decided first, as a value; the deciding reads nothing but what it is given.
"""

from __future__ import annotations

import email.utils
import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from eggcrate.cloud.inventory import Held, Name


class Fate(enum.Enum):
    """What becomes of an image."""

    IN_USE = "in-use"
    YOUNG = "young"
    UNKNOWN_AGE = "unknown-age"
    """The registry does not tell when it came: kept, unless it is asked for."""
    NEEDED = "needed"
    """Something that is kept is made of it, or it is about something that is kept."""
    DELETE = "delete"
    """Would be deleted, or is to be."""
    DELETED = "deleted"
    GONE = "gone"
    """Somebody else was first."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One image, what becomes of it, and why."""

    item: Held
    fate: Fate
    why: str = ""


def earlier(now: datetime, told: str) -> datetime:
    """The time, by this machine's clock or by the registry's, where that is behind.

    A clock that was set to a year to come makes everything old.

    Args:
        now: by ours.
        told: the registry's own, as HTTP tells it; not a date, or nothing, does not count.
    """
    try:
        there = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return now
    return min(now, there) if there.tzinfo else now


def decide(
    items: Iterable[Held],
    used: Mapping[Name, Sequence[str]],
    *,
    now: datetime,
    keep_for: timedelta,
    unknown_age: bool = False,
) -> tuple[Decision, ...]:
    """What may go.

    Nothing that is used may, nor what it is made of, nor what is about it; the same holds for
    what is kept for its age.

    Args:
        items: all that the registry holds.
        used: what is used, and by whom.
        now: the time.
        keep_for: what came later than this long ago is kept.
        unknown_age: delete, too, what the registry tells no age of.
    """
    found = {item.named: item for item in items}
    fates: dict[Name, tuple[Fate, str]] = {}
    for named, item in found.items():
        if named in used:
            fates[named] = (Fate.IN_USE, ", ".join(used[named]))
        elif item.uploaded is None and not unknown_age:
            fates[named] = (Fate.UNKNOWN_AGE, "")
        elif item.uploaded is not None and now - item.uploaded < keep_for:
            fates[named] = (Fate.YOUNG, f"{(now - item.uploaded).days} days old")
    fates |= _needed(found, fates)
    nothing = (Fate.DELETE, "nothing uses it")
    return tuple(
        Decision(item=item, fate=fates.get(named, nothing)[0], why=fates.get(named, nothing)[1])
        for named, item in found.items()
    )


def _needed(found: Mapping[Name, Held], kept: Iterable[Name]) -> dict[Name, tuple[Fate, str]]:
    """What something that is kept is made of, and what is about it; and so on from there."""
    words: dict[Name, list[Name]] = {}
    for item in found.values():
        for subject in item.about:
            words.setdefault((item.name, subject), []).append(item.named)
    waiting = list(kept)
    done = set(waiting)
    fates: dict[Name, tuple[Fate, str]] = {}
    while waiting:
        item = found[waiting.pop()]
        reached = [((item.name, part), "part of") for part in item.parts]
        reached += [(word, "about") for word in words.get(item.named, ())]
        for other, why in reached:
            if other in found and other not in done:
                done.add(other)
                waiting.append(other)
                fates[other] = (Fate.NEEDED, f"{why} {item.digest[:19]}")
    return fates


def carry_out(
    decisions: Iterable[Decision],
    delete: Callable[[str, str], bool],
    again: Callable[[], Mapping[Name, Fate]],
) -> tuple[Decision, ...]:
    """Delete what may go, indexes before their parts: nobody finds half an image.

    Args:
        decisions: what was decided.
        delete: deletes an image by name and digest; whether it was there.
        again: decides once more, right before: a tag may have been moved meanwhile.
    """
    every = tuple(decisions)
    doomed = [one for one in every if one.fate is Fate.DELETE]
    now = again() if doomed else {}
    done: dict[Name, Decision] = {}
    for one in sorted(doomed, key=lambda one: (not one.item.parts, bool(one.item.about))):
        if now.get(one.item.named) is not Fate.DELETE:
            gone = one.item.named not in now
            fate = Fate.GONE if gone else now[one.item.named]
            done[one.item.named] = replace(one, fate=fate, why="" if gone else "used meanwhile")
            continue
        try:
            there = delete(*one.item.named)
            done[one.item.named] = replace(one, fate=Fate.DELETED if there else Fate.GONE)
        except RegistryError as error:
            why = f"{error.what}" + (f": {error.why}" if error.why else "")
            done[one.item.named] = replace(one, fate=Fate.FAILED, why=why)
    return tuple(done.get(one.item.named, one) for one in every)
