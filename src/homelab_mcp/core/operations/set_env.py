"""Set or unset variables of a stack's ``.env``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from homelab_mcp.core import env_file
from homelab_mcp.core.env_report import uses
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.operations.request import SetEnvRequest
from homelab_mcp.core.operations.stack_as_one import services_as_one
from homelab_mcp.core.redact import is_public_name
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification


def set_env(
    snapshot: Snapshot,
    request: SetEnvRequest,
    *,
    find: Callable[[str], ServiceDefinition] | None = None,
    read: Callable[[str], str | None] | None = None,
) -> Draft:
    """A draft that edits a stack's ``.env`` and recreates the services that use what changed.

    Args:
        snapshot: the lab as it is.
        request: the stack, and per name the value, or None to unset it.
        find: not used for the edit; kept so that all operations are called alike.
        read: the text of a file of the lab; with it, values can be set for a stack that has no compose file yet
            (what a service needs before it is added).

    Raises:
        NotFound: no such stack.
        InvalidInput: a name or value that may not be written, or nothing that would change (``nothing_to_do``).
    """
    stack = snapshot.stack(request.stack)
    if stack is None and read is None:
        raise NotFound(
            f"There is no stack called {request.stack}.",
            hint=f"Stacks: {', '.join(s.name for s in snapshot.stacks[:15]) or 'none yet'}.",
            code="stack_unknown",
        )
    path = f"{request.stack}/.env"
    before = (
        stack.env_text if stack and stack.env_text else (read(path) if read else (stack and stack.env_text) or None)
    )
    text = before or ""
    for name in request.values:
        env_file.check_name(name)
    wanted = {n: v for n, v in request.values.items() if v is not None}
    after = env_file.set_values(text, wanted)
    after = env_file.remove(after, [n for n, v in request.values.items() if v is None])
    old, new = env_file.parse(text), env_file.parse(after)
    changed = [n for n in request.values if old.get(n) != new.get(n)]
    if not changed:
        raise InvalidInput("The variables already are as asked.", hint="No plan is needed.", code="nothing_to_do")
    services = services_as_one(stack) if stack else {}
    users = [name for name, service in services.items() if uses(service, set(changed))]
    core = request.stack == "core" or any(labels_of(services[n]).get("homelab.category") == "core" for n in users)
    return Draft(
        operation="set_env",
        summary=f"Change {', '.join(changed)} of stack {request.stack}",
        edits=(FileEdit(path, before, after, mode=0o600, secret=True),),
        actions=_actions(request.stack, users, changed),
        verification=Verification(stack=request.stack, services=tuple(users)) if users else Verification(),
        risks=tuple(_risks(core, users)),
        notes=tuple(_notes(request.stack, changed, old, new, users, has_file=stack is not None)),
        undo="Roll this plan back; the former values come back.",
        target=request.stack,
        secrets=tuple(v for n, v in wanted.items() if n in changed and v and not is_public_name(n)),
    )


def _actions(stack: str, users: list[str], changed: list[str]) -> tuple[EngineAction, ...]:
    if not users:
        return ()
    return (EngineAction(ActionKind.UP, f"They use {', '.join(changed)}.", stack, tuple(users)),)


def _risks(core: bool, users: list[str]) -> list[RiskReason]:
    found = [RiskReason(Risk.MEDIUM, f"Recreates {', '.join(users)}." if users else "Changes the stack's variables.")]
    if core:
        found.append(RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on."))
    return found


def _notes(
    stack: str,
    changed: list[str],
    old: Mapping[str, str],
    new: Mapping[str, str],
    users: list[str],
    *,
    has_file: bool,
) -> list[str]:
    by_word = {
        "New": [n for n in changed if n not in old],
        "Changed": [n for n in changed if n in old and n in new],
        "Unset": [n for n in changed if n not in new],
    }
    notes = [f"{word}: {', '.join(names)}. Values are not shown." for word, names in by_word.items() if names]
    if not has_file:
        notes.append(f"Stack {stack} has no compose file yet; the values wait for its first service.")
    elif not users:
        notes.append("No service of the stack refers to them, so nothing is recreated.")
    return notes
