"""Random requests for every operation that makes a plan, drawn from a seed over the lab as it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.workflow.proposals import propose_add_service, propose_fix, propose_rollback, propose_set_env
from homelab_mcp.workflow.propose_any import propose_custom, propose_import
from homelab_mcp.workflow.propose_changes import (
    propose_connect_services,
    propose_fix_permissions,
    propose_move_service,
    propose_remove_service,
    propose_update_service,
)
from homelab_mcp.workflow.propose_external import propose_external, propose_remove_external
from homelab_mcp.workflow.propose_homepage import propose_set_homepage, propose_set_widget
from homelab_mcp.workflow.propose_lazy import propose_lazy_loading
from homelab_mcp.workflow.propose_setup import propose_core, propose_settings
from homelab_mcp.workflow.propose_sign_on import propose_manage_user, propose_set_access, propose_set_sign_on
from homelab_mcp.workflow.propose_vpn import propose_vpn

PERSON = Requester("cli")
_IMAGES = ("traefik/whoami:v1.11.0", "nginx:1.29.3", "ghcr.io/example/app:2.4.1")
_NAMES = ("alpha", "beta", "gamma", "delta")
_PEOPLE = ("bob", "carol", "dave", "erin")
_GROUPS = ("family", "guests", "admins")
_STACKS = ("alpha", "tools", "media", "corner")


class Draw:
    """What one sequence draws from: a seeded source, and the lab as its files are now."""

    def __init__(self, lab: LocalLab, source: random.Random, applied: list[Plan]) -> None:
        self.lab, self.source, self.applied = lab, source, applied

    def __call__(self, *choices: Any) -> Any:
        return self.source.choice(choices)

    def services(self) -> list[tuple[str, str]]:
        """(stack, service) of every compose file."""
        found = []
        for file in sorted(Path(self.lab.root).glob("*/compose.yaml")):
            named = (yaml.safe_load(file.read_text()) or {}).get("services") or {}
            found += [(file.parent.name, name) for name in named]
        return found

    def service(self) -> tuple[str, str]:
        found: tuple[str, str] = self(*self.services())
        return found

    def address(self) -> str:
        """A service as people name one that may be in several stacks."""
        return "/".join(self.service())


def add(draw: Draw) -> Plan:
    options: dict[str, Any] = {}
    for key, value in (
        ("subdomain", draw("one", "two", "three")),
        ("sso", draw("protect", "two_factor", "bypass")),
        ("sso_groups", (draw(*_GROUPS),)),
        ("lazy", True),
        ("name", draw(*_NAMES)),
    ):
        if draw.source.random() < 0.15:
            options[key] = value
    if options.get("sso") == "bypass":
        options |= {"sso_reason": "It asks for its own password.", "sso_groups": ()}
    stack = draw("", "", "", *_STACKS)
    chosen = draw(*sorted(r.id for r in draw.lab.catalog.records()))
    return propose_add_service(draw.lab, chosen, stack, options, PERSON)


def custom(draw: Draw) -> Plan:
    values: dict[str, Any] = {
        "name": draw(*_NAMES),
        "image": draw(*_IMAGES),
        "port": draw(80, 8080),
        "stack": draw("", *_STACKS),
        "volumes": draw((), ("/data",), ("/data", "media:/media")),
        "environment": draw({}, {"LOG_LEVEL": "info"}),
        "generate": draw((), ("APP_SECRET",)),
        "publish": draw((), ("18080:80",)),
        "command": draw("", "--verbose"),
        "user": draw("", "lab", "1000:1000"),
        "health": draw("", "wget -q --spider http://127.0.0.1:80/"),
    }
    if draw.source.random() < 0.2:
        values |= {"sso": "bypass", "sso_reason": "It asks for its own password."}
    return propose_custom(draw.lab, {k: v for k, v in values.items() if v not in ("", (), {})}, PERSON)


def import_compose(draw: Draw) -> Plan:
    name, image = draw(*_NAMES), draw(*_IMAGES)
    second = f"{name}-db"
    text = draw(
        f"services:\n  {name}:\n    image: {image}\n    ports: ['8080:80']\n    volumes: [data:/data]\n"
        "volumes:\n  data: {}\n",
        f"version: '3'\nservices:\n  {name}:\n    image: {image}\n    restart: always\n    depends_on: [{second}]\n"
        f"    environment:\n      - DB_PASSWORD=hunter2hunter2\n      - DB_HOST={second}\n    ports:\n      - 8080:80\n"
        f"  {second}:\n    image: postgres:17.2\n    environment:\n      POSTGRES_PASSWORD: hunter2hunter2\n"
        f"    volumes:\n      - ./db:/var/lib/postgresql/data\n",
    )
    return propose_import(draw.lab, {"text": text, "stack": draw("", *_STACKS)}, PERSON)


def docker_run(draw: Draw) -> Plan:
    name = draw(*_NAMES)
    text = f"docker run -d --name {name} -p 8081:80 -v {name}-data:/data -e TZ=UTC --restart always {draw(*_IMAGES)}"
    return propose_import(draw.lab, {"text": text, "stack": draw("", *_STACKS)}, PERSON)


def external(draw: Draw) -> Plan:
    values: dict[str, Any] = {
        "url": draw("http://192.168.1.20:5000", "https://192.168.1.21:8443", "http://nas.local"),
        "title": draw("", "The box"),
        "group": draw("", "Machines"),
        "subdomain": draw("", "box", "one"),
        "path": draw("", "", "/web"),
    }
    if values["url"].startswith("https"):
        values["tls"] = "skip"
    values |= draw({}, {"sso": "bypass", "sso_reason": "Its app cannot log in."})
    return propose_external(draw.lab, draw("nas", "router", "printer"), values, PERSON)


def external_gone(draw: Draw) -> Plan:
    return propose_remove_external(draw.lab, draw("nas", "router", "printer"), PERSON)


def update(draw: Draw) -> Plan:
    options: list[Mapping[str, Any]] = [
        {"tag": draw("9.9.1", "latest")},
        {"subdomain": draw("four", "five", "six")},
        {"port": draw(8080, 3000)},
        {"sso": "protect"},
        {"sso": "bypass", "sso_reason": "It asks for its own password."},
        {"resources": draw("tiny", "web", "database")},
        {"limits": {"memory": "256m", "cpus": "0.5", "pids": 200}},
        {"gpu": draw("on", "off", "nvidia", "intel")},
        {"volumes_add": draw(("./more:/more",), ("media:/media:ro",))},
        {"volumes_remove": ("/more",)},
        {"env_set": {"EXTRA_ONE": draw("1", "in plain view")}},
        {"env_unset": ("EXTRA_ONE",)},
        {"health": draw("curl -f http://127.0.0.1/", "off"), "health_reason": "It has no web page."},
        {"replicas": 2},
        {"restart": draw("always", "unless-stopped", "no")},
    ]
    stack, service = draw.service()
    changes = dict(draw(*options)) | (dict(draw(*options)) if draw.source.random() < 0.3 else {})
    return propose_update_service(draw.lab, service, stack, changes, PERSON)


def move(draw: Draw) -> Plan:
    stack, service = draw.service()
    return propose_move_service(draw.lab, service, stack, draw(*_STACKS), PERSON)


def connect(draw: Draw) -> Plan:
    variables = draw({}, {"PEER_URL": "{url}"})
    return propose_connect_services(draw.lab, draw.address(), draw.address(), PERSON, variables=variables)


def remove(draw: Draw) -> Plan:
    stack, service = draw.service()
    return propose_remove_service(draw.lab, service, stack, PERSON, env=draw("keep", "delete"))


def lazy(draw: Draw) -> Plan:
    stack, service = draw.service()
    options = draw({}, {"session": "10m"}, {"strategy": "blocking"})
    return propose_lazy_loading(draw.lab, service, stack, on=draw(True, True, False), options=options, requester=PERSON)


def vpn(draw: Draw) -> Plan:
    stack, service = draw.service()
    state = draw("on", "on", "off")
    provider = "" if state == "off" else "mullvad"
    try:
        return propose_vpn(draw.lab, PERSON, service=service, state=state, stack=stack, provider=provider)
    except InvalidInput as refused:
        if refused.code != "vpn_needs_secrets":
            raise
    keys: dict[str, str | None] = {"WIREGUARD_PRIVATE_KEY": "k3yk3yk3y", "WIREGUARD_ADDRESSES": "10.64.0.2/32"}
    return propose_set_env(draw.lab, stack, keys, PERSON)


def access(draw: Draw) -> Plan:
    values: dict[str, Any] = {"services": (draw(draw.address(), draw.address(), "category:media", "stack:core"),)}
    values |= draw(
        {"policy": "one_factor"},
        {"policy": "two_factor"},
        {"policy": "bypass", "reason": "It asks for its own password."},
        {"groups": (draw(*_GROUPS),)},
        {"groups": ("everyone",)},
        {"policy": "two_factor", "groups": ("family",)},
    )
    return propose_set_access(draw.lab, PERSON, **values)


def user(draw: Draw) -> Plan:
    action = draw("add", "add", "remove", "disable", "enable", "groups", "reset_password")
    groups = (draw(*_GROUPS),) if action in ("add", "groups") else ()
    return propose_manage_user(draw.lab, PERSON, action=action, name=draw(*_PEOPLE), groups=groups).plan


def sign_on(draw: Draw) -> Plan:
    values = draw({"inactivity": "10m"}, {"expiration": "2h"}, {"remember_me": "1M"})
    return propose_set_sign_on(draw.lab, PERSON, **values)


def homepage(draw: Draw) -> Plan:
    values: dict[str, Any] = draw(
        {"title": "Our lab"},
        {"theme": draw("dark", "light"), "color": "teal"},
        {"show": (draw("resources", "datetime", "search"),)},
        {"hide": (draw("resources", "datetime", "search"),)},
        {"bookmark": "News", "href": "https://example.org/"},
        {"bookmark": "News"},
    )
    return propose_set_homepage(draw.lab, PERSON, **values)


def widget(draw: Draw) -> Plan:
    fields = draw({}, {"slug": "default"})
    service = draw.address()
    return propose_set_widget(
        draw.lab,
        PERSON,
        service=service,
        fields=fields,
        secrets=draw({}, {"key": "abcabcabc"}),
        remove=draw(True, False),
    )


def env(draw: Draw) -> Plan:
    stack, _ = draw.service()
    values: dict[str, str | None] = draw({"EXTRA": "1"}, {"EXTRA": None}, {"EXTRA": "two words", "OTHER": "$$x"})
    return propose_set_env(draw.lab, stack, values, PERSON)


def fix(draw: Draw) -> Plan:
    stack = draw("", draw.service()[0])
    return propose_fix(draw.lab, stack, (), PERSON, unsafe=draw(True, False))


def settings(draw: Draw) -> Plan:
    values = draw({"timezone": "Europe/Berlin"}, {"timezone": "Etc/UTC"}, {"puid": 1001}, {"media_dir": "/srv/media"})
    return propose_settings(draw.lab, values, PERSON)


def core(draw: Draw) -> Plan:
    return propose_core(draw.lab, (), PERSON)


def permissions(draw: Draw) -> Plan:
    stack, service = draw.service()
    return propose_fix_permissions(draw.lab, service, stack, "1000:1000", PERSON)


def rollback(draw: Draw) -> Plan:
    if not draw.applied:
        raise InvalidInput("Nothing was applied yet.")
    return propose_rollback(draw.lab, draw(*draw.applied[-3:]).id, PERSON)


OPERATIONS: dict[str, tuple[int, Callable[[Draw], Plan]]] = {
    "add": (10, add),
    "custom": (4, custom),
    "import": (3, import_compose),
    "run": (2, docker_run),
    "external": (4, external),
    "external gone": (2, external_gone),
    "update": (10, update),
    "move": (4, move),
    "connect": (4, connect),
    "remove": (4, remove),
    "lazy": (5, lazy),
    "vpn": (4, vpn),
    "access": (5, access),
    "user": (3, user),
    "sign-on": (1, sign_on),
    "homepage": (3, homepage),
    "widget": (2, widget),
    "env": (2, env),
    "fix": (2, fix),
    "settings": (1, settings),
    "core": (1, core),
    "permissions": (1, permissions),
    "rollback": (1, rollback),
}
"""Every operation by a short name: how often it is drawn, and how."""
