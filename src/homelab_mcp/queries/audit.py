"""Audits of a lab: read files, engine and machine once, and let ``core.audit`` decide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from homelab_mcp.core.access import all_routes
from homelab_mcp.core.audit.facts import AuditFacts, Running, Subject
from homelab_mcp.core.audit.report import Report as AuditReport
from homelab_mcp.core.audit.report import audit as judge
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.redact import env_pairs, is_public_name, is_secret_name, safe
from homelab_mcp.core.resources import Host, Usage
from homelab_mcp.core.stack_owner import owners
from homelab_mcp.model.errors import EngineFailed, HomelabError, NotFound
from homelab_mcp.model.host import HostQuestion
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles
from homelab_mcp.ports import Engine, Lab
from homelab_mcp.ports.meter import Use
from homelab_mcp.queries.backup_everywhere import reports
from homelab_mcp.queries.backup_place import backup_hosts
from homelab_mcp.queries.backups import Report, report
from homelab_mcp.queries.find import check_stack, read_stacks
from homelab_mcp.queries.on_host import in_view, own_machine
from homelab_mcp.queries.validate_lab import check

AT_ONCE = 8
MOST_CONTAINERS = 200
OLD_DAYS = 180
_DROPS_ROOT = frozenset({"PUID", "USER_UID", "UID", "S6_UID", "USERMAP_UID"})
_SWITCH = re.compile(r"(?i)true|false|yes|no|on|off|\d{1,3}[smhd]?|/.*")


def audit(lab: Lab, what: Subject, stack: str = "", *, old_days: int = OLD_DAYS) -> AuditReport:
    """Audit a lab. Nothing is changed, and no secret's value is told.

    Args:
        lab: the lab.
        what: the subject.
        stack: only this stack's findings, and those of the lab as a whole; likewise those of the host that the lab is
            seen through.
        old_days: from how many days on an image counts as old.

    Raises:
        NotFound: no such stack, or no lab here (``lab_not_initialised``).
        InvalidInput: settings that cannot be read.
    """
    settings = lab.settings
    stacks = read_stacks(lab.whole.files)
    if stack:
        check_stack(stacks, stack)
    seen = view(Snapshot(stacks, lab.files.read(SETTINGS_FILE), shared_env=lab.files.read("global.env") or ""))
    running, host = _engine(lab, what, read_stacks(lab.files) if lab.seen else stacks)
    facts = AuditFacts(
        lab=seen,
        settings=settings,
        lint=check(lab).findings,
        routes=tuple(all_routes(seen, settings)),
        secrets={s.name: dict(_secrets(s)) for s in stacks},
        running=running,
        backup=_backup(lab) if what == "backups" else None,
        firewall=_firewall(lab) if what == "security" else "unseen",
        host=host,
        now=lab.clock.now(),
        old_days=old_days,
        seen=lab.seen,
        mine=in_view(lab),
    )
    return judge(facts, what, stack)


def _firewall(lab: Lab) -> str:
    return lab.host.facts(HostQuestion()).firewall if own_machine(lab) else "elsewhere"


def _backup(lab: Lab) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    seen = in_view(lab)

    def mine(*every: Report | None) -> tuple[str, ...]:
        return tuple(said for one in every if one for said in one.uncovered if seen(said.partition(":")[0]))

    try:
        if lab.seen and lab.seen in backup_hosts(lab.whole):
            # The lab's own machine knows as well what lies on hosts that make none.
            one = report(lab.whole, host=lab.seen)
            return mine(one), one.problems
        found = reports(lab.whole)
    except NotFound:
        return None
    # What a host lacks that makes no backup of its own is known to those that do; how these are is not its business.
    return mine(found.main, *found.hosts.values()), found.main.problems if not lab.seen else ()


def _secrets(stack: StackFiles) -> Iterable[tuple[str, str]]:
    for name, value in env_pairs(stack.env_text):
        plain = is_public_name(name) or name.endswith("_FILE") or _SWITCH.fullmatch(value)
        if is_secret_name(name) and value and not plain:
            yield name, value


def _engine(lab: Lab, what: Subject, stacks: Sequence[StackFiles]) -> tuple[tuple[Running, ...] | None, Host | None]:
    if lab.files_only:
        return None, None
    names = {s.name for s in stacks}
    try:
        info = lab.engine.info()
        # A machine may run other people's projects, too.
        whose = owners(stacks, lab.root)
        mine = ((whose(c), c) for c in lab.engine.containers())
        asked = [(stack, c) for stack, c in mine if stack in names][:MOST_CONTAINERS]
        built = lab.meter.image_times() if what == "security" else {}
        uses = lab.meter.uses([c.id for _, c in asked if c.state == "running"]) if what == "resources" else {}

        def look(pair: tuple[str, ContainerState]) -> Running | None:
            stack, one = pair
            found = _running(lab.engine, stack, one, what)
            use = uses.get(one.id, Use(Usage(0, 0.0, 0)))
            created = built.get(one.image_id, 0.0)
            return found and replace(found, image_created=created, memory=use.usage.memory, memory_limit=use.limit)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(look, asked))
        return tuple(one for one in found if one is not None), Host(info.cpus, info.memory)
    except HomelabError:
        return None, None


def _running(engine: Engine, stack: str, container: ContainerState, what: Subject) -> Running | None:
    try:
        state = engine.inspect(container.id)
        make = engine.made_from(container.id) if what == "security" else None
    except EngineFailed:
        return None  # gone meanwhile
    return Running(
        stack,
        # Labels that anyone may have written.
        safe(container.service)[:80],
        safe(container.image)[:200],
        state.state,
        state.health,
        make.user if make else "",
        bool(make and _drops(make.env)),
        state.restart_count,
        "out of memory" in state.status,
        ports=state.ports,
    )


def _drops(env: Mapping[str, str]) -> bool:
    return any(name in _DROPS_ROOT and value not in {"", "0"} for name, value in env.items())
