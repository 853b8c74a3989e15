"""What a plan is held to after its engine actions: services, routes and certificates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """A host that must be served with another certificate than it was: trusted, and begun later.

    Args:
        host: asked with this name.
        name: the certificate's main name.
        serial: of the one that is served until now; "" where none is.
        since: when that one began, Unix seconds.
        stack: of Traefik, whose log tells early that it fails.
        service: Traefik's.
        patience: seconds to wait for it.
    """

    host: str
    name: str
    serial: str
    since: float
    stack: str
    service: str
    patience: float = 180.0


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """A URL that must answer after the apply, asked through the lab's own Traefik.

    Any answer below 500 but 404 counts: it is the service's own (401, 403 and redirects are log-in pages). ``sso``
    says that the router asks for log-in, so that an answer without it is a failure. ``was`` is the host that it
    answered to until now, for a route that the plan does not make: one that does not answer before is not asked after.
    """

    service: str
    host: str
    path: str = "/"
    sso: bool = False
    was: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """What is looked at after the engine actions: services that must run and be healthy, routes that must answer.

    ``certificates`` must be served before anything else is looked at.
    """

    stack: str = ""
    services: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    routes: tuple[RouteCheck, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    """(service, stopped or paused): what is to be down after."""
    certificates: tuple[CertificateCheck, ...] = ()
