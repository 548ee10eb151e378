"""Runs on Kubeflow Pipelines: ``kfp.Client``, submitted and looked at.

API: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import ssl
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.errors import SubmitError, UsageError
from eggcrate.pipelines.bundle import KUBEFLOW
from eggcrate.pipelines.submit.checks import (
    check_images,
    check_parameters,
    check_sizes,
    with_caching,
)
from eggcrate.pipelines.submit.clients import quiet, require
from eggcrate.pipelines.submit.kubeflow_runs import run_state
from eggcrate.pipelines.submit.states import Submission
from eggcrate.retries import TRANSIENT, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from eggcrate.pipelines.compiled_file import CompiledPipeline
    from eggcrate.pipelines.submit.options import KubeflowOptions
    from eggcrate.pipelines.submit.states import RunState

NAME = "Kubeflow"
TOKEN_VARIABLE = "EGGCRATE_KUBEFLOW_TOKEN"  # noqa: S105 - a name
COOKIE_VARIABLE = "EGGCRATE_KUBEFLOW_COOKIE"
_RUN_PAGE = "/#/runs/details/"
_OWN_LOG_IN = re.compile(r"\.googleusercontent\.com/?$")
"""Where kfp's client logs in by itself, with Google's credentials."""
_HINTS = {
    401: f"the log-in is missing or has ended: set {TOKEN_VARIABLE} or {COOKIE_VARIABLE}",
    403: "your account may not do this in this namespace; look at namespace under [kubeflow]",
    404: "look at the address: it ends where the API's /apis/v2beta1 begins",
}


def decide(
    compiled: CompiledPipeline,
    parameters: Mapping[str, Any],
    options: KubeflowOptions,
    *,
    run: str = "",
    now: Callable[[], time.struct_time] = time.gmtime,
) -> Submission:
    """What would be submitted.

    Args:
        compiled: the pipeline.
        parameters: its values.
        options: how it is run.
        run: the name to be shown; default: the pipeline's and the time.
        now: tells the time.

    Raises:
        CompileError: Kubeflow cannot run the pipeline.
        UsageError: a parameter or an option is wrong or missing.
    """
    check_images(compiled)
    check_sizes(compiled, KUBEFLOW)
    check_parameters(compiled, parameters)
    if not options.host:
        raise UsageError(
            "Kubeflow needs an address",
            hint="--kubeflow URL, or host under [kubeflow] in the pipeline's config.toml",
        )
    return Submission(
        target="kubeflow",
        pipeline=compiled.name,
        run=run or f"{compiled.name} {time.strftime('%Y%m%d-%H%M%S', now())}",
        job_id="",
        parameters=dict(parameters),
        images=compiled.images,
        options={
            name.replace("_", "-"): value
            for name, value in asdict(options).items()
            if value not in ("", None)
        },
        text=with_caching(compiled, options.caching).text,
    )


class Kubeflow:
    """One installation of Kubeflow Pipelines.

    Args:
        options: where it is.
        environ: holds a token or a cookie.
    """

    def __init__(
        self, options: KubeflowOptions, *, environ: Mapping[str, str] = os.environ
    ) -> None:
        require("kfp", NAME)
        self.options = options
        self._page = options.host.rstrip("/") + _RUN_PAGE
        token, cookie = environ.get(TOKEN_VARIABLE, ""), environ.get(COOKIE_VARIABLE, "")
        if token or cookie or not _OWN_LOG_IN.search(options.host):
            _greet(options, token, cookie)
        # kfp prints the address of what it makes.
        with quiet(), contextlib.redirect_stdout(io.StringIO()):
            kfp_client = importlib.import_module("kfp.client")  # takes seconds
        with self._told("connecting"):
            self._client = kfp_client.Client(
                host=options.host,
                namespace=options.namespace or "kubeflow",
                existing_token=token or None,
                cookies=cookie or None,
                ssl_ca_cert=options.ca_certificate or None,
            )

    def submit(self, submission: Submission) -> RunState:
        """Make the run.

        Raises:
            SubmitError: it is not taken.
        """
        options = self.options
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pipeline.yaml")
            path.write_text(submission.text, encoding="utf-8")
            try:
                with self._told(f"submitting {submission.run}"):
                    made = self._client.create_run_from_pipeline_package(
                        str(path),
                        arguments=dict(submission.parameters),
                        run_name=submission.run,
                        experiment_name=options.experiment or None,
                        namespace=options.namespace or None,
                        pipeline_root=options.pipeline_root or None,
                        service_account=options.service_account or None,
                    )
            except TransientError as error:
                raise SubmitError(
                    "Kubeflow does not answer; whether the run was made is not known",
                    why=error.reason,
                    hint=f"look at {options.host} before you try again",
                ) from error
        return self._seen(made.run_info)

    def look(self, name: str) -> RunState:
        """How a run is.

        Raises:
            SubmitError: there is none, or it may not be seen.
            TransientError: no answer this time.
        """
        with self._told(f"looking at run {name}"):
            found = self._client.get_run(name)
        return self._seen(found)

    def cancel(self, name: str) -> None:
        """Ask for its end.

        Raises:
            SubmitError: it is refused.
        """
        try:
            with self._told(f"cancelling run {name}"):
                self._client.terminate_run(name)
        except TransientError as error:
            raise SubmitError(f"run {name} was not cancelled", why=error.reason) from error

    def listed(self, what: str) -> Iterator[Any]:
        """All ``runs`` or ``recurring_runs``, the latest first, page by page.

        Raises:
            SubmitError: they may not be seen, or there is no answer.
        """
        token = ""
        while True:
            page = self._asked(
                f"listing {what.replace('_', ' ')}",
                f"list_{what}",
                page_token=token,
                page_size=100,
                sort_by="created_at desc",
                namespace=self.options.namespace or None,
            )
            yield from getattr(page, what) or ()
            token = page.next_page_token or ""
            if not token:
                return

    def version(self, pipeline: str, version: str) -> Any:
        """A version of an uploaded pipeline.

        Raises:
            SubmitError: there is none, or it may not be seen.
        """
        doing = f"reading version {version} of pipeline {pipeline}"
        return self._asked(
            doing, "get_pipeline_version", pipeline_id=pipeline, pipeline_version_id=version
        )

    def page(self, run: str) -> str:
        """The address of a run's page."""
        return self._page + run

    def _asked(self, doing: str, method: str, **asked: Any) -> Any:
        try:
            with self._told(doing):
                return getattr(self._client, method)(**asked)
        except TransientError as error:
            raise SubmitError(f"{doing} failed", why=error.reason, hint="try again") from error

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Tell a failure of kfp's client in our words."""
        api = importlib.import_module("kfp_server_api.exceptions")
        transport = importlib.import_module("urllib3.exceptions")
        try:
            with quiet(), contextlib.redirect_stdout(io.StringIO()):
                yield
        except api.ApiException as error:
            status = int(error.status or 0)
            why = f"{status} {_message(error.body) or error.reason}"
            if status in TRANSIENT or not status:
                raise TransientError(f"{doing}: {why}") from error
            hint = _HINTS.get(status, "")
            raise SubmitError(f"{doing} failed", why=why, hint=hint) from error
        except (transport.HTTPError, ConnectionError, TimeoutError) as error:
            raise TransientError(f"{doing}: {_cause(error)}") from error
        except ValueError as error:
            raise SubmitError(f"{doing} failed", why=str(error)) from error

    def _seen(self, run: Any) -> RunState:
        return run_state(run, self._page + str(run.run_id), self.options.namespace)


