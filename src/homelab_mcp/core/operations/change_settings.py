"""Change what the lab's settings say, and what follows from them: stacks' variables, and Traefik's own flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from homelab_mcp.core import env_file, yaml_put
from homelab_mcp.core.authelia import CONFIGURATION, Portal, portal_of
from homelab_mcp.core.authelia_domain import moved
from homelab_mcp.core.labels import SERVICE
from homelab_mcp.core.operations.core_stack import DUCKDNS_NAMES, DUCKDNS_ZONE, duckdns_name
from homelab_mcp.core.operations.docker_access import Switched, swap_items, switched
from homelab_mcp.core.operations.lab_view import Known, LabView, view
from homelab_mcp.core.references import literal, variables_in
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.settings import build_settings, parse_settings
from homelab_mcp.core.traefik import TRAEFIK, TraefikParts, for_settings, traefik_parts
from homelab_mcp.core.traefik.flags import HEALTH, REDIRECT
from homelab_mcp.core.variables import lab_variables
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound, asks
from homelab_mcp.model.lab import SETTINGS_FILE, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

Read = Callable[[str], str | None]


def change_settings(
    snapshot: Snapshot,
    values: Mapping[str, Any],
    *,
    read: Read,
    find: Callable[[str], ServiceDefinition] | None = None,
    root: str = "",
) -> Draft:
    """A draft that sets these settings (``acme.staging`` and the like reach into groups); others stay as they are.

    Stacks' ``.env`` values that came from a setting follow it, and the services that use them are started anew. The
    flags of a Traefik made from the catalog follow too, and with ``find`` (a definition by id) so does its way to
    Docker; flags of a person's own stay. ``root`` is the lab's absolute path.

    Raises:
        NotFound: no settings file (``lab_not_initialised``).
        InvalidInput: a value that does not fit, or nothing that differs (``nothing_to_do``).
        EditRefused: a file that cannot be changed without losing something.
    """
    text = read(SETTINGS_FILE)
    if text is None:
        raise NotFound("There are no settings yet.", hint="Run `homelab-mcp init`.", code="lab_not_initialised")
    before, after_text = parse_settings(text), text
    for name, value in values.items():
        after_text = yaml_put.put(after_text, tuple(name.split(".")), value)
    after = build_settings(load(after_text))
    if after == before:
        raise InvalidInput("The settings are so already.", code="nothing_to_do", hint="Nothing needs to be done.")
    lab = view(snapshot)
    edits = [FileEdit(SETTINGS_FILE, text, after_text)]
    restarts: dict[str, set[str]] = {}
    old, new = _variables(before), _variables(after)
    changed = {n: v for n, v in new.items() if old.get(n, v) != v}
    for stack in snapshot.stacks:
        edit = _env(stack, old, changed)
        if edit:
            edits.append(edit)
            restarts[stack.name] = {k.name for k in lab.services if k.stack == stack.name and _uses(k, changed)}
    moves: list[EngineAction] = []
    for known in lab.services:
        edit, switch = _proxy(snapshot, known, before, after, find, root)
        if edit:
            edits.append(edit)
            restarts.setdefault(known.stack, set()).update({known.name, *(switch.come if switch else ())})
            moves += _moves(known.stack, switch) if switch else []
    portal, reads = portal_of(lab), None
    if portal and before.domain != after.domain and (edit := _sign_on(portal, before, after, read)):
        edits.append(edit)
        reads = portal.service
    ups = [
        EngineAction(ActionKind.UP, "They use what changed.", stack, tuple(sorted(names)))
        for stack, names in sorted(restarts.items())
        if names
    ]
    if reads and reads.name not in restarts.get(reads.stack, ()):
        why = "It reads its configuration only when it starts."
        ups.append(EngineAction(ActionKind.RESTART, why, reads.stack, (reads.name,)))
    gone = {a.stack: a.services for a in moves if a.kind is ActionKind.REMOVE}
    verifications = tuple(Verification(a.stack, a.services, gone.get(a.stack, ())) for a in ups)
    return Draft(
        operation="change_settings",
        summary=f"Change the lab's settings: {', '.join(values)}",
        edits=tuple(edits),
        actions=(*moves, *ups),
        verification=verifications[0] if verifications else Verification(),
        also_verify=verifications[1:],
        risks=tuple(_risks(values, ups)),
        notes=tuple(_notes(before, after, lab, follows=find is not None)),
        undo="Roll this plan back.",
        target="settings",
    )


def _variables(settings: LabSettings) -> dict[str, str]:
    """Variables of stacks whose values follow from the settings, with what only the DNS updater has."""
    found = dict(lab_variables(settings))
    if settings.domain.endswith(DUCKDNS_ZONE):
        found[DUCKDNS_NAMES] = duckdns_name(settings.domain)
    return found


def _sign_on(portal: Portal, before: LabSettings, after: LabSettings, read: Read) -> FileEdit | None:
    """The log-in's configuration with the new domain: a cookie for the old one is no log-in for the new."""
    path = portal.path(CONFIGURATION)
    text = read(path)
    if text is None:
        return None
    moved_text = moved(text, before.domain, after.domain)
    return FileEdit(path, text, moved_text) if moved_text != text else None


