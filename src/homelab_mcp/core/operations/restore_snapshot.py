"""Puts secret files back as a snapshot kept them: a plan like any other, never a write of its own."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homelab_mcp.core.diff import is_env, secrets_of
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification


def restore_snapshot(
    snapshot: Snapshot,
    name: str,
    kept: Mapping[str, tuple[str, int]],
    *,
    read: Callable[[str], str | None],
    left_out: Sequence[str] = (),
) -> Draft:
    """A draft that puts these files back, and makes the services that read them read them again.

    Args:
        snapshot: the lab's stacks.
        name: the kept snapshot's name.
        kept: path -> (text, mode) as it was then.
        read: a file's text now.
        left_out: paths in it that are no text, and cannot be put back by a plan.

    Raises InvalidInput (nothing_to_do) when every file is as it was.
    """
    edits = []
    for path, (text, mode) in sorted(kept.items()):
        now = read(path)
        if now != text:
            edits.append(FileEdit(path, now, text, mode & 0o700, True))
    if not edits:
        raise InvalidInput(
            "Every file is already as that snapshot has it.", code="nothing_to_do", hint="Pick another snapshot."
        )
    actions: list[EngineAction] = []
    for stack in snapshot.stacks:
        actions += _actions(stack, [e.path for e in edits if e.path.startswith(f"{stack.name}/")])
    notes = [f"{path} is no text, and is not put back." for path in left_out]
    if any("/" not in e.path for e in edits):
        notes.append("Every stack reads the root's env file: services take it up when they are recreated.")
    stacks = sorted({a.stack for a in actions})
    chosen = next((s for s in snapshot.stacks if s.name in stacks[:1]), None)
    paths = ", ".join(e.path for e in edits)
    return Draft(
        operation="restore_snapshot",
        summary=f"Restore {len(edits)} secret file{'s' if len(edits) > 1 else ''} from snapshot {name[:15]}",
        edits=tuple(edits),
        actions=tuple(actions),
        verification=Verification(stack=chosen.name, services=tuple(_services(chosen))) if chosen else Verification(),
        risks=(RiskReason(Risk.HIGH, f"Values set since in {paths} are lost; databases may know only the new ones."),),
        notes=tuple(notes),
        undo="Roll back this plan.",
        target=stacks[0] if len(stacks) == 1 else "snapshot",
        secrets=secrets_of(edits),
    )


def _actions(stack: StackFiles, paths: Sequence[str]) -> list[EngineAction]:
    if not paths:
        return []
    found = []
    if any(is_env(p) for p in paths):
        found.append(EngineAction(ActionKind.UP, "Runs it with the values put back.", stack.name))
    readers = tuple(s for s, body in _services(stack).items() if _mounts(stack.name, body, paths))
    if readers:
        found.append(EngineAction(ActionKind.RESTART, "Reads the file put back at its start.", stack.name, readers))
    return found


def _services(stack: StackFiles) -> dict[str, Any]:
    try:
        data = load(stack.compose_text)
    except InvalidInput:
        return {}
    services = data.get("services") if isinstance(data, dict) else None
    return {str(k): v for k, v in services.items()} if isinstance(services, dict) else {}


def _mounts(stack: str, body: Any, paths: Sequence[str]) -> bool:
    """Whether the service mounts one of the files, or a folder above it, by a path relative to its stack."""
    volumes = body.get("volumes") if isinstance(body, dict) else None
    for volume in volumes if isinstance(volumes, list) else []:
        source = volume.get("source") if isinstance(volume, dict) else str(volume).partition(":")[0]
        if isinstance(source, str) and source.startswith("./"):
            place = posixpath.normpath(f"{stack}/{source}")
            if any(p == place or p.startswith(f"{place}/") for p in paths):
                return True
    return False
