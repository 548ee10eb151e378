"""The first thing a component's container runs: find its code, then run KFP's executor on it.

Passed as text to ``python -c``, never imported: standard library only, any Python from 3.9, and
no ``$(`` or ``{{``, which Kubernetes and KFP would take for theirs. Arguments: where the code is,
its SHA-256, then the executor's own arguments. The code is a number of pieces (a zip, deflated, in
Base64) that follow the hash, a mounted file with the same zip, or a folder of the image.
"""

import sys

if sys.path[:1] == [""]:  # nothing is imported from wherever the container happens to start
    del sys.path[0]

import base64
import faulthandler
import hashlib
import io
import os
import tempfile
import zipfile
import zlib


def main() -> None:  # noqa: D103 - every byte travels
    source, digest = sys.argv[1:3]
    seconds = os.environ.get("EGGCRATE_TIMEOUT")
    if seconds:  # tells where each thread is, and ends the program with exit code 1
        faulthandler.dump_traceback_later(float(seconds), exit=True)
    rest, folder = 3, source
    if not os.path.isdir(source):  # noqa: PTH112
        if os.path.isabs(source):  # noqa: PTH117
            with open(source, "rb") as file:  # noqa: PTH123
                packed = file.read()
        else:
            rest = 3 + int(source)
            packed = base64.b64decode("".join(sys.argv[3:rest]))
        if hashlib.sha256(packed).hexdigest() != digest:
            sys.exit("eggcrate: the code of this task is not what it was compiled with")
        folder = tempfile.mkdtemp(prefix="eggcrate-")
        zipfile.ZipFile(io.BytesIO(zlib.decompress(packed))).extractall(folder)
    task = os.path.join(folder, "eggcrate_task.py")  # noqa: PTH118
    sys.argv[:] = [task, "--component_module_path", task] + sys.argv[rest:]  # noqa: RUF005
    sys.path.insert(0, folder)
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = folder + os.pathsep + path if path else folder
    os.environ["_KFP_RUNTIME"] = "true"
    from kfp.dsl.executor_main import executor_main  # noqa: PLC0415 - only now is it there

    executor_main()


main()
