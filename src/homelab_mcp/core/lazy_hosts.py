"""Lazy loading on several hosts: each has a Sablier of its own, which this machine's Traefik asks.

Sablier stops and starts containers of one Docker alone, and may be on another machine than Traefik, as long as that
reaches it (sablierapp/sablier issues 162 and 646). It has no log-in. So its port is published on the host's private
address and nowhere else, as those of routed services are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from homelab_mcp.core import host_routes, lazy
from homelab_mcp.core.compose_meaning import record_of
from homelab_mcp.core.monitoring import reached
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL

NOBODY = "http://127.0.0.1:9"
"""Asked where no Sablier is reached. Nobody answers there, so the plugin says 500: the route is shut, and not open.

Source: sablierapp/sablier-traefik-plugin ``main.go``, ``ServeHTTP``. Without a middleware of that name Traefik drops
the router, and the linter refuses every plan.
"""


@dataclass(frozen=True, slots=True)
class Waker:
    """Whose Sablier is asked for a group.

    Args:
        one: how the group sleeps.
        host: whose Sablier.
        url: where it is asked; "" where it is not reached.
        why: why not.
    """

    one: lazy.Lazy
    host: str
    url: str
    why: str


def traefik_of(lab: LabView) -> Known | None:
    """The Traefik that leads to whoever sleeps: this machine's."""
    return lab.on(LOCAL).made_from("traefik")


def server_on(lab: LabView, host: str) -> Known | None:
    """The Sablier that stops and starts what is on that host."""
    return lab.on(host).made_from(lazy.SABLIER)


def came_with_sleepers(server: Known) -> bool:
    """Whether that Sablier was added by the plan of the first service that sleeps on its host."""
    return lazy.SERVER_TOKEN in record_of(server.data)


def stack_for(host: str) -> str:
    """The stack of a Sablier that comes with the first service that sleeps on another host."""
    return f"lazy-{host}"


def exposed(host: str, address: str) -> str:
    """What a person should know of a Sablier whose port is published on a host's private address."""
    return (
        f"The Sablier of {host} has no log-in: whoever reaches {address} at its port can start and stop what sleeps "
        "there. Let only this machine in there (a firewall), or use an address of a VPN between the two."
    )


def asked_at(lab: LabView, host: str, addresses: Mapping[str, str]) -> tuple[str, str]:
    """Where this machine's Traefik asks the Sablier of a host, as a URL; else "", and why not.

    Args:
        lab: the lab's services.
        host: whose.
        addresses: private address by host; "" or missing where none is known.
    """
    traefik, server = traefik_of(lab), server_on(lab, host)
    if traefik is None or server is None:
        return "", "there is none" if server is None else "this machine has no Traefik"
    if host_routes.has_own_traefik(lab, host):
        return "", f"host {host} has a Traefik of its own"
    at, why = reached(traefik, server, lazy.PORT, addresses)
    return (f"http://{at}", "") if at else ("", why)


def wakers(lab: LabView, addresses: Mapping[str, str]) -> dict[str, Waker]:
    """Group -> who wakes it. Traefik's middleware has the group's name, so of several hosts the first has it.

    That is this machine, then those that its Traefik leads to, by name. Arguments as of :func:`asked_at`.
    """
    found: dict[str, Waker] = {}
    hosts = {s.host for s in lab.services}
    for host in sorted(hosts, key=lambda h: (h != LOCAL, host_routes.has_own_traefik(lab, h), h)):
        if sleepers := lazy.sleepers(lab.on(host)):
            url, why = asked_at(lab, host, addresses)
            found = {one.group: Waker(one, host, url, why) for one in sleepers.values()} | found
    return found


def unwoken(lab: LabView, addresses: Mapping[str, str]) -> dict[str, str]:
    """``stack/service`` -> why nobody wakes it, of those that sleep. Arguments as of :func:`asked_at`."""
    by_group, hosts = wakers(lab, addresses), {s.where: s.host for s in lab.services}
    found: dict[str, str] = {}
    for where, one in lazy.sleepers(lab).items():
        waker = by_group[one.group]
        if waker.host != hosts[where]:
            place = "this machine" if waker.host == LOCAL else f"host {waker.host}"
            found[where] = f"its group {one.group} is one of {place} too, whose Sablier is asked"
        elif not waker.url:
            found[where] = f"the Sablier of {waker.host} cannot wake it: {waker.why}"
    return found


def check_led_to(lab: LabView, service: Known, addresses: Mapping[str, str]) -> None:
    """Refuse to put a service of another host to sleep that this machine's Traefik does not lead to, or cannot wake.

    Raises:
        InvalidInput: ``no_private_address``, ``no_route`` or ``sablier_unreached``, each with the way out.
    """
    host = service.host
    if host == LOCAL:
        return
    if not addresses.get(host):
        raise InvalidInput(
            f"Host {host} has no private address at which this machine's Traefik could ask a Sablier there.",
            hint=f"A person says it: `homelab-mcp host add {host} ADDRESS --private 192.168.1.20` (or one of a VPN).",
            code="no_private_address",
        )
    only = LabView((service,), ())
    if why := next((r.why for r in host_routes.host_routes(only, addresses) if r.why), ""):
        raise InvalidInput(
            f"No route leads to {service.where}, so nothing would wake it: {why}.",
            hint="`homelab-mcp validate` says what its route lacks (HL270).",
            code="no_route",
        )
    if server := server_on(lab, host):
        _, why = asked_at(lab, host, addresses)
        if why:
            raise InvalidInput(
                f"{server.where} is not reached: {why}.",
                hint=f"Publish its port {lazy.PORT} on {addresses[host]}, or remove it: lazy loading brings one.",
                code="sablier_unreached",
            )
