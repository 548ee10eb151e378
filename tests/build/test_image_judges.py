"""What others make of our images: skopeo, umoci, and the programs inside."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from typing import TYPE_CHECKING

import docker as sdk
import pytest

from eggcrate.runtimes.docker import load
from eggcrate.runtimes.rootfs import root_path, unpack
from support.repository import Repository, copy_cache, make_repository, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.sandbox]

_TOOLS = frozenset(
    "sh bash dash ash zsh busybox apt apt-get aptitude dpkg dpkg-deb rpm apk pip pip3 conda gcc cc "
    "make curl wget nc netcat su sudo mount passwd".split()
)
"""What an intruder would look for: shells, package managers, compilers, and ways out."""
BOTH = 'platforms = ["linux/amd64", "linux/arm64"]'


@pytest.fixture(scope="module")
def images(base_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Images of every sort: two platforms, a debug base, system packages, no bytecode."""
    folder = tmp_path_factory.mktemp("images")
    cache = copy_cache(base_cache, folder / "cache")
    repository = make_repository(folder / "repo", cache, links=folder / "links")
    links = folder / "links"
    made = packages(
        make_wheel(
            links,
            "awkward",
            files={
                "awkward/__init__.py": "def main():\n    print('from the command')\n",
                "awkward/tool.sh": "#!/bin/sh\n",
                "awkward/größe.txt": "ä",
                f"awkward/{'long' * 30}/{'name' * 30}.txt": "long",
                "{data}/scripts/script": "#!python\nprint('from a script')\n",
                "{data}/data/share/awkward.txt": "shared",
            },
            entry_points="[console_scripts]\nawkward = awkward:main\n",
            executable=["awkward/tool.sh", "{data}/scripts/script"],
        ),
        make_wheel(links, "space-one", files={"space/one.py": "ONE = 1\n"}),
        make_wheel(links, "space-two", files={"space/two.py": "TWO = 2\n"}),
    )
    base = 'base = "python-3.11"'
    repository.environment("plain", made, settings=f"{base}\n{BOTH}")
    repository.environment("debug", made, settings='base = "python-3.11-debug"')
    repository.environment("no-bytecode", made, settings=f"{base}\ncompile = false")
    system = f'{base}\nsystem-packages = ["libjpeg62-turbo"]'
    folder = repository.environment("system", made, settings=system)
    kept = (folder / "poetry.lock").read_bytes()
    locked = subprocess.run(
        [*repository.argv("lock", "system")],
        env=repository.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "base.lock").is_file(), locked.stdout + locked.stderr
    (folder / "poetry.lock").write_bytes(kept)
    repository.environment("nonroot", made, settings=f'{base}\nuser = "nonroot"')
    repository.build()
    return repository


def _digest(images: Repository, name: str) -> str:
    return images.store.resolve(name, "linux/amd64").digest


def test_skopeo_accepts_every_image(images: Repository) -> None:
    """Every name in the store, the index of two platforms included, for each platform."""
    refs = images.store.refs()
    assert len(refs) == 11  # five plain names, and the immutable one of each of six images
    for ref in refs:
        for architecture in ("amd64", "arm64") if ref == "plain" else ("amd64",):
            command = ["skopeo", "--override-arch", architecture, "inspect"]
            done = subprocess.run(
                [*command, f"oci:{images.store.root}:{ref}"], capture_output=True, check=True
            )
            shown = json.loads(done.stdout)
            assert shown["Os"] == "linux"
            if ref == "plain":
                assert shown["Architecture"] == architecture
            assert len(shown["Layers"]) == len(set(shown["Layers"]))
    raw = ["skopeo", "inspect", "--raw", f"oci:{images.store.root}:plain"]
    index = json.loads(subprocess.run(raw, capture_output=True, check=True).stdout)
    found = [item["platform"]["architecture"] for item in index["manifests"]]
    assert found == ["amd64", "arm64"]


def test_skopeo_copies_what_it_reads(images: Repository, tmp_path: Path) -> None:
    """Copying checks every blob's digest and size, and leaves the manifest as it is."""
    for name in ("plain", "debug", "system"):
        copy = ["skopeo", "copy", "-q", "--all", f"oci:{images.store.root}:{name}"]
        subprocess.run([*copy, f"oci:{tmp_path}/copy:{name}"], check=True)
        index = json.loads((tmp_path / "copy" / "index.json").read_bytes())
        digests = {item["digest"] for item in index["manifests"]}
        assert images.store.resolve(name).digest in digests


