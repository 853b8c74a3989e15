"""What a lab's files say is deployed, read without the project's own code: its routes, and what must match them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

DOMAIN = "lab.test"
LOGIN = "authelia@docker"
WITHOUT_PAGE = {"docker-registry", "headscale", "restic-rest-server", "shlink"}
"""Routed for programs alone: there is nothing on them to visit."""
_ROUTER = re.compile(r"traefik\.http\.routers\.([^.]+)\.(rule|middlewares)")
_HOST = re.compile(r"Host\(`([^`]+)`\)")


def compose_files(root: Path) -> dict[str, Any]:
    """Stack to its compose file's data."""
    return {f.parent.name: yaml.safe_load(f.read_text()) for f in sorted(root.glob("*/compose.yaml"))}


def labels(body: dict[str, Any]) -> dict[str, str]:
    given = body.get("labels") or {}
    pairs = given.items() if isinstance(given, dict) else (str(g).partition("=")[::2] for g in given)
    return {str(k): str(v).replace("${DOMAIN}", DOMAIN) for k, v in pairs}


def services(root: Path) -> dict[str, dict[str, Any]]:
    """``stack/service`` to its body."""
    return {f"{s}/{n}": b for s, data in compose_files(root).items() for n, b in (data.get("services") or {}).items()}


def routes(root: Path) -> dict[str, set[bool]]:
    """Host to whether its whole routers ask for the log-in, from labels."""
    found: dict[str, set[bool]] = {}
    for body in services(root).values():
        parts: dict[str, dict[str, str]] = {}
        for key, value in labels(body).items():
            if match := _ROUTER.fullmatch(key):
                parts.setdefault(match[1], {})[match[2]] = value
        for part in parts.values():
            asks = LOGIN in part.get("middlewares", "").split(",")
            rule = part.get("rule", "")
            for host in _HOST.findall(rule):
                if asks or not re.search(r"\b(Path|PathPrefix|PathRegexp)\(", rule):
                    found.setdefault(host, set()).add(asks)
    return found


def external(root: Path) -> dict[str, dict[str, Any]]:
    """Host to the route of each external service, from the settings."""
    told = yaml.safe_load((root / "homelab.yaml").read_text()).get("external") or {}
    return {f"{r.get('subdomain') or name}.{DOMAIN}": {**r, "name": name} for name, r in told.items()}


def of(root: Path, service: str) -> tuple[str, str] | None:
    """(stack, service) made from a catalog entry, companions left out."""
    for where, body in services(root).items():
        said = labels(body)
        if said.get("homelab.service") == service and "homelab.companion-of" not in said:
            stack, _, name = where.partition("/")
            return stack, name
    return None


def check(root: Path) -> None:
    """Authelia's rules, Traefik's and Homepage's files are what the labels and the settings call for."""
    inside, outside = routes(root), external(root)
    assert not inside.keys() & outside.keys(), "one host leads to two places"
    traefik = of(root, "traefik")
    file = root / traefik[0] / traefik[1] / "dynamic/external.yaml" if traefik else None
    if file is not None:
        routed = yaml.safe_load(file.read_text())["http"]["routers"] if file.exists() else {}
        assert {h for r in routed.values() for h in _HOST.findall(r["rule"])} == set(outside)
        for host, route in outside.items():
            router = next(r for r in routed.values() if host in _HOST.findall(r["rule"]))
            assert (LOGIN in router.get("middlewares", [])) == (route.get("sso", "protect") == "protect"), host
    portal = of(root, "authelia")
    if portal is not None:
        _check_rules(root / portal[0] / portal[1] / "config/access-control.yml", inside, outside if traefik else {})
    page = of(root, "homepage")
    if page is not None:
        _check_page(root, root / page[0] / page[1] / "config/services.yaml", outside)


def _check_rules(file: Path, inside: dict[str, set[bool]], outside: dict[str, dict[str, Any]]) -> None:
    told = yaml.safe_load(file.read_text())["access_control"]
    assert told["default_policy"] == "deny"
    rules: dict[str, list[dict[str, Any]]] = {}
    for rule in told["rules"]:
        rules.setdefault(rule["domain"], []).append(rule)
    assert set(rules) == set(inside) | set(outside)
    for host, asks in inside.items():
        policies = {r["policy"] for r in rules[host] if "resources" not in r}
        assert (policies == {"bypass"}) == (asks == {False}), (host, policies, asks)
    for host, route in outside.items():
        assert rules[host][0]["policy"] == ("bypass" if route.get("sso") == "bypass" else "one_factor"), host


def _check_page(root: Path, file: Path, outside: dict[str, dict[str, Any]]) -> None:
    groups = (yaml.safe_load(file.read_text()) if file.exists() else None) or []
    listed = {body["href"] for group in groups for one in group.values() for item in one for body in item.values()}
    assert listed == {f"https://{host}{r.get('path', '')}" for host, r in outside.items()}
    hosts = set(routes(root))
    for where, body in services(root).items():
        said = labels(body)
        if link := said.get("homepage.href"):
            host = link.removeprefix("https://").partition("/")[0].partition(":")[0]
            assert host in hosts, f"the entry of {where} leads to {host}, which nothing answers"
        mine = [v for k, v in said.items() if k.endswith(".rule") and k.startswith("traefik.http.routers.")]
        if mine and "homelab.service" in said and said.get("traefik.enable") != "false":
            nothing_to_see = said["homelab.service"] in WITHOUT_PAGE
            assert link or nothing_to_see or "network_mode" in str(services(root)), f"{where} is not on the page"
