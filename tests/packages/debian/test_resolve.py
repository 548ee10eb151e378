"""Which packages a set of roots needs."""

from __future__ import annotations

import pytest

from eggcrate.errors import BaseError, IntegrityError
from eggcrate.packages.debian.archive import Archive, parse_package
from eggcrate.packages.debian.control import paragraphs, parse_dependencies
from eggcrate.packages.debian.resolve import resolve


def block(name: str, version: str = "1", **fields: str) -> bytes:
    about = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Filename": f"pool/main/{name}_{version}.deb",
        "Size": "10",
        "SHA256": f"{abs(hash((name, version))):064x}"[:64],
    } | {key.replace("_", "-"): value for key, value in fields.items()}
    return "\n".join(f"{key}: {value}" for key, value in about.items()).encode()


def names(archive: Archive, *roots: str, **options: object) -> list[str]:
    return [deb.name for deb in resolve(archive, roots, **options)]  # type: ignore[arg-type]


def test_dependencies_are_followed_and_the_newest_is_taken() -> None:
    """Depends and Pre-Depends, through several steps and in circles, newest versions."""
    archive = Archive(
        [
            block("app", Depends="lib (>= 2), tool:any"),
            block("lib", "1"),
            block("lib", "2.10", Pre_Depends="core"),
            block("lib", "2.9"),
            block("tool", Depends="app"),
            block("core"),
        ]
    )
    chosen = resolve(archive, ["app"])
    assert [(deb.name, deb.version) for deb in chosen] == [
        ("app", "1"),
        ("core", "1"),
        ("lib", "2.10"),
        ("tool", "1"),
    ]


def test_alternatives_prefer_what_is_there() -> None:
    """The first alternative that can be had, unless another one is chosen already."""
    archive = Archive(
        [block("app", Depends="none | first | second"), block("first"), block("second")]
    )
    assert names(archive, "app") == ["app", "first"]
    assert names(archive, "second", "app") == ["app", "second"]


def test_provided_names_count_and_their_versions_too() -> None:
    """A virtual package satisfies a dependency; a versioned one only when versioned itself."""
    archive = Archive(
        [block("app", Depends="virtual (>= 2)"), block("real", Provides="virtual (= 2.1), other")]
    )
    assert names(archive, "app") == ["app", "real"]
    with pytest.raises(BaseError, match="other"):
        resolve(archive, ["other (>= 1)"])


def test_excluded_names_are_done_without() -> None:
    """What only maintainer scripts need is left out, with all that it would bring."""
    archive = Archive(
        [block("app", Depends="debconf (>= 0.5) | debconf-2.0, lib"), block("lib"),
         block("debconf", Depends="perl-base"), block("perl-base")]
    )  # fmt: skip
    assert names(archive, "app", exclude=["debconf"]) == ["app", "lib"]


def test_a_parents_packages_are_not_chosen_again() -> None:
    """An extension holds only what its base does not."""
    archive = Archive([block("shell", Depends="libc, lib"), block("libc"), block("lib")])
    parent = resolve(archive, ["libc"])
    assert names(archive, "shell", parent=parent) == ["lib", "shell"]


def test_pins_are_kept_while_the_archive_has_them() -> None:
    """Without an upgrade a locked package stays, even when a newer one is there."""
    archive = Archive([block("app", Depends="lib"), block("lib", "1"), block("lib", "2")])
    old = parse_package(block("lib", "1")).deb
    chosen = resolve(archive, ["app"], keep={"lib": old})
    assert [deb.version for deb in chosen] == ["1", "1"]


def test_what_cannot_be_satisfied_names_the_chain() -> None:
    """The message shows who needs it, through whom, and what there is instead."""
    archive = Archive(
        [block("app", Depends="middle"), block("middle", Depends="lib (>= 3)"), block("lib", "2")]
    )
    with pytest.raises(BaseError) as caught:
        resolve(archive, ["app"])
    assert "lib (>= 3)" in caught.value.what
    assert "app → middle" in caught.value.why
    assert "lib 2" in caught.value.why


def test_packages_that_exclude_each_other_are_an_error() -> None:
    """Conflicts and Breaks among the chosen are not ignored; with oneself they mean others."""
    archive = Archive([block("a", Conflicts="a, b"), block("b"), block("c", Breaks="b (<< 1)")])
    with pytest.raises(BaseError, match="together"):
        resolve(archive, ["a", "b"])
    assert names(archive, "b", "c") == ["b", "c"]


def test_paragraphs_are_cut_wherever_the_chunks_end() -> None:
    """Reading in chunks of any size gives the same paragraphs."""
    text = b"Package: a\nVersion: 1\n\nPackage: b\nVersion: 2\n"
    for size in range(1, len(text) + 1):
        chunks = (text[start : start + size] for start in range(0, len(text), size))
        assert list(paragraphs(chunks)) == [b"Package: a\nVersion: 1", b"Package: b\nVersion: 2"]


def test_a_path_out_of_the_pool_is_refused() -> None:
    """A signed index that names a path elsewhere is not followed."""
    with pytest.raises(IntegrityError):
        parse_package(block("a", Filename="../../etc/a.deb"))


def test_dependency_fields_are_read_strictly() -> None:
    """Every part of a field is understood, or it is an error."""
    (group,) = parse_dependencies("libc6 (>= 2.36) | libc:any")
    assert [str(relation) for relation in group] == ["libc6 (>= 2.36)", "libc"]
    with pytest.raises(ValueError, match="relation"):
        parse_dependencies("libc6 (about 2)")
