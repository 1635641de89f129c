"""The process that runs a sweep: how it is identified, and whether it is still alive.

A sweep has one owner at a time. Another process may continue the sweep only if the owner is dead,
so every machine must be able to notice that, also after `kill -9`. On the same host the process
table shows it at once. Other machines see only the record, so the owner updates a heartbeat there.
"""

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A driver updates its heartbeat every few seconds. After this long without one, a driver on another
# machine counts as dead: long enough for a busy disk, short enough to wait for.
SILENCE_S = 60.0


def this_process() -> dict[str, Any]:
    """Return the identity of this process: pid, host and, on Linux, `start`, `boot` and `pids`.

    `start` distinguishes a process from a later one with the same pid. `boot` and `pids`, the
    namespace of the pid, distinguish machines and containers with the same host name.
    """
    return process_of(os.getpid())


def process_of(pid: int) -> dict[str, Any]:
    """Return the identity of a process of this host."""
    return {"pid": pid, **_here(), "start": _start_ticks(pid)}


def is_alive(owner: Mapping[str, Any] | None, heartbeat: float | None) -> bool:
    """Tell whether the process that `owner` identifies still runs.

    If this process can see the pid, the process table decides. Otherwise (on another machine or
    container, or after a reboot) the owner counts as alive if its last heartbeat is at most 60 s
    old.
    """
    if owner is None:
        return False
    # The pid of another container, or from before a reboot, says nothing about a process here;
    # `boot` and `pids` must match before the process table is asked.
    here = _here()
    if os.name == "posix" and all(owner.get(key, known) == known for key, known in here.items()):
        return _runs_here(owner)
    return heartbeat is not None and time.time() - heartbeat < SILENCE_S


def is_of_this_host(owner: Mapping[str, Any] | None) -> bool:
    """Tell whether `owner` is, or was, a process of this host."""
    return owner is not None and owner.get("host") == platform.node()


def describe_owner(owner: Mapping[str, Any]) -> str:
    """Return the owner as text, like "process 123 on HOST"."""
    return f"process {owner.get('pid')} on {owner.get('host')}"


def _runs_here(owner: Mapping[str, Any]) -> bool:
    pid = int(owner["pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, as another user
    if owner.get("start") is None:
        return True
    return bool(owner["start"] == _start_ticks(pid))


def _here() -> dict[str, Any]:
    try:
        pids = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        pids = None
    return {"host": platform.node(), "boot": _boot_id(), "pids": pids}


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _start_ticks(pid: int) -> int | None:
    """Return the start time of `pid` in ticks since boot; None without /proc, or for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the command's name may hold spaces
    return None if fields[0] in "ZX" else int(fields[19])
