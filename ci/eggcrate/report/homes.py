"""Which environments can take a package, for people and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.build.homes import Fit
from eggcrate.report.sizes import growth
from eggcrate.report.table import table

if TYPE_CHECKING:
    from eggcrate.build.homes import Home, Homes

_MOVED = 4


def homes(found: Homes) -> str:
    """A table, best first, and what to do."""
    rows = [_row(home) for home in found.homes]
    header = ("environment", "can it", "packages", "download", "unpacked", "how, or why not")
    told = table(header, rows, right="packages download unpacked")
    return f"{told}\n\n{_next(found)}"


def _row(home: Home) -> tuple[str, ...]:
    gained = download = unpacked = ""
    if home.costs is not None:
        gained = f"+{sum(not cost.change.before for cost in home.costs.packages)}"
        download = growth(home.costs.download)
        unpacked = growth(home.costs.unpacked)
    return home.environment, home.fit.value, gained, download, unpacked, _how(home)


def _how(home: Home) -> str:
    if home.fit is Fit.CANNOT:
        return home.reason
    told = ", ".join(f"{name} {version}" for name, version in home.versions.items())
    if home.moved:
        some = [f"{one.package} {one.before} -> {one.after}" for one in home.moved[:_MOVED]]
        more = f" and {len(home.moved) - _MOVED} more" if len(home.moved) > _MOVED else ""
        told += f"; moves {', '.join(some)}{more}"
    return told


def _next(found: Homes) -> str:
    packages = " ".join(
        one if one.replace("-", "").isalnum() else f"'{one}'" for one in found.packages
    )
    best = found.homes[0] if found.homes else None
    if why := found.new_environment:
        lines = [f"a new environment is the better home: {why}"]
        lines += [f"next: eggcrate new environment NAME {packages}"]
        if best is not None and best.fit is Fit.MOVES:
            lines += [f"  or: eggcrate add {best.environment} {packages} --move"]
        elif best is not None and best.fit is Fit.FITS:
            lines += [f"  or: eggcrate add {best.environment} {packages}"]
        return "\n".join(lines)
    command = f"eggcrate add {best.environment if best else 'ENV'} {packages}"
    if best is not None and best.fit is Fit.HOLDS:
        return f"{best.environment} has it already; to ask for it by name: {command}"
    return f"next: {command}"


def document(found: Homes) -> dict[str, Any]:
    """``eggcrate.where/1``."""
    return {
        "packages": list(found.packages),
        "environments": [
            {
                "name": home.environment,
                "fit": home.fit.value,
                "versions": dict(home.versions),
                "gained": [
                    {"package": cost.change.package, "version": cost.change.after}
                    for cost in (home.costs.packages if home.costs else ())
                    if not cost.change.before
                ],
                "download": home.costs.download if home.costs else 0,
                "unpacked": home.costs.unpacked if home.costs else 0,
                "moved": [
                    {"package": one.package, "from": one.before, "to": one.after}
                    for one in home.moved
                ],
                "reason": home.reason,
            }
            for home in found.homes
        ],
        "new_environment": found.new_environment,
    }
