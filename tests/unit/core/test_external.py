"""External services: settings, Traefik's file that follows from them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core import settings_edit, yaml12
from homelab_mcp.core.access import all_routes
from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.derived import LabAfter, derive
from homelab_mcp.core.derived.external import external_file
from homelab_mcp.core.external_routes import FILE, HEAD, file_text
from homelab_mcp.core.operations.external_route import ExternalRequest, add_external, remove_external
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.policy import DEFAULT_POLICY
from homelab_mcp.core.settings import emit_settings, parse_settings
from homelab_mcp.model.errors import EditRefused, InvalidInput, NotFound
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft, FileEdit, Requester, Risk

TEXT = "# ours\ndomain: lab.test   # the domain\n\ntimezone: Europe/Vienna\n"
CORE = """services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.docker=true, --providers.file.directory=/dynamic, --entrypoints.websecure.address=:443,
      --certificatesresolvers.letsencrypt.acme.tlschallenge=true]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
  authelia:
    image: authelia/authelia:4.39.4
    labels:
      traefik.enable: "true"
      traefik.http.middlewares.authelia.forwardauth.address: http://authelia:9091/api/authz/forward-auth
"""
PEM = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----"
NAS = {"url": "https://192.168.1.20:5001"}


def snapshot(core: str = CORE) -> Snapshot:
    return Snapshot((StackFiles("core", "core/compose.yaml", core, "DOMAIN=lab.test\n"),), TEXT)


def add(name: str = "nas", text: str = TEXT, core: str = CORE, files: Any = None, **values: Any) -> Draft:
    request = ExternalRequest(name=name, values={**NAS, **values})
    read = {"homelab.yaml": text, **(files or {})}.get
    return add_external(snapshot(core), parse_settings(text), request, read=read)


def refused(**values: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        add(**values)
    return caught.value


def settings(**routes: dict[str, Any]) -> LabSettings:
    return LabSettings(domain="lab.test", external={n: ExternalRoute(**r) for n, r in routes.items()})


def http_of(text: str) -> dict[str, Any]:
    data = yaml12.load(text)
    assert isinstance(data, dict)
    http: dict[str, Any] = data["http"]
    return http


def test_adding_and_removing_gives_the_first_bytes_back() -> None:
    first = settings_edit.set_external(TEXT, "nas", ExternalRoute(**NAS))
    second = settings_edit.set_external(first, "pi", ExternalRoute(url="http://192.168.1.30"))
    assert first.startswith(TEXT)
    assert parse_settings(second).external == {
        "nas": ExternalRoute(**NAS),
        "pi": ExternalRoute(url="http://192.168.1.30"),
    }
    assert settings_edit.remove_external(second, "pi") == first
    assert settings_edit.remove_external(first, "nas") == TEXT
    emitted = emit_settings(parse_settings(TEXT))
    added = settings_edit.set_external(emitted, "nas", ExternalRoute(**NAS))
    assert settings_edit.remove_external(added, "nas") == emitted
    assert parse_settings(emit_settings(parse_settings(added))) == parse_settings(added)
    with pytest.raises(NotFound, match="nas"):
        settings_edit.remove_external(TEXT, "nas")
    with pytest.raises(EditRefused):
        settings_edit.set_external("domain: lab.test\nexternal: *x\n".replace("*x", "[a]"), "nas", ExternalRoute(**NAS))


def test_a_known_name_is_changed_and_keeps_what_is_not_given() -> None:
    text = settings_edit.set_external(TEXT, "nas", ExternalRoute(**NAS, title="Disk", subdomain="disk"))
    draft = add(text=text, url="https://192.168.1.21:5001")
    assert draft.summary == "Change the route to nas at https://192.168.1.21:5001"
    after = parse_settings(draft.edits[0].after or "").external["nas"]
    assert (after.url, after.title, after.subdomain) == ("https://192.168.1.21:5001", "Disk", "disk")
    trusted = settings_edit.set_external(TEXT, "nas", ExternalRoute(**NAS, tls="ca", ca=PEM, tls_name="nas.home"))
    for values in ({"tls": "skip"}, {"url": "http://192.168.1.20"}):
        changed = parse_settings(add(text=trusted, **values).edits[0].after or "").external["nas"]
        assert not changed.ca, "certificates go with the way of trusting that they belong to"


def test_traefiks_file_has_router_service_log_in_and_transport_only_where_needed() -> None:
    http = http_of(
        file_text(
            settings(
                nas={**NAS, "tls": "ca", "ca": PEM, "tls_name": "nas.home"},
                old={**NAS, "tls": "skip"},
                pi={"url": "http://192.168.1.30", "path": "/ui/", "sso": "bypass", "sso_reason": "Has its own."},
            ),
            shared_certificates=False,
        )
    )
    assert http["routers"]["external-nas"] == {
        "rule": "Host(`nas.lab.test`)",
        "entryPoints": ["websecure"],
        "service": "external-nas",
        "middlewares": ["authelia@docker"],
        "tls": {"certResolver": "letsencrypt"},
    }
    assert http["services"]["external-nas"] == {
        "loadBalancer": {"servers": [{"url": NAS["url"]}], "serversTransport": "external-nas"}
    }
    assert http["serversTransports"] == {
        "external-nas": {"serverName": "nas.home", "rootCAs": [f"{PEM}\n"]},
        "external-old": {"insecureSkipVerify": True},
    }
    assert http["routers"]["external-pi"]["rule"] == "Host(`pi.lab.test`) && (Path(`/ui`) || PathPrefix(`/ui/`))"
    assert "middlewares" not in http["routers"]["external-pi"]
    shared = http_of(file_text(settings(nas=NAS), shared_certificates=True))
    assert "tls" not in shared["routers"]["external-nas"], "a router's own word would replace the entry point's"


def after(text: str, files: dict[str, str] | None = None, core: str = CORE) -> LabAfter:
    there = snapshot(core)
    return LabAfter(there, parse_settings(text), view(there), (files or {}).get, lambda _: None, "/opt/stacks")


def test_the_file_follows_the_settings_and_never_touches_somebody_elses() -> None:
    path = f"core/traefik/dynamic/{FILE}"
    text = settings_edit.set_external(TEXT, "nas", ExternalRoute(**NAS))
    (made,) = derive(after(text), [external_file])
    assert made.path == path
    assert made.text is not None
    assert not list(derive(after(text, {path: made.text}), [external_file])), "nothing to do"
    (gone,) = derive(after(TEXT, {path: made.text}), [external_file])
    assert (gone.path, gone.text) == (path, None)
    for mine in ("# mine\nhttp: {}\n", ""):
        assert not list(derive(after(text, {path: mine}), [external_file]))
    assert not list(derive(after(text, core=CORE.replace("./traefik/dynamic", "/srv/dynamic")), [external_file]))


def test_the_lab_with_the_file_lints_clean() -> None:
    text = file_text(
        settings(nas={**NAS, "tls": "ca", "ca": PEM, "tls_name": "nas.home"}, pi={"url": "http://192.168.1.30"}),
        shared_certificates=False,
    )
    files = {f"core/traefik/dynamic/{FILE}": text}
    stack = LintStack(
        "core", "core/compose.yaml", CORE, {"DOMAIN": "lab.test"}, exists=lambda p: True,
        read=files.get, names=lambda p: [FILE] if p.rstrip("/").endswith("dynamic") else None,
    )  # fmt: skip
    found = [f for f in lint([stack]) if FILE in f.file]
    assert not found, [f.as_line() for f in found]
    clash = CORE.replace(
        'traefik.enable: "true"',
        'traefik.enable: "true"\n      traefik.http.routers.a.rule: Host(`nas.lab.test`)\n'
        '      traefik.http.routers.a.entrypoints: websecure\n      traefik.http.routers.a.tls: "true"\n'
        '      traefik.http.services.a.loadbalancer.server.port: "9091"',
    )
    found = list(lint([replace(stack, text=clash)]))
    rules = {f.rule for f in found}
    assert "HL063" in rules, [f.as_line() for f in found]


def test_the_plan_says_what_it_opens_and_asks_the_route_afterwards() -> None:
    draft = add(tls="skip")
    assert draft.verification.stack == "core"
    assert draft.verification.services == ("traefik",)
    assert [(r.host, r.path, r.sso) for r in draft.verification.routes] == [("nas.lab.test", "/", True)]
    assert max(r.risk for r in draft.risks) is Risk.MEDIUM
    assert any("certificate is not checked" in r.reason for r in draft.risks)
    no_login = add(core=CORE.partition("  authelia:")[0])
    assert not no_login.verification.routes
    assert any("no log-in service" in n for n in no_login.notes)
    for values in ({"sso": "bypass", "sso_reason": "Own log-in."}, {"url": "https://9.9.9.9"}):
        assert max(r.risk for r in add(**values).risks) is Risk.HIGH
    assert any("trusted_proxies" in n for n in add("ha", url="http://192.168.1.5:8123").notes)
    assert any(".local" in n for n in add(url="http://nas.local").notes)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://192.168.1.20", "invalid_input"),
        ("https://192.168.1.20/admin", "invalid_input"),
        ("https://user:pw@192.168.1.20", "invalid_input"),
        ("https://192.168.1.20:99999", "invalid_input"),
        ("https://a b", "invalid_input"),
        ("https://{{env}}", "invalid_input"),
        ("http://127.0.0.1:8080", "bad_address"),
        ("http://localhost", "bad_address"),
        ("http://0.0.0.0", "bad_address"),
        ("http://169.254.169.254", "bad_address"),
        ("http://[::1]:80", "bad_address"),
        ("http://224.0.0.1", "bad_address"),
        ("https://photos.lab.test", "address_refused"),
        ("http://192.168.1.9:2375", "address_refused"),
    ],
)
def test_addresses_that_lead_nowhere_good_are_refused(url: str, code: str) -> None:
    assert refused(url=url).code == code


def test_other_refusals_say_what_to_do() -> None:
    assert refused(sso="bypass").code == "invalid_input"
    assert refused(url="http://192.168.1.2", tls="skip").code == "invalid_input"
    assert refused(tls="ca").code == "invalid_input"
    assert refused(tls="ca", ca=PEM.replace("CERTIFICATE", "PRIVATE KEY")).code == "invalid_input"
    assert refused(title="a`b").code == "invalid_input"
    assert refused(core="services: {}\n").code == "needs_traefik"
    assert refused(core=CORE.replace("--providers.file.directory=/dynamic, ", "")).code == "needs_traefik"
    assert refused(files={f"core/traefik/dynamic/{FILE}": "http: {}\n"}).code == "file_taken"
    with_nas = settings_edit.set_external(TEXT, "nas", ExternalRoute(**NAS))
    assert refused(name="b", subdomain="nas", text=with_nas).code == "host_taken"
    routed = CORE.replace('"true"\n', '"true"\n      traefik.http.routers.x.rule: Host(`nas.${DOMAIN}`)\n')
    assert refused(core=routed).code == "host_taken"


def test_removing_leaves_the_device_alone() -> None:
    text = settings_edit.set_external(TEXT, "nas", ExternalRoute(**NAS))
    draft = remove_external(snapshot(), parse_settings(text), "nas", read={"homelab.yaml": text}.get)
    assert draft.edits == (FileEdit("homelab.yaml", text, TEXT),)
    with pytest.raises(NotFound):
        remove_external(snapshot(), parse_settings(TEXT), "nas", read=lambda _: TEXT)


def test_only_edits_beside_external_count_as_settings_that_all_share() -> None:
    def risk(after: str) -> Risk:
        edit = FileEdit("homelab.yaml", TEXT, after)
        return DEFAULT_POLICY.assess(Draft("x", "x", (edit,), ()), Requester("cli"))[0]

    text = settings_edit.set_external(TEXT, "nas", ExternalRoute(**NAS))
    assert risk(text) is Risk.MEDIUM
    assert risk(text.replace("Europe/Vienna", "Europe/Berlin")) is Risk.HIGH
    assert risk("external: [") is Risk.HIGH
    assert HEAD.startswith("#")


LOGIN = """\
    environment: {X_AUTHELIA_CONFIG: "/config/configuration.yml,/config/access-control.yml"}
    volumes: ["./authelia/config:/config"]