def test_umoci_unpacks_what_we_unpack(images: Repository, tmp_path: Path) -> None:
    """File for file: kinds, modes, links and bytes, in every image of the store."""
    for ref, described in images.store.refs().items():
        if "." not in ref:
            continue
        bundle = tmp_path / ref
        command = ["umoci", "unpack", "--rootless", "--image", f"{images.store.root}:{ref}"]
        subprocess.run([*command, str(bundle)], check=True, capture_output=True)
        unpack(images.store, described.digest, images.cache)
        ours = root_path(images.cache, described.digest)
        assert _tree(bundle / "rootfs") == _tree(ours), ref


def _tree(root: Path) -> dict[str, tuple[int, str, bytes]]:
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = root.__class__(folder, name)
            status = path.lstat()
            link = str(path.readlink()) if path.is_symlink() else ""
            mode = 0 if link else status.st_mode
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[str(path.relative_to(root))] = (mode, link, content)
    return found


def test_modes_are_those_of_an_image(images: Repository) -> None:
    """Nothing set-user-id; nothing for all to write but /tmp; /opt/env as pip would make it."""
    for name in ("plain", "debug", "system"):
        digest = _digest(images, name)
        unpack(images.store, digest, images.cache)
        root = root_path(images.cache, digest)
        modes = {path: mode for path, (mode, _, _) in _tree(root).items() if mode}
        special = {path for path, mode in modes.items() if mode & (stat.S_ISUID | stat.S_ISGID)}
        assert special == set()
        open_to_all = {path for path, mode in modes.items() if mode & stat.S_IWOTH}
        assert open_to_all == {"tmp", "var/tmp"}
        assert all(stat.S_IMODE(modes[path]) == 0o1777 for path in open_to_all)
        assert stat.S_IMODE(root.stat().st_mode) == 0o755
        environment = {path: mode for path, mode in modes.items() if path.startswith("opt/env")}
        for path, mode in environment.items():
            runs = path.startswith("opt/env/bin/") or path.endswith("tool.sh")
            expected = 0o755 if stat.S_ISDIR(mode) or runs else 0o644
            assert stat.S_IMODE(mode) == expected, path


def test_a_shell_is_in_debug_bases_only(images: Repository) -> None:
    """/bin/sh and coreutils there; elsewhere nothing to run but Python."""
    ran = images.inside(_digest(images, "debug"), "/bin/sh", "-c", "ls / | sort | head -1; id -u")
    assert (ran.exit_code, ran.output.split()[0]) == (0, "bin"), ran
    for name in ("plain", "system"):
        for program in ("/bin/sh", "/bin/bash", "/usr/bin/env", "/bin/ls"):
            assert images.inside(_digest(images, name), program).exit_code != 0, program
        root = root_path(images.cache, _digest(images, name))
        unpack(images.store, _digest(images, name), images.cache)
        held = {
            path.rpartition("/")[2]
            for path, (mode, _, _) in _tree(root).items()
            if mode & stat.S_IXUSR and not stat.S_ISDIR(mode)
        }
        assert not held & _TOOLS, held & _TOOLS
    assert "from the command" in images.inside(_digest(images, "plain"), "awkward").output
    assert "from a script" in images.inside(_digest(images, "plain"), "script").output


@pytest.mark.parametrize("name", ["plain", "debug", "system"])
def test_python_finds_what_programs_expect(images: Repository, name: str) -> None:
    """Certificates, time zones, ctypes, users, locale, packages: with no variable set."""
    script = """
import bz2, ctypes, ctypes.util, datetime, decimal, hashlib, json, locale, lzma, mimetypes, os
import pwd, socket, sqlite3, ssl, sys, tempfile, uuid, zlib, zoneinfo
assert not [name for name in os.environ if name.startswith("SSL_")], os.environ
assert len(ssl.create_default_context().get_ca_certs()) > 100
summer = datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
assert summer.utcoffset() == datetime.timedelta(hours=2)
assert ctypes.CDLL("libc.so.6").getpid() == os.getpid()
for library in ("libgomp.so.1", "libstdc++.so.6"):
    ctypes.CDLL(library)
assert pwd.getpwuid(65532).pw_name == "nonroot"
assert pwd.getpwnam("root").pw_uid == 0
assert os.getuid() != 0
assert locale.getpreferredencoding() == "UTF-8", locale.getpreferredencoding()
assert socket.getservbyname("https") == 443
assert mimetypes.guess_type("a.parquet.json")[0] == "application/json"
assert sys.prefix == "/opt/env" and sys.base_prefix == "/usr", (sys.prefix, sys.base_prefix)
import awkward, space.one, space.two
from importlib.metadata import version, files
assert version("awkward") == "1.0"
assert all(file.locate().exists() for file in files("awkward"))
with tempfile.TemporaryFile() as file:
    file.write(b"x")
try:
    open("/opt/env/new", "w")
except OSError as error:
    print(error.strerror)
"""
    assert images.python(_digest(images, name), script) == "Read-only file system"


