"""Small images that say of themselves what real ones would: made offline, in no time."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from typing import TYPE_CHECKING

from eggcrate.build import image
from eggcrate.build.layered import reference
from eggcrate.build.resolve import resolve_all
from eggcrate.build.values import Layer
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.registry.remote import Remote
from eggcrate.repo.monorepo import read_monorepo
from eggcrate.retries import Retries

if TYPE_CHECKING:
    from pathlib import Path

    from support.repository import Repository

HASTY = Retries(first=0.05, ceiling=0.2)


def fill_store(repository: Repository, *names: str) -> dict[str, str]:
    """Put a stand-in for each image of these environments (all of them) into the store.

    ``eggcrate build`` finds it there under its key and builds nothing. One layer stands for
    the base, and one for each package.

    Returns:
        Digest of each manifest by ``NAME PLATFORM``.
    """
    monorepo = read_monorepo(repository.root)
    chosen = {name: monorepo.environments[name] for name in names or monorepo.environments}
    resolved, failed = resolve_all(chosen, monorepo.bases)
    assert names == () or not failed, failed
    digests = {}
    store = repository.store
    for item in resolved:
        recipe = item.recipe
        contents = [f"base {recipe.base_key}"]
        contents += [f"{one.name} {one.sha256}" for one in recipe.distributions]
        layers = tuple(_layer(store, content) for content in contents)
        configuration = image.config(recipe, layers, {}).encode()
        store.add_blob(configuration)
        manifest = image.manifest(recipe, layers, configuration).encode()
        platform = str(recipe.target.platform)
        described = store.put_manifest(reference(recipe), manifest, platform=platform)
        digests[f"{item.environment.name} {platform}"] = described.digest
    return digests


def _layer(store: Layout, content: str) -> Layer:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(f"opt/env/{content.split(maxsplit=1)[0]}")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content.encode()))
    blob = gzip.compress(file.getvalue(), mtime=0)
    digest = store.add_blob(blob)
    diff_id = oci.digest_of(file.getvalue())
    return Layer(digest=digest, size=len(blob), diff_id=diff_id, units=())


def check_whole(prefix: str, folder: Path) -> tuple[str, ...]:
    """Every tag under a registry's prefix, after each was pulled whole with skopeo."""
    checked = []
    with Remote(prefix, retries=HASTY) as remote:
        for name in remote.names() or ():
            for tag in remote.tags(name):
                pull(f"docker://{remote.image(name, tag)}", folder / "pulled")
                checked.append(f"{name}:{tag}")
    return tuple(checked)


def pull(source: str, target: Path) -> None:
    """Copy an image with skopeo, which checks each digest, and look at what arrived."""
    layout = Layout(target)
    copy = ["skopeo", "copy", "--all", "--insecure-policy", "--src-tls-verify=false"]
    done = subprocess.run(
        [*copy, source, f"oci:{target}:x"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{source}: {done.stderr}"
    for item in json.loads((target / "index.json").read_bytes())["manifests"]:
        assert not layout.missing(oci.check_digest(item["digest"]))
