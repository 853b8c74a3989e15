"""Set or unset variables of the lab's shared ``global.env``, which every stack's own ``.env`` goes before."""

from __future__ import annotations

from collections.abc import Mapping

from homelab_mcp.core import env_file
from homelab_mcp.core.env_report import uses
from homelab_mcp.core.operations.stack_as_one import services_as_one
from homelab_mcp.core.redact import is_public_name
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.lab import SHARED_ENV
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification


def set_global_env(snapshot: Snapshot, values: Mapping[str, str | None], before: str | None) -> Draft:
    """A draft that edits ``global.env`` and recreates, in each stack, the services that use what changed.

    Args:
        snapshot: the lab as it is.
        values: per name the value, or None to unset it.
        before: the file's text; None where there is none.

    Raises:
        InvalidInput: a name or value that may not be written, or nothing that would change (``nothing_to_do``).
    """
    text = before or ""
    for name in values:
        env_file.check_name(name)
    after = env_file.set_values(text, {n: v for n, v in values.items() if v is not None})
    after = env_file.remove(after, [n for n, v in values.items() if v is None])
    old, new = env_file.parse(text), env_file.parse(after)
    changed = {n for n in values if old.get(n) != new.get(n)}
    if not changed:
        raise InvalidInput("The variables already are as asked.", hint="No plan is needed.", code="nothing_to_do")
    users: dict[str, tuple[str, ...]] = {}
    own: list[str] = []
    for stack in snapshot.stacks:
        try:
            mine = set(env_file.parse(stack.env_text))
            services = services_as_one(stack)
        except HomelabError:
            continue
        own += [f"{stack.name} sets {n} itself" for n in sorted(changed & mine)]
        if found := tuple(n for n, s in services.items() if uses(s, changed - mine)):
            users[stack.name] = found
    words = ", ".join(sorted(changed))
    actions = tuple(EngineAction(ActionKind.UP, f"They use {words}.", s, names) for s, names in users.items())
    seen = tuple(Verification(s, names) for s, names in users.items())
    told = ", ".join(f"{s}/{n}" for s, names in users.items() for n in names)
    return Draft(
        operation="set_env",
        summary=f"Change {words} of the whole lab",
        edits=(FileEdit(SHARED_ENV, before, after, mode=0o600, secret=True),),
        actions=actions,
        verification=seen[0] if seen else Verification(),
        also_verify=seen[1:],
        risks=(RiskReason(Risk.HIGH, f"Every stack shares them; recreates {told or 'nothing'}."),),
        notes=(f"Changed: {words}. Values are not shown.", *(f"{line}, so nothing changes there." for line in own)),
        undo="Roll this plan back; the former values come back.",
        target="global",
        secrets=tuple(v for n, v in values.items() if n in changed and v and not is_public_name(n)),
    )
