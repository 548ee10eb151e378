"""Answers of registries that are read into memory: no more of them than there can be."""

from __future__ import annotations

import httpx2

from eggcrate.errors import RegistryError

LARGEST = 8 << 20
"""Bytes of an answer that is no blob."""


def read_small(response: httpx2.Response) -> httpx2.Response:
    """A small answer, read; of one that is too long, or never ends, no more than that.

    Raises:
        RegistryError: it is larger than :data:`LARGEST`.
    """
    if response.request.method == "HEAD":
        response.read()
        return response
    length = response.headers.get("content-length", "0")
    told = int(length) if length.isdigit() else 0
    content = bytearray()
    for piece in response.iter_bytes() if told <= LARGEST else ():
        content += piece
        if len(content) > LARGEST:
            break
    if max(told, len(content)) > LARGEST:
        host, many = response.request.url.host, told or f"more than {LARGEST}"
        raise RegistryError(f"{host} sends {many} bytes where few belong")
    decoded = ("content-encoding", "transfer-encoding")
    headers = [item for item in response.headers.multi_items() if item[0].lower() not in decoded]
    return httpx2.Response(
        response.status_code, headers=headers, content=bytes(content), request=response.request
    )
