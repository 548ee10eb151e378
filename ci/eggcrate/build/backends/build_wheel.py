"""Turn an sdist into a wheel; run inside an image that holds the pinned build backends.

Usage: build_wheel.py SDIST OUTDIR

Exit code 71 when its build needs packages that are not among the backends; the last line of the
output names them.
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from build import ProjectBuilder

NOT_AT_HAND = 71
"""Known to eggcrate.build.sdists."""


def main() -> int:
    """Unpack the sdist and run its build backend without looking for anything elsewhere."""
    sdist, out = Path(sys.argv[1]), sys.argv[2]
    source = Path("/tmp/source")  # noqa: S108 - private to the sandbox
    if sdist.name.endswith(".zip"):
        with zipfile.ZipFile(sdist) as archive:
            archive.extractall(source)  # noqa: S202 - refuses names that leave the folder
    else:
        with tarfile.open(sdist) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(source, filter="data")
            else:  # before Python 3.11.4
                archive.extractall(source)  # noqa: S202 - the sandbox holds what it may do
    (project,) = source.iterdir()
    if missing := ProjectBuilder(project).check_dependencies("wheel"):
        sys.stdout.flush()
        sys.stderr.write(", ".join(sorted({chain[-1] for chain in missing})) + "\n")
        return NOT_AT_HAND
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out]
    build.append("--skip-dependency-check")
    return subprocess.run([*build, str(project)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
