"""What a layer made from Debian packages holds, and what it never holds."""

from __future__ import annotations

import lzma
import tarfile

import pytest

from eggcrate.errors import BaseError, EggcrateError, IntegrityError
from eggcrate.packages.debian.contents import assemble
from eggcrate.packages.debian.deb import Deb, parse_deb
from eggcrate.packages.debian.paths import relative_link
from eggcrate.packages.entries import Entry, EntryKind
from packages.debian.support import ar_member, make_deb, tar_member, tar_xz

Member = tuple[tarfile.TarInfo, bytes]


def deb(*members: Member, name: str = "sample", **options: str) -> Deb:
    return parse_deb(make_deb(list(members), **options), name=name)


def unpack(*members: Member, foundation: bool = False, **options: str) -> dict[str, Entry]:
    entries = assemble([deb(*members, **options)], foundation=foundation)
    assert [entry.path.split("/") for entry in entries] == sorted(
        entry.path.split("/") for entry in entries
    )
    return {entry.path: entry for entry in entries}


def symlink(name: str, target: str) -> Member:
    return tar_member(name, kind=tarfile.SYMTYPE, link=target)


def test_files_move_into_usr_and_links_follow() -> None:
    """Merged /usr: paths under bin, sbin, lib and lib64 move, and links still reach them."""
    tree = unpack(
        tar_member("./lib/x86_64-linux-gnu/libfoo.so.1.2", b"lib"),
        symlink("./lib/x86_64-linux-gnu/libfoo.so.1", "libfoo.so.1.2"),
        symlink("./lib/x86_64-linux-gnu/data", "../../usr/share/data"),
        symlink("./lib64/ld.so.2", "/lib/x86_64-linux-gnu/libfoo.so.1.2"),
        tar_member("./bin/tool", b"tool", mode=0o755),
        foundation=True,
    )
    assert tree["usr/lib/x86_64-linux-gnu/libfoo.so.1"].link == "libfoo.so.1.2"
    assert tree["usr/lib/x86_64-linux-gnu/data"].link == "../../share/data"
    assert tree["usr/lib64/ld.so.2"].link == "../lib/x86_64-linux-gnu/libfoo.so.1.2"
    assert tree["usr/bin/tool"].mode == 0o755
    assert {tree[name].link for name in ("bin", "lib", "lib64", "sbin")} == {
        "usr/bin",
        "usr/lib",
        "usr/lib64",
        "usr/sbin",
    }


def test_every_parent_is_there_before_its_children() -> None:
    """Folders that no package lists are made; order is that of path parts."""
    tree = unpack(tar_member("./opt/a/b/c", b"x"), tar_member("./opt/a-b", b"y"))
    assert tree["opt/a/b"].kind is EntryKind.DIRECTORY
    paths = [path for path in tree if path.startswith("opt")]
    assert paths == ["opt", "opt/a", "opt/a/b", "opt/a/b/c", "opt/a-b"]


def test_documentation_goes_and_licences_stay() -> None:
    """What no program in an image reads is left out; copyright files never are."""
    tree = unpack(
        tar_member("./usr/share/doc/sample/copyright", b"MIT"),
        tar_member("./usr/share/doc/sample/changelog.gz", b"news"),
        symlink("./usr/share/doc/other", "sample"),
        tar_member("./usr/share/man/man1/sample.1.gz", b"man"),
        tar_member("./usr/share/locale/de/LC_MESSAGES/sample.mo", b"de"),
        tar_member("./usr/lib/python3.11/EXTERNALLY-MANAGED", b""),
        tar_member("./usr/lib/python3.11/ensurepip/__init__.py", b""),
        tar_member("./usr/lib/python3.11/email/__init__.py", b""),
    )
    files = {path for path, entry in tree.items() if entry.kind is not EntryKind.DIRECTORY}
    assert files == {
        "usr/share/doc/sample/copyright",
        "usr/share/doc/other",
        "usr/lib/python3.11/email/__init__.py",
        "var/lib/dpkg/status.d/sample",
        "var/lib/dpkg/status.d/sample.md5sums",
    }
    assert "usr/share/man" not in tree


