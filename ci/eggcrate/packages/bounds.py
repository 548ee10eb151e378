"""The version range to write for a package that was asked for by name alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

_FIRST_YEAR = 1990


def sensible_range(version: Version) -> tuple[str, str]:
    """A range around the version that was chosen, and why it is this one.

    From that version on, below the next one that may break its users: the next major version, or
    before 1.0 the next minor one (https://semver.org). Versions that are dates promise nothing.
    """
    epoch = f"{version.epoch}!" if version.epoch else ""
    if version.is_prerelease or version.is_devrelease:
        lower = version.public
    elif version.major:
        lower = f"{epoch}{version.major}.{version.minor}"
    else:
        lower = version.base_version
    if version.major >= _FIRST_YEAR:
        return f">={lower}", "without an upper bound, since its versions are dates"
    if version.major:
        return (
            f">={lower},<{epoch}{version.major + 1}",
            "below the next major version, which may break its users",
        )
    upper = f"{epoch}0.{version.minor + 1}"
    return f">={lower},<{upper}", "below the next minor version: before 1.0 it may break users"
