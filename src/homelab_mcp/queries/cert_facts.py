"""Looks at a lab's certificates: what TLS shows, what Traefik's stores hold, what its log says. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from homelab_mcp.core.certs.caa import LETS_ENCRYPT, identity_of
from homelab_mcp.core.certs.resolver_log import resolver_errors
from homelab_mcp.core.certs.store import read_store
from homelab_mcp.core.certs.traefik import TraefikView, traefik_of
from homelab_mcp.core.project_name import project_name
from homelab_mcp.model.certificate import CertFacts, ResolverError, Served, Stored
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.host import HostFacts, HostQuestion
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.lab_stacks import lint_stacks
from homelab_mcp.queries.on_host import in_view

LOG_SECONDS = 24 * 3600
"""How far back Traefik's log is read: it tries again every day."""

LOG_LINES = 5_000
_AT_ONCE = 8
_TIMEOUT = 4.0
_MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class _Container:
    running: bool = False
    started: float = 0.0
    errors: tuple[ResolverError, ...] = ()
    unread: tuple[str, ...] = ()


def cert_facts(lab: Lab, hosts: Iterable[str] = ()) -> CertFacts:
    """Everything that can be seen of the lab's certificates; what cannot be is told in ``unread``, never raised.

    Args:
        lab: the lab.
        hosts: only these, whether the lab routes them or not; every routed host where none is named.

    Raises:
        NotFound: there is no lab (``lab_not_initialised``).
    """
    settings = lab.settings
    seen, wanted = in_view(lab), tuple(h.lower() for h in hosts)
    # The one Traefik, wherever it is, serves those of all hosts.
    lab = lab.whole
    stacks = read_stacks(lab.files)
    traefik = traefik_of(lint_stacks(lab.files, stacks))
    asked = {h: traefik.hosts.get(h, "") for h in wanted or traefik.hosts}
    # What nobody routes is on no host, and is told as it is without one.
    if wanted and (elsewhere := [h for h, where in asked.items() if where and not seen(where)]):
        raise InvalidInput(
            f"{elsewhere[0]} leads to {asked[elsewhere[0]]}, which is on another host.",
            hint="Ask without host.",
            code="other_host",
        )
    asked = {h: where for h, where in asked.items() if wanted or seen(where)}
    stored, unread = _stored(lab, traefik)
    found = _container(lab, traefik, stacks)
    served = _served(lab, asked) if traefik.service else {}
    odd = tuple(h for h, s in served.items() if not s.verified)[:_MOST_NAMES]
    around = _around(lab, odd, traefik, failing=bool(odd or found.errors))
    return CertFacts(
        now=lab.clock.now(),
        domain=settings.domain,
        hosts=asked,
        served=served,
        resolved=dict(around.resolved),
        caa=dict(around.caa),
        clock_off=around.clock_off,
        stored=stored,
        resolvers=traefik.resolvers,
        errors=found.errors,
        unread=(*unread, *found.unread),
        traefik=traefik.where,
        running=found.running or lab.files_only,
        started=found.started,
        renewals=_renewals(lab),
    )


def _around(lab: Lab, odd: tuple[str, ...], traefik: TraefikView, *, failing: bool) -> HostFacts:
    """DNS, CAA and the clock, which are asked only where something is wrong: each is a question to the outside."""
    if not failing:
        return HostFacts()
    # A private authority heeds no CAA record and may have no date to go by.
    public = [r for r in traefik.resolvers if identity_of(r.server)]
    directory = (public[0].server or LETS_ENCRYPT) if public else ""
    return lab.host.facts(HostQuestion(names=odd, caa=odd if public else (), clock_from=directory))


def _served(lab: Lab, hosts: Iterable[str]) -> dict[str, Served]:
    probe = lab.probe

    def ask(host: str) -> Served:
        try:
            return probe.certificate(host, timeout=_TIMEOUT)
        except HomelabError as error:
            return Served(host, problem=error.message)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {served.host: served for served in pool.map(ask, hosts)}


def _stored(lab: Lab, traefik: TraefikView) -> tuple[tuple[Stored, ...], list[str]]:
    found: list[Stored] = []
    unread = []
    for store in dict.fromkeys(r.store for r in traefik.resolvers):
        if not store:
            unread.append(
                "Traefik's store of certificates is not in the lab's folder (a named volume), so it is not seen."
            )
            continue
        try:
            text = lab.files.read(store)
            if text is None:
                unread.append(f"{store} is not there yet: Traefik makes it with its first certificate.")
                continue
            # The file also holds what other resolvers of this name got before; Traefik uses those it has by now.
            names = {r.name for r in traefik.resolvers if r.store == store}
            found += [s for s in read_store(store, text) if s.resolver in names]
        except HomelabError as error:
            unread.append(f"{store} cannot be read: {error.message}")
    return tuple(found), unread


def _container(lab: Lab, traefik: TraefikView, stacks: tuple[StackFiles, ...]) -> _Container:
    if lab.files_only or not traefik.service:
        return _Container()
    text = next((s.compose_text for s in stacks if s.name == traefik.stack), "")
    try:
        mine = [c for c in lab.engine.containers(project_name(traefik.stack, text)) if c.service == traefik.service]
        if not mine:
            return _Container(unread=("Traefik has no container.",))
        one = lab.engine.inspect(mine[0].id)
        since = lab.clock.now() - LOG_SECONDS
        errors = resolver_errors(lab.engine.logs(one.id, tail=LOG_LINES, since=since))
        return _Container(one.state == "running", _seconds(one.started_at), errors)
    except HomelabError as error:
        return _Container(running=True, unread=(f"Traefik's container was not seen: {error.message}",))


def _renewals(lab: Lab) -> tuple[tuple[float, str], ...]:
    """When certificates were renewed by plans of this lab, and which."""
    try:
        entries = lab.journal.entries(of=("apply_begin", "apply_done"))
    except HomelabError:
        return ()
    begun = {
        e["data"]["plan"]: e["data"]["certificates"]
        for e in entries
        if e["event"] == "apply_begin" and e["data"].get("certificates")
    }
    return tuple(
        (float(e["time"]), str(name))
        for e in entries
        if e["event"] == "apply_done"
        for name in begun.get(e["data"].get("plan"), ())
    )


def _seconds(when: str) -> float:
    try:
        return datetime.fromisoformat(when[:26].rstrip("Z") + "+00:00").timestamp()
    except ValueError:
        return 0.0
