"""Every parser of data from outside, each with good examples of what it reads."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unearth.collector import IndexPage
from unearth.link import Link

from eggcrate.build import cyclonedx, image, provenance
from eggcrate.build.attest import PROVENANCE
from eggcrate.build.plan import read_published
from eggcrate.build.saved import read_saved
from eggcrate.build.shelf import read_layer
from eggcrate.build.states import state_of_image
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import make_wheel_unit
from eggcrate.errors import EggcrateError
from eggcrate.files import sealed, sha256_file
from eggcrate.matrix import evidence
from eggcrate.matrix.example_file import read_examples
from eggcrate.matrix.memory import Pass
from eggcrate.packages import osv
from eggcrate.packages.debian.archive import parse_package
from eggcrate.packages.debian.deb import parse_deb
from eggcrate.packages.debian.facts import facts_of, licences_of
from eggcrate.packages.debian.lockfile import read_base_lock
from eggcrate.packages.debian.release import parse_release
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.indexes import _parse
from eggcrate.packages.licences import is_denied, licence_of, matches
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import select
from eggcrate.packages.target import Platform, Target
from eggcrate.packages.wanted import read_wanted
from eggcrate.packages.wheels import open_wheel
from eggcrate.pipelines.outputs import read_outputs
from eggcrate.registry import cosign, oci, refusals
from eggcrate.registry.credentials import credentials_for
from eggcrate.registry.layout import Layout
from eggcrate.registry.referrers import _manifests
from eggcrate.repo.bases import read_base
from eggcrate.repo.components import read_component
from eggcrate.repo.environments import read_environment
from eggcrate.repo.pipelines import read_config
from eggcrate.repo.policy import read_exceptions, read_policy
from eggcrate.repo.settings import read_settings
from eggcrate.retries import TransientError
from eggcrate.runtimes.inflate import LayerStream
from eggcrate.runtimes.untar import extract
from packages.debian.support import make_deb, tar_member
from support.images import file, folder, symlink, tar_of
from support.repository import HERE
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST = "sha256:" + "ab" * 32
TARGET = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))
SCHEME = Scheme(prefix="opt/env", minor="3.11")


@dataclass(frozen=True, kw_only=True)
class TargetOfFuzz:
    """A parser."""

    name: str
    parse: Callable[[bytes, Path], object]
    """Given the bytes, and an empty folder."""
    seeds: tuple[bytes, ...]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _in(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """A parser of a file with this path in the folder."""

    def parse(content: bytes, scratch: Path) -> object:
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return read(path)

    return parse


def _lock(path: Path) -> object:
    lock = read_lock(path)
    (path.parent / "pyproject.toml").write_text(
        '[project]\nname = "x"\nrequires-python = ">=3.11"\ndependencies = ["pandas"]\n'
    )
    wanted = read_wanted(path.parent / "pyproject.toml", groups=("main",), extras=())
    return select(lock, wanted, TARGET, groups=("main",))


def _page(kind: str) -> Callable[[bytes, Path], object]:
    address = "https://index.example/simple/six/"
    return lambda content, _: _parse(IndexPage(Link(address), content, "utf-8", kind), address)


def _wheel(content: bytes, scratch: Path) -> object:
    path = scratch / "thing-1.0-py3-none-any.whl"
    path.write_bytes(content)
    with open_wheel(path, name="thing", version="1.0"):
        pass
    found = Distribution(name="thing", version="1.0", filename=path.name, sha256=sha256_file(path))
    return make_wheel_unit(found, path, scheme=SCHEME, cache=scratch / "cache")


def _deb(content: bytes, _: Path) -> object:
    return facts_of(parse_deb(content, name="x"), version="1")


def _layer(content: bytes, scratch: Path) -> object:
    (scratch / "out").mkdir()
    found = extract(LayerStream(io.BytesIO(content), oci.LAYER_GZIP, "x"), scratch / "out", "x")
    outside = {path.name for path in scratch.iterdir()} - {"out"}
    assert not outside, outside
    return found


def _manifest(content: bytes, _: Path) -> object:
    parsed = oci.parse(content)
    oci.media_type_of(content)
    if isinstance(parsed, oci.Manifest):
        read_published("key-1", DIGEST, parsed.annotations)
        for layer in parsed.layers:
            read_layer(layer)
        return state_of_image("x", DIGEST, parsed)
    return [item.fits("linux/amd64") for item in parsed.manifests]


def _layout(path: Path) -> object:
    (path.parent / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    return Layout(path.parent).refs()


def _refusal(content: bytes, _: Path) -> object:
    wanted = refusals.Wanted(host="h", repository="r", what="manifest x")
    refusals.may_heal(503, content)
    return [str(refusals.explain(wanted, status, content, {})) for status in (400, 404, 409, 500)]


def _outputs(path: Path) -> object:
    (path.parent / "data").write_bytes(b"x")
    definition = {
        "outputDefinitions": {
            "parameters": {"rows": {"parameterType": "NUMBER_INTEGER"}},
            "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}},
        }
    }
    return read_outputs(definition, path.parent, "/task")


def _example(path: Path) -> object:
    folder = path.parents[2]
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.11"\n')
    (folder / "component.py").touch()
    return read_examples(read_component(folder), path.parents[4])


def _osv(content: bytes, _: Path) -> object:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None  # told by what reads the file, see test_osv_source
    told = osv.parse(document, where="x", names=("six",)).vulnerability
    return told and told.hits(osv.Package(ecosystem="PyPI", name="six", version="1"))


def _settings(path: Path) -> object:
    read_policy(path.parent)
    return read_settings(path.parent, {"HOME": "/nowhere"})


def _exceptions(path: Path) -> object:
    return read_exceptions(path.parent, path.parents[2])


def _metadata(content: bytes, _: Path) -> object:
    text = content.decode("utf-8", "replace")
    licence = licence_of(text)
    return matches(licence, ["MIT"]), is_denied(licence, ["GPL-*"]), licences_of(text)


def _first(folder: str, name: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((HERE / folder).glob(name))[:2])


def _made_wheel() -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = make_wheel(
            Path(scratch),
            "thing",
            files={"thing.py": "x = 1\n" * 9, "{data}/scripts/run": "#!python\n"},
            entry_points="[console_scripts]\nthing = thing:main\n",
        )
        return path.read_bytes()


_LAYER = oci.Descriptor(
    media_type=oci.LAYER_GZIP,
    digest=DIGEST,
    size=10,
    annotations={
        image.DIFF_ID: DIGEST,
        image.UNITS: json.dumps(
            [
                {
                    "key": "ab" * 32,
                    "kind": "files",
                    "name": "six",
                    "version": "1",
                    "source": "cd" * 32,
                    "size": 10,
                    "files": 1,
                    "claims": ["x"],
                }
            ]
        ),
    },
)
_MANIFEST = oci.Manifest(
    config=oci.describe(b"{}", oci.CONFIG),
    layers=(_LAYER,),
    annotations={image.PACKAGES: '{"six": "1"}', image.KEY: "ab" * 32, image.PYTHON: "3.11.2"},
).encode()
_INDEX = oci.Index(
    manifests=(oci.describe(b"x", oci.MANIFEST, platform="linux/arm64/v8"),)
).encode()
_CONFIG = oci.Config(
    platform="linux/amd64", diff_ids=(DIGEST,), env={"A": "b"}, history=("x",), created="1980"
).encode()
_TAR = tar_of([folder("a"), file("a/b", b"text"), symlink("a/c", "b"), file("a/.wh.d")])
_PACKAGE = (
    b"Package: six\nVersion: 1:1.0-1+b1\nArchitecture: all\nFilename: pool/main/s/six/six.deb\n"
    b"Size: 10\nSHA256: " + b"ab" * 32 + b"\nDepends: a (>= 1) | b, c:any\nProvides: d (= 2)\n"
)
_RELEASE = (
    b"Codename: bookworm\nDate: Sat, 10 Feb 2024 11:07:25 UTC\nAcquire-By-Hash: yes\nSHA256:\n "
    + b"ab" * 32
    + b" 100 main/binary-amd64/Packages.xz\n"
)
_PASS = {
    "schema": "eggcrate.proof/1",
    "key": "ab" * 32,
    "image": DIGEST,
    "seconds": 1.0,
    "memory_peak": 1,
    "date": "2024-01-01",
    "runtime": "docker",
    "output": "x",
    "proofs": [{"name": "tests", "seconds": 1, "exit_code": 0, "memory_peak": 1}],
}
_PROVENANCE = {
    "_type": provenance.STATEMENT,
    "subject": [{"name": "x", "digest": {"sha256": "ab" * 32}}],
    "predicateType": provenance.PREDICATE,
    "predicate": {
        "buildDefinition": {
            "buildType": provenance.BUILD,
            "externalParameters": {
                "environment": "x",
                "platform": "linux/amd64",
                "source": {"revision": "ab", "clean": True},
            },
            "internalParameters": {"base": "b", "key": "k", "recipeVersion": 4},
        },
        "runDetails": {"builder": {"id": "urn:x"}},
    },
}
_BILL = {
    "metadata": {
        "component": {
            "name": "x",
            "properties": [
                {"name": f"dev.eggcrate:{name}", "value": "true"}
                for name in ("key", "platform", "python", "whole")
            ],
        }
    },
    "components": [
        {
            "name": "six",
            "version": "1",
            "purl": "pkg:pypi/six@1",
            "hashes": [{"content": "ab"}],
        }
    ],
}
_OSV = {
    "id": "X-1",
    "aliases": ["CVE-1"],
    "summary": "bad",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "six"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
            "versions": ["1.0"],
        }
    ],
}
_DOCKER = {"auths": {"h": {"auth": "dTpw"}, "https://i/v1/": {"identitytoken": "t"}}}
_OUTPUTS = {
    "parameterValues": {"rows": 3},
    "artifacts": {"data": {"artifacts": [{"name": "d", "uri": "/task/data", "metadata": {}}]}},
}
_ENVELOPE = {"payload": "e30=", "payloadType": PROVENANCE, "signatures": [{"sig": "YWI="}]}
_EXAMPLE = (
    b'description = "x"\nflavours = []\n[inputs]\na = 1\nb = { file = "x" }\n'
    b"[expect]\nrows = { at-least = 3 }\n"
)
_CONFIG_TOML = (
    b"[parameters]\na = 1\n[stages.s.parameters]\nb = 2\n[projects.p.parameters]\nc = 3\n"
)
_RULES = (
    b'[tool.eggcrate]\nregistry = "h/p"\nattest = true\n'
    b'[tool.eggcrate.policy]\nmax-size = "1GB"\ndeny = ["a<1"]\n'
)
_EXCEPTIONS = (
    b'[[tool.eggcrate.exceptions]]\nrule = "deny"\nid = "CVE-1"\nreason = "x"\nuntil = 2030-01-01\n'
)


def _saved() -> bytes:
    listing = [{"Config": "c.json", "Layers": ["l.tar"], "RepoTags": None}]
    config = json.loads(_CONFIG)
    config["rootfs"]["diff_ids"] = [oci.digest_of(_TAR)]
    return tar_of(
        [file("manifest.json", _json(listing)), file("c.json", _json(config)), file("l.tar", _TAR)]
    )


def _read_saved(content: bytes, scratch: Path) -> object:
    (scratch / "saved.tar").write_bytes(content)
    (scratch / "blobs").mkdir()
    return read_saved(scratch / "saved.tar", {}, scratch / "blobs", frozenset())


def targets() -> list[TargetOfFuzz]:
    """All of them."""
    debian = make_deb([tar_member("./usr/x", b"x"), tar_member("./usr/share/doc/x/copyright", b"")])
    pages = (
        b'<a href="six-1.0-py3-none-any.whl#sha256=ab" data-requires-python="&gt;=3">six</a>',
        _json(
            {"meta": {"api-version": "1.0"}, "files": [{"filename": "six-1.tar.gz", "url": "x"}]}
        ),
    )
    found: dict[str, tuple[Callable[[bytes, Path], object], tuple[bytes, ...]]] = {
        "poetry-lock": (
            _in("environments/x/poetry.lock", _lock),
            _first("environments", "*/poetry.lock")[:1],
        ),
        "base-lock": (_in("b/base.lock", read_base_lock), _first("bases", "*-debug/base.lock")),
        "base": (
            _in("bases/b/base.toml", lambda path: read_base(path.parent)),
            _first("bases", "python-3.1[13]/base.toml"),
        ),
        "environment": (
            _in("environments/e/pyproject.toml", lambda path: read_environment(path.parent)),
            _first("environments", "*/pyproject.toml"),
        ),
        "component": (
            _in("components/c/pyproject.toml", lambda path: read_component(path.parent)),
            _first("components", "*/pyproject.toml"),
        ),
        "example": (_in("components/c/examples/e/example.toml", _example), (_EXAMPLE,)),
        "pipeline-config": (
            _in("pipelines/p/config.toml", lambda path: read_config(path.parents[2], "p")),
            (_CONFIG_TOML, *_first("pipelines", "*/config.toml")),
        ),
        "settings": (_in("pyproject.toml", _settings), (_RULES,)),
        "exceptions": (_in("environments/e/pyproject.toml", _exceptions), (_EXCEPTIONS,)),
        "simple-html": (_page("text/html"), pages[:1]),
        "simple-json": (_page("application/vnd.pypi.simple.v1+json"), pages[1:]),
        "wheel": (_wheel, (_made_wheel(),)),
        "metadata": (_metadata, (b"Name: x\nLicense-Expression: MIT OR (A AND B)\n",)),
        "debian-package": (_deb, (debian,)),
        "debian-index": (lambda content, _: parse_package(content), (_PACKAGE,)),
        "debian-release": (
            lambda content, _: parse_release(
                content.decode("utf-8", "replace"), suite="bookworm", root="r"
            ),
            (_RELEASE,),
        ),
        "manifest": (_manifest, (_MANIFEST, _INDEX)),
        "image-config": (lambda content, _: oci.parse_config(content), (_CONFIG,)),
        "image-layout": (_in("index.json", _layout), (_INDEX, _MANIFEST)),
        "referrers": (lambda content, _: _manifests(content, "x"), (_INDEX,)),
        "refusal": (_refusal, (b'{"errors":[{"code":"DENIED","message":"no","detail":{}}]}',)),
        "docker-config": (
            _in("config.json", lambda path: [credentials_for(name, path) for name in ("h", "i")]),
            (_json(_DOCKER),),
        ),
        "layer": (_layer, (gzip.compress(_TAR, mtime=0),)),
        "docker-save": (_read_saved, (_saved(),)),
        "executor-output": (_in("executor_output.json", _outputs), (_json(_OUTPUTS),)),
        "evidence": (
            lambda content, _: evidence.split(content.decode("utf-8", "replace")),
            (f'x\n{evidence.MARK} {{"imported": ["a"], "lines": {{"a": [[1], [2]]}}}}\n'.encode(),),
        ),
        "proof": (
            lambda content, _: Pass.read(content, "ab" * 32),
            (sealed(_PASS).encode(),),
        ),
        "provenance": (
            lambda content, _: provenance.read_statement(content),
            (_json(_PROVENANCE),),
        ),
        "envelope": (
            lambda content, _: cosign.unchecked(content, PROVENANCE),
            (_json(_ENVELOPE),),
        ),
        "signature": (
            lambda content, _: cosign.names(content, DIGEST),
            (cosign.payload_of(DIGEST, "x"),),
        ),
        "bill": (lambda content, _: cyclonedx.decode(content), (_json(_BILL),)),
        "vulnerability": (_osv, (_json(_OSV),)),
    }
    return [
        TargetOfFuzz(name=name, parse=parse, seeds=seeds) for name, (parse, seeds) in found.items()
    ]


def check(target: TargetOfFuzz, content: bytes) -> None:
    """Parse: nothing but one of our own errors may come out."""
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as scratch,
        # The second makes the index be asked again, and is an error of ours in the end.
        contextlib.suppress(EggcrateError, TransientError),
    ):
        target.parse(content, Path(scratch))
