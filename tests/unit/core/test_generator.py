"""The generator: conventions, and none of the bugs they came with. Real definitions are in the catalog's own folder."""

from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.catalog import parse_definition
from homelab_mcp.core.compose_edit import new_document, remove_services
from homelab_mcp.core.generator import Generated, generate
from homelab_mcp.core.operations.request import ServiceOptions
from homelab_mcp.core.settings import build_settings, emit_settings, parse_settings
from homelab_mcp.model.definition import ServiceDefinition, Volume
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import Acme, LabSettings
from homelab_mcp.queries.check_catalog import made_up
from tests.unit.core.operation_parts import CATALOG, SETTINGS, argon2, definition, secret

FOLDER = Path(__file__).parents[3] / "catalog"
REAL = {d.id: d for d in (parse_definition(p.read_text(), p.name) for p in sorted(FOLDER.rglob("*.yaml")))}


def make(
    what: ServiceDefinition,
    settings: LabSettings = SETTINGS,
    env: dict[str, str] | None = None,
    *,
    gateway_name: str = "",
    **options: Any,
) -> Generated:
    return generate(
        what,
        settings,
        ServiceOptions(**options),
        secrets=secret,
        argon2=argon2,
        existing_env={"DUCKDNS_TOKEN": "duck-token-1"} if env is None else env,
        root="/opt/stacks",
        gateway=({**CATALOG, **REAL}).get(what.gateway or ""),
        gateway_name=gateway_name,
    )


def asked_for(what: ServiceDefinition) -> dict[str, str]:
    """What a person must say to have it, its gateway's part too."""
    gateway = REAL.get(what.gateway or "")
    return made_up((*what.variables, *(gateway.variables if gateway else ())))


def make_real(name: str) -> Generated:
    return make(
        REAL[name], env={"DUCKDNS_TOKEN": "duck-token-1", "VPN_SERVICE_PROVIDER": "mullvad", **asked_for(REAL[name])}
    )


@pytest.mark.parametrize("name", ["jellyfin", "grafana", "vaultwarden"])
def test_a_lab_with_one_network_for_all_names_it_once(name: str) -> None:
    one = SETTINGS.model_copy(update=dict.fromkeys(("route_network", "internal_network", "media_network"), "lab"))
    joined = make(REAL[name], one, env=asked_for(REAL[name])).services[name]["networks"]
    assert list(joined) == ["lab"]


@pytest.mark.parametrize("name", REAL)
def test_every_definition_gives_a_document_that_reads_back_and_can_be_taken_out(name: str) -> None:
    made = make_real(name)
    text = new_document(made.services, networks=made.networks, urls=made.urls)
    data = yaml12.load(text)

    assert {n: {k: v for k, v in s.items() if not k.startswith("x-")} for n, s in data["services"].items()} == {
        n: dict(s) for n, s in made.services.items()
    }
    assert remove_services(text, made.services) == ""
    assert text == new_document(make_real(name).services, networks=made.networks, urls=made.urls)


@pytest.mark.parametrize("name", REAL)
def test_every_service_has_limits_restart_a_log_limit_declared_networks_and_container_ports(name: str) -> None:
    made = make_real(name)
    inside = {p.container for p in REAL[name].container.ports}
    for service in made.services.values():
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"]["max-size"]
        assert {"limits", "reservations"} <= service["deploy"]["resources"].keys()
        assert set(service.get("networks", [])) <= made.networks.keys()
        for key, value in service["labels"].items():
            assert isinstance(value, str)
            if key.endswith("loadbalancer.server.port"):
                assert int(value) in inside
        assert not [v for v in made.secrets if v and v in str(service)]


def test_a_label_says_whose_folders_are_where_the_image_has_a_user_of_its_own() -> None:
    assert make_real("pgadmin").services["pgadmin"]["labels"]["homelab.owner"] == "5050:5050"
    assert make_real("mediawiki").services["mediawiki"]["labels"]["homelab.owner"] == "images=33:33"
    authentik = make_real("authentik").services
    assert authentik["authentik-worker"]["labels"]["homelab.owner"] == "1000:1000"
    assert "homelab.owner" not in {
        **make_real("mattermost").services["mattermost"]["labels"],
        **authentik["authentik-db"]["labels"],
    }


