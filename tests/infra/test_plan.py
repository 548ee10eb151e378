"""What `infra/modules/plan` decides goes with the build files and with the documentation."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.cloud.build_file import read_build
from eggcrate.cloud.substitutions import substitute
from support.repository import HERE

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = HERE / "docs" / "how-to-set-up-google-cloud.md"
EVERYTHING = {
    "vertex": True,
    "scale_out": True,
    "signing_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
    "remote": "https://github.com/acme/ml.git",
    "builder": "europe-west1-docker.pkg.dev/acme-ml/tools/python:3.11",
}
"""Variables with which every grant is made, and every substitution given."""
_ROW = re.compile(r"^\| `eggcrate-(\w+)` \| ([^|]+) \| `roles/([\w.]+)` \|", re.MULTILINE)


def test_files_are_formatted(terraform: Callable[..., str]) -> None:
    """As `terraform fmt` writes them."""
    terraform("fmt", "-check", "-diff", "-recursive", where=HERE / "infra")


def test_the_module_is_valid_and_its_own_tests_pass(terraform: Callable[..., str]) -> None:
    """`terraform validate` and `terraform test`, without a provider and without a network."""
    terraform("validate", "-no-color")
    told = terraform("test", "-no-color")
    passed = re.search(r"Success! (\d+) passed, 0 failed", told)
    assert passed, told
    assert int(passed[1]) == told.count("... pass") - 1


def test_a_rule_that_is_broken_fails_the_module_s_tests(
    terraform: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pull requests that may write images are found: the tests are not for show."""
    folder = tmp_path_factory.mktemp("broken") / "plan"
    shutil.copytree(HERE / "infra" / "modules" / "plan", folder)
    path = folder / "grants.tf"
    was = '"check", on = "repository/images", role = "roles/artifactregistry.reader"'
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, was.replace("reader", "writer")))
    terraform("init", "-no-color", where=folder)
    told = terraform("test", "-no-color", code=1, where=folder)
    assert "1 failed" in told


@pytest.mark.parametrize("variables", [{}, EVERYTHING], ids=["least", "most"])
def test_triggers_go_with_their_build_files(
    decided: Callable[..., dict[str, Any]], variables: dict[str, object]
) -> None:
    """Each trigger's file is there and takes each substitution, strictly; the account is one."""
    plan = decided(**variables)
    for name, trigger in plan["triggers"].items():
        build = read_build(HERE / trigger["file"])
        given = trigger["substitutions"]
        assert set(given) <= set(build.substitutions), name
        done = substitute(build, built_in={"PROJECT_ID": "acme-ml"}, given=given).build
        email = plan["emails"][trigger["account"]]
        assert done.service_account == f"projects/acme-ml/serviceAccounts/{email}", name
        registry = f"EGGCRATE_REGISTRY={plan['addresses']['images']}"
        assert registry in done.steps[0].env, name


@pytest.mark.parametrize(
    ("file", "account"),
    [
        ("cloudbuild.yaml", "build"),
        ("ci/refresh-bases.yaml", "refresh"),
        ("ci/refresh-locks.yaml", "refresh"),
    ],
)
def test_a_build_by_hand_has_the_same_account(
    decided: Callable[..., dict[str, Any]], file: str, account: str
) -> None:
    """The account that a build file names by itself is one that Terraform makes."""
    done = substitute(read_build(HERE / file), built_in={"PROJECT_ID": "acme-ml"}, given={}).build
    email = decided()["emails"][account]
    assert done.service_account == f"projects/acme-ml/serviceAccounts/{email}"


def test_the_secret_of_the_refreshes_is_the_one_that_is_made(
    decided: Callable[..., dict[str, Any]],
) -> None:
    """Its name in the build files is the name in Terraform; only the last step sees it."""
    name = decided()["secrets"]["forge"]
    for file in ("refresh-bases.yaml", "refresh-locks.yaml"):
        path = HERE / "ci" / file
        assert f"/secrets/{name}/versions/latest" in path.read_text()
        assert [bool(step.secret_env) for step in read_build(path).steps][-2:] == [False, True]


def test_the_page_tells_every_right(decided: Callable[..., dict[str, Any]]) -> None:
    """The table of rights in the documentation is the IAM matrix, no more and no less."""
    told = {(account, role) for account, _, role in _ROW.findall(PAGE.read_text())}
    grants = decided(**EVERYTHING)["grants"].values()
    made = {(one["account"], one["role"].removeprefix("roles/")) for one in grants}
    assert told - made == set()
    assert made - told == set()


def test_what_the_main_branch_ignores_is_there_and_harmless(
    decided: Callable[..., dict[str, Any]],
) -> None:
    """No pattern is misspelt, and none covers a folder that images or pipelines are made of."""
    ignored = decided()["triggers"]["main"]["ignored_files"]
    for pattern in ignored:
        assert (HERE / pattern.removesuffix("/**")).exists(), pattern
    built = ("environments", "bases", "components", "pipelines", "ci", "scripts")
    assert not [one for one in ignored if one.startswith(built)]
