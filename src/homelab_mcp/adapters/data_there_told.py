"""What a shell on another host says when it refuses or breaks off, in this project's errors."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence

from homelab_mcp.adapters.data_errors import in_the_way, missing, mounted_inside, other_file_system
from homelab_mcp.adapters.lab_paths import refused
from homelab_mcp.adapters.process import Finished
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, InvalidInput, storage_failed

_SAID = {
    # As musl and as glibc word them.
    "no space left": errno.ENOSPC,
    "quota exceeded": errno.EDQUOT,
    "read-only": errno.EROFS,
    "permission denied": errno.EACCES,
    "not permitted": errno.EPERM,
    "busy": errno.EBUSY,
    "no such file": errno.ENOENT,
    "not a directory": errno.ENOTDIR,
    "invalid argument": errno.EINVAL,
}
_NOT_RUNNING = re.compile(r"no such container|is not running|is paused|is restarting|marked for removal", re.IGNORECASE)
_SILENT = re.compile(
    r"cannot connect to the docker daemon|error during connect|connection refused|i/o timeout|no route to host", re.I
)


def refused_there(host: str, word: str, said: str, paths: Sequence[str]) -> HomelabError:
    """The error for the word that a run ended with; ``paths`` are what it was about, the source first."""
    source, target = paths[0], paths[-1]
    match word:
        case "link":
            return refused(_named(paths), OSError(errno.ELOOP, ""))
        case "unreadable":
            return refused(_named(paths), OSError(errno.EACCES, ""))
        case "missing":
            return missing(source)
        case "in_the_way":
            return in_the_way(target)
        case "other":
            return other_file_system(source, target)
        case "file":
            return InvalidInput(f"{target}: {said} is a file, not a folder.", hint="Move it away first.")
        case "mounted":
            return mounted_inside(target, host)
        case "place":
            return EngineUnavailable(
                f"The backup's container on host {host} does not see the lab's folder.",
                hint="See `homelab-mcp backups`; configure_backup for that host brings its mounts up to date.",
                code="backup_not_running",
                details={"host": host},
            )
        case _:
            code = next((n for text, n in _SAID.items() if text in said.lower()), 0)
            # What a program says may name files; the end is the system's own words.
            return storage_failed(OSError(code, said.rpartition(": ")[2].strip()[:200] or "failed"), target)


def not_started(done: Finished) -> bool:
    """Whether Docker had no running container to start it in."""
    return done.code != 0 and _NOT_RUNNING.search(done.output) is not None


def broken(host: str, done: Finished) -> EngineUnavailable:
    """The error for a run whose answer did not come to its end."""
    if not_started(done):
        return not_running(host)
    if done.code != 0 and _SILENT.search(done.output):
        last = done.output.strip().splitlines()[-1][:300]
        return EngineUnavailable(
            f"Host {host} does not answer ({last}).",
            hint=f"Look at that machine and the network between, then `homelab-mcp host check {host}`.",
            code="host_silent",
            details={"host": host},
        )
    why = "took too long" if done.timed_out else "broke off"
    return EngineUnavailable(
        f"What was asked of the data on host {host} {why}, and nobody knows whether it was done.",
        hint=f"`homelab-mcp host check {host}`; what is asked next says how it stands.",
        code="host_lost",
        details={"host": host},
    )


def not_running(host: str) -> EngineUnavailable:
    """The error for a host whose container for backups does not run: nothing was done."""
    return EngineUnavailable(
        f"The container that makes backups on host {host} does not run, and data there is reached through it.",
        hint="See `homelab-mcp backups`; start its stack, then try again.",
        code="backup_not_running",
        details={"host": host},
    )


def _named(paths: Sequence[str]) -> str:
    return paths[0] if len(set(paths)) == 1 else f"{paths[0]} or {paths[-1]}"
