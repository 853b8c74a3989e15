"""One service's configuration, taken apart and explained: what reaches it, what it reaches, what it may use.

Names of variables are told, never their values: what counts as secret is not filled in (``status_view.environment``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.operations.lab_view import Known, expand
from homelab_mcp.core.operations.volume_edit import source_of, target_of, writes

_ROUTER = re.compile(r"^traefik\.(http|tcp|udp)\.routers\.([^.]+)\.(.+)$", re.I)
_PORT = re.compile(r"^traefik\.(?:http|tcp|udp)\.services\.([^.]+)\.loadbalancer\.server\.port$", re.I)
_FORWARD = re.compile(r"^traefik\.http\.middlewares\.([^.]+)\.forwardauth\.address$", re.I)
LOCAL = "this machine only"
EVERYBODY = "everybody on the network, past the firewall"
_REFERENCE = re.compile(r"(?<!\$)\$(?:\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|([A-Za-z_][A-Za-z0-9_]*))")


def routes_of(service: Known, lab: Sequence[Known]) -> list[dict[str, Any]]:
    """Its Traefik routers: rule, entry points, middlewares in their order, where they lead, and who asks for log-in."""
    labels = service.labels
    if labels.get("traefik.enable", "true").lower() == "false":
        return []
    routers: dict[tuple[str, str], dict[str, str]] = {}
    for key, value in labels.items():
        if found := _ROUTER.match(key):
            routers.setdefault((found[1].lower(), found[2]), {})[found[3].lower()] = value
    ports = {found[1]: value for key, value in labels.items() if (found := _PORT.match(key))}
    logins = logins_of(lab)
    shown = []
    for (kind, name), options in routers.items():
        chain = [one.strip() for one in options.get("middlewares", "").split(",") if one.strip()]
        target = options.get("service", "")
        port = ports.get(target or name) or (next(iter(ports.values())) if len(ports) == 1 else "")
        body: dict[str, Any] = {"router": name, "rule": options.get("rule", "")}
        if kind != "http":
            body["kind"] = kind
        if points := options.get("entrypoints"):
            body["entrypoints"] = points
        if chain:
            body["middlewares"] = chain
        body["to"] = target if "@" in target else f"container port {port}" if port else "the port the image exposes"
        if resolver := options.get("tls.certresolver"):
            body["certificate"] = f"from {resolver}"
        elif options.get("tls", "").lower() == "true":
            body["certificate"] = "as the entry point has it"
        if kind == "http":
            body["login"] = _login(chain, logins, labels)
        shown.append(body)
    return shown


def logins_of(lab: Sequence[Known]) -> dict[str, str]:
    """Forward-auth middlewares of the lab, by name: the service whose labels define them."""
    return {found[1]: one.where for one in lab for key in one.labels if (found := _FORWARD.match(key))}


def _login(chain: Sequence[str], logins: Mapping[str, str], labels: Mapping[str, str]) -> str:
    for reference in chain:
        name = reference.partition("@")[0]
        if name in logins:
            return f"asked by {logins[name]}"
        if any(word in name.lower() for word in ("authelia", "authentik", "forward-auth", "sso", "tinyauth", "oauth")):
            return f"asked by middleware {reference}"
    kind, why = labels.get("homelab.sso", ""), labels.get("homelab.sso.reason", "")
    if kind == "portal":
        return "none: it is the log-in page"
    if kind == "bypass":
        return f"not asked by the lab: {why}" if why else "not asked by the lab"
    return "none on this router (an entry point may add one)"


def networks_of(service: Known, lab: Sequence[Known], declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Networks it is on, and who else of the lab is; ``declared`` is its file's ``networks`` section."""
    mode = str(service.data.get("network_mode") or "")
    if mode:
        kind, _, other = mode.partition(":")
        what = f"the network of {other}" if kind == "service" else mode
        return [{"name": what, "with": [other] if kind == "service" else []}]
    mine = _networks(service)
    found = []
    for name in mine:
        spec = declared.get(name)
        outside = isinstance(spec, Mapping) and bool(is_external(spec) or spec.get("name"))
        given = str(spec.get("name") or name) if isinstance(spec, Mapping) else name
        real = expand(given, service.env)
        sharers = [
            one.where if one.stack != service.stack else one.name
            for one in lab
            if one is not service and name in _networks(one) and (outside or one.stack == service.stack)
        ]
        body: dict[str, Any] = {"name": real, "with": sharers}
        if not outside:
            body["only"] = "this stack"
        if isinstance(spec, Mapping) and spec.get("internal"):
            body["internet"] = False
        found.append(body)
    return found


