"""From a wish about backups to a stored plan: set them up, make one now, put something back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.backup_config import BackupConfig, Keep, check_config, parse_config
from homelab_mcp.core.backup_jobs import config_path, default_stack, engine_of
from homelab_mcp.core.backup_shared import known_of
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.references import literal
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.backup_everywhere import hosts_meant, said_of
from homelab_mcp.queries.backup_place import Place, backup_container, backup_place
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.on_hosts import place_of
from homelab_mcp.workflow.proposals import plan_of


def propose_configure_backup(
    lab: Lab,
    changes: Mapping[str, Any],
    requester: Requester,
    *,
    stack: str = "",
    ui: bool = False,
    keys: Mapping[str, str] | None = None,
    host: str = LOCAL,
) -> Plan:
    """A plan that sets up the backups of one of the lab's Docker hosts, or changes them.

    Args:
        lab: the lab.
        changes: fields of :class:`BackupConfig`; what is left out (or "") stays as it is.
        requester: who asks.
        stack: where it goes, at first; ``backup`` (``backup-HOST``) when "".
        ui: also add Backrest, to look into the repository; on the lab's own machine only.
        keys: variables of the repository, given by a person.
        host: the Docker host whose data is to be backed up.

    Raises InvalidInput, EditRefused, NotFound (``host_unknown``), EngineUnavailable (``host_silent``).
    """
    from homelab_mcp.core.operations.configure_backup import configure_backup

    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    config, stack = _wanted(lab, snapshot, changes, stack, host)
    place_of(lab, snapshot, stack, host)
    if ui and host != LOCAL:
        raise InvalidInput(
            f"Backrest is not added on {host}.",
            hint="Leave it out here; that of this machine sees what is in a repository that both share.",
            code="bad_value",
        )
    draft = configure_backup(
        snapshot,
        lab.settings,
        config,
        stack,
        find=lab.catalog.get,
        secrets=lab.secrets.make,
        read=lab.files.read,
        root=lab.root,
        host=host_of(lab, host),
        keys=keys,
        place=host,
        socket=_socket(lab, host),
    )
    if ui:
        draft = _with_backrest(lab, draft, snapshot, stack)
    return plan_of(lab, draft, snapshot, requester)


def missing_keys(lab: Lab, changes: Mapping[str, Any], *, stack: str = "", host: str = LOCAL) -> tuple[str, ...]:
    """Variables that the repository needs and that nobody has set yet. Arguments and errors as for the plan."""
    snapshot = Snapshot(read_stacks(lab.files), None)
    config, stack = _wanted(lab, snapshot, changes, stack, host)
    env = env_file.parse(lab.files.read(f"{stack}/.env") or "")
    known = {**env, **known_of(view(snapshot), config, host, lab.files.read).values}
    return tuple(n for n in config.secrets if not known.get(n))


def _socket(lab: Lab, host: str) -> str:
    """Where that host's engine listens on its own machine; "" for what the lab's settings say of this one."""
    if host == LOCAL:
        return ""
    address = lab.hosts.settings.hosts[host].address
    return address.removeprefix("unix://") if address.startswith("unix://") else "/var/run/docker.sock"


def _wanted(
    lab: Lab, snapshot: Snapshot, changes: Mapping[str, Any], stack: str, host: str
) -> tuple[BackupConfig, str]:
    """The settings as they are to be, and the stack that makes backups."""
    known = view(snapshot)
    there = engine_of(known, host)
    text = lab.files.read(config_path(there.stack)) if there else None
    now = parse_config(text).model_dump() if text else _as_here(lab, known, host)
    given = {k: v for k, v in changes.items() if v not in (None, "", (), [], {})}
    if keep := given.get("keep"):
        given["keep"] = {**Keep().model_dump(), **now.get("keep", {}), **keep}
    if "repository" not in {**now, **given}:
        raise InvalidInput(
            "No repository was named.",
            hint="For example /mnt/backup, sftp:user@nas:/backup, s3:https://host/bucket or rclone:remote:path.",
            code="missing_input",
        )
    return check_config({**now, **given}), there.stack if there else stack or default_stack(host)


def _as_here(lab: Lab, known: LabView, host: str) -> dict[str, Any]:
    """What another host begins with: this machine's clock, and its repository where that is no folder."""
    mine = engine_of(known) if host != LOCAL else None
    text = lab.files.read(config_path(mine.stack)) if mine else None
    if text is None:
        return {}
    config = parse_config(text)
    shared = {"schedule": config.schedule, "keep": config.keep.model_dump()}
    return shared if config.kind == "local" else {"repository": config.repository, **shared}


