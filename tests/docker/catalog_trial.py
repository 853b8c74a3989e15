"""Catalog entries tried in one lab, many at once: added by one plan, started, routed, and taken out by another."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core import yaml12
from homelab_mcp.core.after import reader_after, stacks_after
from homelab_mcp.core.env_file import set_values
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.plan import Draft, FileEdit, Plan, PlanState
from homelab_mcp.queries.check_catalog import made_up
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, propose_rollback
from homelab_mcp.workflow.propose_setup import propose_core
from testbed import Scratch, TestbedError, free_port
from testbed.acme import ChallengeDns, challenge_dns
from testbed.definitions import provide
from testbed.docker_engine import docker, wait_until
from testbed.one_image import any_service, containers, environment
from tests.docker.catalog_reach import answers, gateway_of, route_problems, server_problems
from tests.docker.lab import REQUESTER, RealLab, tunnel_device

BY_ID = {definition.id: definition for definition in packaged_definitions()}
CORE = {"traefik", "authelia"}
PATIENCE = 150.0
"""Seconds until every container of a shard must be healthy; 15 s on a machine with nothing else to do."""

Problems = dict[str, list[str]]


@contextmanager
def trial_lab(folder: Path) -> Iterator[RealLab]:
    """A lab with Traefik and the log-in, and one certificate for every name, which a real CA gave by DNS-01."""
    with tunnel_device(), Scratch() as scratch:
        provide(BY_ID[name] for name in CORE)
        routes = scratch.network("routes")
        with challenge_dns(scratch, routes) as dns:
            lab = RealLab(folder, scratch, dns=dns, routes=routes)
            write_core(lab, dns)
            # Written, never started: it takes the gateway's usual name, so that each service gets a gateway of its own.
            lab.write("gluetun", "spare", name="gluetun", variables={"VPN_SERVICE_PROVIDER": "mullvad"})
            lab.start(but=lab.named("spare"))
            lab.once_certified(f"traefik.{lab.domain}")
            yield lab


def write_core(lab: RealLab, dns: ChallengeDns) -> None:
    """Traefik and the log-in in the lab's files, with what the certificate by DNS-01 needs; nothing is started."""
    plan = propose_core(
        lab.open(files_only=True),
        ("duckdns", "sablier", "dockge", "homepage"),
        REQUESTER,
        given={"HTTPREQ_ENDPOINT": dns.endpoint},
        names={part: lab.named(part) for part in CORE},
        stacks={part: lab.stack("core") for part in CORE},
    )
    assert lab.approve_and_apply(plan, files_only=True).state is PlanState.DONE


def try_out(
    lab: RealLab, entries: Sequence[ServiceDefinition], stack: str, spoilt: Mapping[str, Mapping[str, Any]] = {}
) -> Problems:
    """What is wrong with each entry: nothing where it can be added, started, routed and taken out again.

    Args:
        lab: with Traefik and the log-in running.
        entries: which.
        stack: a name for the stack that they go to.
        spoilt: by service name, Compose settings that make its container another than its entry says.
    """
    image = any_service([*entries, *(BY_ID[name] for name in {gateway_of(d) for d in entries} if name)])
    before, found = lab.files(), defaultdict[str, list[str]](list)
    plan = added(lab, entries, stack)
    said = _compose(lab, stack, "config", "--quiet")
    if said:
        found["docker compose config"].append(said)
    override = lab.root.parent / f"{stack}.yaml"
    published = write_override(lab, entries, stack, image, override, spoilt)
    absent = [Path(f) for f in _host_folders(entries) if not Path(f).exists()]
    try:
        said = _compose(lab, stack, "-f", "compose.yaml", "-f", str(override), "up", "--detach", "--no-build")
        for name, problem in unwell(lab, entries, stack).items():
            found[name].append(problem if not said else f"{problem}; Compose: {said[-800:]}")
        routed = [entry for entry in entries if entry.route and entry.id not in found]
        for where in (route_problems, server_problems):
            for name, problem in where(lab, routed).items():
                found[name].append(problem)
        for name, port in published:
            if name not in found and not answers(port):
                found[name].append("nothing answers on a port that it publishes")
    finally:
        _compose(lab, stack, "-f", "compose.yaml", "-f", str(override), "down", "--timeout", "0", "--volumes")
        for folder in absent:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    undo = propose_rollback(lab.open(files_only=True), plan.id, REQUESTER)
    assert lab.approve_and_apply(undo, files_only=True).state is PlanState.DONE
    if lab.files() != before:
        found["taking out"].append(f"other bytes than before: {sorted(lab.files().items() ^ before.items())[:3]}")
    return dict(found)