def _networks(service: Known) -> list[str]:
    raw = service.data.get("networks")
    if service.data.get("network_mode"):
        return []
    names = list(raw) if isinstance(raw, (Mapping, list)) else []
    return [str(name) for name in names] or ["default"]


def ports_of(service: Known) -> list[dict[str, Any]]:
    """Published ports as they are written, with who can reach them."""
    found = []
    for port in service.data.get("ports") or ():
        if isinstance(port, Mapping):
            ip, host = str(port.get("host_ip") or ""), str(port.get("published") or "")
            inner, protocol = str(port.get("target") or ""), str(port.get("protocol") or "tcp")
        else:
            text, _, protocol = expand(str(port), service.env).partition("/")
            rest, _, inner = text.rpartition(":")
            ip, _, host = rest.rpartition(":")
        local = ip.strip("[]") in {"127.0.0.1", "::1", "localhost"}
        found.append(
            {
                "host": host or "any free",
                "container": inner,
                "protocol": protocol or "tcp",
                "reach": LOCAL if local else f"at {ip}" if ip else EVERYBODY,
            }
        )
    return found


def mounts_of(service: Known) -> list[dict[str, Any]]:
    """What it mounts: where from, where to, and whether it may write."""
    found = []
    for entry in service.data.get("volumes") or ():
        source = expand(source_of(entry), service.env)
        kind = "bind" if source.startswith(("/", ".", "~", "$")) else "volume" if source else "anonymous volume"
        found.append(
            {"from": source, "to": expand(target_of(entry), service.env), "kind": kind, "writes": writes(entry)}
        )
    return found


def variables_of(service: Known, known: Mapping[str, Any]) -> dict[str, Any]:
    """Names of its variables, those that it takes from ``.env``, and of these the ones that nobody set.

    Args:
        service: the service.
        known: names that the stack's ``.env`` or ``global.env`` set.
    """
    raw = service.data.get("environment")
    if isinstance(raw, Mapping):
        names = [str(name) for name in raw]
    else:
        names = [str(one).partition("=")[0] for one in raw or ()]
    used = sorted({found[1] or found[2] for text in _texts(service.data) for found in _REFERENCE.finditer(text)})
    needed = sorted(
        {f[1] or f[2] for text in _texts(service.data) for f in _REFERENCE.finditer(text) if not _spared(f[0])}
    )
    files = service.data.get("env_file")
    listed = [files] if isinstance(files, str) else list(files or ())
    body: dict[str, Any] = {"names": names, "from_env": used}
    if unset := [name for name in needed if name not in known]:
        body["unset"] = unset
    if listed:
        body["env_files"] = [str(one.get("path") if isinstance(one, Mapping) else one) for one in listed]
    return body


def _spared(reference: str) -> bool:
    """Whether it brings its own default, or is left out without."""
    return bool(re.match(r"\$\{[A-Za-z0-9_]+:?[-+]", reference))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def limits_of(service: Known) -> dict[str, str]:
    """What it may use at most; {} where nothing is set."""
    deploy: Any = service.data.get("deploy")
    limits: Any = ((deploy or {}).get("resources") or {}).get("limits") or {} if isinstance(deploy, Mapping) else {}
    data = service.data
    found = {
        "memory": limits.get("memory") or data.get("mem_limit"),
        "cpus": limits.get("cpus") or data.get("cpus"),
        "pids": limits.get("pids") or data.get("pids_limit"),
    }
    return {key: expand(str(value), service.env) for key, value in found.items() if value}


