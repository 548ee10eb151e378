"""A builder image for CI steps, made by Eggcrate itself: no registry of images is at hand."""

from __future__ import annotations

import re
from pathlib import Path

from eggcrate.cloud.step_container import LABEL
from eggcrate.packages.debian.mirror import configured_mirrors
from eggcrate.packages.pip_config import read_pip_config
from eggcrate.runtimes.docker_daemon import connect
from support.repository import make_repository, take_debs

BUILDERS = {
    "3.11": ("bookworm", "localhost/eggcrate/test-builder:python"),
    "3.13": ("trixie", "localhost/eggcrate/test-builder:python-3.13"),
}
"""Release of Debian, and the image's name, by Python."""
_PACKAGES = (
    *("base-files", "bash", "ca-certificates", "coreutils", "dash", "findutils", "git", "grep"),
    *("gzip", "libc-bin", "libgomp1", "libstdc++6", "make", "mawk", "media-types", "netbase"),
    *("python3", "python3-pip", "python3-venv", "sed", "tar", "tzdata", "util-linux"),
)
_EXCLUDE = (
    *("awk", "debconf", "debianutils", "dpkg", "init-system-helpers", "libpam-runtime"),
    *("login", "openssl", "perl"),
)


def make_builder(scratch: Path, python: str = "3.11") -> str:
    """Have a builder in the Docker daemon; its name.

    It holds what stock Python images hold: Python with venv and pip, git, make, a shell,
    util-linux. One that an earlier test run made is used again.
    """
    suite, builder = BUILDERS[python]
    with connect() as client:
        if client.images(builder):
            return builder
    cache = scratch / "cache"
    cache.mkdir(parents=True)
    take_debs(cache)
    repository = make_repository(scratch / "repository", cache)
    base = repository.root / "bases" / "builder"
    base.mkdir()
    (base / "base.toml").write_text(
        f'description = "CI steps"\npython = "{python}"\nsuite = "{suite}"\n'
        f"packages = {list(_PACKAGES)}\nexclude = {list(_EXCLUDE)}\n"
        'platforms = ["linux/amd64"]\n'
    )
    repository.environment("builder", (), settings='base = "builder"', python=f"=={python}.*")
    for command in (("lock", "--bases", "builder"), ("build", "builder", "--load")):
        ran = repository.run(*command)
        assert ran.code == 0, ran.out + ran.err
    with connect() as client:
        [made] = re.findall(r"localhost/eggcrate/builder:key-\w+", ran.out)
        client.tag(made, *builder.rsplit(":", 1))
        client.remove_image(made)
    return builder


def package_settings() -> list[str]:
    """Arguments that let steps reach the indexes and mirrors that this machine reaches."""
    pip = read_pip_config()
    variables = {
        "PIP_INDEX_URL": pip.index_url,
        "PIP_CERT": pip.cert,
        "SSL_CERT_FILE": pip.cert,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "EGGCRATE_DEBIAN_MIRROR": " ".join(
            dict.fromkeys((*configured_mirrors().archive, *configured_mirrors().security))
        ),
    }
    arguments = [f"--env={name}={value}" for name, value in variables.items() if value]
    if pip.cert:
        arguments.append(f"--mount={Path(pip.cert).resolve()}:{pip.cert}:ro")
    return arguments


def leftovers() -> set[str]:
    """What builds left in the daemon: names of containers, volumes and networks."""
    label = {"label": LABEL}
    with connect() as client:
        containers = client.containers(all=True, filters=label)
        volumes = client.volumes(filters=label)["Volumes"] or ()
        networks = client.networks(filters=label)
    return {name for one in containers for name in one["Names"]} | {
        one["Name"] for one in (*volumes, *networks)
    }
