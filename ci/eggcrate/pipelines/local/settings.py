"""What a compiled task asks its backend for, as far as this machine can give it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError
from eggcrate.pipelines.timeouts import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 24 * 3600.0
_SIZES = {
    "": 1,
    "k": 10**3,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "Ti": 1 << 40,
    "Pi": 1 << 50,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]*)")
_IGNORED = frozenset(
    {
        *("imagePullPolicy", "imagePullSecret", "nodeSelector", "nodeAffinity", "podAffinity"),
        *("podMetadata", "tolerations", "securityContext"),
    }
)
"""Where and how Kubernetes runs a pod: nothing of it changes what the task does."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a container is given."""

    memory: int
    """Bytes."""
    threads: int
    seconds: float
    env: Mapping[str, str]


def wanted(
    executor: Mapping[str, Any], kubernetes: Mapping[str, Any], *, memory: int, threads: int
) -> Wanted:
    """Read an executor's container.

    Args:
        executor: the ``ExecutorSpec``.
        kubernetes: of the platform specification.
        memory: bytes of a task that does not say.
        threads: of a task that does not say.

    Raises:
        CompileError: a size or number cannot be one.
    """
    container = executor["container"]
    resources = container.get("resources", {})
    size = resources.get("resourceMemoryLimit") or resources.get("memoryLimit")
    cpu = resources.get("resourceCpuLimit") or resources.get("cpuLimit")
    env = {str(one["name"]): str(one.get("value", "")) for one in container.get("env", ())}
    deadline = kubernetes.get("activeDeadlineSeconds")
    seconds = min(float(env.get(VARIABLE, DAY)), float(deadline or DAY))
    count = max(1, math.ceil(_cpu(cpu))) if cpu else threads
    return Wanted(
        memory=_bytes(size) if size else memory,
        threads=count,
        seconds=seconds,
        env={"OMP_NUM_THREADS": str(count), **env},
    )


def unsupported(executor: Mapping[str, Any], kubernetes: Mapping[str, Any]) -> str:
    """What of an executor cannot be had on this machine; empty when all can."""
    resources = executor.get("container", {}).get("resources", {})
    accelerator = resources.get("accelerator", {})
    kind = accelerator.get("resourceType") or accelerator.get("type")
    if kind:
        return f"an accelerator ({kind})"
    known = _IGNORED | {"pvcMount", "configMapAsVolume", "activeDeadlineSeconds"}
    return ", ".join(sorted(set(kubernetes) - known))


def backoff(policy: Mapping[str, Any], attempt: int) -> float:
    """Seconds before a task is tried again.

    Args:
        policy: its ``retryPolicy``.
        attempt: how often it was tried, from 1.
    """
    first = _seconds(policy.get("backoffDuration"))
    factor = float(policy.get("backoffFactor") or 2)
    most = _seconds(policy.get("backoffMaxDuration")) or 3600.0
    return min(first * factor ** (attempt - 1), most)


def _seconds(text: Any) -> float:
    return float(str(text or 0).removesuffix("s"))


def _bytes(size: Any) -> int:
    if isinstance(size, int | float):  # gigabytes, as KFP wrote it first
        return int(size * 10**9)
    match = _SIZE.fullmatch(str(size))
    if match is None or match[2] not in _SIZES:
        raise CompileError(f"its memory limit {size!r} is no size that KFP takes")
    return int(float(match[1]) * _SIZES[match[2]])


def _cpu(cpu: Any) -> float:
    text = str(cpu)
    try:
        return float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        raise CompileError(f"its CPU limit {cpu!r} is no number that KFP takes") from None