@pytest.mark.parametrize("change", [{"kind": "media"}, {"shared": True}, {"owner": "root"}, {"owner": "0:0"}])
def test_only_a_folder_of_its_own_has_another_owner_and_never_root(change: dict[str, Any]) -> None:
    assert Volume.model_validate({"kind": "data", "target": "/data", "owner": "33:33"}).owner == "33:33"
    with pytest.raises(ValueError, match="owner"):
        Volume.model_validate({"kind": "data", "target": "/data", "owner": "33:33", **change})


def test_the_route_labels_by_the_conventions() -> None:
    labels = make(CATALOG["web"]).services["web"]["labels"]

    assert {k: v for k, v in labels.items() if k.startswith("traefik")} == {
        "traefik.enable": "true",
        "traefik.docker.network": "traefik-network",
        "traefik.http.routers.web.rule": "Host(`web.${DOMAIN}`)",
        "traefik.http.routers.web.entrypoints": "websecure",
        "traefik.http.routers.web.tls.certresolver": "letsencrypt",
        "traefik.http.routers.web.service": "web",
        "traefik.http.routers.web.middlewares": "authelia@docker",
        "traefik.http.services.web.loadbalancer.server.port": "80",
    }


def test_the_log_in_bears_the_name_that_the_labs_routes_ask_for() -> None:
    settings = SETTINGS.model_copy(update={"sso_middleware": "door@docker"})
    own = make(REAL["authelia"], settings).services["authelia"]["labels"]
    asked = make(CATALOG["web"], settings).services["web"]["labels"]["traefik.http.routers.web.middlewares"]

    assert asked == "door@docker"
    assert own["traefik.http.middlewares.door.forwardauth.address"] == "http://authelia:9091/api/authz/forward-auth"
    assert not [k for k in own if k.startswith("traefik.http.middlewares.authelia.")]
    elsewhere = SETTINGS.model_copy(update={"sso_middleware": "door@file"})
    assert make(REAL["authelia"], elsewhere).services == make(REAL["authelia"]).services


def test_api_paths_get_a_router_of_their_own_without_log_in_and_first_in_line() -> None:
    sso = {"policy": "protect", "why": "No log-in.", "api_paths": ["/api", "/.well-known/"]}
    labels = make(definition("x", route={"port": 80, "subdomain": "x", "sso": sso})).services["x"]["labels"]

    assert labels["traefik.http.routers.x-api.rule"] == (
        "Host(`x.${DOMAIN}`) && (Path(`/api`) || PathPrefix(`/api/`) || PathPrefix(`/.well-known/`))"
        r" && !PathRegexp(`(?i)%2f|%5c|\\|\.\.(;|%3b)`)"
    )
    assert "traefik.http.routers.x-api.middlewares" not in labels
    assert int(labels["traefik.http.routers.x-api.priority"]) > len(labels["traefik.http.routers.x-api.rule"])
    assert "traefik.http.routers.x-api.rule" not in str(make(CATALOG["open"]).services)


def test_a_second_instance_shares_no_name_folder_or_host_with_the_first() -> None:
    made = make(CATALOG["app"], name="app2", subdomain="second", tag="2.0")

    assert list(made.services) == ["app2", "app2-db"]
    assert made.services["app2"]["image"] == "example/app:2.0"
    assert made.services["app2"]["volumes"] == ["./app2/data:/data"]
    assert made.services["app2"]["environment"]["DB"] == "app2-db"
    assert made.files[0].path == "app2/config/app.yml"
    assert made.urls == ("https://second.${DOMAIN}",)


def test_existing_values_are_kept_and_only_needed_ones_are_added() -> None:
    made = make(CATALOG["app"], env={"APP_DB_PASSWORD": "kept", "DOMAIN": "other.test"})

    assert made.env == {}
    assert made.secrets == ("kept",)


