"""A registry of compiled pipelines: Artifact Registry's KFP format, through KFP's own client.

API: https://cloud.google.com/vertex-ai/docs/pipelines/create-pipeline-template.
"""

from __future__ import annotations

import importlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import SubmitError, UsageError
from eggcrate.pipelines.submit.bucket import Outcome, Upload
from eggcrate.pipelines.submit.checks import check_images, check_platform
from eggcrate.pipelines.submit.clients import LOG_IN, quiet, require, told
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.pipelines.compiled_file import CompiledPipeline

NAME = "a registry of pipelines"
_GOOGLE = re.compile(r"https://[\w-]+-kfp\.pkg\.dev/[^/]+/[^/]+/?")
_LOOPBACK = re.compile(r"https?://(?:localhost|127\.0\.0\.1)(?::\d+)?(?:/.*)?")
_OTHER = re.compile(r"https://[^/\s]+(?:/\S*)?")
_TAG = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}")
_HINTS = {
    400: "the registry takes KFP pipelines only, and checks them; is it of the format kfp?",
    401: LOG_IN,
    403: "you need roles/artifactregistry.writer on the repository",
    404: "create the repository first, with "
    "gcloud artifacts repositories create NAME --repository-format=kfp",
}


def check(compiled: CompiledPipeline, address: str, tags: Sequence[str]) -> None:
    """Refuse what the registry would not take, or nobody could run.

    Raises:
        CompileError: the pipeline cannot be a template.
        UsageError: the address or a tag cannot be one.
    """
    known = (_GOOGLE, _LOOPBACK) if "-kfp.pkg.dev" in address else (_LOOPBACK, _OTHER)
    if not any(pattern.fullmatch(address) for pattern in known):
        raise UsageError(
            f"{address!r} is not a registry of pipelines",
            hint="write https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY",
        )
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise UsageError(f"--tag {tag!r} must be of letters, digits, dots, _ and -")
    check_images(compiled)
    check_platform(compiled, NAME)


def upload(compiled: CompiledPipeline, address: str, tags: Sequence[str]) -> Upload:
    """Put a compiled pipeline into the registry, which names its version by its content.

    Raises:
        SubmitError: it is refused.
    """
    require("kfp", NAME)
    with quiet():
        registry = importlib.import_module("kfp.registry")  # takes seconds
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            told(f"uploading to {address}", hints=_HINTS),
        ):
            path = Path(folder, f"{compiled.name}.yaml")
            path.write_text(compiled.text, encoding="utf-8")
            client = registry.RegistryClient(host=address)
            package, version = client.upload_pipeline(str(path), tags=list(tags) or None)
    except TransientError as error:
        raise SubmitError(
            f"{address} does not answer",
            why=error.reason,
            hint="try again: the same pipeline makes no second version",
        ) from error
    reference = tags[0] if tags else version
    return Upload(
        pipeline=compiled.name,
        to=f"{address.rstrip('/')}/{package}/{reference}",
        outcome=Outcome.UPLOADED,
        version=version,
        tags=tuple(tags),
    )
