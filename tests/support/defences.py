"""Each defence taken out in turn, in a scratch copy: a test must fail then.

``make defences`` does it and writes the table of ``docs/threat-model.md``; with words as arguments,
only defences whose sentences hold one of them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from eggcrate.files import atomic_write

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
_BEGIN, _END = "<!-- defences -->\n", "<!-- /defences -->\n"
_LEFT_OUT = (".?*", "__pycache__")
_FAILED = re.compile(r"^FAILED ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Defence:
    """Something that protects, and how it is taken out."""

    what: str
    """What is defended, as a sentence."""
    file: str
    """Below ``ci/eggcrate``."""
    old: str
    """Stands in the file once."""
    new: str
    test: str
    """Below ``tests``: the test that must fail, which may have several cases."""


def _defence(what: str, file: str, old: str, new: str, test: str) -> Defence:
    return Defence(what=what, file=file, old=old, new=new, test=test)


DEFENCES = {
    "Signatures, provenance, vulnerabilities": (
        _defence(
            "a signature must be of the key",
            "registry/signing.py",
            "        except InvalidSignature:\n            return False",
            "        except InvalidSignature:\n            return True",
            "registry/test_signing.py::test_a_signature_is_of_one_key_and_one_payload",
        ),
        _defence(
            "a signature must be about this image",
            "registry/cosign.py",
            "names(one.payload, digest) and any(",
            "any(",
            "registry/test_signing.py::test_a_signature_is_of_one_key_and_one_payload",
        ),
        _defence(
            "a statement must be signed by a trusted key",
            "registry/cosign.py",
            "if not any(key.verifies(one, signed) for key in keys for one in signatures):",
            "if not signatures:",
            "registry/test_signing.py::test_an_envelope_is_opened_by_its_key_alone",
        ),
        _defence(
            "keys are ECDSA on P-256 and nothing weaker",
            "registry/signing.py",
            'if not isinstance(getattr(key, "curve", None), ec.SECP256R1):',
            "if key is ec:",
            "registry/test_signing.py::test_what_is_no_key_is_an_error",
        ),
        _defence(
            "an image that its locks do not give fails the second build",
            "build/verify.py",
            "    if digest != verified.digest:\n",
            "    if not digest:\n",
            "build/test_attest.py::test_an_image_that_its_locks_do_not_give_fails_the_rebuild",
        ),
        _defence(
            "only verified images are used where that is set",
            "build/verify.py",
            "if bad := [check for check in found.checks if not check.good]:",
            "if bad := [check for check in found.checks if check is None]:",
            "build/test_attest.py::test_cells_and_pipelines_refuse_what_is_not_verified",
        ),
        _defence(
            "where a registry keeps no list of what is attached, a tag stands in for it",
            "registry/referrers.py",
            "        remote.put_manifest(name, tag, oci.encode(index), oci.INDEX)\n    raise",
            "        del tag, index\n        return\n    raise",
            "registry/test_referrers.py::test_what_is_attached_is_read_back",
        ),
        _defence(
            "a database that cannot be reached is an error, whatever the cache holds",
            "packages/osv_source.py",
            '                raise _unreachable(url, f"it answered {answer.status_code}")\n'
            "            mark",
            "                return path\n            mark",
            "packages/test_osv_source.py::test_a_mirror_is_asked_each_time_and_sends_what_is_new",
        ),
        _defence(
            "a database that knows nothing of an ecosystem is an error",
            "packages/osv_source.py",
            "if missing := sorted(wanted - records.ecosystems):",
            "if missing := sorted(wanted - records.ecosystems - wanted):",
            "packages/test_osv_source.py::test_what_cannot_be_read_is_an_error",
        ),
        _defence(
            "an answer of the database's interface that never ends is broken off",
            "packages/osv_source.py",
            "                if len(content) > _LARGEST_RECORD:\n"
            "                    raise _unreach",
            "                if len(content) > 1 << 26:\n                    raise KeyError\n"
            "                if not content:\n                    raise _unreach",
            "packages/test_osv_source.py::test_an_answer_that_never_ends_is_broken_off",
        ),
    ),
    "What comes from outside": (
        _defence(
            "a download has the bytes that the lock names",
            "packages/cache.py",
            "        if actual == distribution.sha256:\n            return\n",
            "        if actual:\n            return\n",
            "packages/test_cache.py::test_wrong_bytes_are_refused",
        ),
        _defence(
            "a file name of a lock cannot leave the cache",
            "packages/cache.py",
            "if Path(filename).name != filename or not sha256.isalnum():",
            "if not filename:",
            "packages/test_cache.py::test_a_file_name_cannot_leave_the_cache",
        ),
        _defence(
            "a page of an index that never ends is broken off",
            "packages/indexes.py",
            "if len(content) > _LARGEST_PAGE:",
            "if len(content) > _LARGEST_PAGE << 2:\n                    raise KeyError\n"
            "                if not content:",
            "packages/test_indexes.py::test_a_page_that_never_ends_is_broken_off",
        ),
        _defence(
            "an answer of a registry that never ends is broken off",
            "registry/answers.py",
            "        if len(content) > LARGEST:\n            break\n",
            "        if len(content) > LARGEST << 3:\n            raise KeyError\n",
            "registry/test_remote_faults.py::test_an_answer_that_never_ends_is_broken_off",
        ),
        _defence(
            "a manifest is the one that its digest names",
            "registry/layout.py",
            "        if oci.digest_of(content) != digest:\n",
            "        if not content:\n",
            "registry/test_layout.py::test_damage_is_found",
        ),
        _defence(
            "a digest cannot be a path",
            "registry/oci.py",
            "if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):",
            "if not isinstance(digest, str):",
            "registry/test_oci.py::test_a_digest_cannot_be_a_path",
        ),
        _defence(
            "a redirect to plain HTTP is refused",
            "registry/session.py",
            'if url.scheme == "http" and not is_this_machine(url.host):',
            'if url.scheme == "none":',
            "registry/test_remote_faults.py::test_a_redirect_that_leads_astray_is_refused",
        ),
        _defence(
            "a log-in goes to its own host only",
            "registry/session.py",
            'ours = url.startswith(f"{self.address.origin}/")',
            "ours = True",
            "registry/test_remote_faults.py::test_an_upload_that_goes_elsewhere_gets_no_log_in",
        ),
        _defence(
            "Debian's index must be signed",
            "packages/debian/signature.py",
            "        if problem or not text.is_file():\n",
            "        if not text.is_file():\n            text.write_bytes(inrelease)\n        "
            "if not keys:\n",
            "packages/debian/test_lock.py::test_an_index_that_debian_did_not_sign_is_refused",
        ),
        _defence(
            "code of a task must be what it was compiled with",
            "pipelines/boot.py",
            "if hashlib.sha256(packed).hexdigest() != digest:",
            "if not digest:",
            "pipelines/test_bundle.py::test_damaged_code_is_not_run",
        ),
    ),
    "Hostile archives": (
        _defence(
            "a name in a wheel cannot leave its folder",
            "packages/wheels.py",
            'if name.startswith("/") or ".." in parts or "\\\\" in name '
            'or "\\0" in name or not name:',
            "if not name:",
            "build/test_wheel_unit.py::test_paths_that_lead_elsewhere_are_refused",
        ),
        _defence(
            "a wheel has no links or special files",
            "packages/wheels.py",
            "if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):",
            "if mode < 0:",
            "build/test_wheel_unit.py::test_links_and_unknown_compression_are_refused",
        ),
        _defence(
            "metadata that is a bomb is not read",
            "packages/wheels.py",
            "if archive.getinfo(member.name).file_size > LARGEST_TEXT:",
            "if archive.getinfo(member.name).file_size < 0:",
            "build/test_wheel_unit.py::test_metadata_that_is_a_bomb_is_not_read",
        ),
        _defence(
            "a wheel cannot hold two contents under one name",
            "packages/wheels.py",
            "if other and (other.crc32, other.size) != (member.crc32, member.size):",
            "if other and not other.path:",
            "build/test_wheel_unit.py::test_a_name_that_stands_twice",
        ),
        _defence(
            "a wheel holds the project that the lock names",
            "packages/wheels.py",
            "    if _version(actual_version) != _version(version):\n",
            "    if not version:\n",
            "build/test_wheel_unit.py::test_a_wheel_that_is_something_else",
        ),
        _defence(
            "a name in a Debian package cannot leave the root",
            "packages/debian/deb.py",
            'if raw.startswith("/") or ".." in parts or "\\0" in raw:',
            'if "\\0" in raw:',
            "packages/debian/test_contents.py::test_hostile_packages_are_refused",
        ),
        _defence(
            "a Debian package has no device",
            "packages/debian/deb.py",
            '    raise _refused(name, f"{path} is neither a file, a folder nor a link")',
            "    return Entry(path=path, mode=mode)",
            "packages/debian/test_contents.py::test_hostile_packages_are_refused",
        ),
        _defence(
            "a link in a Debian package cannot leave the root",
            "packages/debian/paths.py",
            'if not target or aim.split("/")[0] == "..":',
            "if not target:",
            "packages/debian/test_contents.py::test_hostile_packages_are_refused",
        ),
        _defence(
            "nothing of a Debian package is written through a link of another",
            "packages/debian/contents.py",
            "                if parent in self.files:\n",
            "                if parent is self.files:\n",
            "packages/debian/test_contents.py::test_hostile_packages_are_refused",
        ),
        _defence(
            "a Debian package that is a bomb is not unpacked",
            "packages/debian/deb.py",
            "if total > _UNPACKED_LIMIT or count > _MEMBER_LIMIT:",
            "if total < 0 or count < 0:",
            "packages/debian/test_contents.py::"
            "test_a_package_that_is_a_bomb_is_refused_before_it_is_unpacked",
        ),
        _defence(
            "no file is set-user-id or writable for all",
            "packages/debian/contents.py",
            "def _file_mode(mode: int) -> int:\n    return mode & 0o755",
            "def _file_mode(mode: int) -> int:\n    return mode",
            "packages/debian/test_contents.py::test_no_special_bits_and_nothing_world_writable",
        ),
        _defence(
            "no folder but the temporary ones is writable for all",
            "packages/debian/contents.py",
            "return 0o1777 if path in _STICKY else mode & 0o755",
            "return 0o1777 if path in _STICKY else mode",
            "packages/debian/test_contents.py::test_no_special_bits_and_nothing_world_writable",
        ),
        _defence(
            "a name in a layer cannot leave its folder",
            "runtimes/untar.py",
            'if ".." in parts or "\\0" in name:',
            'if "\\0" in name:',
            "runtimes/test_rootfs.py::test_hostile_layers_are_refused",
        ),
        _defence(
            "a hard link in a layer cannot reach through a link",
            "runtimes/untar.py",
            'inside = link.rpartition("/")[0] in self._made',
            "inside = True",
            "runtimes/test_rootfs.py::test_hostile_layers_are_refused",
        ),
        _defence(
            "nothing in a layer is written through a link",
            "runtimes/untar.py",
            "        except FileExistsError:\n            raise self._refuse(path, "
            '"it is a directory and something else at once") from None\n',
            "        except FileExistsError:\n            pass\n",
            "runtimes/test_rootfs.py::test_hostile_layers_are_refused",
        ),
        _defence(
            "an unpacked file is not set-user-id",
            "runtimes/untar.py",
            "os.fchmod(descriptor, member.mode & 0o777)",
            "os.fchmod(descriptor, member.mode & 0o7777)",
            "runtimes/test_rootfs.py::test_modes_do_not_depend_on_us",
        ),
        _defence(
            "what is unpacked is what the digest names",
            "runtimes/rootfs.py",
            "    if digests[0] != layer.digest:\n",
            "    if not digests[0]:\n",
            "runtimes/test_rootfs.py::test_a_damaged_blob_is_told_and_removed",
        ),
    ),
    "Cells": (
        _defence(
            "a cell has no network",
            "runtimes/sandbox.py",
            '        namespaces.append("--net")\n',
            "        pass\n",
            "runtimes/test_endings.py::test_there_is_no_network",
        ),
        _defence(
            "a cell sees no variable of ours",
            "runtimes/inside.py",
            'return {**image.env, "HOME": HOME, **command.env}',
            'return {**__import__("os").environ, **image.env, "HOME": HOME, **command.env}',
            "runtimes/test_endings.py::test_nothing_of_the_host_is_seen",
        ),
        _defence(
            "a cell sees no process of the machine",
            "runtimes/sandbox.py",
            '["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]',
            '["--mount", "--ipc", "--uts", "--fork", "--kill-child"]',
            "runtimes/test_endings.py::test_nothing_of_the_host_is_seen",
        ),
        _defence(
            "a cell's root cannot be written",
            "runtimes/launcher.py",
            'mount("", "/", "", BIND | REMOUNT | RDONLY | NOSUID | NODEV)',
            'mount("", "/", "", BIND | REMOUNT | NOSUID | NODEV)',
            "runtimes/test_sandbox.py::test_all_of_the_image_is_mounted_read_only",
        ),
        _defence(
            "a cell is nobody",
            "runtimes/launcher.py",
            "    os.setresuid(uid, uid, uid)\n",
            "",
            "runtimes/test_endings.py::test_it_is_nobody_and_can_do_nothing",
        ),
        _defence(
            "a cell cannot gain privileges",
            "runtimes/launcher.py",
            '    call("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))\n',
            "",
            "runtimes/test_endings.py::test_it_is_nobody_and_can_do_nothing",
        ),
        _defence(
            "a cell's output is bounded",
            "runtimes/inside.py",
            "text = data[-self._limit :].decode(",
            "text = data.decode(",
            "runtimes/test_sandbox.py::test_the_tail_of_an_output",
        ),
    ),
    "Faults": (
        _defence(
            "a file appears whole or not at all",
            "files.py",
            '    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")\n',
            "    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC\n"
            "    descriptor, name = os.open(path, flags), str(path)\n",
            "test_faults.py::test_killed_before_any_change_of_a_file[files]",
        ),
        _defence(
            "what a user keeps is flushed before it has its name",
            "files.py",
            "                os.fsync(file.fileno())\n        Path(name)",
            "                pass\n        Path(name)",
            "test_faults.py::test_a_cut_of_power_takes_what_was_not_flushed[files]",
        ),
        _defence(
            "an unpacked image is made again where the disk may not have it",
            "once.py",
            "if boot != _boot() or not made.isdigit() or not folder.is_dir():",
            "if not folder.is_dir():",
            "test_faults.py::test_a_cut_of_power_takes_what_was_not_flushed[unpack]",
        ),
        _defence(
            "what is moved into the store is hashed first",
            "registry/layout.py",
            'if path.stat().st_size != size or f"sha256:{sha256_file(path)}" != digest:',
            "if path.stat().st_size != size:",
            "registry/test_layout.py::test_a_blob_file_is_checked_and_linked",
        ),
        _defence(
            "a blob that was cut short counts as missing",
            "registry/layout.py",
            "return size is None or found == size",
            "return True",
            "registry/test_layout.py::test_a_truncated_blob_is_replaced",
        ),
        _defence(
            "a manifest is stored after all that it names",
            "registry/layout.py",
            "        for named in self._missing_from(parsed):\n",
            "        for named in list(self._missing_from(parsed))[:0]:\n",
            "registry/test_layout.py::test_no_manifest_before_its_blobs",
        ),
        _defence(
            "no name is lost when processes write at once",
            "registry/layout.py",
            '        with exclusive(self.root / "index.lock"):\n            before = '
            "self._read_index()\n            kept = [item for item in before if "
            "_ref_of(item) not in wanted]\n",
            "        if True:\n            before = self._read_index()\n            kept = "
            "[item for item in before if _ref_of(item) not in wanted]\n",
            "registry/test_layout.py::test_many_processes_at_once",
        ),
        _defence(
            "nothing is pruned that a build is adding",
            "registry/layout.py",
            "with self._use_lock(fcntl.LOCK_EX | fcntl.LOCK_NB), exclusive(",
            "with self._use_lock(fcntl.LOCK_SH), exclusive(",
            "registry/test_layout.py::test_removing_and_pruning",
        ),
        _defence(
            "a damaged file of the cache is fetched again",
            "packages/cache.py",
            "    if sha256_file(path) == distribution.sha256:\n",
            "    if path.is_file():\n",
            "packages/test_cache.py::test_damaged_file_is_noticed",
        ),
        _defence(
            "a record that was damaged is no record",
            "files.py",
            'if hashlib.sha256(content[: -len(tail)] + b"}").hexdigest() != check:',
            "if not check:",
            "matrix/test_memory.py::test_a_damaged_record_is_no_record",
        ),
        _defence(
            "a pass counts under its own key only",
            "matrix/memory.py",
            'if found["schema"] != SCHEMA or found["key"] != key:',
            'if found["schema"] != SCHEMA:',
            "matrix/test_memory.py::test_a_record_counts_under_its_own_key_only",
        ),
        _defence(
            "a full disk is told as such",
            "files.py",
            "*(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),",
            "*(errno.EDQUOT, errno.EFBIG, errno.EIO),",
            "test_faults.py::test_a_disk_that_is_full_from_any_change_on[store]",
        ),
        _defence(
            "what a run that was killed left is removed when it is old, not before",
            "leftovers.py",
            "if _SCRATCH.fullmatch(path.name) and _is_old(path, now, age):",
            "if _SCRATCH.fullmatch(path.name):",
            "test_leftovers.py::test_what_a_killed_run_left_is_removed_when_it_is_old",
        ),
        _defence(
            "nothing is swept while another run is at work, whatever clocks say",
            "leftovers.py",
            "with _locked(root, fcntl.LOCK_EX | fcntl.LOCK_NB):",
            "with _locked(root, fcntl.LOCK_SH):",
            "test_leftovers.py::test_nothing_is_removed_while_another_run_is_at_work",
        ),
        _defence(
            "a clock that was set ahead makes no image old",
            "cloud/cleanup.py",
            "return min(now, there) if there.tzinfo else now",
            "return now",
            "cloud/test_cleanup.py::test_a_clock_that_was_set_ahead_makes_nothing_old",
        ),
        _defence(
            "a limit of time holds when the clock is set",
            "runtimes/sandbox.py",
            "            left = deadline - time.monotonic()\n",
            "            left = deadline - time.monotonic() + 0 * time.time()\n",
            "test_clocks.py::test_no_wait_and_no_limit_is_measured_by_a_clock_that_can_be_set",
        ),
        _defence(
            "a shortage of memory is told as such",
            "cli/__init__.py",
            "told = shortage(raised) or (",
            "told = (",
            "test_shortage.py::test_without_memory_the_error_says_so",
        ),
        _defence(
            "several files of a user change together or not at all",
            "files.py",
            "            if old is None:\n                path.unlink(missing_ok=True)\n",
            "            if old is None or old:\n                pass\n",
            "test_files.py::test_all_of_them_or_none",
        ),
        _defence(
            "no server makes us wait for as long as it likes",
            "retries.py",
            "return min(retry_after, _LONGEST_RETRY_AFTER)",
            "return retry_after",
            "registry/test_remote_values.py::test_waits_are_bounded",
        ),
    ),
}


def everything() -> list[Defence]:
    """All of them, in order."""
    return [one for group in DEFENCES.values() for one in group]


def taken_out(defence: Defence, root: Path) -> str:
    """Take a defence out of a copy; what the file was.

    Raises:
        AssertionError: its text does not stand there exactly once.
    """
    path = root / "ci" / "eggcrate" / defence.file
    before = path.read_text(encoding="utf-8")
    assert before.count(defence.old) == 1, f"{defence.what}: {defence.file} has changed"
    path.write_text(before.replace(defence.old, defence.new), encoding="utf-8")
    return before


def _run(root: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    named = [f"tests/{test}" for test in dict.fromkeys(tests)]
    return subprocess.run(
        [*command, "--tb=line", *named], cwd=root, capture_output=True, text=True, check=False
    )


def proven(defence: Defence, root: Path) -> str:
    """Whether a test fails without a defence: empty, or what happened instead."""
    before = taken_out(defence, root)
    try:
        done = _run(root, defence.test)
    finally:
        (root / "ci" / "eggcrate" / defence.file).write_text(before, encoding="utf-8")
    if done.returncode == 1 and _FAILED.search(done.stdout):
        return ""
    return "\n".join((done.stdout + done.stderr).strip().splitlines()[-3:])


def table() -> str:
    """The table of the page."""
    parts = ["| defended | where | the test that fails without it |\n|---|---|---|\n"]
    for title, group in DEFENCES.items():
        parts.append(f"| **{title}** | | |\n")
        for one in group:
            file, _, test = one.test.partition("::")
            where = f"[{one.file}](../ci/eggcrate/{one.file})"
            words = test.partition("[")[0].removeprefix("test_").replace("_", " ")
            parts.append(f"| {one.what} | {where} | [{words}](../tests/{file}) |\n")
    return "".join(parts)


def page() -> str:
    """The page with its table as it should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}{table()}{_END}{after}"


def main() -> int:
    """Take out each, tell what stayed green, and write the page."""
    words = sys.argv[1:]
    chosen = [one for one in everything() if not words or any(word in one.what for word in words)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="defences-") as scratch:
        root = Path(scratch) / "copy"
        shutil.copytree(ROOT, root, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        whole = _run(root, *(one.test for one in chosen))
        if whole.returncode != 0:
            print(f"with every defence in place:\n{(whole.stdout + whole.stderr)[-3000:]}")
            return 1
        for one in chosen:
            told = proven(one, root)
            missed += bool(told)
            print(f"{'NO TEST FAILED' if told else 'a test fails'}: {one.what}", flush=True)
            if told:
                print(told)
    atomic_write(PAGE, page())
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
