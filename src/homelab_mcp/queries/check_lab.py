"""Look at everything that a timer should watch, and say what is not well."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict

from homelab_mcp.core import host_routes, lab_check
from homelab_mcp.core.access import all_routes
from homelab_mcp.core.host_findings import judged
from homelab_mcp.core.hosts import private_addresses
from homelab_mcp.core.lab_check import AREAS, ASKED_FOR, CERT_DAYS, Answer, Checked, Trouble
from homelab_mcp.core.lazy import sleepers
from homelab_mcp.core.open_applies import failed_applies, open_applies
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.redact import safe
from homelab_mcp.core.stack_owner import owners
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL, SETTINGS_FILE, LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.lab_status import lab_status
from homelab_mcp.queries.on_host import in_view, own_machine

AT_ONCE = 8
MOST_ROUTES = 200
PROBE_SECONDS = 8.0
UPDATE_SECONDS = 20.0


def check_lab(
    lab: Lab,
    *,
    cert_days: int = CERT_DAYS,
    skip: Collection[str] = (),
    also: Collection[str] = (),
    notes: bool = True,
) -> Checked:
    """Look at services, routes, certificates, backups, the machine and drift; at newer images where asked.

    What does not answer is told and stops nothing. Of a lab that is seen through one host that host's are looked at;
    the machine itself is the lab's own.

    Args:
        lab: the lab.
        cert_days: from how few days left on a certificate is told.
        skip: areas that are left out.
        also: areas that are looked at only when asked for (``updates``).
        notes: ask the projects whether the release notes of newer images mention security.

    Raises:
        NotFound: no lab here (``lab_not_initialised``).
        InvalidInput: an area that is none, or settings that cannot be read.
    """
    for given, known in ((skip, AREAS), (also, sorted(ASKED_FOR))):
        if unknown := sorted(set(given) - set(known)):
            raise InvalidInput(
                f"There is no area {unknown[0]!r} to name here.",
                hint=f"Areas: {', '.join(known)}.",
                code="area_unknown",
            )
    settings = lab.settings
    # A host's routes lead through the core, which may be elsewhere.
    stacks = read_stacks(lab.whole.files)
    text = lab.files.read(SETTINGS_FILE)
    seen = view(Snapshot(stacks, text, shared_env=lab.files.read("global.env") or ""))
    found: list[Trouble] = []
    looked: dict[str, int] = {}
    unseen: list[str] = []
    steps: tuple[tuple[str, Callable[[], Iterator[Trouble]]], ...] = (
        ("services", lambda: _services(lab, seen, looked)),
        ("routes", lambda: _routes(lab, _led(lab, seen, settings, unseen), cert_days, skip, looked)),
        ("certificates", lambda: _certificates(lab, cert_days)),
        ("backups", lambda: _backups(lab, looked)),
        ("host", lambda: _host(lab, unseen, looked)),
        ("drift", lambda: _drift(lab, unseen, looked)),
        ("drift", lambda: _unsettled(lab)),
        ("updates", lambda: _updates(lab, unseen, looked, notes)),
    )
    for area, step in steps:
        if area in ASKED_FOR and area not in also:
            continue
        if area == "host" and not own_machine(lab):
            continue
        if area in skip and not (area == "routes" and "certificates" not in skip):
            continue
        try:
            found += step()
        except HomelabError as error:
            found.append(Trouble(area, "", safe(error.message)))
    if lab.files_only:
        unseen.append("Docker was not asked: services and routes were left out.")
    order = {area: n for n, area in enumerate(AREAS)}
    return Checked(tuple(sorted(found, key=lambda t: (order[t.area], t.what))), looked, tuple(unseen))


def _services(lab: Lab, seen: LabView, looked: dict[str, int]) -> Iterator[Trouble]:
    if lab.files_only:
        return
    stacks = read_stacks(lab.files)
    whose = owners(stacks, lab.root)
    ended = {(whose(c), c.service): c.status for c in lab.engine.containers()}
    status = lab_status(lab.files, lab.engine, limit=100_000)
    rows = [row.as_dict() for row in status.rows]
    looked["services"] = len(rows)
    yield from (Trouble("services", f"host {host}", why) for host, why in status.silent.items())
    yield from lab_check.services(rows, seen, ended)


def _led(lab: Lab, seen: LabView, settings: LabSettings, unseen: list[str]) -> list[tuple[str, str, str]]:
    """(host name, the other Docker host it leads to or "", why nothing leads there) of each route to be asked.

    Another host's go through this machine's Traefik, by the file that plans write from their labels.
    """
    # Without a log-in before it a look would wake who sleeps.
    asleep, mine = sleepers(seen), in_view(lab)
    routes = [r for r in all_routes(seen, settings) if mine(r.where)]
    woken = {r.host for r in routes if r.policy == "bypass" and r.where in asleep}
    unseen += [f"{host}: not asked, as that would wake it." for host in sorted(woken)]
    near = list(all_routes(seen.on(LOCAL), settings))
    here = [r.host for r in near]
    found = [(r.host, "", "") for r in near if r.host not in woken and mine(r.where)]
    away = [r for r in routes if r.host not in {*here, *woken}]
    if not away:
        return found
    folder = host_routes.core_folder(seen)
    ours = folder and (lab.files.read(f"{folder}/{host_routes.FILE}") or "").startswith(host_routes.HEAD)
    known: dict[str, list[host_routes.HostRoute]] = {}
    for one in host_routes.host_routes(seen, private_addresses(lab.files.read(HOSTS_FILE))) if ours else ():
        for name in one.hosts:
            known.setdefault(name, []).append(one)
    for route in away:
        ways = known.get(route.host, ())
        if ways:
            way = next((w for w in ways if w.url), ways[0])
            found.append((route.host, way.service.host, way.why))
        else:
            unseen.append(f"{route.host}: not asked, as this machine's Traefik does not serve it.")
    return found


def _routes(
    lab: Lab, led: list[tuple[str, str, str]], days: int, skip: Collection[str], looked: dict[str, int]
) -> Iterator[Trouble]:
    if lab.files_only:
        return

    def ask(route: tuple[str, str, str]) -> Answer:
        got = lab.probe.get(route[0], timeout=PROBE_SECONDS)
        return Answer(route[0], got.status, safe(got.error), got.verified, got.expires, route[1])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(ask, [r for r in led if not r[2]][:MOST_ROUTES]))
    looked |= {area: len(answers) for area in ("routes", "certificates") if area not in skip}
    silent: Collection[str] = ()
    if any(one.place for one in answers):
        with suppress(EngineUnavailable, EngineFailed):
            if "services" not in looked:
                lab.engine.containers()
            silent = lab.engine.silent()
    told = [Trouble("routes", host, f"nothing leads there: {why}.") for host, _, why in led if why]
    told += lab_check.routes(answers, now=lab.clock.now(), days=days, silent=silent)
    yield from (t for t in told if t.area not in skip)


def _certificates(lab: Lab, days: int) -> Iterator[Trouble]:
    """What Traefik could not get, as its log says: told while the old certificate is still served."""
    from homelab_mcp.core.certs.resolver_log import KINDS
    from homelab_mcp.queries.check_certs import check_certs

    if lab.files_only:
        return
    for reason in check_certs(lab, days=days)["reasons"]:
        if reason["kind"] in KINDS:
            yield Trouble("certificates", "", f"{reason['reason']} ({safe(reason['evidence'])})")


def _backups(lab: Lab, looked: dict[str, int]) -> Iterator[Trouble]:
    """The lab's own backups, where it has any: that there is none is an audit's business."""
    from homelab_mcp.queries.backup_everywhere import Everywhere, reports
    from homelab_mcp.queries.backups import report

    try:
        found = reports(lab.whole) if not lab.seen else Everywhere(report(lab.whole, host=lab.seen), {})
    except NotFound:
        return
    looked["backups"] = found.main.total + sum(one.total for one in found.hosts.values() if one)
    yield from (Trouble("backups", "", said) for said in found.main.problems)


def _host(lab: Lab, unseen: list[str], looked: dict[str, int]) -> Iterator[Trouble]:
    health = lab.host.health()
    looked["host"] = len(health.mounts)
    unseen += [f"{one.what}: {one.why}" for one in health.unseen]
    yield from lab_check.host(judged(health))


def _drift(lab: Lab, unseen: list[str], looked: dict[str, int]) -> Iterator[Trouble]:
    from homelab_mcp.queries.review import review

    found = review(lab)
    unseen += found.notes
    looked["drift"] = len(found.files) + len(found.containers)
    yield from lab_check.drift(found.files, found.containers)


def _unsettled(lab: Lab) -> Iterator[Trouble]:
    """What an interrupted apply or a failed roll-back left: it holds further plans up until it is put right."""
    entries = lab.journal.recent()
    at_work = lab.lock.holder()
    for begin in () if at_work else open_applies(entries):
        told = safe(str(begin.get("summary", "")))
        yield Trouble("drift", "", f"an apply was interrupted and is open yet ({told}): run `homelab-mcp recover`.")
    for begin in failed_applies(entries):
        told = safe(str(begin.get("summary", "")))
        yield Trouble("drift", "", f"a roll-back failed and is not settled ({told}): run `homelab-mcp recover`.")


def _updates(lab: Lab, unseen: list[str], looked: dict[str, int], notes: bool) -> Iterator[Trouble]:
    from homelab_mcp.queries.check_updates import check_updates
    from homelab_mcp.queries.security_notes import with_security

    found = check_updates(lab, seconds=UPDATE_SECONDS)
    found = with_security(lab, found) if notes else found
    looked["updates"] = len(found)
    unseen += [f"{one.stack}/{one.service}: {one.why}" for one in found if one.state == "unknown"]
    yield from lab_check.updates([asdict(one) for one in found])
