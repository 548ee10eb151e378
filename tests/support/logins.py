"""Log-ins as Docker keeps them: stored in its configuration, or told by a program."""

from __future__ import annotations

import base64
import json
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

PASSWORD = "p:w"


def log_in(tmp_path: Path, host: str, user: str, password: str = PASSWORD, **more: Any) -> Path:
    """Docker's configuration with a stored log-in."""
    path = tmp_path / f"docker-{user}" / "config.json"
    path.parent.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth, **more}}}))
    return path


def program(folder: Path, name: str, body: str) -> None:
    """A program on the path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    path.chmod(0o755)
