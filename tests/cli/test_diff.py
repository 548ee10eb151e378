"""What an environment holds, compared over git, images and each other; who holds what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.planning import commit, git, package
from support.published import fill_store
from support.repository import Repository, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Call = Callable[..., tuple[int, str, str]]


def changes(call: Call, *arguments: str) -> dict[str, tuple[str, str, str]]:
    code, out, err = call("diff", *arguments, "--offline", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["schema"] == "eggcrate.diff/1"
    return {one["package"]: (one["from"], one["to"], one["step"]) for one in document["changes"]}


def test_revisions_images_and_environments_are_sides(repository: Repository, call: Call) -> None:
    """One grammar: the working tree, commits, images, other environments, those at commits."""
    fill_store(repository)
    assert call("build", "--all")[0] == 0  # which names what is there
    repository.environment("one", (package("pandas", "3.0"), package("numpy")))
    moved = {
        "pandas": ("2.2", "3.0", "major"),
        "numpy": ("", "1.0", "new"),
        "six": ("1.0", "", "removed"),
    }
    turned = {
        "pandas": ("3.0", "2.2", "major"),
        "numpy": ("1.0", "", "removed"),
        "six": ("", "1.0", "new"),
    }
    assert changes(call, "one") == moved  # against HEAD, without a registry
    assert changes(call, "one", "HEAD") == moved
    assert changes(call, "one", "main", ".") == moved
    assert changes(call, "one", ".", "main") == turned
    assert changes(call, "one", "@store") == moved
    assert changes(call, "one", ".", ".") == {}
    assert changes(call, "one", "@store", "HEAD") == {}
    assert changes(call, "one", "two") == {
        "numpy": ("1.0", "", "removed"),
        "pandas": ("3.0", "", "removed"),
        "six": ("", "1.0", "new"),
    }
    assert changes(call, "two", "HEAD:one") == {"pandas": ("", "2.2", "new")}
    assert changes(call, "one", "two@store", "HEAD") == {"pandas": ("", "2.2", "new")}


def test_only_what_the_target_needs_counts(repository: Repository, call: Call) -> None:
    """A lock that differs only for another platform is no difference."""
    folder = repository.environment("one", (package("pandas", "2.2"), package("six")))
    text = (folder / "poetry.lock").read_text()
    extra = (
        package("colorama").toml().replace("files", "markers = \"sys_platform == 'win32'\"\nfiles")
    )
    (folder / "poetry.lock").write_text(text.replace("[metadata]", f"{extra}\n[metadata]"))
    assert changes(call, "one", "HEAD") == {}


def test_new_and_removed_environments_are_compared(repository: Repository, call: Call) -> None:
    """With nothing; one that is on neither side is an error with the nearest name."""
    repository.environment("three", (package("six"),))
    assert changes(call, "three", "HEAD") == {"six": ("", "1.0", "new")}
    git(repository.root, "rm", "-rq", "environments/two")
    assert changes(call, "two", "HEAD") == {"six": ("1.0", "", "removed")}
    code, _, err = call("diff", "thre", "HEAD")
    assert code == 2
    assert "did you mean three?" in err
    code, _, err = call("diff", "one", "nowhere")
    assert (code, "git does not know nowhere here" in err) == (1, True)
    assert call("diff", "one", "a", "b", "c")[0] == 2
    code, _, err = call("diff", "one", "@stable")
    assert (code, "has no image 'one.stable'" in err) == (1, True)


def test_a_lock_that_is_broken_then_is_named_by_its_commit(
    repository: Repository, call: Call
) -> None:
    """Not by the folder that it was unpacked to."""
    path = repository.root / "environments/one/poetry.lock"
    good = path.read_text()
    path.write_text(f"<<<<<<< HEAD\n{good}")
    commit(repository.root, "broken")
    path.write_text(good)
    code, _, err = call("diff", "one", "HEAD")
    assert code == 1
    assert "HEAD:environments/one/poetry.lock:1: a git merge left conflict markers" in err


def test_sizes_decide_the_order(
    repository: Repository, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change that counts most is first, with what it costs to download and on disk."""
    links = tmp_path / "links"
    links.mkdir()
    wheels = [
        make_wheel(links, "aaa", files={"aaa.py": "x = 1\n"}),
        make_wheel(links, "zzz", files={"zzz.bin": bytes(3_000_000)}),
    ]
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    repository.environment("two", packages(*wheels))
    code, out, err = call("diff", "two", "HEAD")
    assert code == 0, err
    assert out.index("* zzz") < out.index("* aaa")
    assert "+3.0 MB" in out
    code, out, _ = call("diff", "two", ".", ".")
    assert (code, "no difference: 2 packages" in out) == (0, True)


