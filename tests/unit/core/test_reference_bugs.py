"""Every bug of the reference repository: the linter finds it, and the generator cannot write it.

The first half is on the bugs themselves (``reference_bugs.py``). The second half is on what the generator writes: over
the whole catalog and its options, once by the linter's word and once by looking at the data without it.

Bugs of its scripts (copying a whole ``.env``, ``eval`` on values, overwriting people's files, removing all volumes)
have no file that could show them; what stands in their place here is named at the end.
"""

# ruff: noqa: E501 (one case a line reads best)

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.images import DATABASES, SCHEDULERS
from homelab_mcp.core.compose_edit import new_document
from homelab_mcp.core.env_file import parse
from homelab_mcp.core.external_routes import file_text
from homelab_mcp.core.generator import Generated
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.observed import Snapshot
from tests.unit.core.operation_parts import SETTINGS, argon2, find, lab, secret
from tests.unit.core.reference_bugs import BUGS, Bug
from tests.unit.core.test_generator import REAL, asked_for, make

NAMES = [bug.name for bug in BUGS]


def stacks_of(bug: Bug) -> list[LintStack]:
    """The bug's files as the linter is given a lab."""
    files = bug.files
    env = {"DOMAIN": "lab.test", "DUCKDNS_TOKEN": "t0ken", **bug.env}

    def names(folder: str) -> list[str] | None:
        start = posixpath.normpath(folder).rstrip("/") + "/"
        inside = {f[len(start) :] for f in files if f.startswith(start)}
        return sorted({i.split("/")[0] + ("/" if "/" in i else "") for i in inside}) or None

    return [
        LintStack(
            path.partition("/")[0],
            path,
            text,
            env,
            exists=lambda p: not any(m in p for m in bug.missing),
            read=lambda p: files.get(posixpath.normpath(p)),
            names=names,
        )
        for path, text in files.items()
        if path.endswith("/compose.yaml")
    ]


@pytest.mark.parametrize("bug", BUGS, ids=NAMES)
def test_the_linter_finds_it_where_it_is(bug: Bug) -> None:
    file, words = bug.at
    line = next(n for n, text in enumerate(bug.files[file].splitlines(), 1) if words in text)
    found = lint(stacks_of(bug))
    places = [(f.file, f.line) for f in found if f.rule == bug.rule]
    assert (file, line) in places, [f.as_line() for f in found if f.severity is not Severity.INFO]


def test_there_are_twenty_and_more() -> None:
    assert {f"B{n}" for n in range(1, 21)} - {name.split()[0] for name in NAMES} == {"B16", "B18"}, "both are scripts'"
    assert len(BUGS) > 35


Made = tuple[ServiceDefinition, Generated, Mapping[str, str]]


@cache
def catalog() -> tuple[Made, ...]:
    """Each definition as the generator writes it, over the options that change labels, names and addresses."""
    found: list[Made] = []
    for what in REAL.values():
        env = {"DUCKDNS_TOKEN": "duck-token-1", "VPN_SERVICE_PROVIDER": "mullvad", **asked_for(what)}
        for options in _options(what):
            made = make(what, env=env, **options)
            found.append((what, made, {**env, **made.env}))
    return tuple(found)


def _options(what: ServiceDefinition) -> Iterator[dict[str, Any]]:
    yield {}
    yield {"name": "mine-2"}
    if what.route and what.route.sso.policy != "portal":
        yield {"subdomain": "elsewhere", "sso": "bypass", "sso_reason": "It has its own."}
        yield {"sso": "protect"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.nightly)])
def test_the_linter_finds_none_of_them_in_what_the_generator_writes(every: int) -> None:
    """By day a third, in which each kind of options meets many services; at night all."""
    rules = {bug.rule for bug in BUGS}
    for what, made, env in catalog()[::every]:
        text = new_document(made.services, networks=made.networks, urls=made.urls)
        found = lint([LintStack("apps", "apps/compose.yaml", text, env)])
        told = [f for f in found if f.rule in rules]
        bad = [f.as_line() for f in told if f.severity is not Severity.INFO]
        assert not bad, (what.id, bad)


