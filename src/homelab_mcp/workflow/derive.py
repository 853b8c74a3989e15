"""Adds to a draft the files that follow from the lab as the draft would leave it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from homelab_mcp.core.after import reader_after
from homelab_mcp.core.derived import Derivation, DerivedFile, LabAfter, every
from homelab_mcp.core.derived.listed import DERIVATIONS
from homelab_mcp.core.kept_routes import with_kept_routes
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.settings import parse_settings
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError, NotFound
from homelab_mcp.model.lab import SETTINGS_FILE, LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import stacks_with
from homelab_mcp.workflow.derive_anew import UP, made_anew

_AS_A_PERSON_LEFT_IT = frozenset({"adopt", "discard"})
"""Operations that are about the very text a person left: deriving would plan over it."""


def with_derived(lab: Lab, draft: Draft, snapshot: Snapshot, derivations: Iterable[Derivation] = DERIVATIONS) -> Draft:
    """The draft with its derived files, and the restarts of what reads them only at its start.

    A lab whose settings would not be readable gets nothing derived: the linter says what is wrong with them.
    """
    if draft.operation in _AS_A_PERSON_LEFT_IT:
        return draft
    read = reader_after(lab.files.read, draft.edits)
    text = read(SETTINGS_FILE)
    try:
        settings = parse_settings(text) if text is not None else lab.settings
    except HomelabError:
        return draft
    after = replace(snapshot, stacks=stacks_with(lab.files, snapshot.stacks, draft.edits), settings_text=text)

    def find(name: str) -> ServiceDefinition | None:
        try:
            return lab.catalog.get(name)
        except NotFound:
            return None

    whole = LabAfter(after, settings, view(after), read, find, lab.roots, snapshot.stacks)
    files = list(every(whole, derivations))
    found = [f for f in files if read(f.path) != f.text]
    anew, told = made_anew(lab, draft, files, {f.path for f in found}, snapshot)
    if not (found or anew):
        return draft
    edits = {e.path: e for e in draft.edits}
    for file in found:
        old = edits.get(file.path)
        before = old.before if old else lab.files.read(file.path)
        edits[file.path] = FileEdit(file.path, before, file.text, file.mode, derived=True)
    restarts = [*_restarts(draft, found, snapshot), *anew]
    return replace(
        draft,
        edits=tuple(edits.values()),
        actions=(*draft.actions, *restarts),
        risks=(*draft.risks, *(RiskReason(Risk.HIGH, f.risk) for f in found if f.risk)),
        also_verify=(*draft.also_verify, *(Verification(a.stack, a.services) for a in restarts)),
        notes=(*draft.notes, *dict.fromkeys([*(told.get(f.path, f.why) for f in found), *told.values()])),
    )


def keeping_routes(lab: Lab, draft: Draft, snapshot: Snapshot) -> Draft:
    """The draft with a check of every route that served before and that its actions could break."""
    if not draft.actions:
        return draft
    text = reader_after(lab.files.read, draft.edits)(SETTINGS_FILE)
    stacks = stacks_with(lab.files, snapshot.stacks, draft.edits)
    after = view(replace(snapshot, stacks=stacks))
    try:
        will = parse_settings(text) if text is not None else lab.settings
    except HomelabError:
        return draft
    try:
        was: LabSettings | None = lab.settings
    except HomelabError:
        was = None
    return with_kept_routes(draft, view(snapshot), after, was, will)


def _restarts(draft: Draft, found: Iterable[DerivedFile], snapshot: Snapshot) -> list[EngineAction]:
    """One restart a service that stays up; what is down or recreated reads it when it starts.

    Where the containers are not known, a draft that acts on none stays one that needs no Docker.
    """
    if snapshot.containers is None and not draft.actions:
        return []
    up = None if snapshot.containers is None else {(c.stack, c.service) for c in snapshot.containers if c.state in UP}
    done = {
        (a.stack, s)
        for a in draft.actions
        if a.kind in (ActionKind.UP, ActionKind.REMOVE, ActionKind.RESTART)
        for s in a.services
    }
    whole = {a.stack for a in draft.actions if a.kind is ActionKind.UP and not a.services}
    wanted = dict.fromkeys(pair for f in found for pair in f.restart)
    return [
        EngineAction(ActionKind.RESTART, f"{service} reads its files only when it starts.", stack, (service,))
        for stack, service in wanted
        if (stack, service) not in done and stack not in whole and (up is None or (stack, service) in up)
    ]