def test_scanners_find_the_package() -> None:
    """The control paragraph, and the hashes of those files that are really there."""
    tree = unpack(
        tar_member("./lib/libfoo.so", b"lib"),
        md5sums="11111111111111111111111111111111  lib/libfoo.so\n"
        "22222222222222222222222222222222  usr/share/man/man1/foo.1.gz\n",
        control="Package: sample\nVersion: 1.2-3\nArchitecture: amd64\nSource: source\n",
    )
    assert b"Version: 1.2-3" in tree["var/lib/dpkg/status.d/sample"].content
    assert tree["var/lib/dpkg/status.d/sample.md5sums"].content == (
        b"11111111111111111111111111111111  usr/lib/libfoo.so\n"
    )


def test_no_special_bits_and_nothing_world_writable() -> None:
    """Set-user-id goes, write permission for others goes; /tmp and /var/tmp keep theirs.

    A home is its owner's and its group's.
    """
    tree = unpack(
        tar_member("./usr/bin/su", b"su", mode=0o6777),
        tar_member("./srv", kind=tarfile.DIRTYPE, mode=0o2777),
        foundation=True,
    )
    assert tree["usr/bin/su"].mode == 0o755
    assert tree["srv"].mode == 0o755
    writable = {
        path
        for path, entry in tree.items()
        if entry.mode & 0o7022 and entry.kind is not EntryKind.SYMLINK
    }
    assert writable == {"home/nonroot", "tmp", "var/tmp"}
    assert tree["home/nonroot"].mode & 0o002 == 0


def test_hard_links_stay_links_after_the_file_they_name() -> None:
    """Also when the name that held the bytes is left out, or sorts after the link."""
    head = "usr/share/zoneinfo/right/B"
    tree = unpack(
        tar_member(f"./{head}", b"zone"),
        tar_member("./usr/share/zoneinfo/B", kind=tarfile.LNKTYPE, link=head),
        tar_member("./usr/share/zoneinfo/A", kind=tarfile.LNKTYPE, link=head),
    )
    first, second = tree["usr/share/zoneinfo/A"], tree["usr/share/zoneinfo/B"]
    assert (first.kind, first.content) == (EntryKind.FILE, b"zone")
    assert (second.kind, second.link) == (EntryKind.HARDLINK, "usr/share/zoneinfo/A")


def test_the_foundation_has_what_programs_expect() -> None:
    """Users, a certificates bundle in a fixed order, Python's names, the time zone."""
    tree = unpack(
        tar_member("./usr/share/ca-certificates/mozilla/B.crt", b"b"),
        tar_member("./usr/share/ca-certificates/mozilla/A.crt", b"a\n"),
        tar_member("./usr/bin/python3.11", b"elf", mode=0o755),
        tar_member("./usr/share/zoneinfo/Etc/UTC", b"TZ"),
        foundation=True,
    )
    assert tree["etc/ssl/certs/ca-certificates.crt"].content == b"a\nb\n"
    assert b"nonroot:x:65532:65532:nonroot:/home/nonroot:" in tree["etc/passwd"].content
    assert tree["usr/bin/python3"].link == "python3.11"
    assert tree["usr/bin/python"].link == "python3"
    assert tree["etc/localtime"].link == "../usr/share/zoneinfo/Etc/UTC"
    assert tree["tmp"].mode == 0o1777
    home = tree["home/nonroot"]
    assert (home.owner, home.mode) == (65532, 0o775)
    assert {path for path, entry in tree.items() if entry.owner} == {"home/nonroot"}


def test_an_extension_adds_its_files_and_a_shell_only() -> None:
    """What the base has made is not made again; /bin/sh is dash."""
    tree = unpack(tar_member("./bin/dash", b"dash", mode=0o755))
    assert tree["usr/bin/sh"].link == "dash"
    assert not {"bin", "etc", "tmp"} & set(tree)


