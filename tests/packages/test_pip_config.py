"""pip's configuration is read as pip reads it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import ConfigError
from eggcrate.packages.pip_config import PipConfig, is_local, read_pip_config, redacted

if TYPE_CHECKING:
    from pathlib import Path


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Ours, without any pip configuration but what is given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "HOME": str(folder)} | variables


def test_default_index_is_pips_own(tmp_path: Path) -> None:
    """With nothing configured, pip's default index is the one, and nothing else is set."""
    config = read_pip_config(environment(tmp_path))
    assert config.index_url.startswith("https://")
    assert config == PipConfig(index_url=config.index_url)


def test_file_and_variables_are_both_read(tmp_path: Path) -> None:
    """A file's settings hold, and a variable wins over the file."""
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://one.test/simple\ntimeout = 7\n"
        "extra-index-url =\n    https://two.test/simple\n    https://three.test/simple\n"
        "trusted-host = four.test\n[install]\nfind-links = https://five.test/links\n"
    )
    variables = {"PIP_CONFIG_FILE": str(file), "PIP_TIMEOUT": "9", "PIP_CERT": "/cert.pem"}
    config = read_pip_config(environment(tmp_path, **variables))
    assert config.index_urls == (
        "https://one.test/simple",
        "https://two.test/simple",
        "https://three.test/simple",
    )
    assert config.find_links == ("https://five.test/links",)
    assert (config.timeout, config.cert) == (9.0, "/cert.pem")
    assert config.trusted_hosts == ("four.test",)


def test_paths_become_file_urls(tmp_path: Path) -> None:
    """A folder of wheels is a ``file:`` URL, so that all sources look alike."""
    config = read_pip_config(environment(tmp_path, PIP_FIND_LINKS=str(tmp_path)))
    assert config.find_links == (tmp_path.as_uri(),)
    assert is_local(config.find_links[0])


def test_no_index_leaves_only_links(tmp_path: Path) -> None:
    """``no-index`` means that no index is asked."""
    variables = {"PIP_NO_INDEX": "1", "PIP_EXTRA_INDEX_URL": "https://two.test/simple"}
    assert read_pip_config(environment(tmp_path, **variables)).index_urls == ()


def test_broken_configuration_is_an_expected_error(tmp_path: Path) -> None:
    """A file that pip cannot read gives an error that says what to look at."""
    file = tmp_path / "pip.conf"
    file.write_text("no section here\n")
    with pytest.raises(ConfigError, match="pip's configuration could not be read"):
        read_pip_config(environment(tmp_path, PIP_CONFIG_FILE=str(file)))


def test_redacted_hides_credentials() -> None:
    """No user name, password or query is ever shown."""
    assert redacted("https://me:secret@host.test/simple?x=1") == "https://***@host.test/simple"
    assert redacted("https://host.test/simple") == "https://host.test/simple"
