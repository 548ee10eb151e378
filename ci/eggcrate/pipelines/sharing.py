"""How a component's code gets to where it runs: each way, as what a container is started with.

See ``docs/how-to-share-code.md`` for when to use which.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eggcrate.errors import CompileError
from eggcrate.pipelines.bundle import Bundle, import_of, make_bundle
from eggcrate.pipelines.open_task import Share
from eggcrate.progress import human_size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from eggcrate.pipelines.code import Code
    from eggcrate.pipelines.open_task import Choice

MOUNTED = "/eggcrate/code"
"""Where a volume or a ConfigMap with code is mounted."""
BAKED = "/opt/code"
"""Where an image has the code that is baked into it."""
_KEY = "bundle"
_CONFIG_MAP_SIZE = (1 << 20) - (16 << 10)
"""Kubernetes takes 1 MiB of a ConfigMap, names and metadata included, before Base64."""
_FOUND_TOO = '__path__ = __import__("pkgutil").extend_path(__path__, __name__)\n'
"""Lets a package have a part beside the component, and a part that is installed."""


@dataclass(frozen=True, kw_only=True)
class Ways:
    """What the repository's settings say of the ways that need something from outside."""

    volume: str = ""
    """Name of the PersistentVolumeClaim that holds the repository's helper code."""
    wheel: str = ""
    """``URL#sha256=...`` of the wheel of helper code that is put beside the component's."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The environment that a task runs in, as far as its code has to know it."""

    environment: str
    image: str
    """``NAME@sha256:...``: KFP caches by it, so a tag that moves would give stale results."""
    python: str = ""
    """Exact version of its Python."""
    modules: Collection[str] = ()
    """Dotted names of what its packages provide; asked for :attr:`Share.PACKAGE` alone."""


@dataclass(frozen=True, kw_only=True)
class ConfigMap:
    """A ConfigMap that has to be in the cluster before the pipeline runs."""

    name: str
    """Ends with a hash of what is in it: another one's code is another one."""
    content: bytes

    @property
    def manifest(self) -> Mapping[str, Any]:
        """As ``kubectl apply`` takes it."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name, "labels": {"app.kubernetes.io/part-of": "eggcrate"}},
            "immutable": True,
            "binaryData": {_KEY: base64.b64encode(self.content).decode()},
        }


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """What a task's container is started with."""

    image: str
    command: tuple[str, ...]
    bundle: Bundle
    kubernetes: Mapping[str, Any] = field(default_factory=dict)
    """Of its executor, in KFP's platform specification."""
    config_map: ConfigMap | None = None
    cacheable: bool = True
    """Whether image and command say all that the task depends on: KFP caches by them."""


def files_of(config_map: ConfigMap) -> dict[str, bytes]:
    """The files that a container sees where a ConfigMap is mounted."""
    return {_KEY: config_map.content}


class Baker(Protocol):
    """Makes images with code in them; see :mod:`eggcrate.build.bake`."""

    def __call__(self, image: str, files: Mapping[str, bytes]) -> str:
        """The name, with digest, of an image plus files by absolute path."""


class Pickler(Protocol):
    """Captures functions; see :mod:`eggcrate.pipelines.pickling`."""

    def __call__(self, choice: Choice, code: Code, python: str) -> Mapping[str, bytes]:
        """Files of a folder whose ``eggcrate_pickle`` gives the function."""


def ship(
    choice: Choice,
    code: Code,
    site: Site,
    ways: Ways,
    *,
    bake: Baker,
    capture: Pickler,
) -> Shipment:
    """Decide what a task is started with.

    Args:
        choice: the function, and the way its author chose.
        code: of its component.
        site: where it runs.
        ways: the repository's settings.
        bake: for code in an image.
        capture: for code in a pickle.

    Raises:
        CompileError: the way is not open here; the message says what it needs.
    """
    task = import_of(choice.module, choice.function)
    match choice.share:
        case Share.CONFIG_MAP:
            return _config_map(make_bundle(code.files, task=task), choice, site)
        case Share.IMAGE:
            bundle = make_bundle(code.files, task=task)
            files = {f"{BAKED}/{path}": content for path, content in bundle.files.items()}
            image = bake(site.image, files)
            return Shipment(image=image, command=bundle.command_with(BAKED), bundle=bundle)
        case Share.VOLUME:
            return _volume(choice, code, site, ways)
        case Share.PACKAGE:
            bundle = _beside_package(choice, code, site, ways)
        case Share.PICKLE:
            pickled = capture(choice, code, site.python)
            task = f"from eggcrate_pickle import {choice.function}  # noqa: F401\n"
            bundle = make_bundle({}, task=task, ours=pickled)
        case _:
            bundle = make_bundle(code.files, task=task)
    return Shipment(image=site.image, command=bundle.command, bundle=bundle)