def health_of(service: Known) -> dict[str, Any]:
    """Its health check as the file has it; {} where the file has none (its image may)."""
    check = service.data.get("healthcheck")
    if not isinstance(check, Mapping):
        return {}
    if check.get("disable"):
        return {"disabled": True}
    test = check.get("test")
    words = [str(one) for one in test] if isinstance(test, list) else [str(test or "")]
    body = {"test": " ".join(words)[:200]}
    return body | {key: str(check[key]) for key in ("interval", "timeout", "retries", "start_period") if key in check}


def depends_of(service: Known) -> list[str]:
    """Whom it waits for, and for what."""
    raw = service.data.get("depends_on")
    if isinstance(raw, Mapping):
        conditions = {str(k): (v or {}).get("condition", "") if isinstance(v, Mapping) else "" for k, v in raw.items()}
    else:
        conditions = {str(name): "" for name in raw or ()}
    return [f"{name} ({c.removeprefix('service_')})" if c else name for name, c in conditions.items()]


def needed_by(service: Known, lab: Sequence[Known]) -> list[str]:
    """Who of its stack waits for it or lives in its network."""
    return [
        one.name
        for one in lab
        if one.stack == service.stack
        and one is not service
        and (
            any(text.split(" (")[0] == service.name for text in depends_of(one))
            or one.data.get("network_mode") == f"service:{service.name}"
        )
    ]


def rights_of(service: Known) -> list[str]:
    """What it may do beyond an ordinary container, a sentence each."""
    data = service.data
    found = []
    if data.get("privileged") is True:
        found.append("privileged: it may do all that root of the host may")
    if str(data.get("network_mode") or "") == "host":
        found.append("host network: all its ports are the host's")
    if str(data.get("pid") or "") == "host":
        found.append("host's processes: it sees and may signal them")
    found += [f"capability {name}" for name in data.get("cap_add") or ()]
    devices = (
        one.get("source") if isinstance(one, Mapping) else str(one).split(":")[0] for one in data.get("devices") or ()
    )
    found += [f"device {name}" for name in devices]
    if any("docker.sock" in str(one) for one in data.get("volumes") or ()):
        found.append("Docker's socket: whoever controls it controls the host")
    return found


def story(service: Known, body: Mapping[str, Any]) -> list[str]:
    """The configuration in sentences, for a person who asks what it means."""
    said = []
    for route in body.get("routes", ()):
        way = f"Traefik takes a request that fits {route['rule']}"
        if route.get("entrypoints"):
            way += f" at {route['entrypoints']}"
        if route.get("middlewares"):
            way += f", passes it through {', then '.join(route['middlewares'])}"
        login = f" Log-in: {route['login']}." if "login" in route else ""
        said.append(f"{way}, and hands it to {route['to']}.{login}")
    if not body.get("routes"):
        said.append("Traefik has no route to it: it is reached by its published ports, or by its neighbours alone.")
    for network in body.get("networks", ()):
        who = ", ".join(network["with"][:8]) or "nobody else"
        said.append(f"On {network['name']} it meets {who}, and they reach it as http://{service.name}:PORT.")
    for port in body.get("ports", ()):
        said.append(
            f"Port {port['host']} of the host leads to {port['container']}/{port['protocol']}: {port['reach']}."
        )
    mounts = (m for m in body.get("mounts", ()) if m["writes"] and m["kind"] != "anonymous volume")
    kept = [mount["from"] for mount in mounts]
    said.append(f"It keeps data in {', '.join(kept[:8])}." if kept else "It keeps nothing that outlives its container.")
    if body.get("needs"):
        said.append(f"It starts after {', '.join(body['needs'])}.")
    if unset := body.get("variables", {}).get("unset"):
        said.append(f"Not set anywhere: {', '.join(unset)}.")
    return said
