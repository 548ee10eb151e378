"""Files written whole or not at all, and locks between processes.

Nothing that was half-written is ever trusted later: content is written beside its final
name, flushed, and moved into place with :func:`os.replace`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from eggcrate.errors import DiskError, ShortageError
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CHUNK = 1 << 20
_OF_THE_DISK = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR),
}

# What Python, the loader of libraries and OpenSSL say of it.
_OF_MEMORY = (
    "can't start new thread",
    "annot allocate memory",
    "failed to map segment",
    "malloc failure",
)


def disk_error(error: OSError) -> DiskError | None:
    """What to tell of a disk that is full or not ours; nothing when that is not the fault."""
    if error.errno not in _OF_THE_DISK:
        return None
    return DiskError(
        f"{error.filename or 'a file'} cannot be written or read",
        why=error.strerror or str(error),
        hint="free some space or mend its permissions; EGGCRATE_CACHE and EGGCRATE_STORE "
        "name other folders for the cache and the images",
    )


def shortage(error: BaseException) -> ShortageError | None:
    """What to tell where memory, processes or threads have run out; nothing for other faults."""
    seen: BaseException | None = error
    while seen:
        refused = seen.errno if isinstance(seen, OSError) else 0
        # A lock that is held is EAGAIN, too, and no fault: what came of it is another error.
        short = refused == errno.ENOMEM or (refused == errno.EAGAIN and seen is error)
        if short or isinstance(seen, MemoryError) or any(word in str(seen) for word in _OF_MEMORY):
            return ShortageError(
                "this machine has not enough memory left, or too many processes run on it",
                why=str(seen) or "Python was given no more memory",
                hint="end other programs, raise the limit that this one runs under, or set "
                "EGGCRATE_JOBS to 1",
            )
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


@contextlib.contextmanager
def atomic_open(path: Path, *, mode: int = 0o644, flush: bool = True) -> Iterator[IO[bytes]]:
    """Open a new file that appears at ``path`` only when the block ends without an error.

    Args:
        path: where it is to be.
        mode: its permissions.
        flush: wait until the disk has it. For what is checked when it is read, and can be made
            again, that is a waste.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            if flush:
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def atomic_write(
    path: Path, content: bytes | str, *, mode: int = 0o644, flush: bool = True
) -> None:
    """Write ``content`` (text as UTF-8) to ``path``, whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_open(path, mode=mode, flush=flush) as file:
        file.write(data)


def atomic_write_all(contents: Mapping[Path, bytes | str]) -> None:
    """Write several files, all of them or none.

    What was there is put back when one cannot be written; a process that is killed between two
    of them leaves each whole.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in contents}
    modes = {path: path.stat().st_mode & 0o7777 if path.is_file() else 0o644 for path in contents}
    done: list[Path] = []
    try:
        for path, content in contents.items():
            atomic_write(path, content, mode=modes[path])
            done.append(path)
    except BaseException:
        for path in done:
            old = before[path]
            if old is None:
                path.unlink(missing_ok=True)
            else:
                atomic_write(path, old, mode=modes[path])
        raise


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` against other processes and threads.

    The lock file is left in place: removing it would let two holders in.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody holds :func:`exclusive` on ``path`` now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a scratch directory that becomes ``path`` when the block ends without an error.

    When another process finished the same directory first, theirs is kept and ours removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield scratch
        try:
            scratch.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        remove_tree(scratch)


def remove_tree(path: Path) -> None:
    """Remove a directory tree, read-only directories included; missing is fine."""
    if not path.exists() and not path.is_symlink():
        return
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = Path(folder, name)
            if not inner.is_symlink():
                with contextlib.suppress(OSError):
                    inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``: a hard link where possible, else a copy."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        with source.open("rb") as reader, atomic_open(target) as writer:
            shutil.copyfileobj(reader, writer, _CHUNK)


def sealed(document: dict[str, Any]) -> str:
    """A document as JSON that ends with its own hash: bytes damaged later are noticed."""
    text = json.dumps(document, separators=(",", ":"))
    return f'{text[:-1]},"check":"{hashlib.sha256(text.encode()).hexdigest()}"}}'


def unsealed(content: bytes) -> dict[str, Any]:
    """Read what :func:`sealed` wrote.

    Raises:
        ValueError: it is not JSON, or not as it was written; :class:`KeyError` and
            :class:`AttributeError` when it never was sealed.
    """
    document = json_of(content)
    check = document.pop("check")
    tail = f',"check":"{check}"}}'.encode()
    if hashlib.sha256(content[: -len(tail)] + b"}").hexdigest() != check:
        raise ValueError("it was damaged")
    found: dict[str, Any] = document
    return found