Look = Callable[[ServiceDefinition, Generated, str, Mapping[str, Any]], bool]


def _labels(body: Mapping[str, Any], end: str) -> list[str]:
    return [v for k, v in body["labels"].items() if k.endswith(end)]


def _image(body: Mapping[str, Any]) -> str:
    return str(body["image"]).rpartition("/")[2].partition(":")[0]


def _routed_elsewhere(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    lends = any(b.get("network_mode") == f"service:{name}" for b in made.services.values())
    inside = {p.container for p in what.container.ports}
    return not lends and any(int(port) not in inside for port in _labels(body, "server.port"))


def _off_network(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    return bool(_labels(body, ".rule")) and SETTINGS.route_network not in body.get("networks", ())


def _own_volumes(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    return any(re.match(r"[a-z0-9]", str(v)) for v in body.get("volumes", ()))


def _bare_secret(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    return any(s and s in str(body) for s in made.secrets)


def _shared_secret(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    other = {v.name for d in REAL.values() if d.id != what.id for v in d.variables if v.generate}
    return bool(other & {v.name for v in what.variables if v.generate})


def _no_file(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    needed = {"prometheus": "prometheus.yml", "eclipse-mosquitto": "mosquitto.conf", "loki": ".y"}.get(_image(body))
    return needed is not None and not any(needed in f.path for f in made.files)


def _host_paths(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    measured = [str(v).split(":") for v in body.get("volumes", ()) if _image(body) in {"node-exporter", "cadvisor"}]
    return any(
        source.startswith(".") and target.endswith(("/proc", "/sys", "/rootfs")) for source, target, *_ in measured
    )


def _keeps_nothing(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    kept = {"postgres", "mariadb", "mysql", "mongo"} & {_image(body)}
    return bool(kept) and not body.get("volumes")


def _dead_dashboard(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    return _image(body) == "traefik" and (
        bool(_labels(body, "server.port")) or "api@internal" not in _labels(body, ".service")
    )


def _wrong_address(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    hosts = {
        f"https://{h}"
        for b in made.services.values()
        for r in _labels(b, ".rule")
        for h in re.findall("Host.`(.*?)`", r)
    }
    return bool({*_labels(body, "homepage.href"), *made.urls} - hosts)


def _literal_domain(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    return SETTINGS.domain in str(body["labels"])


def _asks_nobody(what: ServiceDefinition, made: Generated, name: str, body: Mapping[str, Any]) -> bool:
    rules = [k.removesuffix(".rule") for k in body["labels"] if k.endswith(".rule") and not k.endswith("-api.rule")]
    open_ = [r for r in rules if SETTINGS.sso_middleware not in body["labels"].get(f"{r}.middlewares", "")]
    # Behind a gateway the service itself says so, and the gateway has its route.
    return bool(open_) and not any("homelab.sso" in b["labels"] for b in made.services.values())


PROPERTIES: dict[str, Look] = {
    "B1 the route names the host's port": _routed_elsewhere,
    "B2 something sleeps that nothing wakes": lambda w, m, n, b: b["restart"] == "no" or "sablier.enable" in b["labels"],
    "B2 a database stays down after a reboot": lambda w, m, n, b: _image(b) in DATABASES and b["restart"] == "no",
    "B3 the dashboard at a port": _dead_dashboard,
    "B4 a domain written out": _literal_domain,
    "B5 a route off Traefik's network": _off_network,
    "Traefik's log in a file": lambda w, m, n, b: "log.filepath" in str(b.get("command")),
    "B6 a variable without a value": lambda w, m, n, b: any(
        f"${{{v.name}}}" in str(b) and v.required and not {**asked_for(w), **m.env}.get(v.name)
        for v in w.variables if not v.secret
    ),
    "secrets in the file": _bare_secret,
    "one password for everything": _shared_secret,
    "anybody may sign up": lambda w, m, n, b: str(b.get("environment", {}).get("SIGNUPS_ALLOWED", "")).lower() == "true",
    "B7 a network twice": lambda w, m, n, b: len(set(b.get("networks", ()))) != len(list(b.get("networks", ()))),
    "B7 a volume that nobody declares": _own_volumes,
    "B7 host ports by default": lambda w, m, n, b: any(
        not any(p.publish and p.why for p in c.ports) for c in (w.container,) if b.get("ports") and n == m.name
    ) and w.id not in {"traefik"},
    "B8 and B20 an address that no router answers to": _wrong_address,
    "B9 and B17 a tag that moves": lambda w, m, n, b: bool(re.search(r":(latest|main|master|nightly|stable)$", b["image"])),
    "B11 and B13 a program without its configuration": _no_file,
    "B12 a host's numbers that are not": _host_paths,
    "B13 a database that keeps nothing": _keeps_nothing,
    "B14 the user's number as the group's": lambda w, m, n, b: "PUID" in str(b.get("environment", {}).get("PGID", "")),
    "B15 a scheduler may sleep": lambda w, m, n, b: _image(b) in SCHEDULERS and w.lazy.ok and n == m.name,
    "B17 an updater of everything": lambda w, m, n, b: _image(b) == "watchtower" and str(
        b.get("environment", {}).get("WATCHTOWER_LABEL_ENABLE", "")
    ).lower() != "true",
    "B19 a route that asks nobody and does not say so": _asks_nobody,
    "a socket proxy with commands": lambda w, m, n, b: "socket-proxy" in _image(b) and str(
        b.get("environment", {}).get("EXEC", "0")
    ) == "1",
}  # fmt: skip


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_generator_cannot_write_it(name: str) -> None:
    look = PROPERTIES[name]
    has_it = [
        (what.id, service)
        for what, made, _ in catalog()
        for service, body in made.services.items()
        if look(what, made, service, body)
    ]
    assert not has_it


def test_outside_routes_ask_for_log_in_unless_told_otherwise_and_name_their_host() -> None:
    settings = SETTINGS.model_copy(update={"external": {"pi": ExternalRoute(url="http://192.168.1.7:8080")}})
    text = file_text(settings, shared_certificates=False)
    assert "middlewares:\n        - authelia@docker" in text, "B19"
    for url in ("http://:8123", "https://"):
        with pytest.raises(ValueError, match="not an address"):
            ExternalRoute(url=url)
    with pytest.raises(ValueError, match="sso_reason"):
        ExternalRoute(url="http://192.168.1.7", sso="bypass")


def test_a_stack_gets_the_variables_that_it_refers_to_and_no_other() -> None:
    # In place of B6: a whole .env copied into every stack, then names cut out of it again.
    before = "OTHER_PASSWORD='$argon2id$v=19$m=65536 #x'\n"
    draft = _added(lab(apps=("services: {}\n", before)), "app")
    after = draft.edits[1].after or ""
    assert after.startswith(before), "what is there stays, byte for byte: nothing evaluates a value"
    assert parse(after).keys() == {"OTHER_PASSWORD", "APP_DB_PASSWORD", "DOMAIN"}


def test_files_that_are_there_are_never_written_over() -> None:
    # In place of B16: running the set-up again put templates over people's users, rules and routes.
    mine = {"apps/app/config/app.yml": "# mine\n"}
    draft = _added(lab(), "app", mine)
    assert "apps/app/config/app.yml" not in [e.path for e in draft.edits]
    assert any("Left as they are" in n for n in draft.notes)


def _added(snapshot: Snapshot, service: str, files: Mapping[str, str] | None = None) -> Any:
    return add_service(
        snapshot, SETTINGS, AddServiceRequest(service=service, stack="apps", options=ServiceOptions()),
        find=find, secrets=secret, argon2=argon2, root="/opt/stacks", read=(files or {}).get,
    )  # fmt: skip
