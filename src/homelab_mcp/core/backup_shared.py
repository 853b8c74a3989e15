"""Which Docker hosts of a lab have one repository for their backups, and what each knows of its password and keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from homelab_mcp.core import env_file
from homelab_mcp.core.backup_config import OPTIONAL, PASSWORD, SECRETS, BackupConfig, parse_config
from homelab_mcp.core.backup_jobs import config_path, engine_of, engines_of
from homelab_mcp.core.hosts import parse_hosts
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL

Read = Callable[[str], str | None]
_SFTP = re.compile(r"sftp://([^/:]+)(?::22)?/(/.*)")


def same_place(config: BackupConfig, host: str, read: Read) -> str:
    """What is alike for two hosts exactly where they have one repository, as far as its name tells.

    Each host has disks of its own, but for an engine of this machine (``unix://``).
    """
    text = config.repository.rstrip("/") or "/"
    if config.kind == "local":
        return f"{disk_of(host, read)}:{text}"
    if found := _SFTP.fullmatch(text):
        return f"sftp:{found[1]}:{found[2]}"
    return text


def disk_of(host: str, read: Read) -> str:
    """The host whose disks a host's containers have: ``local`` for an engine of this machine."""
    with suppress(HomelabError):
        known = parse_hosts(read(HOSTS_FILE)).hosts.get(host)
        return LOCAL if known is not None and known.kind == "unix" else host
    return host


def sharers_of(view: LabView, config: BackupConfig, host: str, read: Read) -> list[str]:
    """The other hosts whose backups go to the same repository, the lab's machine first."""
    here, found = same_place(config, host, read), []
    for name, engine in engines_of(view).items():
        with suppress(HomelabError):
            text = read(config_path(engine.stack)) if name != host else None
            if text is not None and same_place(parse_config(text), name, read) == here:
                found.append(name)
    return found


def maker_of(view: LabView, config: BackupConfig, host: str, read: Read) -> str:
    """The host that is to make a repository which several share: the first of them, perhaps this one."""
    mine = {*sharers_of(view, config, host, read), host}
    return next((name for name in engines_of(view) if name in mine), host)


@dataclass(frozen=True, slots=True)
class Known:
    """Variables for a repository that come from elsewhere in the lab.

    Args:
        values: to be written, over what is there.
        gone: names that the repository has no use for, and another host knows.
        left: whether the repository before is another host's too, which goes on with its password and keys.
        stays: whether the repository is the one of before.
    """

    values: Mapping[str, str]
    gone: tuple[str, ...] = ()
    left: bool = False
    stays: bool = False


def known_of(view: LabView, config: BackupConfig, host: str, read: Read) -> Known:
    """What a host's backup needs of the variables that other hosts have.

    One that comes to another's repository gets its password and keys. One that stays where it is keeps its own,
    whatever the others have: they may be all that opens it, or may less than theirs.
    """
    engine = engine_of(view, host)
    text = read(config_path(engine.stack)) if engine else None
    before = None
    with suppress(HomelabError):
        before = parse_config(text) if text is not None else None
    stays = before is not None and same_place(before, host, read) == same_place(config, host, read)
    env = env_file.parse((read(f"{engine.stack}/.env") if engine else None) or "")
    sharers = sharers_of(view, config, host, read)
    theirs = engine_of(view, sharers[0]) if sharers else None
    wanted = (PASSWORD, *config.secrets, *config.optional)
    values = {}
    if theirs is not None:
        other = env_file.parse(read(f"{theirs.stack}/.env") or "")
        values = {n: other[n] for n in wanted if other.get(n) and not (stays and env.get(n))}
    left = before is not None and not stays and bool(sharers_of(view, before, host, read))
    useless = {n for names in (*SECRETS.values(), *OPTIONAL.values()) for n in names} - set(wanted)
    gone = tuple(n for n in env if left and n in useless)
    return Known(values, gone, left, stays)