def _env(stack: StackFiles, old: Mapping[str, str], changed: Mapping[str, str]) -> FileEdit | None:
    """The stack's variables that still have the old setting's value; one that a person set otherwise stays."""
    now = env_file.parse(stack.env_text)
    follows = {name: value for name, value in changed.items() if now.get(name) == old[name]}
    if not follows:
        return None
    text = env_file.set_values(stack.env_text, follows)
    return FileEdit(stack.env_path, stack.env_text, text, mode=0o600, secret=True)


def _uses(known: Known, names: Mapping[str, str]) -> bool:
    return bool(set(variables_in(known.data)) & set(names))


def _moves(stack: str, switch: Switched) -> list[EngineAction]:
    why = "Traefik reaches Docker another way."
    gone = [EngineAction(ActionKind.REMOVE, why, stack, switch.go)] if switch.go else []
    return gone + ([EngineAction(ActionKind.PULL, why, stack, switch.come)] if switch.come else [])


def _proxy(
    snapshot: Snapshot,
    known: Known,
    before: LabSettings,
    after: LabSettings,
    find: Callable[[str], ServiceDefinition] | None,
    root: str,
) -> tuple[FileEdit | None, Switched | None]:
    """The compose file with a Traefik that was made here as the settings want it: flags, ports, mounts, variables."""
    if known.labels.get(SERVICE) != TRAEFIK or not isinstance(known.data.get("command"), list):
        return None, None
    stack = snapshot.stack(known.stack)
    assert stack is not None  # noqa: S101 - the view is made from it
    old, new = traefik_parts(before, known.name), traefik_parts(after, known.name)
    _refuse_missing(new, known)
    edit = ServiceEdit(stack.compose_text, known.name)
    for field, was, wanted in (
        ("command", (*_redirect(before), *old.command), (*_redirect(after), *new.command)),
        ("ports", old.ports, new.ports),
        ("volumes", old.volumes, new.volumes),
    ):
        swap_items(edit, field, map(literal, was), map(literal, wanted))
    for name in old.environment.keys() - new.environment.keys():
        edit.remove_entry("environment", name)
    for name, value in new.environment.items():
        if name not in old.environment:
            edit.set_entry("environment", name, value)
    if old.health != new.health:
        edit.set("healthcheck.test", list(new.health or HEALTH))
    switch = None
    if find is not None and before.traefik.docker_access != after.traefik.docker_access:
        switch = switched(edit.text, known, before, after, find, root)
    text = switch.text if switch else edit.text
    return (FileEdit(stack.compose_path, stack.compose_text, text) if text != stack.compose_text else None), switch


def _redirect(settings: LabSettings) -> list[str]:
    return for_settings([REDIRECT], settings)


def _refuse_missing(parts: TraefikParts, known: Known) -> None:
    missing = [v.name for v in parts.variables if not known.env.get(v.name)]
    if missing:
        raise InvalidInput(
            f"The DNS provider wants {', '.join(missing)}, which {known.stack}/.env does not have.",
            hint=f"A person runs `homelab-mcp env set {known.stack} {missing[0]}` first.",
            code="missing_input",
            details=asks(known.stack, missing),
        )


def _risks(values: Mapping[str, Any], ups: Sequence[EngineAction]) -> list[RiskReason]:
    shown = ", ".join(f"{n}={v}" for n, v in values.items())
    found = [RiskReason(Risk.MEDIUM, f"Sets {shown}.")]
    if "domain" in values:
        found.append(RiskReason(Risk.HIGH, "Every service is reached by another name."))
    if values.get("traefik.docker_access") == "socket":
        found.append(RiskReason(Risk.HIGH, "Traefik gets Docker's socket: whoever controls Traefik controls the host."))
    if ups:
        found.append(RiskReason(Risk.MEDIUM, f"Starts {sum(len(a.services) for a in ups)} services anew."))
    return found


def _notes(before: LabSettings, after: LabSettings, lab: LabView, *, follows: bool) -> list[str]:
    notes = []
    if before.domain != after.domain:
        notes.append(f"*.{after.domain} must lead here, or nothing is reached by its new name.")
        if lab.made_from("authelia") and portal_of(lab) is None:
            notes.append("Authelia's configuration names the domain itself and is not in the lab: change it there too.")
        if (
            before.domain.endswith(DUCKDNS_ZONE)
            and not after.domain.endswith(DUCKDNS_ZONE)
            and lab.made_from("duckdns")
        ):
            notes.append("The DNS updater keeps the old name's address up to date; remove it where nobody uses that.")
    traefik = lab.made_from(TRAEFIK)
    switches = before.traefik.docker_access != after.traefik.docker_access
    if switches and traefik and not (follows and traefik.labels.get(SERVICE) == TRAEFIK):
        notes.append(f"How {traefik.where} reaches Docker is not this project's to change: it was made by hand.")
    moved = {"puid", "pgid"} & {n for n in LabSettings.model_fields if getattr(before, n) != getattr(after, n)}
    if moved:
        notes.append("Folders keep their owner; services that cannot write any more say so in their logs.")
    if before.acme != after.acme and lab.made_from(TRAEFIK):
        notes += traefik_parts(after).notes
    return notes
