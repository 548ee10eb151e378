"""The part of ``eggcrate run`` that runs a pipeline on this machine."""

from __future__ import annotations

import base64
import shlex
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from eggcrate.cli.run_remote import pairs
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.files import atomic_write, exclusive
from eggcrate.pipelines.local.carry import Carrier, Place
from eggcrate.pipelines.local.check import check, kubernetes_of
from eggcrate.pipelines.local.images import bring, digest_of
from eggcrate.pipelines.local.memory import FOLDER as TASKS
from eggcrate.pipelines.local.memory import TaskMemory
from eggcrate.pipelines.local.pruning import LOCK, prune_runs, prune_tasks
from eggcrate.pipelines.local.record import FILE, RUNS, SCHEMA, RunRecord, document
from eggcrate.pipelines.local.session import RunJournal, new_run, now, run_pipeline
from eggcrate.report import run as report
from eggcrate.report.run_page import write_run_page
from eggcrate.runtimes.choose import NAMES, choose

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.compiled_file import CompiledPipeline


def add_local(verb: argparse.ArgumentParser) -> None:
    """Add how a pipeline is run on this machine."""
    here = verb.add_argument_group("on this machine")
    here.add_argument("--runtime", choices=NAMES, help="what runs images (default: setting)")
    here.add_argument("--jobs", type=int, default=0, metavar="N", help="tasks that run at once")
    here.add_argument("--open-network", action="store_true", help="let tasks open connections")
    here.add_argument("--no-cache", action="store_true", help="run tasks that are remembered")
    here.add_argument(
        "--volume",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a folder that stands for a PersistentVolumeClaim; repeatable",
    )
    here.add_argument(
        "--config-map",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a folder that stands for a ConfigMap; repeatable",
    )


def run_local(
    arguments: argparse.Namespace,
    context: Context,
    compiled: CompiledPipeline,
    parameters: Mapping[str, Any],
    *,
    name: str,
    project: str,
    config_maps: Mapping[str, Mapping[str, bytes]],
    networked: frozenset[str] = frozenset(),
) -> int:
    """Check, run, report.

    Args:
        arguments: of a verb with :func:`add_local`.
        context: the checkout.
        compiled: the pipeline.
        parameters: its values.
        name: what its runs are kept under.
        project: of its configuration.
        config_maps: their files' contents, as far as they are known.
        networked: labels of executors of components whose settings open the network to them.
    """
    if arguments.jobs < 0:
        raise UsageError("--jobs must be at least 1")
    folders = _folders(arguments)
    check(compiled, parameters, context.root, {*folders, *config_maps})
    if arguments.dry_run:
        _show(arguments, context, compiled, parameters)
        return EXIT_OK
    settings = context.settings
    run = new_run()
    folder = context.root / RUNS / name / run
    for each, files in config_maps.items():
        for file, content in files.items():
            atomic_write(folder / "config-maps" / each / file, content)
        folders.setdefault(each, folder / "config-maps" / each)
    bring(compiled.images, context.store, settings.cache, context.progress)
    runtime = choose(
        arguments.runtime or settings.runtime,
        store=context.store,
        cache=settings.cache,
        progress=context.progress,
    )
    jobs = arguments.jobs or settings.workers
    context.progress.info(f"run {run} of {name} in the {runtime.name} runtime")
    record = RunRecord(
        pipeline=name,
        run=run,
        project=project,
        stage=arguments.stage,
        runtime=runtime.name,
        started=now(),
        parameters=dict(parameters),
    )
    stopped = threading.Event()
    place = Place(
        root=context.root,
        folder=folder,
        run=run,
        pipeline=compiled.name,
        runtime=runtime,
        digest=digest_of,
        kubernetes=kubernetes_of(compiled),
        volumes=folders,
        memory=None if arguments.no_cache else TaskMemory(folder=context.root / TASKS),
        bytes=settings.memory,
        threads=max(1, settings.workers // jobs),
        network=arguments.open_network,
        networked=networked,
    )
    try:
        with exclusive(folder / LOCK):
            done = run_pipeline(
                compiled.spec,
                parameters,
                runner=Carrier(place=place, stopped=stopped),
                journal=RunJournal(
                    folder=folder, record=record, watcher=report.RunWatch(context.progress)
                ),
                jobs=jobs,
                ends=runtime,
                stopped=stopped,
            )
    finally:
        if (folder / FILE).exists():
            write_run_page(folder)
    prune_runs(folder.parent, settings.runs)
    prune_tasks(context.root / TASKS)
    if arguments.json:
        told = document(done)
        told.pop("schema")
        context.show_json(SCHEMA, told)
    else:
        context.show(report.run_text(done, folder, context.root, _again(arguments)))
    return EXIT_OK if report.good(done) else EXIT_FAILURE


def config_maps_beside(path: Path) -> dict[str, dict[str, bytes]]:
    """The config maps that ``eggcrate compile`` wrote beside a compiled pipeline."""
    file = path.with_name(f"{path.stem}.config-maps.yaml")
    if not file.exists():
        return {}
    found = (one for one in yaml.safe_load_all(file.read_bytes()) if one)
    return {
        str(one["metadata"]["name"]): {
            name: base64.b64decode(text) for name, text in one.get("binaryData", {}).items()
        }
        for one in found
    }


def _folders(arguments: argparse.Namespace) -> dict[str, Path]:
    found = {}
    for flag, texts in (("--volume", arguments.volume), ("--config-map", arguments.config_map)):
        for name, text in pairs(texts, flag).items():
            found[name] = Path(text).resolve()
            if not found[name].is_dir():
                raise UsageError(f"{flag} {name}={text}: there is no such folder")
    return found


def _show(
    arguments: argparse.Namespace,
    context: Context,
    compiled: CompiledPipeline,
    parameters: Mapping[str, Any],
) -> None:
    if not arguments.json:
        context.show(report.plan_text(compiled, parameters))
        return
    rows = report.plan_rows(compiled)
    told = {
        "dry_run": True,
        "pipeline": compiled.name,
        "parameters": dict(parameters),
        "tasks": [
            {"id": name, "needs": list(needs), "image": image} for name, needs, image in rows
        ],
    }
    context.show_json(SCHEMA, told)


def _again(arguments: argparse.Namespace) -> str:
    words = ["eggcrate", "run", arguments.pipeline]
    words += ["--stage", arguments.stage] if arguments.stage else []
    words += [word for text in arguments.set for word in ("--set", text)]
    words += ["--runtime", arguments.runtime] if arguments.runtime else []
    return shlex.join(words)
