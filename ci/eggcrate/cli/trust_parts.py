"""What verbs about trust share: keys, where signatures are, what attesting needs."""

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING

from eggcrate.build.attest import BILL, Notary, Signatures, read_attached
from eggcrate.build.provenance import read_source
from eggcrate.build.pulled import read_image
from eggcrate.build.verify import Verifier
from eggcrate.cli.plan import no_registry
from eggcrate.errors import ConfigError, StoreError, UsageError
from eggcrate.packages.licences import licences
from eggcrate.registry import oci
from eggcrate.registry.remote import Remote
from eggcrate.registry.signing import open_public, open_signer
from eggcrate.repo.git import Git

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from eggcrate.build.bill import Licences
    from eggcrate.build.workshop import Workshop
    from eggcrate.cli.context import Context
    from eggcrate.registry.signing import PublicKey


@contextlib.contextmanager
def open_signatures(context: Context, remote: Remote) -> Iterator[Signatures]:
    """Where signatures are kept: beside each image, or where the setting says."""
    host, _, path = context.settings.signatures.partition("/")
    prefix, _, name = path.rpartition("/")
    if not host:
        yield Signatures(images=remote, remote=remote)
        return
    if not name:
        raise ConfigError(
            f"setting signatures is {host!r}: it must name a repository",
            hint="write HOST/PATH, such as REGION-docker.pkg.dev/PROJECT/REPOSITORY/signatures",
        )
    with Remote(f"{host}/{prefix}".rstrip("/"), tell=context.progress.info) as other:
        yield Signatures(images=remote, remote=other, name=name)


@contextlib.contextmanager
def open_notary(context: Context, remote: Remote, shop: Workshop) -> Iterator[Notary]:
    """What attesting needs; the key is opened first, so that nothing is half done without it."""
    where = context.settings.sign
    signer = open_signer(where, root=context.root, environ=os.environ) if where else None
    with open_signatures(context, remote) as signatures:
        yield Notary(
            signatures=signatures,
            workshop=shop,
            licences=licence_asker(context),
            root=context.root,
            source=read_source(Git(root=context.root)),
            builder=context.settings.builder,
            signer=signer,
        )


@contextlib.contextmanager
def open_verifier(
    arguments: argparse.Namespace, context: Context, remote: Remote | None
) -> Iterator[Verifier | None]:
    """What accepts only verified images; nothing when that is not asked for.

    Raises:
        UsageError: there is no registry, or no key.
    """
    if not (arguments.verified or context.settings.verified):
        yield None
        return
    if remote is None:
        raise no_registry("take verified images from")
    keys = trusted_keys(context)
    with open_signatures(context, remote) as signatures:
        yield Verifier(signatures=signatures, keys=keys, cache=context.settings.cache)


def add_verified(verb: argparse.ArgumentParser) -> None:
    """Add ``--verified``."""
    verb.add_argument(
        "--verified",
        action="store_true",
        help="use only published images whose signature and provenance are good (default: the "
        "setting verified)",
    )


def attached_bill(context: Context, remote: Remote, word: str, platform: str) -> tuple[bytes, str]:
    """The bill of materials of a published image, ``NAME@TAG``, and the image's digest.

    Raises:
        StoreError: the image is not published, or has none.
    """
    name, _, reference = word.partition("@")
    manifest, _ = read_image(remote, name, reference, platform=platform)
    digest = oci.digest_of(manifest)
    found = read_attached(remote, name, digest, BILL, context.settings.cache)
    if not found:
        raise StoreError(
            f"no bill of materials is attached to {remote.image(name, digest)}",
            hint=f"run: eggcrate build {name} --push --attest",
        )
    return found[0], digest


def licence_asker(context: Context) -> Licences:
    """What tells the licences of files."""
    return functools.partial(licences, cache=context.settings.cache, config=lambda: context.pip)


def trusted_keys(context: Context, named: Sequence[str] = ()) -> tuple[PublicKey, ...]:
    """The public keys of the flag or the setting.

    Raises:
        UsageError: there are none.
    """
    where = tuple(named) or context.settings.trusted
    if not where:
        raise UsageError(
            "there is no key to check signatures with",
            hint="set trust under [tool.eggcrate] in pyproject.toml, EGGCRATE_TRUST, or --key FILE",
        )
    return tuple(open_public(one, root=context.root, environ=os.environ) for one in where)
