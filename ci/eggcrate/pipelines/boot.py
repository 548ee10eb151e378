"""The first thing a component's container runs: unpack the code that came in the command.

Passed as text to ``python -c``, never imported: standard library only, any Python from 3.9, and
no ``$(`` or ``{{``, which Kubernetes and KFP would take for theirs. Arguments: how many pieces,
their SHA-256, the pieces (a zip, deflated, in Base64), then the executor's own arguments.
"""

import sys

if sys.path[:1] == [""]:  # nothing is imported from wherever the container happens to start
    del sys.path[0]

import base64
import hashlib
import io
import os
import tempfile
import zipfile
import zlib


def main() -> None:  # noqa: D103 - every byte travels
    count, digest = int(sys.argv[1]), sys.argv[2]
    packed = base64.b64decode("".join(sys.argv[3 : 3 + count]))
    if hashlib.sha256(packed).hexdigest() != digest:
        sys.exit("eggcrate: the code in this container's command is damaged")
    folder = tempfile.mkdtemp(prefix="eggcrate-")
    zipfile.ZipFile(io.BytesIO(zlib.decompress(packed))).extractall(folder)
    task = os.path.join(folder, "eggcrate_task.py")  # noqa: PTH118
    sys.argv[:] = [task, "--component_module_path", task] + sys.argv[3 + count :]  # noqa: RUF005
    sys.path.insert(0, folder)
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = folder + os.pathsep + path if path else folder
    os.environ["_KFP_RUNTIME"] = "true"
    from kfp.dsl.executor_main import executor_main  # noqa: PLC0415 - only now is it there

    executor_main()


main()
