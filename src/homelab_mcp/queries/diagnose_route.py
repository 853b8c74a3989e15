"""A service's route, by its labels and one request through the lab's Traefik; Traefik's own API is not needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from homelab_mcp.core.checks.service_view import ServiceView
from homelab_mcp.core.checks.view import Lab as LintedLab
from homelab_mcp.model.diagnosis import Other, RouteFacts
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.ports import Lab, ProbeResult

_HOST = re.compile(r"\bHost\(\s*[`\"']([^`\"']+)[`\"']")
_ENDED = re.compile(r"ended (\d{4}-\d\d-\d\d)")
PROBE_SECONDS = 4.0


def route_of(
    lab: Lab, view: LintedLab, mine: ServiceView, others: tuple[Other, ...], *, probe: bool
) -> RouteFacts | None:
    """The route of one service, None where its labels make none."""
    rules = _rules(mine)
    hosts = tuple(dict.fromkeys(h for rule in rules for h in _HOST.findall(rule)))
    if not hosts:
        return None
    settings = lab.settings
    middlewares = tuple(dict.fromkeys(_middlewares(mine)))
    known = set(_defined(view))
    undefined = tuple(m for m in middlewares if m.partition("@")[2] in ("", "docker") and _bare(m) not in known)
    traefik = _traefik(view, mine, others)
    login, protected = _login(view, others, settings.sso_middleware)
    seen = _asked(lab, hosts[0]) if probe and (traefik is None or not traefik.down) else ProbeResult("", 0)
    ended = _ENDED.search(seen.certificate)
    return RouteFacts(
        hosts=hosts,
        port=_port(mine),
        middlewares=middlewares,
        undefined=undefined,
        enabled=mine.label("traefik.enable").lower(),
        network=mine.label("traefik.docker.network"),
        clashes=tuple(_clashes(view, mine, rules)),
        traefik=traefik,
        status=seen.status,
        location=lab.redactor.safe(seen.location.partition("?")[0])[:200],
        error=seen.error[:300],
        certificate=lab.redactor.safe(seen.certificate)[:300],
        verified=seen.verified,
        expired=ended[1] if ended else "",
        resolves=lab.hardware.resolve(hosts[0]) if probe else None,
        sso=any(_bare(m) == _bare(settings.sso_middleware) for m in middlewares),
        login=login,
        login_protected=protected,
        domain=settings.domain,
    )


def _asked(lab: Lab, host: str) -> ProbeResult:
    try:
        return lab.probe.get(host, timeout=PROBE_SECONDS)
    except InvalidInput as error:
        return ProbeResult("", 0, error=error.message)
    except HomelabError as error:
        return ProbeResult("", 0, error=error.message)


def _bare(middleware: str) -> str:
    return middleware.partition("@")[0].strip().lower()


def _rules(service: ServiceView) -> list[str]:
    return [e.value or "" for _, option, e in service.http_labels.get("routers", ()) if option == "rule"]


def _middlewares(service: ServiceView) -> Iterator[str]:
    for _, option, entry in service.http_labels.get("routers", ()):
        if option == "middlewares":
            yield from (m.strip() for m in (entry.value or "").split(",") if m.strip())


def _defined(view: LintedLab) -> Iterator[str]:
    for service in view.routing:
        yield from (name.lower() for name, _, _ in service.http_labels.get("middlewares", ()))


def _port(service: ServiceView) -> int:
    for _, option, entry in service.http_labels.get("services", ()):
        if option == "loadbalancer.server.port" and (entry.value or "").isdigit():
            return int(entry.value or 0)
    return 0


def _clashes(view: LintedLab, mine: ServiceView, rules: list[str]) -> Iterator[str]:
    """Others with the very same rule: Traefik takes one of the two, and nobody can say which."""
    wanted = {re.sub(r"\s+", "", rule).lower() for rule in rules}
    for other in view.services:
        if other is mine or not mine.is_beside(other):
            continue
        if wanted & {re.sub(r"\s+", "", rule).lower() for rule in _rules(other)}:
            yield f"{other.stack.name}/{other.name}"


def _traefik(view: LintedLab, mine: ServiceView, others: tuple[Other, ...]) -> Other | None:
    found = view.traefik
    if found is None:
        return None
    if found is mine:
        return Other(mine.stack.name, mine.name, "running", "", mine.real_networks)
    return next((o for o in others if (o.stack, o.service) == (found.stack.name, found.name)), None)


def _login(view: LintedLab, others: tuple[Other, ...], middleware: str) -> tuple[Other | None, bool]:
    """The service that the log-in asks, and whether its own routes ask for log-in as well."""
    name = _bare(middleware)
    for service in view.services:
        for key, option, entry in service.http_labels.get("middlewares", ()):
            if key.lower() != name or option != "forwardauth.address":
                continue
            host = (urlsplit(entry.value or "").hostname or "").lower()
            target = next((s for s in view.services if host in {s.name.lower(), _container(s)}), service)
            found = next((o for o in others if (o.stack, o.service) == (target.stack.name, target.name)), None)
            return found, any(_bare(m) == name for m in _middlewares(target))
    return None, False


def _container(service: ServiceView) -> str:
    return str(service.data.get("container_name") or "").lower()
