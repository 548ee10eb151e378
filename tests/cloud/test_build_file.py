"""``cloudbuild.yaml`` is read as strictly as the service reads it, and told by file and line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from eggcrate.cloud.build_file import read_build
from eggcrate.cloud.substitutions import substitute
from eggcrate.errors import ConfigError, UsageError
from support.json_server import JsonHandler, serving
from support.repository import HERE

if TYPE_CHECKING:
    from pathlib import Path

OURS = HERE / "cloudbuild.yaml"


def _write(folder: Path, text: str) -> Path:
    path = folder / "cloudbuild.yaml"
    path.write_text(text)
    return path


def _official(path: Path) -> Any:
    client = pytest.importorskip(
        "google.cloud.devtools.cloudbuild_v1", reason="run `make setup-all`"
    )
    return client.Build.from_json(json.dumps(yaml.safe_load(path.read_text())))


def test_our_own_file_is_a_build_to_the_official_client() -> None:
    """Every field of the repository's file is one of the service's, of the right type."""
    official = _official(OURS)
    ours = read_build(OURS)
    assert [step.id for step in official.steps] == [step.id for step in ours.steps]
    assert [tuple(step.wait_for) for step in official.steps] == [s.wait_for for s in ours.steps]
    assert official.timeout.total_seconds() == ours.timeout
    assert official.options.logging.name == "CLOUD_LOGGING_ONLY"
    assert "secret" not in OURS.read_text().lower()


def test_our_own_file_needs_no_value_but_the_project() -> None:
    """With its defaults all substitutions are made, strictly; nothing is pushed by default."""
    done = substitute(read_build(OURS), built_in={"PROJECT_ID": "acme"}, given={})
    assert "PUSH=false" in done.build.steps[0].env
    registry = "EGGCRATE_REGISTRY=europe-west4-docker.pkg.dev/acme/eggcrate"
    assert registry in done.build.steps[0].env
    account = "projects/acme/serviceAccounts/eggcrate-build@acme.iam.gserviceaccount.com"
    assert done.build.service_account == account


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_gcloud_takes_our_own_file(tmp_path: Path) -> None:
    """What ``gcloud builds submit`` makes of the file is a build, and it sends all of it."""
    sent: list[Any] = []

    class Service(JsonHandler):
        def post(self) -> None:
            sent.append(json.loads(self.body()))
            self.answer(403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}})

    with serving(Service) as port:
        done = subprocess.run(
            [
                *("gcloud", "builds", "submit", "--no-source", "--async", "--project=acme"),
                *("--config", str(OURS)),
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "CLOUDSDK_CONFIG": str(tmp_path),
                "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD": f"http://127.0.0.1:{port}/",
                "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert "PERMISSION_DENIED" in done.stderr, done.stderr
    [build] = sent
    assert [step["id"] for step in build["steps"]] == [step.id for step in read_build(OURS).steps]
    assert build["options"]["logging"] == "CLOUD_LOGGING_ONLY"


_ONE = "steps:\n- name: image\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("steps: []\n", 1, "1 to 300"),
        ("a: [\n", 2, "not YAML"),
        ("- a\n", 1, "must be a table"),
        (f"{_ONE}  waitfor: [x]\n", 3, "write waitFor"),
        (f"{_ONE}step: []\n", 3, "write steps"),
        (f"{_ONE}  timeout: 5 minutes\n", 3, "no duration"),
        (f"{_ONE}  args: [1]\n", 3, "not a text"),
        (f"{_ONE}substitutions:\n  _PUSH: false\n", 4, "not a text"),
        (f"{_ONE}  allowExitCodes: [no]\n", 3, "whole numbers"),
        (f"{_ONE}  allowFailure: 'yes'\n", 3, "true or false"),
        (f"{_ONE}  script: a\n  args: [b]\n", 3, "neither args nor entrypoint"),
        ("steps:\n- args: [b]\n", 2, "name of an image"),
        (f"{_ONE}  waitFor: [later]\n- name: image\n  id: later\n", 3, "no step above"),
        (f"{_ONE}  id: a\n- name: image\n  id: a\n", 4, "is taken"),
        (f"{_ONE}  id: '-'\n", 2, "is taken"),
        (f"{_ONE}  env: [A]\n", 3, "NAME=VALUE"),
        (f"{_ONE}  secretEnv: [A]\n", 2, "not available: A"),
        (f"{_ONE}  volumes: [{{name: v, path: /v}}]\n", 2, "one step alone"),
        (f"{_ONE}  volumes: [{{name: v, path: /workspace}}]\n", 3, "taken by the build"),
        (f"{_ONE}  timeout: 90s\ntimeout: 60s\n", 2, "longer than the build's"),
        (f"{_ONE}timeout: 90000s\n", 3, "at most 86400s"),
        (f"{_ONE}  id: a\n  id: b\n", 4, "stands twice"),
    ],
)
def test_mistakes_are_told_with_file_and_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    """Each mistake that the service would refuse is refused here, and where it stands."""
    path = _write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_build(path)
    assert said in str(caught.value)
    assert f"{path}:{line}" in caught.value.what


def test_names_are_read_as_protocol_buffers_write_them(tmp_path: Path) -> None:
    """``wait_for`` is ``waitFor``, in both the service and here."""
    path = _write(
        tmp_path, f"{_ONE}  id: a\n- name: image\n  wait_for: [a]\n  allow_failure: true\n"
    )
    build = read_build(path)
    assert build.steps[1].wait_for == ("a",)
    assert build.steps[1].allow_failure
    assert list(_official(path).steps[1].wait_for) == ["a"]


_USES = "steps:\n- name: '{use}'\n"


@pytest.mark.parametrize(
    ("use", "head", "expected"),
    [
        ("$_A", "substitutions: {_A: x}\n", "x"),
        ("${_A}-$$X-${BUILD_ID}", "substitutions: {_A: x}\n", "x-$X-build"),
        (
            "${_A}",
            "substitutions: {_A: '${_B}', _B: x}\noptions: {dynamicSubstitutions: true}\n",
            "x",
        ),
        ("${_A}$_B", "substitutions: {_A: '${_B}', _B: x}\n", "${_B}x"),
        ("a${_GONE}b", "options: {substitutionOption: ALLOW_LOOSE}\n", "ab"),
        ("${_A:-d}$(x)", "options: {substitutionOption: ALLOW_LOOSE}\n", "${_A:-d}$(x)"),
        ("a$TAG_NAME", "", "a"),
    ],
)
def test_substitutions_are_made(tmp_path: Path, use: str, head: str, expected: str) -> None:
    """In fields ``$NAME`` and ``${NAME}``; bash's forms in values, where they are asked for."""
    build = read_build(_write(tmp_path, head + _USES.format(use=use)))
    done = substitute(build, built_in={"BUILD_ID": "build"}, given={})
    assert done.build.steps[0].name == expected


