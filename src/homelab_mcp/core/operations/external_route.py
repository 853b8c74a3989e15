"""Route to what runs outside of the lab, and take such a route away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from homelab_mcp.core import external_routes, settings_edit
from homelab_mcp.core.authelia import the_portal
from homelab_mcp.core.lazy import dynamic_folder
from homelab_mcp.core.misfit import misfits
from homelab_mcp.core.operations.lab_view import Known, LabView, view
from homelab_mcp.core.operations.set_access import EVERYONE
from homelab_mcp.core.operations.taken import refuse_host
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.external import ExternalName, ExternalRoute
from homelab_mcp.model.lab import SETTINGS_FILE, LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, FileEdit, Risk, RiskReason, RouteCheck, Verification


class ExternalRequest(BaseModel):
    """Add or change the external service ``name``; ``values`` are fields of ``ExternalRoute``, unset ones stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ExternalName
    values: dict[str, Any] = {}


def add_external(
    snapshot: Snapshot, settings: LabSettings, request: ExternalRequest, *, read: Callable[[str], str | None]
) -> Draft:
    """A draft that routes to an external service, or changes how.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: its name and what is to be set.
        read: the text of a file of the lab, or None.

    Raises:
        InvalidInput: values that do not fit; ``needs_traefik``; ``host_taken``; ``file_taken``; a bad address.
        EditRefused: ``homelab.yaml`` cannot be edited alone.
    """
    name = request.name
    old = settings.external.get(name)
    route = _route(_kept(old, request.values) | _groups(request.values))
    lab = view(snapshot)
    _refuse_unread_rules(lab, route)
    traefik = _traefik(lab, read)
    external_routes.check_address(route, settings)
    host = route.host_name(name, settings.domain)
    refuse_host(host, lab, settings, but=name)
    text = read(SETTINGS_FILE) or ""
    login = route.asks
    works = not login or lab.has_middleware(settings.sso_middleware)
    checks = (RouteCheck(name, host, route.path or "/", sso=login),) if works else ()
    return Draft(
        operation="external_route",
        summary=f"{'Change the' if old else 'Add a'} route to {name} at {route.url}",
        edits=(FileEdit(SETTINGS_FILE, text, settings_edit.set_external(text, name, route)),),
        actions=(),
        verification=Verification(traefik.stack, (traefik.name,), routes=checks),
        risks=(*_risks(name, route), *_less(name, old, route)),
        notes=tuple(_notes(name, route, settings, works=works)),
        undo=f"Roll this plan back, or remove the external route {name}.",
        target=name,
    )


def remove_external(
    snapshot: Snapshot, settings: LabSettings, name: str, *, read: Callable[[str], str | None]
) -> Draft:
    """A draft that takes the route to an external service away. Raises NotFound, EditRefused."""
    route = settings.external.get(name)
    if route is None:
        known = ", ".join(settings.external) or "none yet"
        raise NotFound(f"There is no external route {name!r}.", hint=f"There are: {known}.", code="external_unknown")
    text = read(SETTINGS_FILE) or ""
    traefik = view(snapshot).made_from("traefik")
    return Draft(
        operation="external_route",
        summary=f"Remove the route to {name}",
        edits=(FileEdit(SETTINGS_FILE, text, settings_edit.remove_external(text, name)),),
        actions=(),
        verification=Verification(traefik.stack, (traefik.name,)) if traefik else Verification(),
        risks=(RiskReason(Risk.MEDIUM, f"{route.host_name(name, settings.domain)} answers no more."),),
        notes=(f"{route.url} itself is left as it is.",),
        undo="Roll this plan back.",
        target=name,
    )


