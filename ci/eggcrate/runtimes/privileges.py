"""A container that may do what the machine may do: ``--privileged``, or as near as it gets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import docker

_NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *("SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"),
    *("IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT"),
    *("SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD"),
    *("LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG"),
    *("WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"),
)
"""Linux's capabilities, by number: capabilities(7)."""


def host_config(
    client: docker.APIClient, *, status: str | None = None, **settings: Any
) -> dict[str, Any]:
    """A host configuration with all that this machine may do.

    Docker refuses ``privileged`` where the machine itself lacks a capability, as inside other
    containers: there it is every capability that there is, and nothing hidden.

    Args:
        client: a connection.
        status: the text of ``/proc/self/status``; by default our own.
        settings: more of the configuration.
    """
    text = Path("/proc/self/status").read_text() if status is None else status
    [bounding] = [line.split()[1] for line in text.splitlines() if line.startswith("CapBnd:")]
    held = int(bounding, 16)
    lacking = [name for number, name in enumerate(_NAMES) if not held >> number & 1]
    if not lacking:
        return client.create_host_config(privileged=True, **settings)
    made = client.create_host_config(
        cap_add=["ALL"],
        cap_drop=lacking,
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        **settings,
    )
    return {**made, "MaskedPaths": [], "ReadonlyPaths": []}
