"""Fingerprints: what a plan was made from, as hashes that turn it stale when anything moves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from homelab_mcp.model.lab import HOSTS_FILE, SETTINGS_FILE
from homelab_mcp.model.observed import ContainerState, Snapshot
from homelab_mcp.model.plan import ActionKind, Draft

ABSENT = "absent"
LAB = "lab"
"""Under it: one hash of what the linter reads of all stacks. That it moved makes no plan stale by itself."""
_FILE = "file:"
_CONTAINER = "container:"
_WHOLE = "*"
_STANDBY = frozenset({ActionKind.STANDBY_SYNC, ActionKind.STANDBY_START, ActionKind.STANDBY_STOP})
_ON_A_HOST = _STANDBY | {ActionKind.NODE_JOIN}
_STATE_CLASS = {"running": "up", "restarting": "up", "created": "down", "exited": "down", "dead": "down"}


def of_text(text: str | None) -> str:
    """SHA-256 (hex) of the text's UTF-8 bytes; "absent" for None."""
    return ABSENT if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def of_containers(containers: Sequence[ContainerState]) -> str:
    """One hash over the containers of one service; "absent" for none.

    Identity is id, config hash and whether it is up, down or paused. A crash loop's flicker between running and
    restarting is no change, nor are uptime and health. A container keeps its image for life; only its name in the
    engine's list changes, once the image's tag has moved on to another.
    """
    if not containers:
        return ABSENT
    rows = sorted([c.id, c.config_hash, _STATE_CLASS.get(c.state, c.state)] for c in containers)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def watched_files(draft: Draft, compose_paths: Mapping[str, str]) -> list[str]:
    """Every file whose change makes the draft stale, sorted.

    Those it writes or adopts, the lab's settings, and the compose and env files of each stack it acts on, or brings
    elsewhere. ``hosts.yaml`` as well where an action names a host by itself: which machine that is was approved.

    Args:
        draft: the draft.
        compose_paths: stack name -> its compose file's path, relative to the lab's root.
    """
    paths = {e.path for e in (*draft.edits, *draft.adopts)} | {SETTINGS_FILE}
    if any(a.kind in _ON_A_HOST for a in draft.actions):
        paths.add(HOSTS_FILE)
    for stack in read_stacks(draft):
        paths.add(f"{stack}/.env")
        if stack in compose_paths:
            paths.add(compose_paths[stack])
    return sorted(paths)


def touched_stacks(draft: Draft) -> list[str]:
    """The stacks that the draft's edits, actions and verification are about, sorted."""
    named = {a.stack for a in draft.actions if a.stack} | {v.stack for v in draft.verifications}
    named |= {e.path.split("/", 1)[0] for e in (*draft.edits, *draft.adopts) if "/" in e.path}
    return sorted(n for n in named if n)


def read_stacks(draft: Draft) -> list[str]:
    """The stacks that it is about, and those whose files it takes elsewhere (a standby's), sorted."""
    carried = {stack for a in draft.actions if a.kind in _STANDBY for stack in a.services}
    return sorted({*touched_stacks(draft), *carried})


def watched_services(draft: Draft) -> list[tuple[str, str]]:
    """(stack, service) pairs that the draft acts on, sorted; service "*" stands for a whole stack."""
    pairs: set[tuple[str, str]] = set()
    for action in draft.actions:
        if action.kind is ActionKind.CREATE_NETWORK or not action.stack:
            continue
        pairs |= {(action.stack, s) for s in action.services or (_WHOLE,)}
    for seen in draft.verifications:
        held = tuple(service for service, _ in seen.held)
        pairs |= {(seen.stack, s) for s in (*seen.services, *seen.gone, *held) if seen.stack}
    return sorted(pairs)


def build(
    files: Mapping[str, str | None], services: Iterable[tuple[str, str]], containers: Sequence[ContainerState] | None
) -> dict[str, str]:
    """The fingerprint: ``file:<path>`` and ``container:<stack>/<service>`` to a hash.

    Args:
        files: path -> text now (None: absent).
        services: (stack, service) pairs, service "*" for all of the stack.
        containers: what runs; None when the engine was not asked, which leaves containers out.
    """
    print_ = {f"{_FILE}{path}": of_text(text) for path, text in files.items()}
    if containers is not None:
        for stack, service in services:
            mine = [c for c in containers if c.stack == stack and service in (_WHOLE, c.service)]
            print_[f"{_CONTAINER}{stack}/{service}"] = of_containers(mine)
    return dict(sorted(print_.items()))


def of_lab(snapshot: Snapshot) -> str:
    """SHA-256 (hex) over the files of all stacks, and what they share."""
    stacks = [
        (s.name, s.compose_path, s.compose_text, s.env_text, s.others, s.named)
        for s in sorted(snapshot.stacks, key=lambda s: s.name)
    ]
    return of_text(json.dumps([snapshot.settings_text, snapshot.shared_env, stacks]))


def parts(fingerprint: Mapping[str, str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The file paths and the (stack, service) pairs that a fingerprint covers."""
    paths = [k.removeprefix(_FILE) for k in fingerprint if k.startswith(_FILE)]
    pairs = []
    for key in fingerprint:
        if key.startswith(_CONTAINER):
            stack, _, service = key.removeprefix(_CONTAINER).partition("/")
            pairs.append((stack, service))
    return paths, pairs


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What moved between two fingerprints, one phrase each ("file media/.env was deleted")."""
    found = []
    for key in sorted({*then, *now} - {LAB}):
        old, new = then.get(key, ABSENT), now.get(key, ABSENT)
        if old == new and key in then and key in now:
            continue
        kind, _, name = key.partition(":")
        gone = "was deleted" if kind == "file" else "was removed"
        word = "appeared" if old == ABSENT else gone if new == ABSENT else "changed"
        found.append(f"{kind} {name} {word}")
    return found