"""


def test_a_second_factor_and_groups_reach_the_log_in_s_rules() -> None:
    draft = add(core=CORE + LOGIN, sso="two_factor", sso_groups=("admins", "family"))
    text = next(e.after or "" for e in draft.edits)
    assert yaml12.load(text)["external"]["nas"]["sso_groups"] == ["admins", "family"]
    (route,) = all_routes(view(snapshot(CORE + LOGIN)), parse_settings(text))
    assert (route.host, route.policy, route.groups) == ("nas.lab.test", "two_factor", ("admins", "family"))
    (router,) = http_of(file_text(parse_settings(text), shared_certificates=True))["routers"].values()
    assert router["middlewares"] == ["authelia@docker"]
    assert any("with a second factor, for admins, family only" in note for note in draft.notes)
    assert parse_settings(emit_settings(parse_settings(text))) == parse_settings(text)

    less = add(core=CORE + LOGIN, text=text, sso="protect", sso_groups=("everyone",))
    assert {r.reason for r in less.risks if r.risk is Risk.HIGH} == {
        "nas asks for no second factor any more.",
        "nas lets more people pass.",
    }
    assert "sso_groups" not in next(e.after or "" for e in less.edits)


def test_a_second_factor_that_nobody_would_ask_for_is_refused() -> None:
    old = CORE + '    volumes: ["./authelia/config:/config"]\n'
    with pytest.raises(InvalidInput) as caught:
        add(core=old, sso="two_factor")
    assert caught.value.code == "rules_not_loaded"
    with pytest.raises(NotFound) as missing:
        add(core=CORE, sso_groups=("family",))
    assert missing.value.code == "no_sign_on"
    assert "groups" in refused(sso="bypass", sso_reason="Its app.", sso_groups=("family",)).message
