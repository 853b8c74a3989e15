"""Nothing is built on what a failed roll-back left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from homelab_mcp.core.fingerprint import touched_stacks
from homelab_mcp.core.open_applies import failed_applies
from homelab_mcp.model.errors import HomelabError, PlanRefused
from homelab_mcp.model.plan import Draft
from homelab_mcp.ports import PlanStore


def refuse_on_failed(draft: Draft, entries: Iterable[Mapping[str, Any]], plans: PlanStore) -> None:
    """Refuse to build on what a failed roll-back left in a stack of this draft.

    Raises PlanRefused (``rollback_unsettled``).
    """
    mine = set(touched_stacks(draft))
    for begin in failed_applies(entries):
        plan_id = str(begin.get("plan", ""))
        left = sorted(mine & _stacks(begin, plans))
        if left:
            raise PlanRefused(
                f"A roll-back failed in {', '.join(left)} and is not put right yet: {begin.get('summary', '')}",
                code="rollback_unsettled",
                hint="A person runs `homelab-mcp recover`, which tries again; or puts it right by hand and then runs "
                f"`homelab-mcp recover --as-it-is {plan_id}`.",
                details={"plan_id": plan_id, "stacks": left},
            )


def _stacks(begin: Mapping[str, Any], plans: PlanStore) -> set[str]:
    acted = {str(key).partition("/")[0] for key in begin.get("containers") or {}}
    try:
        return acted | set(touched_stacks(plans.get(str(begin.get("plan", ""))).draft))
    except HomelabError:
        # Its record is gone; the containers that it acted on are in the journal itself.
        return acted
