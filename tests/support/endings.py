"""Components that end in every way there is."""

from __future__ import annotations

ENDINGS: dict[str, tuple[str, str]] = {
    "passes": ("", "assert flavour == ''"),
    "fails": ("", "assert 1 + 1 == 3, 'sums are off'"),
    "sleeps": ("timeout = 3", "import time; time.sleep(600)"),
    "eats": ("memory = '128MiB'", "held = [bytearray(b'x' * (1 << 20)) for _ in range(1 << 12)]"),
    "connects": ("", "import socket; socket.create_connection(('192.0.2.1', 80), timeout=20)"),
    "serves": (
        "network = true",
        """
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        with socket.create_connection(server.getsockname(), timeout=20):
            pass
        assert len(socket.if_nameindex()) > 1
        """,
    ),
    "crashes": ("", "import ctypes; ctypes.string_at(0)"),
    "floods": (
        "",
        """
        for number in range(1 << 10):
            print(f"FAILED {number} " + "y" * 50_000)
        assert False, "after the flood"
        """,
    ),
    "spawns": (
        "",
        """
        import subprocess, sys
        script = "import time; time.sleep(600)"
        for _ in range(3):
            subprocess.Popen([sys.executable, "-c", script, "left-by-eggcrate-tests"])
        """,
    ),
    "fills": (
        "",
        """
        with open("big", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
        """,
    ),
    "lives": ("env = {TZ = 'Mars/Olympus'}", "import os; assert os.environ['TZ'][:4] == 'Mars'"),
    "exits": ("", "import os; os._exit(0)"),
    "skips": ("", "import pytest; pytest.skip('not today')"),
    "stops": ("", "import pytest; pytest.exit('enough', returncode=0)"),
    "writes": ("", "import pathlib; pathlib.Path('/eggcrate/repo/components/x').write_text('')"),
    "writes_root": ("", "import pathlib; pathlib.Path('/opt/env/x').write_text('')"),
}
"""Name of each component with its settings and the body of its test."""
