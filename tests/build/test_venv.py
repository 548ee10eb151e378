"""The empty virtual environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from eggcrate.build.units import blob_path
from eggcrate.build.venv import venv_unit
from eggcrate.build.wheel_layout import Scheme

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_it_is_what_python_makes(tmp_path: Path) -> None:
    """Links, folders and ``pyvenv.cfg`` are those of ``python -m venv --without-pip``."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    python = str(Path(sys.base_prefix, "bin", f"python{MINOR}"))
    target = tmp_path / "made"
    subprocess.run([python, "-m", "venv", "--without-pip", str(target)], check=True, umask=0o022)
    record = venv_unit(
        scheme=Scheme(prefix="opt/env", minor=MINOR),
        interpreter=python,
        version=version,
        cache=tmp_path,
    )
    root = tmp_path / "root"
    root.mkdir()
    blob = blob_path(tmp_path, record.unit.digest)
    subprocess.run(["tar", "-xzpf", blob, "-C", root], check=True)
    ours = root / "opt/env"

    def tree(folder: Path) -> dict[str, tuple[int, str]]:
        return {
            str(path.relative_to(folder)): (
                path.lstat().st_mode,
                str(path.readlink()) if path.is_symlink() else "",
            )
            for path in folder.rglob("*")
            if not path.name.lower().startswith("activate") and path.name != ".gitignore"
        }

    assert tree(ours) == tree(target)
    expected = (target / "pyvenv.cfg").read_text().replace(str(target), "/opt/env")
    assert (ours / "pyvenv.cfg").read_text() == expected
    # It works as one: a process started through it takes it for its prefix.
    shown = subprocess.run(
        [ours / "bin/python", "-c", "import sys; print(sys.prefix)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == str(ours)