def _greet(options: KubeflowOptions, token: str, cookie: str) -> None:
    """See that an API answers there: kfp's client would try five times, and take any page for it.

    Raises:
        SubmitError: none does.
    """
    import httpx2  # noqa: PLC0415 - slow, not always needed

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Cookie": cookie} if cookie else {}
    url = f"{options.host.rstrip('/')}/apis/v2beta1/healthz"
    try:
        verify = ssl.create_default_context(cafile=options.ca_certificate or None)
        with httpx2.Client(verify=verify, timeout=30, headers=headers) as client:
            answer = client.get(url)
    except (httpx2.HTTPError, OSError) as error:
        raise SubmitError(
            f"Kubeflow does not answer at {options.host}",
            why=str(error) or type(error).__name__,
            hint="look at the address; a port-forward of the cluster's may have ended",
        ) from error
    status = answer.status_code
    if not answer.is_success and not answer.is_redirect:
        raise SubmitError(
            f"Kubeflow's API refuses {url}",
            why=f"{status} {_message(answer.content) or answer.reason_phrase}",
            hint=_HINTS.get(status, ""),
        )
    if answer.is_redirect or "json" not in answer.headers.get("content-type", ""):
        raise SubmitError(
            f"what answers at {url} is not Kubeflow's API",
            why="it is a page, most likely to log in",
            hint=_HINTS[401],
        )


def address_of(reference: str) -> tuple[str, str]:
    """Host and run id of a run's page; both empty when it is none."""
    host, mark, run = reference.partition(_RUN_PAGE)
    return (host, run) if mark and run else ("", "")


def _message(body: Any) -> str:
    """The message in an answer of the API, which is JSON; or its beginning."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    with contextlib.suppress(ValueError, AttributeError):
        told = json.loads(text)
        return str(told.get("message") or told.get("error") or "")
    return text[:200].strip()


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, BaseException) else error) or type(error).__name__
