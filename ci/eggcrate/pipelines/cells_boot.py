"""The first thing a task of a matrix runs: unpack the parcel, and call what is in it.

Passed as text to ``python -c``, never imported; standard library only, and no ``$(`` or ``{{``.
Arguments: a module with its function, the parcel's SHA-256 (``-``: none is needed), words for the
function, and KFP's executor input, which names the files of inputs and outputs.
"""

import sys

if sys.path[:1] == [""]:
    del sys.path[0]

import hashlib
import importlib
import io
import json
import lzma
import os
import tempfile
import zipfile


def path(artifact: dict[str, str]) -> str:  # noqa: D103 - every byte travels
    uri = artifact["uri"]
    for scheme in ("gs", "s3", "minio"):
        if uri.startswith(scheme + "://"):
            return "/" + scheme.replace("gs", "gcs") + uri[len(scheme) + 2 :]
    return uri


def main() -> None:  # noqa: D103 - as above
    module, function = sys.argv[1].split(":")
    given = json.loads(sys.argv[-1])
    inputs = given.get("inputs", dict()).get("artifacts", dict())  # noqa: C408 - no two braces
    inputs = dict((k, path(v["artifacts"][0])) for k, v in inputs.items() if v.get("artifacts"))  # noqa: C402 - as above
    told = given.get("outputs", dict())  # noqa: C408 - as above
    outputs = dict((k, path(v["artifacts"][0])) for k, v in told.get("artifacts", dict()).items())  # noqa: C402, C408 - as above
    outputs.update((k, v["outputFile"]) for k, v in told.get("parameters", dict()).items())  # noqa: C408 - as above
    for place in [*outputs.values(), told["outputFile"]]:
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    packed = b""
    for name in sorted(inputs):
        if name.startswith("part_"):
            with open(inputs[name], "rb") as file:  # noqa: PTH123
                packed += file.read()
    if hashlib.sha256(packed).hexdigest() != sys.argv[2]:
        sys.exit("eggcrate: the parcel of this task is not what it was compiled with")
    folder = tempfile.mkdtemp(prefix="eggcrate-")
    zipfile.ZipFile(io.BytesIO(lzma.decompress(packed))).extractall(folder)
    harness = [name for name in sorted(os.listdir(folder)) if name.startswith("harness-")]  # noqa: PTH208
    sys.path[:0] = [folder, os.path.join(folder, harness[0])]  # noqa: PTH118
    called = getattr(importlib.import_module(module), function)
    called(folder, sys.argv[3:-1], inputs, outputs)
    with open(told["outputFile"], "w") as file:  # noqa: PTH123
        json.dump(dict(artifacts=told["artifacts"]), file)  # noqa: C408


main()
