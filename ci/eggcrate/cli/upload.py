"""``eggcrate upload``: put a compiled pipeline into a bucket or a registry of pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.cli.asked import HELP, METAVAR, add_stage, asked_of
from eggcrate.errors import EXIT_OK, UsageError
from eggcrate.pipelines.compiled_file import read_compiled
from eggcrate.pipelines.submit import bucket, templates
from eggcrate.pipelines.submit.bucket import Outcome, Upload
from eggcrate.pipelines.submit.checks import check_images
from eggcrate.pipelines.submit.schedule_options import place_of
from eggcrate.report import remote as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context
    from eggcrate.pipelines.compiled_file import CompiledPipeline


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "upload",
        help="put a compiled pipeline into a bucket or a registry of pipelines",
        description="Put a compiled pipeline where others run it from.",
    )
    verb.add_argument("pipeline", metavar=METAVAR, help=HELP)
    add_stage(verb)
    verb.add_argument(
        "--to",
        metavar="URL",
        help="gs://BUCKET/PATH, or https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY (default: to "
        "under [upload])",
    )
    verb.add_argument(
        "--tag",
        action="append",
        metavar="TAG",
        help="in a registry; repeatable (default: tags under [upload])",
    )
    verb.add_argument("--dry-run", action="store_true", help="show what would be written")
    verb.add_argument("--json", action="store_true", help="print eggcrate.upload/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Check, upload, report."""
    asked = asked_of(arguments, context, exact=False, one_project=False)
    to, tags = place_of(asked.tables("upload"))
    arguments.to = arguments.to or to
    arguments.tag = list(tags) if arguments.tag is None else arguments.tag
    if not arguments.to:
        raise UsageError(
            "nothing says where it is to be put",
            hint="--to URL, or to under [upload] in the pipeline's config.toml",
        )
    compiled = read_compiled(asked.path(context.root))
    in_bucket = arguments.to.startswith("gs://")
    if in_bucket and arguments.tag:
        raise UsageError("--tag is for registries; a bucket has none")
    if in_bucket:
        done = _to_bucket(arguments, context, compiled)
    else:
        done = _to_registry(arguments, context, compiled)
    if arguments.json:
        context.show_json(
            "eggcrate.upload/1", {"dry_run": arguments.dry_run, **report.upload_document(done)}
        )
    else:
        would = "would be " if arguments.dry_run else ""
        context.show(f"{done.pipeline}: {would}{done.outcome.value}: {done.to}")
    return EXIT_OK


def _to_bucket(
    arguments: argparse.Namespace, context: Context, compiled: CompiledPipeline
) -> Upload:
    address = bucket.object_address(arguments.to, compiled.name)
    check_images(compiled)
    if arguments.dry_run:
        return Upload(pipeline=compiled.name, to=address, outcome=Outcome.UPLOADED)
    context.progress.status("uploading")
    return bucket.upload(compiled.text, address, compiled.name)


def _to_registry(
    arguments: argparse.Namespace, context: Context, compiled: CompiledPipeline
) -> Upload:
    templates.check(compiled, arguments.to, arguments.tag)
    if arguments.dry_run:
        tags = tuple(arguments.tag)
        return Upload(pipeline=compiled.name, to=arguments.to, outcome=Outcome.UPLOADED, tags=tags)
    context.progress.status("uploading")
    return templates.upload(compiled, arguments.to, arguments.tag)
