"""Under which licence a package is, and what a rule says to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.files import sha256_file
from eggcrate.packages import cache as cache_module
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.licences import UNTOLD, is_denied, licence_of, licences, matches
from eggcrate.packages.pip_config import PipConfig
from support.package_index import package_index
from support.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

PERMISSIVE = ("MIT", "BSD-*", "Apache-2.0")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: other", "MIT OR Apache-2.0"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT"),
        (
            (
                "Classifier: License :: OSI Approved :: Apache Software License\n"
                "Classifier: License :: OSI Approved :: BSD License"
            ),
            "Apache-2.0 OR BSD-3-Clause",
        ),
        ("Classifier: License :: Other/Proprietary License", "Other-Proprietary-License"),
        ("License: Apache License, Version 2.0", "Apache-2.0"),
        ("License: 3-Clause BSD License", "BSD-3-Clause"),
        ("License: MPL-2.0 AND MIT", "MPL-2.0 AND MIT"),
        ("License: Our very own one", "Our-very-own-one"),
        ("License: UNKNOWN", UNTOLD),
        ("License: " + "whole text " * 20, UNTOLD),
        ("Classifier: License :: OSI Approved", UNTOLD),
        ("", UNTOLD),
    ],
)
def test_what_metadata_says(headers: str, expected: str) -> None:
    """PEP 639 first, then classifiers, then the field of old."""
    assert (
        licence_of(f"Metadata-Version: 2.4\nName: x\n{headers}\n\nThe licence is GPL.") == expected
    )


@pytest.mark.parametrize(
    ("licence", "allowed", "denied"),
    [
        ("MIT", True, False),
        ("bsd-3-clause", True, False),
        ("GPL-3.0-only", False, True),
        ("GPL-3.0-only OR MIT", True, False),
        ("GPL-3.0-only AND MIT", False, True),
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", True, False),
        ("(MIT)", True, False),
        ("MPL-2.0", False, False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False, True),
        (UNTOLD, False, False),
        ("((", False, False),
    ],
)
def test_what_a_rule_says(licence: str, *, allowed: bool, denied: bool) -> None:
    """One of alternatives is enough; of what is joined by AND, each counts."""
    assert matches(licence, PERMISSIVE) is allowed
    assert is_denied(licence, ("GPL-*", "AGPL-*")) is denied


def test_the_metadata_is_read_remotely(tmp_path: Path) -> None:
    """Wherever it stands in a large wheel: two parts of it are fetched, not the whole."""
    cache_module._verified.clear()
    line = "License-Expression: MIT\n"
    wheel = make_wheel(
        tmp_path,
        "alpha",
        files={"alpha/a.bin": bytes(range(256)) * 4096},
        metadata=line,
        stored=True,
    )
    sdist = make_sdist(tmp_path, "beta", files={"beta.py": ""})

    def of(path: Path) -> Distribution:
        name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
        return Distribution(
            name=name, version=version, filename=path.name, sha256=sha256_file(path)
        )

    with package_index() as index:
        index.add(wheel)
        index.add(sdist)
        config = PipConfig(index_url=index.url, timeout=5)
        found = licences([of(wheel), of(sdist)], cache=tmp_path / "c", config=lambda: config)
        assert found == {of(wheel): "MIT", of(sdist): UNTOLD}
        ranges = [h["Range"] for _, path, h in index.requests if path.endswith(".whl")]
    assert 1 <= len(ranges) <= 2
    assert all(part.startswith("bytes=") for part in ranges)
    assert licences([of(wheel)], cache=tmp_path / "c") == {of(wheel): "MIT"}