def _kept(old: ExternalRoute | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What stays of a known service: all but what belongs to another way of trusting it than the one asked for."""
    kept = old.model_dump() if old else {}
    plain = str(given.get("url", "")).startswith("http://")
    if given.get("sso") == "bypass":
        kept.pop("sso_groups", None)
    if plain or given.get("tls") in {"verify", "skip"}:
        kept.pop("ca", None)
    for name in ("tls", "tls_name") if plain else ():
        kept.pop(name, None)
    return kept


def _groups(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with nobody left out where everyone is to pass."""
    everyone = tuple(values.get("sso_groups", ())) == (EVERYONE,)
    return {**values, "sso_groups": ()} if everyone else dict(values)


def _refuse_unread_rules(lab: LabView, route: ExternalRoute) -> None:
    """A second factor or groups are Authelia's rules: where it does not read them, anybody who logs in would pass."""
    if not (route.sso == "two_factor" or route.sso_groups) or the_portal(lab).loads_access:
        return
    raise InvalidInput(
        "The lab's Authelia does not load access-control.yml, so a second factor or groups would not be asked for.",
        hint="Ask for a second factor or groups of one of the lab's own services first: that plan makes it load them.",
        code="rules_not_loaded",
    )


def _less(name: str, old: ExternalRoute | None, new: ExternalRoute) -> Iterator[RiskReason]:
    if old is None or not new.asks:
        return
    if old.sso == "two_factor" and new.sso != "two_factor":
        yield RiskReason(Risk.HIGH, f"{name} asks for no second factor any more.")
    if old.sso_groups and (not new.sso_groups or not set(new.sso_groups) <= set(old.sso_groups)):
        yield RiskReason(Risk.HIGH, f"{name} lets more people pass.")


def _route(values: Mapping[str, Any]) -> ExternalRoute:
    try:
        return ExternalRoute(**values)
    except ValidationError as error:
        wrong = misfits(error, whole="the route")
        raise InvalidInput(
            f"This does not fit: {' '.join(wrong.split())[:800]}.",
            hint="Give 'url' as http(s)://host:port; see the tool's other fields.",
            code="invalid_input",
        ) from None


def _traefik(lab: LabView, read: Callable[[str], str | None]) -> Known:
    traefik = lab.made_from("traefik")
    if traefik is None:
        raise InvalidInput(
            "The lab has no Traefik that could route to it.", hint="Add traefik first.", code="needs_traefik"
        )
    folder = dynamic_folder(traefik)
    if not folder:
        raise InvalidInput(
            f"{traefik.where} reads no folder of files (providers.file.directory) that is in its stack.",
            hint="Mount ./traefik/dynamic there and give Traefik --providers.file.directory; see docs/external.md.",
            code="needs_traefik",
        )
    path = f"{folder}/{external_routes.FILE}"
    now = read(path)
    if now is not None and not now.startswith(external_routes.HEAD):
        raise InvalidInput(
            f"{path} is somebody's own file, and this project would need that name.",
            hint="Rename it; Traefik reads every file of that folder.",
            code="file_taken",
        )
    return traefik


def _risks(name: str, route: ExternalRoute) -> Iterator[RiskReason]:
    yield RiskReason(Risk.MEDIUM, f"Opens {route.url} to whoever reaches the lab's Traefik.")
    if route.sso == "bypass":
        # Quoted, as the words may be a model's.
        told = f"{name} is reached without the lab's log-in: {json.dumps(route.sso_reason)}"
        yield RiskReason(Risk.HIGH, told)
    if route.tls == "skip":
        told = f"Whoever sits between Traefik and {route.host} can pose as it: its certificate is not checked."
        yield RiskReason(Risk.MEDIUM, told)
    address = external_routes.address_of(route)
    if address is not None and address.is_global:
        yield RiskReason(Risk.HIGH, f"{route.host} is an address on the internet, not in your network.")


def _notes(name: str, route: ExternalRoute, settings: LabSettings, *, works: bool) -> Iterator[str]:
    login = "behind the lab's log-in" if route.asks else "without the lab's log-in"
    more = " with a second factor" if route.sso == "two_factor" else ""
    who = f", for {', '.join(route.sso_groups)} only" if route.sso_groups else ""
    yield f"Reached at https://{route.host_name(name, settings.domain)}{route.path}, {login}{more}{who}."
    if not works:
        yield (
            f"Not reachable yet: the lab has no log-in service ({settings.sso_middleware}), and Traefik serves no "
            "protected route without it. Add authelia, or use sso=bypass with a reason."
        )
    if external_routes.address_of(route) is None:
        yield f"Traefik's container must be able to look {route.host} up; names ending in .local it cannot."
    if external_routes.is_home_assistant(route):
        yield (
            "Home Assistant answers 400 to a proxy it does not know: set http.use_x_forwarded_for and "
            f"http.trusted_proxies (the subnet of {settings.route_network}, or this machine's address) in its "
            "configuration.yaml."
        )
    if route.url.startswith("https://") and route.tls == "verify":
        yield "Its certificate is checked; a device with one of its own needs tls=ca (or tls=skip)."
