"""Set up what watches the lab: services of the catalog, added as one plan, which then follow the lab by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core.after import reader_after, stacks_after
from homelab_mcp.core.drafts import then
from homelab_mcp.core.monitoring import by_kind, mapped, mounted
from homelab_mcp.core.operations.core_stack import Add, Read
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.request import AddServiceRequest, Name
from homelab_mcp.core.secret_files import NOTIFY_FILE
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

Part = Literal["uptime", "metrics", "dashboards", "logs", "alerts"]
PARTS: dict[Part, tuple[str, ...]] = {
    "uptime": ("gatus",),
    "metrics": ("prometheus", "node-exporter", "cadvisor"),
    "dashboards": ("prometheus", "grafana"),
    "logs": ("loki", "alloy", "grafana"),
    "alerts": ("prometheus", "alertmanager"),
}
"""Which services each part is made of. Alloy ships logs: Promtail, which many guides name, ended in March 2026."""
_ORDER = ("prometheus", "node-exporter", "cadvisor", "gatus", "loki", "alloy", "alertmanager", "grafana")
_MANAGER = "alertmanager.yml"


class MonitoringRequest(BaseModel):
    """Which ``parts``, in which ``stack`` (each definition's own when unset).

    ``notify_url`` is where alerts go, given by a person: an address that takes Alertmanager's webhook.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[Part, ...] = Field(min_length=1, max_length=5)
    stack: Name | None = None
    notify_url: Annotated[str, Field(max_length=500, pattern=r"^(https?://[^\s\x00-\x1f]+)?$")] = ""


def setup_monitoring(
    snapshot: Snapshot,
    request: MonitoringRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    add: Add,
    read: Read,
) -> Draft:
    """A draft with what of the wanted parts the lab lacks.

    Args:
        snapshot: the lab as it is.
        request: what is wanted.
        find: a definition by id.
        add: adds one service.
        read: the text of a file of the lab, or None.

    Raises:
        InvalidInput: nothing is missing (``nothing_to_do``), or what adding a service raises.
        EditRefused: a stack's file cannot be added to.
    """
    lab = view(snapshot)
    chosen = {kind for part in request.parts for kind in PARTS[part]}
    wanted = [kind for kind in _ORDER if kind in chosen and lab.made_from(kind) is None]
    there = [f"{one.where} is there already and stays." for k in _ORDER if k in chosen and (one := lab.made_from(k))]
    draft: Draft | None = None
    for kind in wanted:
        edits = draft.edits if draft else ()
        added = add(
            replace(snapshot, stacks=stacks_after(snapshot.stacks, edits)),
            AddServiceRequest(service=kind, stack=request.stack),
            read=reader_after(read, edits),
            alongside=wanted,
        )
        draft = then(draft, added) if draft else added
    if draft is None:
        draft = Draft("setup_monitoring", "", (), (), undo="Roll this plan back.")
    after = view(replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits)))
    told: list[str] = []
    if "alerts" in request.parts:
        draft = _with_receiver(draft, after, request.notify_url, read, told)
    if not draft.edits:
        raise InvalidInput(
            "All of that is set up already, and follows the lab with every plan.",
            hint=" ".join(told) or "No plan is needed.",
            code="nothing_to_do",
        )
    return replace(
        draft,
        operation="setup_monitoring",
        summary=f"Set up monitoring: {', '.join(request.parts)}",
        actions=_in_order(draft.actions),
        notes=(*told, *there, *_hints(request.parts, after, find, wanted), *draft.notes),
        undo="Roll this plan back: all of it goes again, and its data folders stay.",
        target="monitoring",
    )


def _with_receiver(draft: Draft, after: LabView, url: str, read: Read, told: list[str]) -> Draft:
    """Where alerts go: an address in a file of its own, which Alertmanager reads and git never holds."""
    manager = next(iter(by_kind(after, "alertmanager")), None)
    folder = mounted(manager, "/etc/alertmanager") if manager else ""
    if manager is None or not folder:
        told.append("This Alertmanager was not set up from the catalog: its receiver stays as it is.")
        return draft
    edits = {e.path: e for e in draft.edits}
    path, secret = f"{folder}/{_MANAGER}", f"{folder}/{NOTIFY_FILE}"
    now = edits[path].after if path in edits else read(path)
    if not url:
        if read(secret) is None:
            told.append(
                "Nobody is told yet: a person gives the address with "
                "`homelab-mcp monitoring alerts --notify-file FILE`."
            )
        return draft
    if path not in edits and NOTIFY_FILE not in (now or "") and "nobody" not in (now or ""):
        told.append(f"{path} has a receiver of its own and stays as it is.")
        return draft
    before = edits[path].before if path in edits else now
    edits[path] = FileEdit(path, before, receiver_text())
    edits[secret] = FileEdit(secret, read(secret), f"{url}\n", mode=0o600, secret=True)
    if edits[path].before == edits[path].after:
        del edits[path]
    if edits[secret].before == edits[secret].after:
        del edits[secret]
    changed = replace(
        draft,
        edits=tuple(edits.values()),
        risks=(*draft.risks, RiskReason(Risk.MEDIUM, "Sends alerts, with names of services, to the address given.")),
        secrets=(*draft.secrets, url),
    )
    if any(a.kind is ActionKind.UP and a.stack == manager.stack and manager.name in a.services for a in draft.actions):
        return changed
    restart = EngineAction(ActionKind.RESTART, "It reads its receiver when it starts.", manager.stack, (manager.name,))
    seen = Verification(manager.stack, (manager.name,))
    return replace(changed, actions=(*changed.actions, restart), also_verify=(*changed.also_verify, seen))


def receiver_text() -> str:
    """``alertmanager.yml`` with one webhook (prometheus/alertmanager docs/configuration.md, ``url_file``)."""
    hook = {"url_file": f"/etc/alertmanager/{NOTIFY_FILE}", "send_resolved": True}
    return mapped(
        {
            "route": {
                "receiver": "person",
                "group_by": ["alertname"],
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "12h",
            },
            "receivers": [{"name": "person", "webhook_configs": [hook]}],
        }
    ).replace("made anew with every plan: what is changed here is lost.", "edit it freely; then it stays yours.")


def _in_order(actions: Sequence[EngineAction]) -> tuple[EngineAction, ...]:
    first = (ActionKind.CREATE_NETWORK, ActionKind.PULL)
    return (*(a for k in first for a in actions if a.kind is k), *(a for a in actions if a.kind not in first))


def _hints(
    parts: Sequence[Part], after: LabView, find: Callable[[str], ServiceDefinition], wanted: Sequence[str]
) -> list[str]:
    notes = []
    if "uptime" in parts and "alerts" not in parts and after.made_from("alertmanager") is None:
        notes.append("Gatus shows what is down; the part 'alerts' tells somebody.")
    old = next(iter(by_kind(after, "prometheus")), None)
    if old is not None and "prometheus" not in wanted:
        notes.append(
            f"{old.where} follows the lab where its prometheus.yml reads homelab-targets.yml, homelab-rules.yml and "
            "homelab-alertmanager.yml (docs: monitoring)."
        )
    heavy = [k for k in wanted if find(k).container.resources in ("monitoring", "heavy")]
    if len(heavy) > 2:
        notes.append(f"{', '.join(heavy)} may use 512 MB of memory each.")
    return notes
