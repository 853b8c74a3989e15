"""A trial: a throw-away run of a service beside the lab, and what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass

TRIAL_LABEL = "homelab.trial"
"""On all that a trial makes; its value marks the lab, so that another lab's trial on the same engine is let be."""
TRIAL_PROJECT = "homelab-trial-"


@dataclass(frozen=True, slots=True)
class TrialFolder:
    """A folder that a trial's container finds empty, in a volume that goes with it; owned by ``uid:gid``."""

    service: str
    target: str
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class TrialFile:
    """A file that a trial's container finds at ``path``, an absolute path in it."""

    service: str
    path: str
    text: str
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be run, and for how long.

    Args:
        main: the service that is looked at; it ends the trial when it ends.
        services: all of them, with the main one.
        compose_text: a compose file of its own; no name, no published port, no host path.
        env_text: its ``.env``; holds throw-away secrets.
        folders: what the containers find empty.
        files: what they find there, made before they start.
        seconds: the longest it runs; a healthy main service ends it sooner.
    """

    main: str
    services: tuple[str, ...]
    compose_text: str
    env_text: str = ""
    folders: tuple[TrialFolder, ...] = ()
    files: tuple[TrialFile, ...] = ()
    seconds: int = 60


@dataclass(frozen=True, slots=True)
class TrialSeen:
    """How one service of a trial did.

    Args:
        service: its name.
        state: the engine's word (running, exited ...).
        health: healthy, unhealthy, starting, or "" without a check.
        exit_code: where it ended.
        out_of_memory: the kernel ended it.
        seconds: how long it was looked at.
        memory: the most it used, bytes; 0 where it ended too soon to be measured.
        log: its last lines, newest last; untrusted text.
    """

    service: str
    state: str
    health: str = ""
    exit_code: int | None = None
    out_of_memory: bool = False
    seconds: float = 0.0
    memory: int = 0
    log: tuple[str, ...] = ()
