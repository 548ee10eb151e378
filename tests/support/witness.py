"""KFP's own local runner, in a process of its own: a compiled pipeline, and what it gave.

Standard input: ``{"pipeline": file, "root": folder, "parameters": {...}}``.
"""

from __future__ import annotations

import json
import os
import sys

from kfp import components, local


def main() -> None:
    """Run it; the names of all files below the root are the answer."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    told = json.load(sys.stdin)
    local.init(
        # It leaves the image's user as it is, which cannot write what it mounts.
        runner=local.DockerRunner(user="0", network_mode="none"),
        pipeline_root=told["root"],
        raise_on_error=True,
    )
    components.load_component_from_file(told["pipeline"])(**told["parameters"])
    with answer:
        json.dump("done", answer)


if __name__ == "__main__":
    main()
