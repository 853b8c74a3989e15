"""Routes that a plan does not make and can break: what served before must serve after, or the plan does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from homelab_mcp.core.labels import COMPANION_OF, SERVICE
from homelab_mcp.core.lazy import ENABLE
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.traefik import TRAEFIK
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.plan import ActionKind, Draft, RouteCheck, Verification

_ANEW = frozenset({ActionKind.UP, ActionKind.RESTART, ActionKind.RECREATE, ActionKind.UNPAUSE, ActionKind.START})
_OWN = frozenset({"change_settings"})
"""Operations that start services anew without saying which of their routes must answer."""


def with_kept_routes(
    draft: Draft, before: LabView, after: LabView, was: LabSettings | None, will: LabSettings
) -> Draft:
    """The draft with a check of every route that it could break besides those it checks already.

    These are all routes where Traefik, the log-in, or a companion of theirs is started anew; and those of the services
    that a change of settings starts anew. One that sleeps is not asked: that would wake it.

    Args:
        draft: with all its actions.
        before: the lab as it is.
        after: the lab as the draft would leave it.
        was: the settings as they are; None where they cannot be read.
        will: the settings as they would be.
    """
    anew = set(_started(draft, after))
    everybody = bool(anew & _gates(after, will.sso_middleware))
    if not everybody and draft.operation not in _OWN:
        return draft
    asked = {route.host for v in draft.verifications for route in v.routes}
    down = {(v.stack, s) for v in draft.verifications for s in (*v.gone, *(name for name, _ in v.held))}
    found = []
    for known in after.services:
        place = (known.stack, known.name)
        if place in down or known.labels.get(ENABLE) == "true" or not (everybody or place in anew):
            continue
        found += [r for r in _routes(known, before, after, was, will) if r.host not in asked]
    if everybody and was is not None:
        found += _external(was, will, asked)
    routes = tuple({r.host: r for r in sorted(found, key=lambda r: (r.host, not r.sso))}.values())
    return replace(draft, also_verify=(*draft.also_verify, Verification(routes=routes))) if routes else draft


def _started(draft: Draft, after: LabView) -> Iterator[tuple[str, str]]:
    for action in draft.actions:
        if action.kind in _ANEW:
            names = action.services or tuple(k.name for k in after.services if k.stack == action.stack)
            yield from ((action.stack, name) for name in names)


def _gates(lab: LabView, middleware: str) -> set[tuple[str, str]]:
    """Traefik, who defines the log-in's middleware, and their companions: what many routes go through."""
    name, _, provider = middleware.partition("@")
    defines = f"traefik.http.middlewares.{name}.".lower()
    found = [k for k in lab.services if is_traefik(k)]
    if provider in {"", "docker"}:
        found += [k for k in lab.services if any(label.lower().startswith(defines) for label in k.labels)]
    places = {(k.stack, k.name) for k in found}
    return places | {(k.stack, k.name) for k in lab.services if (k.stack, k.labels.get(COMPANION_OF)) in places}


def is_traefik(known: Known) -> bool:
    """Whether a service is Traefik itself, or was made with it."""
    image = str(known.data.get("image", "")).partition("@")[0].rpartition("/")[2].partition(":")[0]
    return TRAEFIK in (known.labels.get(SERVICE), image)


def _routes(
    known: Known, before: LabView, after: LabView, was: LabSettings | None, will: LabSettings
) -> Iterator[RouteCheck]:
    """Its routes that were there before: by the same host, or by the one that a change of the domain moved."""
    protected = known in after.behind(will.sso_middleware)
    for host in sorted(known.hosts()):
        for old in (host, _moved(host, was, will)):
            if old and "$" not in old and before.routed(old):
                yield RouteCheck(known.name, host, sso=protected, was=old)
                break


def _moved(host: str, was: LabSettings | None, will: LabSettings) -> str:
    ending = f".{will.domain}"
    return f"{host.removesuffix(ending)}.{was.domain}" if was and host.endswith(ending) else ""


def _external(was: LabSettings, will: LabSettings, asked: set[str]) -> Iterator[RouteCheck]:
    for name, route in will.external.items():
        old = was.external.get(name)
        host = route.host_name(name, will.domain)
        if old is not None and host not in asked:
            yield RouteCheck(name, host, sso=route.asks, was=old.host_name(name, was.domain))
