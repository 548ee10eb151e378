"""`infra/` says nothing that the Google provider would refuse, and refers to what is there."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from eggcrate.cli.context import Context
from support.google_schema import SCHEMA, fetch_bindings, read_bindings
from support.repository import HERE
from support.terraform import reference_problems, resources, schema_problems

if TYPE_CHECKING:
    from pathlib import Path

INFRA = HERE / "infra"
KNOWN = json.loads(SCHEMA.read_text())
"""What was read of the provider's schema."""


def test_resources_fit_the_provider() -> None:
    """No argument is unknown or missing, and what is written as a block is one."""
    assert len(resources(INFRA)) > 15
    assert schema_problems(INFRA, KNOWN) == []


def test_references_lead_somewhere() -> None:
    """Variables, locals, outputs of modules and attributes of resources are there."""
    assert reference_problems(INFRA, KNOWN) == []


@pytest.mark.parametrize(
    ("file", "was", "becomes", "told"),
    [
        ("buckets.tf", "location  ", "locaton  ", "unknown argument locaton (location?)"),
        ("buckets.tf", "location  ", "locaton  ", "location is missing"),
        ("alerts.tf", '  combiner              = "OR"\n', "", "combiner is missing"),
        (
            "alerts.tf",
            'alert_strategy {\n    auto_close = "1800s"\n  }',
            "alert_strategy = {}",
            "alert_strategy is a block, not an attribute",
        ),
        ("alerts.tf", "condition_threshold {", "threshold {", "threshold is no block"),
        ("alerts.tf", "COMPARISON_GT", "COMPARISON_MORE", "comparison is COMPARISON_MORE, not"),
        (
            "alerts.tf",
            "labels       = { email_address = each.value }",
            "labels {\n email_address = each.value\n}",
            "labels is an attribute, not block",
        ),
        ("triggers.tf", "comment_control =", "comments =", "unknown argument comments"),
        ("triggers.tf", 'dynamic "pubsub_config"', 'dynamic "pubsub"', "pubsub is no block"),
        ("triggers.tf", "      topic = google", "      name = google", "topic is missing"),
        (
            "registry.tf",
            'google_artifact_registry_repository"',
            'google_artifact_repo"',
            "no such resource is known",
        ),
    ],
    ids=[
        *("misspelt", "required", "no-combiner", "assigned", "no-block", "word", "block"),
        *("nested", "dynamic", "in-dynamic", "kind"),
    ],
)
def test_what_the_provider_refuses_is_found(
    tmp_path: Path, file: str, was: str, becomes: str, told: str
) -> None:
    """Each kind of mistake in a file is told, with the resource that it is in."""
    path = tmp_path / file
    text = (INFRA / file).read_text()
    assert was in text
    path.write_text(text.replace(was, becomes))
    found = schema_problems(tmp_path, KNOWN)
    assert any(one.startswith(f"{file}: google_") and told in one for one in found), found


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("var.time_zone", "var.timezone", "there is no var.timezone"),
        ("local.forge", "local.forges", "there is no local.forges"),
        ("google_pubsub_topic.scheduled[", "google_pubsub_topic.all[", "google_pubsub_topic.all"),
        ("module.plan.triggers", "module.plan.trigger", "has no output trigger"),
        ("this[0].id", "this[0].number", "google_cloudbuildv2_repository has no number"),
        ("each.value.account].id", "each.value.account].address", "account has no address"),
    ],
    ids=["variable", "local", "resource", "output", "attribute", "indexed"],
)
def test_a_reference_to_nothing_is_found(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    """What is named and not there is told, with its file."""
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform"))
    path = tmp_path / "infra" / "triggers.tf"
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, becomes))
    found = reference_problems(tmp_path / "infra", KNOWN)
    assert any(one.startswith("triggers.tf: ") and told in one for one in found), found


def test_a_module_is_told_what_it_asks_for(tmp_path: Path) -> None:
    """A variable that the module has not, or that it needs and is not told, is found."""
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform"))
    path = tmp_path / "infra" / "main.tf"
    path.write_text(path.read_text().replace("  region       = var", "  place        = var"))
    assert reference_problems(tmp_path / "infra", KNOWN) == [
        "module plan has no variable place",
        "module plan is not told region",
    ]


@pytest.mark.network
def test_the_schema_is_what_the_provider_s_bindings_say() -> None:
    """The file that the check reads was made from the pinned wheel, for all of our resources."""
    cache = Context.open(HERE, {}, None).settings.cache  # type: ignore[arg-type]
    bindings = fetch_bindings(cache / "tests")
    wanted = {one.kind for one in resources(INFRA)}
    assert json.loads(json.dumps(read_bindings(bindings, wanted))) == KNOWN, (
        "run: PYTHONPATH=ci:tests .venv/bin/python -m support.google_schema"
    )
