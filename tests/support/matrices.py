"""Runs of the matrix made up for reports: small ones with every outcome, and vast ones."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from eggcrate.build import image as annotations
from eggcrate.build.engine import BuildResult
from eggcrate.build.values import Verdict
from eggcrate.errors import ConfigError, EggcrateError, StoreError
from eggcrate.matrix.cells import Cell, CellResult, Grid, Outcome, Proof
from eggcrate.matrix.session import Matrix, Session
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = (
    "</script><script>document.title='owned'</script><!-- <b>bold</b>\n"
    "\x1b[31mred\x1b[0m \x1b]0;title\x07\x00\x08 ]]> & \u2028 \ud800 \u202egnp\n"
    "10%\r50%\r100%\n"
)
FAILURE = """============================= test session starts =============================
collected 2 items

components/train/tests/test_train.py .F                                  [100%]

=================================== FAILURES ===================================
____________________________ test_it_keeps_the_order ___________________________

    def test_it_keeps_the_order():
>       assert train([3, 1]) == [1, 3]
E       AssertionError: assert [3, 1] == [1, 3]
E         At index 0 diff: 3 != 1

components/train/tests/test_train.py:12: AssertionError
=========================== short test summary info ============================
FAILED components/train/tests/test_train.py::test_it_keeps_the_order - Assertio...
========================= 1 failed, 1 passed in 2.31s ==========================
"""
MIB = 1 << 20
BAD = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.KILLED, Outcome.BROKEN)


def cell(component: str, environment: str, flavour: str = "") -> Cell:
    return Cell(component=component, flavour=flavour, environment=environment)


def proof(outcome: Outcome = Outcome.PASSED, name: str = "tests", **fields: object) -> Proof:
    given: dict[str, object] = {"exit_code": 0, "seconds": 1.5, "memory_limit": 4096 * MIB}
    return Proof(name=name, outcome=outcome, **(given | fields))  # type: ignore[arg-type] # kept short


def result(
    component: str, environment: str, outcome: Outcome, flavour: str = "", **fields: object
) -> CellResult:
    place = cell(component, environment, flavour)
    return CellResult(cell=place, outcome=outcome, **fields)  # type: ignore[arg-type] # kept short


def session_of(
    *results: CellResult,
    images: tuple[BuildResult, ...] = (),
    errors: dict[str, EggcrateError] | None = None,
    homeless: tuple[str, ...] = (),
) -> Session:
    """A session of these results."""
    proven = tuple(one.cell for one in results if one.outcome is not Outcome.INCOMPATIBLE)
    matrix = Matrix(
        components={},
        resolved=(),
        grid=Grid(
            cells=proven,
            incompatible=tuple(one for one in results if one.outcome is Outcome.INCOMPATIBLE),
        ),
        cells=proven,
        errors=errors or {},
        homeless=homeless,
    )
    return Session(
        matrix=matrix, images=images, results=results, image_seconds=1.0, cell_seconds=2.5
    )


def with_everything() -> Session:
    """Every outcome and proof there is, with a hostile log."""
    ran: dict[str, object] = {"seconds": 2.0, "memory_peak": 300 * MIB, "image": digest("image")}
    command = "eggcrate matrix --component train --environment sklearn-1-7 --flavour trees"
    failed = proof(
        Outcome.FAILED, reason="test_it_keeps_the_order", exit_code=1, output=FAILURE + HOSTILE
    )
    killed = proof(
        Outcome.KILLED, "example large", exit_code=None, signal=9, memory_peak=4090 * MIB
    )
    return session_of(
        result(
            "train",
            "sklearn-1-7",
            Outcome.FAILED,
            "trees",
            reason="test_train.py::test_it_keeps_the_order - [3, 1] <b>&",
            command=command,
            output=FAILURE + HOSTILE,
            proofs=(proof(), failed),
            **ran,
        ),
        result("train", "sklearn-1-5", Outcome.PASSED, "trees", proofs=(proof(),), **ran),
        result("train", "bare", Outcome.INCOMPATIBLE, reason="needs pandas>=2, which is not there"),
        result("train", "sklearn-1-5", Outcome.INCOMPATIBLE, "boost", reason="needs xgboost>=2"),
        result("train", "sklearn-1-7", Outcome.INCOMPATIBLE, "boost", reason="needs xgboost>=2"),
        result("predict", "bare", Outcome.INCOMPATIBLE, reason="needs pandas>=2"),
        result("predict", "sklearn-1-5", Outcome.REUSED, image=digest("image"), key="0" * 64),
        result(
            "predict",
            "sklearn-1-7",
            Outcome.KILLED,
            reason="used 4.3 GB of the 4.3 GB that it may use",
            proofs=(proof(), killed),
            **ran,
        ),
        result("clean", "bare", Outcome.TIMED_OUT, reason="took longer than 300 s", seconds=300.0),
        result("clean", "sklearn-1-5", Outcome.BROKEN, reason="the image is damaged"),
        result(
            "clean",
            "sklearn-1-7",
            Outcome.FLAKY,
            reason="timing",
            attempts=2,
            output="ok\n",
            earlier=(proof(Outcome.FAILED, reason="timing", exit_code=1, output="too late\n"),),
            proofs=(proof(output="ok\n"),),
            **ran,
        ),
        result("split", "bare", Outcome.PASSED, seconds=1.0, output="collected 1 item\n"),
        result("split", "sklearn-1-5", Outcome.NOT_SELECTED),
        result("split", "sklearn-1-7", Outcome.PASSED, seconds=9.0),
        errors={"components/odd": ConfigError("components/odd/pyproject.toml: <odd>", hint="mend")},
        homeless=("lonely",),
        images=tuple(
            BuildResult(
                environment=name,
                platform="linux/amd64",
                verdict=Verdict.UP_TO_DATE,
                digest=oci.digest_of(content),
            )
            for name, content in manifests("bare", "sklearn-1-5", "sklearn-1-7").items()
        ),
    )


def vast(environments: int = 200, components: int = 100) -> Session:
    """As many cells as that, a few of which failed."""
    results = []
    for row in range(components):
        for column in range(environments):
            place = (row * 7919 + column * 104729) % 997
            names = (f"component_{row:03}", f"environment-{column:03}")
            fields: dict[str, object] = {
                "seconds": place / 50,
                "memory_peak": place * MIB,
                "command": f"eggcrate matrix --component {names[0]} --environment {names[1]}",
                "image": digest(names[1]),
            }
            if place < 5:
                output = FAILURE * 20
                fields |= {"output": output, "proofs": (proof(BAD[place % 4], output=output),)}
                results.append(result(*names, BAD[place % 4], reason="it is so", **fields))
            elif place < 400:
                reason = f"needs package-{place % 40}>=2, which it does not hold"
                results.append(result(*names, Outcome.INCOMPATIBLE, reason=reason))
            elif place < 700:
                results.append(result(*names, Outcome.REUSED, image=digest(names[1])))
            else:
                output = "components/x/tests/test_x.py ....  [100%]\n" * 10
                fields |= {"output": output, "proofs": (proof(output=output),)}
                results.append(result(*names, Outcome.PASSED, **fields))
    return session_of(*results)


def digest(text: str) -> str:
    return oci.digest_of(text.encode())


def manifests(*names: str, packages: int = 12) -> dict[str, bytes]:
    """Manifests of images that share layers: the base, and packages with their bytecode."""
    found = {}
    for number, name in enumerate(names):
        layers = [_layer("python-3.11", "system", 24_000_000)]
        for place in range(packages):
            version = f"{1 + (place + number) % 3}.0"
            size = 40_000_000 // (place + 1)
            layers.append(_layer(f"package-{place}", "files", size, version))
            layers.append(_layer(f"package-{place}", "bytecode", size // 4, version))
        layers.append(oci.Descriptor(media_type=oci.LAYER_GZIP, digest=digest(name), size=4_000))
        config = oci.describe(name.encode(), oci.CONFIG)
        found[name] = oci.Manifest(config=config, layers=tuple(layers)).encode()
    return found


def reader(found: dict[str, bytes]) -> Callable[[str], bytes]:
    """Reads blobs as a store does."""
    blobs = {oci.digest_of(content): content for content in found.values()}

    def read(wanted: str) -> bytes:
        if wanted not in blobs:
            raise StoreError(f"no blob {wanted}")
        return blobs[wanted]

    return read


def _layer(name: str, kind: str, size: int, version: str = "1.0") -> oci.Descriptor:
    key = hashlib.sha256(f"{name} {version} {kind}".encode()).hexdigest()
    unit = {
        "key": key,
        "kind": kind,
        "name": name,
        "version": version,
        "source": key,
        "size": size,
        "files": 10,
    }
    told = {annotations.UNITS: json.dumps([unit]), annotations.DIFF_ID: f"sha256:{key}"}
    return oci.Descriptor(
        media_type=oci.LAYER_GZIP, digest=f"sha256:{key}", size=size, annotations=told
    )