def test_traefik_follows_the_labs_certificates_address_and_ports() -> None:
    settings = LabSettings(
        domain="lab.test",
        email="me@lab.test",
        bind_address="127.0.0.1",
        http_port=8080,
        https_port=8443,
        acme=Acme(challenge="http", ca_server="https://ca:14000/dir", ca_certificate="/etc/ca$1.pem"),
    )
    block = make(REAL["traefik"], settings).services["traefik"]

    assert block["ports"] == ["127.0.0.1:8080:80", "127.0.0.1:8443:443"]
    assert "--entrypoints.web.http.redirections.entrypoint.to=:8443" in block["command"]
    assert block["command"][-7:] == [
        "--entrypoints.websecure.http.middlewares=security-headers@file,rate-limit@file",
        "--certificatesresolvers.letsencrypt.acme.storage=/letsencrypt/acme.json",
        "--certificatesresolvers.letsencrypt.acme.email=me@lab.test",
        "--certificatesresolvers.letsencrypt.acme.httpchallenge=true",
        "--certificatesresolvers.letsencrypt.acme.httpchallenge.entrypoint=web",
        "--certificatesresolvers.letsencrypt.acme.caserver=https://ca:14000/dir",
        "--entrypoints.websecure.http.tls.certresolver=letsencrypt",
    ]
    assert block["environment"]["LEGO_CA_CERTIFICATES"] == "/etc/homelab/acme-ca.pem"
    assert "/etc/ca$$1.pem:/etc/homelab/acme-ca.pem:ro" in block["volumes"]


def test_the_dns_challenge_asks_for_the_providers_token_and_never_writes_it_into_the_file() -> None:
    with pytest.raises(InvalidInput) as caught:
        make(REAL["traefik"], env={})
    made = make(REAL["traefik"], env={"DUCKDNS_TOKEN": "canary"})

    assert caught.value.details["variables"][0]["name"] == "DUCKDNS_TOKEN"
    assert made.services["traefik"]["environment"]["DUCKDNS_TOKEN"] == "${DUCKDNS_TOKEN}"
    assert "canary" not in str(made.services)
    with pytest.raises(InvalidInput, match="not known"):
        make(REAL["traefik"], LabSettings(domain="lab.test", acme=Acme(dns_provider="nobody")))


def test_authelia_gets_the_hash_of_its_generated_password_in_a_secret_file() -> None:
    made = make_real("authelia")
    users = next(f for f in made.files if f.secret)
    password = made.env["AUTHELIA_ADMIN_PASSWORD"]

    assert (users.mode, yaml12.load(users.text)["users"]["admin"]["password"]) == (0o600, argon2(password))
    assert password in made.secrets and password not in users.text
    assert made.route is not None and not made.route.protected


@pytest.mark.parametrize("reason", ["a\nb", "x\x00"])
def test_a_reason_cannot_bring_lines_along(reason: str) -> None:
    with pytest.raises(InvalidInput):
        make(CATALOG["web"], sso="bypass", sso_reason=reason)


@pytest.mark.parametrize("options", [{"subdomain": "a`) || Host(`b"}, {"name": "../x"}, {"tag": "1\n2"}, {"x": 1}])
def test_options_that_would_break_a_rule_or_a_path_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        ServiceOptions.model_validate(options)


def test_settings_are_written_and_read_back() -> None:
    settings = build_settings(
        {"domain": "lab.test", "email": "", "puid": 0, "acme.challenge": "tls", "media_dir": None}
    )

    assert settings.acme.challenge == "tls"
    assert parse_settings(emit_settings(settings)) == settings
    for wrong in (
        {"domain": "nodots"},
        {},
        {"domain": "lab.test", "nonsense": 1},
        {"domain": "a.b", "media_dir": "x\n"},
    ):
        with pytest.raises(InvalidInput):
            build_settings(wrong)
    with pytest.raises(InvalidInput):
        parse_settings("- 1\n")