# --- adding -------------------------------------------------------------------------------------------------------


def added(lab: RealLab, entries: Sequence[ServiceDefinition], stack: str) -> Plan:
    """One plan that adds them all, each to the files as the one before left them; approved and applied.

    The planner lints the lab as it would be, and refuses what makes an error.
    """
    opened = lab.open(files_only=True)
    snapshot, folder = planner(opened).snapshot(containers=False), lab.stack(stack)
    # As a person does beforehand: secrets that are asked for do not pass through a request.
    secrets = {name: value for d in entries for name, value in _asked(d, secret=True).items()}
    env = FileEdit(f"{folder}/.env", None, set_values("", secrets), mode=0o600, secret=True)
    edits = {env.path: env} if secrets else {}
    drafts: list[Draft] = []
    for definition in entries:
        done = tuple(edits.values())
        options = ServiceOptions(name=lab.named(definition.id), variables=_asked(definition, secret=False))
        draft = add_service(
            replace(snapshot, stacks=stacks_after(snapshot.stacks, done)),
            opened.settings,
            AddServiceRequest(service=definition.id, stack=folder, options=options),
            find=opened.catalog.get,
            secrets=opened.secrets.make,
            argon2=opened.secrets.argon2,
            root=opened.root,
            read=reader_after(opened.files.read, done),
            host=host_of(opened),
        )
        for edit in draft.edits:
            old = edits.get(edit.path)
            edits[edit.path] = replace(old, after=edit.after) if old else edit
        drafts.append(draft)
    whole = replace(
        drafts[0],
        summary=f"Add {len(drafts)} services to stack {folder}",
        edits=tuple(_by_their_names(lab, entries, edit) for edit in edits.values()),
        risks=tuple(dict.fromkeys(r for d in drafts for r in d.risks)),
        secrets=(*secrets.values(), *(s for d in drafts for s in d.secrets)),
    )
    plan = plan_of(opened, whole, snapshot, REQUESTER)
    status = lab.approve_and_apply(plan, files_only=True)
    assert status.state is PlanState.DONE, status
    return plan


def _by_their_names(lab: RealLab, entries: Sequence[ServiceDefinition], edit: FileEdit) -> FileEdit:
    """Entries that ask one another by the usual name (``http://ollama:11434``) do so by the one of this lab."""
    text = edit.after or ""
    for definition in entries:
        text = re.sub(rf"(?<=://){re.escape(definition.id)}(?=:\d)", lab.named(definition.id), text)
    return replace(edit, after=text if edit.after else edit.after)


def _asked(definition: ServiceDefinition, *, secret: bool) -> dict[str, str]:
    gateway = gateway_of(definition)
    variables = (*definition.variables, *(BY_ID[gateway].variables if gateway else ()))
    return made_up(v for v in variables if v.secret == secret)


# --- starting -----------------------------------------------------------------------------------------------------


