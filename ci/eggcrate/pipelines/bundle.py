"""The code that travels: a deterministic zip inside the container's command.

One zip of stored files, deflated as a whole (a third smaller than file by file), in Base64: raw
text would meet the expansion of ``$()`` by Kubernetes and of ``{{}}`` by KFP.
See ``docs/decisions/0011-code-that-travels.md``.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import CompileError
from eggcrate.pipelines.executor import runtime_files
from eggcrate.progress import human_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PYTHON = "/opt/env/bin/python"
"""The interpreter of every image of ours."""
TASK = "eggcrate_task.py"
_DATE = (1980, 1, 1, 0, 0, 0)
_LEVEL = 12
_PIECE = 96 << 10
"""Linux takes 131,071 bytes in one argument."""
_LARGEST = 8
_EXPANDED = ("$(", "{{")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a backend takes in one container's command."""

    name: str
    size: int
    """Bytes of the whole command."""


KUBEFLOW = Budget(name="Kubeflow", size=120 << 10)
"""It passes the container as one argument, of which Linux takes 128 KiB."""
VERTEX = Budget(name="Vertex AI", size=1536 << 10)
"""Linux takes about 2 MiB of arguments and environment in all."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Code packed to travel."""

    files: Mapping[str, bytes]
    """Everything in it, by path."""
    packed: bytes
    sha256: str
    """Of :attr:`packed`."""

    @property
    def command(self) -> tuple[str, ...]:
        """What a container runs that is given the code; KFP's executor's arguments follow."""
        text = base64.b64encode(self.packed).decode()
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        return (PYTHON, "-c", boot_program(), str(len(pieces)), self.sha256, *pieces)

    def command_with(self, path: str) -> tuple[str, ...]:
        """What a container runs that finds the code: the packed file, or a folder of all files.

        Args:
            path: absolute, in the container.
        """
        return (PYTHON, "-c", boot_program(), path, self.sha256)


def import_of(module: str, function: str) -> str:
    """The text of a task that imports a component's function."""
    return f"from {module} import {function}  # noqa: F401\n"


def make_bundle(
    files: Mapping[str, bytes], *, task: str, ours: Mapping[str, bytes] | None = None
) -> Bundle:
    """Pack a component's files, what they need at run time, and the task that KFP imports.

    The same files make the same bytes, on any machine.

    Args:
        files: of the component, by path from where they are imported.
        task: text of the module that has the component's function, such as
            :func:`import_of` gives.
        ours: modules of Eggcrate's that the task imports.

    Raises:
        CompileError: a file of the component stands where one of KFP's or ours has to.
    """
    whole = {**dict(runtime_files()), **(ours or {}), TASK: task.encode()}
    tops = {path.partition("/")[0] for path in whole} | {"eggcrate"}
    for path in files:
        if path.partition("/")[0] in tops:
            raise CompileError(
                f"{path} cannot travel with a component",
                why=f"{path.partition('/')[0]} is a name that KFP or Eggcrate needs there",
                hint="rename it",
            )
    whole |= files
    packed = deflated(archive(whole))
    digest = hashlib.sha256(packed).hexdigest()
    return Bundle(files=whole, packed=packed, sha256=digest)


def check_size(
    bundle: Bundle,
    budget: Budget,
    *,
    concerning: str,
    command: Sequence[str] | None = None,
    extra: int = 0,
) -> None:
    """Refuse a bundle that a backend would not take.

    Args:
        bundle: to be judged.
        budget: the backend's.
        concerning: the component, for the message.
        command: the container's, when the bundle does not travel in it whole.
        extra: bytes of the container beside the command.

    Raises:
        CompileError: it is too large; the message lists the largest files and the ways out.
    """
    size = sum(len(part) + 4 for part in command or bundle.command) + extra
    if size <= budget.size:
        return
    sizes = {path: len(deflated(content)) for path, content in bundle.files.items()}
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:_LARGEST]
    table = "\n".join(f"        {human_size(count):>9}  {path}" for path, count in largest)
    raise CompileError(
        f"{concerning}: its code takes {human_size(size)}, and {budget.name} takes "
        f"{human_size(budget.size)} in a container's command",
        why=f"the largest of {len(sizes)} files, packed:\n{table}",
        hint="import less (a large module may need one function of another), read data from an "
        'artifact instead of `data`, or share code another way: share="image", "package" or '
        '"config-map" (docs/how-to-share-code.md)',
    )


@functools.cache
def boot_program(file: str = "boot.py") -> str:
    """A program of this folder that containers run first, without docstring and comments."""
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    program = re.sub(r"(^|  )# .*\n?", "\n", text.split('"""\n', 2)[1], flags=re.MULTILINE).strip()
    program = re.sub(r"\n{2,}", "\n", program) + "\n"
    if any(mark in program for mark in _EXPANDED):
        raise AssertionError(f"{file} holds what a backend expands")
    return program


def deflated(content: bytes) -> bytes:
    """As small as deflate makes it, the same bytes on any machine."""
    import deflate  # noqa: PLC0415 - where components run it is not there, and not needed

    return bytes(deflate.zlib_compress(content, _LEVEL))


def unpack(command: Sequence[str]) -> dict[str, bytes]:
    """The files in a container's command that :attr:`Bundle.command` made."""
    count = int(command[3])
    packed = base64.b64decode("".join(command[5 : 5 + count]))
    with zipfile.ZipFile(io.BytesIO(zlib.decompress(packed))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip of stored files, the same bytes on any machine: no compressor has a part in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as zipped:
        for path in sorted(files):
            info = zipfile.ZipInfo(path, _DATE)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            zipped.writestr(info, files[path])
    return stream.getvalue()