@pytest.mark.parametrize(
    ("use", "head", "line", "said"),
    [
        ("$_GONE", "", 2, "no substitution _GONE"),
        ("${HOME}", "", 2, "not a built-in"),
        ("${HOME}", "options: {substitutionOption: ALLOW_LOOSE}\n", 3, "not a built-in"),
        ("x", "substitutions:\n  _A: x\n", 2, "nothing uses"),
        ("x", "substitutions:\n  A: x\n", 2, "cannot name"),
        (
            "$_A",
            "options: {dynamicSubstitutions: true}\nsubstitutions:\n  _A: a${_A}\n",
            3,
            "in itself",
        ),
        (
            "$_A",
            "options: {dynamicSubstitutions: true}\nsubstitutions:\n  _A: '${_B'\n",
            3,
            "not closed",
        ),
    ],
)
def test_wrong_substitutions_are_told(
    tmp_path: Path, use: str, head: str, line: int, said: str
) -> None:
    """One that nobody gives, or that nobody uses, is told with its line."""
    path = _write(tmp_path, head + _USES.format(use=use))
    with pytest.raises(ConfigError, match=said) as caught:
        substitute(read_build(path), built_in={}, given={})
    assert f"{path}:{line}" in caught.value.what


def test_a_substitution_that_cannot_be_given_is_refused() -> None:
    """Names of one's own begin with an underscore."""
    with pytest.raises(UsageError, match="PUSH cannot be"):
        substitute(read_build(OURS), built_in={}, given={"PUSH": "true"})