def _with_backrest(lab: Lab, draft: Draft, snapshot: Snapshot, stack: str) -> Draft:
    """The draft with Backrest added to the stack as the draft leaves it."""
    from homelab_mcp.core.after import stacks_after
    from homelab_mcp.core.operations.add_service import add_service
    from homelab_mcp.core.operations.backup_block import backrest_config, key_mounts
    from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
    from homelab_mcp.core.service_edit import ServiceEdit

    after = replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))
    texts = {e.path: e.after for e in draft.edits}
    name = f"{draft.target}-backrest"
    added = add_service(
        after,
        lab.settings,
        AddServiceRequest(service="backrest", stack=stack, options=ServiceOptions(name=name)),
        find=lab.catalog.get,
        secrets=lab.secrets.make,
        argon2=lab.secrets.argon2,
        root=lab.root,
        read=lambda path: texts.get(path, lab.files.read(path)),
        host=host_of(lab),
    )
    config = parse_config(str(texts.get(config_path(stack)) or lab.files.read(config_path(stack))))
    edits = {e.path: e for e in draft.edits}
    for edit in added.edits:
        first = edits.get(edit.path)
        text = edit.after
        if edit.path.endswith((".yaml", ".yml")) and text is not None:
            service = ServiceEdit(text, name)
            for variable, value in config.environment.items():
                service.set_entry("environment", variable, value)
            if config.kind == "local":
                service.add_item("volumes", f"{literal(config.repository)}:/repository")
            for mount in key_mounts(config, home=True):
                service.add_item("volumes", mount)
            text = service.text
        edits[edit.path] = replace(edit, before=first.before if first else edit.before, after=text)
    path = f"{stack}/{name}/config/config.json"
    if lab.files.read(path) is None:
        edits[path] = FileEdit(path, None, backrest_config(config), 0o600)
    return replace(
        draft,
        summary=f"{draft.summary}, with Backrest to look into it",
        edits=tuple(edits.values()),
        actions=(*draft.actions, *added.actions),
        also_verify=(*draft.also_verify, *added.verifications),
        risks=(*draft.risks, *added.risks),
        notes=(*draft.notes, *added.notes, "Backrest only looks: the clock and the dumps are the backup container's."),
        secrets=(*draft.secrets, *added.secrets),
    )


def propose_run_backup(lab: Lab, requester: Requester, *, host: str = "") -> Plan:
    """A plan that makes a backup now, of one Docker host or of all that make any and can be asked to.

    Raises NotFound (``no_backup``), EngineFailed (``backup_not_running``), EngineUnavailable, InvalidInput
    (``plan_needs_docker`` where Docker is left out).
    """
    from homelab_mcp.core.operations.run_backup import Maker, run_backup

    names = hosts_meant(lab, host)
    if lab.files_only:
        raise InvalidInput(
            "A backup needs Docker, which is left out (files only).",
            code="plan_needs_docker",
            hint="Run without --files-only.",
        )
    places, failed = list[Place](), dict[str, HomelabError]()
    for name in names:
        try:
            place = backup_place(lab, name)
            backup_container(lab, name)
        except HomelabError as error:
            failed[name] = error
        else:
            places.append(place)
    if not places:
        raise failed[names[0]]
    makers = [Maker(p.stack, p.service, p.config, p.jobs, p.host) for p in places]
    draft = run_backup(makers, {name: said_of(error) for name, error in failed.items()})
    return plan_of(lab, draft, planner(lab).snapshot(containers=True), requester)
