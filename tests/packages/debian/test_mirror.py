"""Where apt and the environment say the mirrors are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import ConfigError
from eggcrate.packages.debian.mirror import configured_mirrors

if TYPE_CHECKING:
    from pathlib import Path


def apt(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_sources_in_both_of_apts_formats_are_read(tmp_path: Path) -> None:
    """One-line and deb822 sources; roots without suites, security apart, others left out."""
    folder = apt(
        tmp_path,
        {
            "sources.list": "# deb http://off.test/debian bookworm main\n"
            "deb [arch=amd64 signed-by=/k.gpg] http://one.test/debian/ bookworm main contrib\n"
            "deb-src http://src.test/debian bookworm main\n"
            "deb http://vendor.test/apt stable vendor\n"
            "deb http://other.test/apt nodistro main\n",
            "sources.list.d/debian.sources": "Types: deb deb-src\n# a comment\n"
            "URIs: http://two.test/debian\nSuites: trixie trixie-updates\nComponents: main\n\n"
            "Types: deb\nURIs: http://two.test/security\nSuites: trixie-security\n"
            "Components: main\n\n"
            "Enabled: no\nTypes: deb\nURIs: http://no.test\nSuites: trixie\nComponents: main\n",
            "sources.list.d/debian.sources.disabled": "deb http://no.test/debian bookworm main\n",
        },
    )
    mirrors = configured_mirrors(environ={}, apt=folder)
    assert mirrors.archive == ("http://two.test/debian", "http://one.test/debian")
    assert mirrors.security[0] == "http://two.test/security"
    assert mirrors.serving("bookworm-security") == mirrors.security
    assert mirrors.serving("bookworm-updates") == mirrors.archive


def test_apts_mirror_lists_are_followed(tmp_path: Path) -> None:
    """Cloud images name their mirrors in a file of their own."""
    (tmp_path / "mirrors").write_text("# ours\nhttp://near.test/debian priority:1\n")
    uri = f"mirror+file:{tmp_path}/mirrors"
    folder = apt(tmp_path / "apt", {"sources.list": f"deb {uri} bookworm main\n"})
    assert configured_mirrors(environ={}, apt=folder).archive == ("http://near.test/debian",)


def test_the_variable_is_stronger_than_apt(tmp_path: Path) -> None:
    """EGGCRATE_DEBIAN_MIRROR replaces whatever apt says; several roots are possible."""
    folder = apt(tmp_path, {"sources.list": "deb http://one.test/debian bookworm main\n"})
    environ = {"EGGCRATE_DEBIAN_MIRROR": "http://a.test/debian/ http://a.test/sec"}
    mirrors = configured_mirrors(environ=environ, apt=folder)
    assert mirrors.archive == ("http://a.test/debian", "http://a.test/sec")
    assert "http://a.test/debian-security" in mirrors.security


def test_without_a_mirror_the_error_says_how_to_name_one(tmp_path: Path) -> None:
    """On Ubuntu or a Mac apt names no Debian mirror."""
    folder = apt(tmp_path, {"sources.list": "deb http://one.test/ubuntu jammy main\n"})
    with pytest.raises(ConfigError) as caught:
        configured_mirrors(environ={}, apt=folder)
    assert "EGGCRATE_DEBIAN_MIRROR" in caught.value.hint


def test_a_security_update_is_also_looked_for_where_a_point_release_puts_it(
    tmp_path: Path,
) -> None:
    """A pinned security update keeps its bytes when it moves into the main archive."""
    environ = {"EGGCRATE_DEBIAN_MIRROR": "http://a.test/debian"}
    mirrors = configured_mirrors(environ=environ, apt=tmp_path)
    files = mirrors.files("pool/updates/main/o/openssl/x.deb")
    assert "http://a.test/debian-security/pool/updates/main/o/openssl/x.deb" in files
    assert files[-1] == "http://a.test/debian/pool/main/o/openssl/x.deb"