def _config_map(bundle: Bundle, choice: Choice, site: Site) -> Shipment:
    name = f"eggcrate-{choice.component.replace('_', '-')}-{bundle.sha256[:12]}"
    if len(bundle.packed) > _CONFIG_MAP_SIZE:
        raise CompileError(
            f"{choice.component}: its code takes {human_size(len(bundle.packed))}, and a ConfigMap "
            f"{human_size(_CONFIG_MAP_SIZE)}",
            hint='import less, or use share = "image"',
        )
    mount = {
        "mountPath": MOUNTED,
        "configMapName": name,
        "configMapNameParameter": {"runtimeValue": {"constant": name}},
    }
    return Shipment(
        image=site.image,
        command=bundle.command_with(f"{MOUNTED}/{_KEY}"),
        bundle=bundle,
        kubernetes={"configMapAsVolume": [mount]},
        config_map=ConfigMap(name=name, content=bundle.packed),
    )


def _volume(choice: Choice, code: Code, site: Site, ways: Ways) -> Shipment:
    if not ways.volume:
        raise CompileError(
            f"{choice.component} shares code by a volume, and no volume is set",
            hint="set volume under [tool.eggcrate] in pyproject.toml: the name of a "
            "PersistentVolumeClaim that holds the repository's helper code",
        )
    top = [path for path in code.helpers if "/" not in path]
    taken = sorted([*(folder for folder in code.helper_folders if folder), *top])
    task = f"import eggcrate_share\n\neggcrate_share.take({MOUNTED!r}, {taken!r})\n" + import_of(
        choice.module, choice.function
    )
    bundle = make_bundle(code.own, task=task, ours=_inside())
    mount = {
        "mountPath": MOUNTED,
        "constant": ways.volume,
        "pvcNameParameter": {"runtimeValue": {"constant": ways.volume}},
    }
    return Shipment(
        image=site.image,
        command=bundle.command,
        bundle=bundle,
        kubernetes={"pvcMount": [mount]},
        cacheable=False,
    )


def _beside_package(choice: Choice, code: Code, site: Site, ways: Ways) -> Bundle:
    """The component's own code; helpers are in the environment, or are installed at the start."""
    task = import_of(choice.module, choice.function)
    absent = [name for name in code.helper_modules if not _given(name, site.modules)]
    if not absent:
        own = {
            path: _FOUND_TOO.encode() + content
            if path.endswith("/__init__.py") and path.count("/") == 1
            else content
            for path, content in code.own.items()
        }
        return make_bundle(own, task=task)
    url, mark, digest = ways.wheel.partition("#sha256=")
    if mark:
        call = f"eggcrate_share.install({url!r}, {digest!r})"
        return make_bundle(
            code.own, task=f"import eggcrate_share\n\n{call}\n{task}", ours=_inside()
        )
    raise CompileError(
        f"{choice.component} takes its helpers from a package, and {site.environment} has none "
        f"that holds {absent[0]}",
        hint="release them as a wheel and add it to the environment, or set "
        'wheel = "URL#sha256=..." under [tool.eggcrate]',
    )


def _given(module: str, names: Collection[str]) -> bool:
    """Whether a package gives a module: itself, or what it is in."""
    parts = module.split(".")
    return any(".".join(parts[:depth]) in names for depth in range(1, len(parts) + 1))


def _inside() -> Mapping[str, bytes]:
    return {"eggcrate_share.py": Path(__file__).with_name("inside_share.py").read_bytes()}
