"""What is wrong with the name of a label of Traefik's, or with an option of one of its dynamic files."""

from __future__ import annotations

import difflib
import re

from homelab_mcp.core.checks import traefik_labels as tl

_TOP = frozenset({"enable", "docker", "swarm", "http", "tcp", "udp", "tls", "tags", "constraint-label"})
_TOP_ONE = frozenset({"frontend", "backend", "port", "protocol", "weight", "frontends", "default"})


_KINDS = ("routers", "services", "middlewares", "serverstransports")
_OF_SERVER = frozenset({"port", "scheme", "url", "weight", "preservepath"})
_SERVER = re.compile(r"loadbalancer\.(?:server|servers\[[0-9]+\])\.")
_OF_DOCKER = frozenset({"network", "lbswarm", "allownonrunning"})


def drops_the_container(key: str) -> bool:
    """True when Traefik leaves out the whole container over an unknown label of this key (lower case).

    Seen with Traefik 3.7: it decodes what begins with http, tcp and udp (so https too), enable and docker, and stops
    at a name it does not know. A key that ends before an option, and any other, it passes over.
    """
    parts = key.split(".")
    if parts[1] in _TOP_ONE or (parts[1] == "docker" and len(parts) < 3):
        return False
    if parts[1] in {"http", "tcp", "udp"}:
        return len(parts) > 2 and (parts[2] not in _KINDS or len(parts) > 4)
    return parts[1] == "docker" or parts[1].startswith(("http", "tcp", "udp", "enable"))


def label_problem(key: str) -> str:
    """What is wrong with a ``traefik.`` label's key (lower case), "" where nothing is."""
    parts = key.split(".")
    if parts[1] in _TOP_ONE:
        return "this is Traefik 1's; today's Traefik ignores it."
    if parts[1] not in _TOP:
        near = difflib.get_close_matches(parts[1], _TOP, n=1)
        return "Traefik has no such label." + (f" Did you mean 'traefik.{near[0]}'?" if near else "")
    if parts[1] == "docker" and len(parts) > 2 and parts[2] not in _OF_DOCKER:
        near = difflib.get_close_matches(parts[2], _OF_DOCKER, n=1)
        return f"there is no option {parts[2]!r} of 'docker'." + (f" Did you mean {near[0]!r}?" if near else "")
    if parts[1] not in {"http", "tcp", "udp"}:
        return ""
    if len(parts) < 3 or parts[2] not in _KINDS:
        near = difflib.get_close_matches(parts[2] if len(parts) > 2 else "", _KINDS, n=1)
        return "Traefik has no such label." + (f" Did you mean '{near[0]}'?" if near else "")
    if len(parts) < 5:
        return "an option after the name is missing."
    if (
        parts[2] == "services"
        and parts[4] == "loadbalancer"
        and len(parts) > 5
        and parts[5].partition("[")[0] == "servers"
    ):
        # The field has another name in labels (its tag label-slice-as-struct in Traefik's source).
        return "in labels it is 'loadbalancer.server', without an s."
    return http_problem(parts[2], parts[4], ".".join(parts[4:])) if parts[1] == "http" else ""


def http_problem(kind: str, head: str, option: str) -> str:
    """What is wrong with an option (lower case, ``head`` its first word) below ``http``; "" where nothing is."""
    if kind == "routers" and option not in tl.ROUTER_OPTIONS and not option.startswith(tl.DEEP_ROUTER_OPTIONS):
        options = [*tl.ROUTER_OPTIONS, "tls.certresolver", "tls.options"]
        near = difflib.get_close_matches(option, options, n=1)
        return f"a router has no option {option!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    if kind == "middlewares" and head not in tl.MIDDLEWARES:
        near = difflib.get_close_matches(head, tl.MIDDLEWARES, n=1)
        return f"there is no middleware {head!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    if kind == "services" and head not in tl.SERVICE_KINDS:
        near = difflib.get_close_matches(head, tl.SERVICE_KINDS, n=1)
        return f"a service has no {head!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    known = tl.MIDDLEWARE_OPTIONS.get(head, ()) if kind == "middlewares" else ()
    if kind == "services" and head == "loadbalancer":
        known = tl.BALANCER_OPTIONS
    first = option.split(".")[1].partition("[")[0] if "." in option else ""
    if known and first and first not in known:
        near = difflib.get_close_matches(first, known, n=1)
        return f"{head!r} has no option {first!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    server = _SERVER.match(option)
    if kind == "services" and server and (word := option[server.end() :]) not in _OF_SERVER:
        near = difflib.get_close_matches(word, _OF_SERVER, n=1) or ["url"] * (word in {"address", "host", "uri"})
        return f"a server has no option {word!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    return _below(option) if kind in {"services", "middlewares"} else ""


def _below(option: str) -> str:
    """What is wrong with an option two levels down, of the sections whose lists are settled; "" where nothing is."""
    section = next((s for s in tl.BELOW if option.startswith(f"{s}.")), "")
    word = option[len(section) + 1 :].partition(".")[0].partition("[")[0]
    if not section or word in tl.BELOW[section]:
        return ""
    near = difflib.get_close_matches(word, tl.BELOW[section], n=1)
    return f"{section.rpartition('.')[2]!r} has no option {word!r}." + (f" Did you mean {near[0]!r}?" if near else "")
