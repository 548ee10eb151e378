"""Cells as a pipeline of KFP's: a task for each, in its image, and one that gathers results.

A backend keeps what a task has written only when the task ends well. So a cell's task ends well
whenever it has a result, and a cell that was not good has a second task, which ends badly and shows
it. The last task runs whatever happened before it.

What all of them need is a parcel that stands in the pipeline once, in as many tasks as Kubeflow's
limit for a container makes it; each writes its part as an artifact.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError
from eggcrate.pipelines.bundle import PYTHON, boot_program
from eggcrate.pipelines.compiled_file import CompiledPipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

_PART = 80 << 10
"""Bytes of a part: with Base64, and what else the container says, below Kubeflow's 120 KiB."""
_PLACE = (
    "import base64, json, os, sys\n"
    "def place(told, name):\n"
    "    uri = told['artifacts'][name]['artifacts'][0]['uri']\n"
    "    for scheme, start in (('gs://', '/gcs/'), ('s3://', '/s3/'), ('minio://', '/minio/')):\n"
    "        uri = start + uri[len(scheme):] if uri.startswith(scheme) else uri\n"
    "    return uri\n"
)
"""Where an artifact is, as KFP's own executor finds it."""
_WRITE = (
    f"{_PLACE}"
    "told = json.loads(sys.argv[-1])['outputs']\n"
    "for path in (place(told, 'part'), told['outputFile']):\n"
    "    os.makedirs(os.path.dirname(path), exist_ok=True)\n"
    "open(place(told, 'part'), 'wb').write(base64.b64decode(''.join(sys.argv[1:-1])))\n"
    "json.dump(dict(artifacts=told['artifacts']), open(told['outputFile'], 'w'))\n"
)
_REFUSE = (
    f"{_PLACE}"
    "told = json.load(open(place(json.loads(sys.argv[-1])['inputs'], 'result')))['cells'][0]\n"
    "sys.exit(told['outcome'] + ': ' + told['reason'])\n"
)
_PIECE = 96 << 10
MOST_TASKS = 64
"""Cells of one pipeline. Kubeflow keeps a run in one object of at most 1.5 MiB, in which the parcel
and some 10 KiB for each task have their place (kubeflow/pipelines#13738, #13422)."""
MOST_BYTES = 3 << 20
"""Of a compiled file: Kubeflow's API takes 4 MiB in a message (tensorflow/tfx#3459)."""


@dataclass(frozen=True, kw_only=True)
class CellTask:
    """A cell as a task."""

    name: str
    """As it is shown, such as ``predict in xgboost-2``."""
    image: str
    """``NAME@sha256:…``."""
    word: str
    """What its program is told."""
    memory: int
    """Bytes that it needs."""
    network: bool = False


@dataclass(frozen=True, kw_only=True)
class Programs:
    """What tasks call in the parcel, as ``module:function`` each."""

    prove: str
    gather: str


def cells_pipeline(
    name: str, tasks: Sequence[CellTask], parcel: bytes, programs: Programs, known: str
) -> CompiledPipeline:
    """Compile cells.

    Args:
        name: of the pipeline.
        tasks: the cells.
        parcel: packed.
        programs: what tasks call.
        known: what the last task is told of all cells.

    Raises:
        CompileError: it is larger than backends take.
    """
    from google.protobuf import json_format  # noqa: PLC0415 - slow, for this alone
    from kfp import dsl  # noqa: PLC0415 - as above

    sha256 = hashlib.sha256(parcel).hexdigest()
    pieces = [parcel[at : at + _PART] for at in range(0, len(parcel), _PART)]
    names = [f"part_{number:02}" for number in range(1, len(pieces) + 1)]
    first = tasks[0].image

    def whole():  # type: ignore[no-untyped-def] # KFP reads annotations, and takes no None
        parts = {
            each: _part(dsl, first, piece, each) for each, piece in zip(names, pieces, strict=True)
        }
        results = {}
        for number, told in enumerate(tasks, 1):
            prove = _component(
                dsl,
                _identifier(told.name),
                told.image,
                (programs.prove, sha256, told.word),
                inputs=names,
                outputs=("result",),
                values=("good",),
            )
            task = prove(**parts)
            task.set_display_name(told.name)
            task.set_caching_options(enable_caching=False)
            task.set_memory_limit(f"{-(-told.memory // (1 << 20))}Mi")
            results[f"result_{number}"] = task.outputs["result"]
            with dsl.If(task.outputs["good"] == "no", name=f"not good: {told.name}"):
                refuse = _made(
                    dsl,
                    _identifier(f"failed {told.name}"),
                    told.image,
                    ("-c", _REFUSE),
                    inputs=("result",),
                )
                failed = refuse(result=task.outputs["result"])
                failed.set_display_name(f"failed: {told.name}")
                failed.set_caching_options(enable_caching=False)
        gather = _component(
            dsl,
            "report",
            first,
            (programs.gather, sha256, known),
            optional=(*names, *results),  # all of them: KFP's rule for what runs in any case
            outputs=("results", "junit", "page"),
        )
        report = gather(**parts, **results).ignore_upstream_failure()
        report.set_caching_options(enable_caching=False)

    made = dsl.pipeline(whole, name=name, description="Every component in every image")
    compiled = CompiledPipeline(spec=json_format.MessageToDict(made.pipeline_spec))
    size = len(compiled.text)
    if size > MOST_BYTES:
        raise CompileError(
            f"{name} is {size} bytes, and Kubeflow takes {MOST_BYTES} in one pipeline",
            hint="compile fewer cells together: --component, --environment, --affected or --shard",
        )
    return compiled


def _part(dsl: Any, image: str, content: bytes, name: str) -> Any:
    text = base64.b64encode(content).decode()
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    made = _made(dsl, name, image, ("-c", _WRITE, *pieces), outputs=("part",))
    return made().outputs["part"]


def _component(dsl: Any, name: str, image: str, words: Sequence[str], **wanted: Any) -> Any:
    return _made(dsl, name, image, ("-c", boot_program("cells_boot.py"), *words), **wanted)


def _made(
    dsl: Any,
    name: str,
    image: str,
    words: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    optional: Sequence[str] = (),
    outputs: Sequence[str] = (),
    values: Sequence[str] = (),
) -> Any:
    """A component of KFP's with a container of its own, whose function is made for it."""

    def function(*_: Any) -> Any:
        return dsl.ContainerSpec(image=image, command=[PYTHON, *words], args=["{{$}}"])

    def parameter(
        each: str, kind: Any, default: Any = inspect.Parameter.empty
    ) -> inspect.Parameter:
        where = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Parameter(each, where, annotation=kind, default=default)

    signature = inspect.Signature(
        [
            *(parameter(each, dsl.Input[dsl.Artifact]) for each in inputs),
            *(
                parameter(each, dsl.Output[dsl.HTML if each == "page" else dsl.Artifact])
                for each in outputs
            ),
            *(parameter(each, dsl.OutputPath(str)) for each in values),
            *(parameter(each, dsl.Input[dsl.Artifact], None) for each in optional),
        ],
        return_annotation=dsl.ContainerSpec,
    )
    function.__name__ = function.__qualname__ = name
    vars(function)["__signature__"] = signature
    return dsl.container_component(function)


def _identifier(name: str) -> str:
    """A cell as the name of a function, of which KFP makes the task's: ``predict-in-xgboost-2``."""
    return re.sub(r"\W+", "_", name).strip("_").lower()