def test_what_is_published_is_the_default_with_a_registry(
    repository: Repository, run: Call, publish: Callable[[], None]
) -> None:
    """Without a word more, the working tree is compared with the image that is used."""
    publish()
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    commit(repository.root, "not published")
    code, out, err = run("diff", "one", "--offline", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert [one["package"] for one in document["changes"]] == ["pandas"]
    assert document["from"]["image"].startswith("sha256:")
    digest = document["from"]["image"]
    assert changes(run, "one", f"@{digest}") == {"pandas": ("2.2", "2.3", "minor")}
    assert run("promote", "--all")[0] == 1  # what is here now is not published
    repository.environment("four", (package("six"),))
    assert changes(run, "four") == {"six": ("", "1.0", "new")}


def holders(call: Call, asked: str) -> dict[str, Any]:
    code, out, err = call("whohas", asked, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["schema"] == "eggcrate.whohas/1"
    return {one["name"]: one for one in document["holders"]}


def test_who_has_it_and_through_what(repository: Repository, call: Call) -> None:
    """The shortest chain of who requires it; versions are a matter of PEP 440."""
    chain = (package("aaa"), package("bbb"), package("ccc", "3.1"), package("six"))
    folder = repository.environment("one", chain, wanted=["aaa", "bbb"])
    lock = folder / "poetry.lock"
    for name, needs in (("aaa", "six"), ("six", "ccc"), ("bbb", "ccc")):
        head, mark, tail = lock.read_text().partition(f'name = "{name}"\n')
        body, end, rest = tail.partition("}]\n")
        needed = f'\n[package.dependencies]\n{needs} = "*"\n'
        lock.write_text(f"{head}{mark}{body}{end}{needed}{rest}")
    found = holders(call, "CCC>=3")
    assert set(found) == {"one"}
    assert found["one"]["chain"] == ["bbb", "ccc"]
    assert (found["one"]["direct"], found["one"]["version"]) == (False, "3.1")
    assert holders(call, "six")["two"]["direct"] is True
    assert holders(call, "ccc<3") == {}
    fill_store(repository, "two")
    stored = [one for name, one in holders(call, "six").items() if name.startswith("two@key-")]
    assert [(one["kind"], one["chain"]) for one in stored] == [("image", ["six"])]
    code, out, _ = call("whohas", "ccc")
    assert (code, "bbb > ccc" in out) == (0, True)
    code, _, err = call("whohas", "ccc <<3")
    assert (code, "in quotes" in err) == (2, True)


def test_published_images_in_use_have_it(
    repository: Repository, run: Call, publish: Callable[[], None]
) -> None:
    """Also those of environments that are gone, and what they were before."""
    publish()
    assert run("promote", "--all")[0] == 0
    repository.environment("one", (package("pandas", "3.0"),))
    git(repository.root, "rm", "-rqf", "environments/two")
    found = holders(run, "six")
    assert set(found) == {"one@stable", "two@stable"}
    assert found["one@stable"]["used_by"] == ["stable"]
    assert found["one@stable"]["chain"] is None  # of another lock, and an image does not tell
    assert holders(run, "pandas<3")["one@stable"]["version"] == "2.2"


def test_when_tells_commits(repository: Repository, call: Call) -> None:
    """For one environment or all; what is not committed is said."""
    repository.environment("one", (package("pandas", "3.0"),))
    commit(repository.root, "take pandas 3")
    code, out, err = call("when", "pandas", "3", "--json")
    assert code == 0, err
    [one] = json.loads(out)["stretches"]
    assert (one["environment"], one["since"]["subject"]) == ("one", "take pandas 3")
    repository.environment("one", (package("pandas", "4.0"),))
    code, out, _ = call("when", "one", "pandas", "3")
    assert "not committed" in out
    code, out, _ = call("when", "two", "pandas", "3")
    assert (code, out.strip()) == (0, "no committed lock has held pandas==3.*")
    code, _, err = call("when", "twoo", "pandas", "3")
    assert (code, "did you mean two?" in err) == (2, True)
    assert call("when", "pandas")[0] == 2