def test_packages_share_folders_and_equal_files_only() -> None:
    """Two packages that write one path differently are an error that names both."""
    one = deb(tar_member("./opt/x", b"same"), name="one")
    same = deb(tar_member("./opt/x", b"same"), name="two")
    other = deb(tar_member("./opt/x", b"other"), name="two")
    below = deb(tar_member("./opt/x/y", b""), name="two")
    assert assemble([one, same], foundation=False)
    for second in (other, below):
        with pytest.raises(IntegrityError) as caught:
            assemble([one, second], foundation=False)
        assert "/opt/x" in caught.value.what
        assert "one and two" in caught.value.why


HOSTILE = {
    "absolute": [tar_member("/etc/shadow", b"x")],
    "dots": [tar_member("./usr/../../x", b"x")],
    "device": [tar_member("./dev/sda", kind=tarfile.BLKTYPE)],
    "pipe": [tar_member("./run/pipe", kind=tarfile.FIFOTYPE)],
    "symlink-out": [symlink("./usr/x", "../../etc")],
    "symlink-empty": [symlink("./usr/x", "")],
    "hardlink-out": [tar_member("./x", kind=tarfile.LNKTYPE, link="../x")],
    "hardlink-nowhere": [tar_member("./x", kind=tarfile.LNKTYPE, link="y")],
    "through-a-link": [symlink("./opt", "usr"), tar_member("./opt/x", b"x")],
    "alias": [tar_member("./lib", b"a file")],
    "alias-elsewhere": [symlink("./lib", "opt")],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_hostile_packages_are_refused(members: list[Member]) -> None:
    """Nothing outside the root, no device, no writing through links."""
    with pytest.raises(IntegrityError):
        unpack(*members, foundation=True)


def test_damaged_archives_are_refused() -> None:
    """Every way of cutting or distorting a package is an expected failure, not a crash."""
    whole = make_deb([tar_member("./x", b"x" * 100)])
    start = b"!<arch>\n" + ar_member("debian-binary", b"2.0\n")
    control = ar_member("control.tar.xz", tar_xz([tar_member("./control", b"Package: x\n")]))
    cases = [
        b"",
        b"PK\x03\x04",
        start,
        start + control,
        start + control + ar_member("data.tar.xz", b"not xz"),
        start + control + ar_member("data.tar.xz", b"", size=10**9),
        start + control + control,
        start + ar_member("control.tar.xz", tar_xz([])) + ar_member("data.tar.xz", tar_xz([])),
        *(whole[:length] for length in range(0, len(whole), 37)),
    ]
    for content in cases:
        with pytest.raises(EggcrateError):
            parse_deb(content, name="x")


def test_a_package_that_is_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """By what its headers say, and by how many there are: nothing of it is held in memory."""
    huge, _ = tar_member("./x")
    huge.size = 3 << 30
    raw = lzma.compress(huge.tobuf() + bytes(1024))
    start = b"!<arch>\n" + ar_member("debian-binary", b"2.0\n")
    control = ar_member("control.tar.xz", tar_xz([tar_member("./control", b"Package: x\n")]))
    with pytest.raises(IntegrityError) as caught:
        parse_deb(start + control + ar_member("data.tar.xz", raw), name="x")
    assert "unpacks to more" in caught.value.why


def test_an_unknown_compression_is_said_clearly() -> None:
    """Debian uses xz; others use zstd, which the standard library does not read yet."""
    content = make_deb([tar_member("./x", b"x")], data_name="data.tar.zst")
    with pytest.raises(BaseError, match="compressed with zst"):
        parse_deb(content, name="x")


@pytest.mark.parametrize(
    ("path", "target", "link"),
    [
        ("bin/sh", "dash", "dash"),
        ("bin/sh", "/bin/dash", "dash"),
        ("usr/bin/x", "../lib/y", "../lib/y"),
        ("lib/a/x", "../../etc/y", "../../../etc/y"),
        ("etc/x", "/lib/y", "../usr/lib/y"),
        ("etc/x", "/", ".."),
    ],
)
def test_links_mean_the_same_after_the_move(path: str, target: str, link: str) -> None:
    """Links become relative to where they end up."""
    assert relative_link(path, target) == link