_AT_HOME = """
import os, pathlib
home = pathlib.Path.home()
(home / ".cache").mkdir()
(home / ".cache" / "kept").write_text("x")
print(home, os.getuid(), os.getgid(), oct(home.stat().st_mode)[-3:], home.stat().st_uid)
"""


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "user", "told"),
    [
        ("nonroot", "", "/home/nonroot 65532 65532 775 65532"),
        ("nonroot", "1000670000:0", "/home/nonroot 1000670000 0 775 65532"),
        ("nonroot", "0:0", "/home/nonroot 0 0 775 65532"),
        ("plain", "", "/root 0 0 700 0"),
        ("plain", "65532", "/home/nonroot 65532 65532 775 65532"),
    ],
)
def test_whoever_runs_it_has_a_home(
    docker_daemon: str, images: Repository, name: str, user: str, told: str
) -> None:
    """Asked for in its settings or when it is started; a user without a name; root without rights.

    In Docker, with every capability dropped: what owner and mode do not allow is not possible.
    """
    digest = _digest(images, name)
    tag = f"localhost/eggcrate/home-{name}:{digest[7:19]}"
    load(images.store, digest, tag)
    client = sdk.DockerClient(base_url=docker_daemon)
    try:
        ran = client.containers.run(
            tag,
            ["/opt/env/bin/python", "-c", _AT_HOME],
            user=user or None,
            cap_drop=["ALL"],
            network_mode="none",
            remove=True,
        )
    finally:
        client.images.remove(tag, force=True)
        client.close()
    assert ran.decode().strip() == told


def test_a_cell_has_a_home_whoever_the_image_runs_as(images: Repository) -> None:
    """The image's own is on its root, which cells cannot write to: theirs is another."""
    script = "import pathlib; home = pathlib.Path.home(); (home / 'x').touch(); print(home)"
    for name in ("nonroot", "plain"):
        assert images.python(_digest(images, name), script) == "/tmp"


def test_bytecode_is_used(images: Repository) -> None:
    """Every module of library and packages has a ``.pyc`` that needs no source to be valid."""
    script = """
import importlib.util, json, sys
import awkward, space.one, email.mime.text, decimal, argparse
found = {}
for name, module in list(sys.modules.items()):
    spec = getattr(module, "__spec__", None)
    if spec is None or not (spec.origin or "").endswith(".py") or name == "sitecustomize":
        continue
    head = open(spec.cached, "rb").read(8)
    found[name] = [head[:4] == importlib.util.MAGIC_NUMBER, int.from_bytes(head[4:], "little")]
print(json.dumps(found))
"""
    found = json.loads(images.python(_digest(images, "plain"), script))
    assert found.keys() >= {"awkward", "space.one", "email.mime.text", "argparse"}
    assert set(map(tuple, found.values())) == {(True, 1)}  # PEP 552: hash-based, unchecked
    ran = images.inside(
        _digest(images, "plain"), "/opt/env/bin/python", "-v", "-c", "import awkward, argparse"
    )
    site = "/opt/env/lib/python3.11/site-packages"
    assert f"code object from '{site}/awkward/__pycache__" in ran.output
    compiled = re.findall("code object from (/.*)", ran.output)  # what -v says of such a module
    assert set(compiled) <= {"/usr/lib/python3.11/sitecustomize.py"}  # a link, to a few lines
    script = "import awkward, os; print(os.path.exists(awkward.__cached__))"
    assert images.python(_digest(images, "no-bytecode"), script) == "False"


def test_system_packages_are_there(images: Repository) -> None:
    """The library can be loaded, and scanners find its record; other images have neither."""
    script = (
        "import ctypes, os\n"
        "ctypes.CDLL('libjpeg.so.62')\n"
        "print(sorted(n for n in os.listdir('/var/lib/dpkg/status.d') if 'jpeg' in n))"
    )
    assert "libjpeg62-turbo" in images.python(_digest(images, "system"), script)
    ran = images.inside(_digest(images, "plain"), "/opt/env/bin/python", "-c", script)
    assert "libjpeg.so.62" in ran.output
    assert ran.exit_code != 0