def write_override(
    lab: RealLab,
    entries: Sequence[ServiceDefinition],
    stack: str,
    image: str,
    path: Path,
    spoilt: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, int]]:
    """What is another here than in a lab: the image, how often health is asked, and host ports, which are free ones.

    On a machine that holds back a right, a privileged container cannot be started at all, so there it is a plain one.

    Returns the TCP ports on loopback with the entry that publishes them.
    """
    written = yaml12.load((lab.root / lab.named(stack) / "compose.yaml").read_text())["services"]
    lines, published = ["services:"], []
    for name, (entry, made_for) in stand_ins(lab, entries).items():
        here: dict[str, Any] = {"image": image, "environment": made_for, "pull_policy": "never"}
        if check := written[name].get("healthcheck"):
            # A companion is waited for, so it is asked more often. Slowness alone makes nothing unhealthy.
            often = "1s" if name not in {lab.named(d.id) for d in entries} else "2s"
            here["healthcheck"] = {"test": check["test"], "interval": often, "timeout": "10s", "retries": 90}
        if written[name].get("privileged") and not every_right():
            here["privileged"] = False
        here |= spoilt.get(name, {})
        lines += [f"  {name}:", *(f"    {key}: {json.dumps(value)}" for key, value in here.items())]
        ports = []
        for port in written[name].get("ports", ()):
            host, inner = free_port(), str(port).rpartition(":")[2]
            ports.append(f"127.0.0.1:{host}:{inner}")
            published += [(entry, host)] if not inner.endswith("/udp") else []
        lines += [f"    ports: !override {json.dumps(ports)}"] if ports else []
    path.write_text("\n".join(lines) + "\n")
    return published


def every_right() -> bool:
    """Whether this machine's processes may have every capability that its kernel knows; ``--privileged`` asks so."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    lines = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return int(lines["CapBnd"], 16) == (1 << last + 1) - 1


def stand_ins(lab: RealLab, entries: Sequence[ServiceDefinition]) -> dict[str, tuple[str, dict[str, str]]]:
    """By compose service name: the entry it belongs to, and what tells the image to be it."""
    found = {}
    for entry in entries:
        tls = entry.route.port if entry.route and entry.route.scheme == "https" else 0
        for end, container in containers(entry).items():
            name = entry.id + end
            found[lab.named(entry.id) + end] = entry.id, environment(name, container, tls=0 if end else tls)
        if gateway := gateway_of(entry):
            name = f"{lab.named(entry.id)}-{gateway}"
            found[name] = entry.id, environment(gateway, BY_ID[gateway].container)
    return found


def unwell(lab: RealLab, entries: Sequence[ServiceDefinition], stack: str) -> dict[str, str]:
    """By entry, the containers that do not run, or are not healthy, where all others are or the time is up."""
    wanted = {name: entry for name, (entry, _) in stand_ins(lab, entries).items()}
    with_check = {
        lab.named(d.id) + end: bool(container.health) for d in entries for end, container in containers(d).items()
    }

    def seen() -> dict[str, str]:
        project = f"label=com.docker.compose.project={lab.named(stack)}"
        listed = docker("ps", "--all", "--filter", project, "--format", "{{.Names}}\t{{.Status}}").splitlines()
        states = dict(line.split("\t") for line in listed)
        bad = {}
        for name, entry in wanted.items():
            state = states.get(name, "not made")
            if not state.startswith("Up") or with_check.get(name, True) != ("(healthy)" in state):
                bad[name] = f"{entry}\t{name.replace(f'-{lab.run}', '')}: {state}"
        return bad

    def settled() -> bool:
        return all("starting" not in state for state in seen().values())

    with suppress(TestbedError):
        wait_until(settled, "every container to be healthy", within=PATIENCE, every=0.5)
    by_entry: dict[str, list[str]] = defaultdict(list)
    for said in seen().values():
        entry, _, what = said.partition("\t")
        by_entry[entry].append(what)
    return {entry: "; ".join(what) for entry, what in by_entry.items()}


def _compose(lab: RealLab, stack: str, *command: str) -> str:
    process = lab.compose(lab.named(stack), *command)
    try:
        _, said = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        process.kill()
        return "took too long"
    return said if process.returncode or command[0] == "config" else ""


def _host_folders(entries: Sequence[ServiceDefinition]) -> set[str]:
    """Folders of the host that Docker makes where they are missing."""
    return {
        v.source for d in entries for c in containers(d).values() for v in c.volumes if v.kind == "host" and v.source
    }
