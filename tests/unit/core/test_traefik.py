"""What Traefik's container gains by the lab's settings, and its dynamic folder's own file."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.derived import LabAfter, derive
from homelab_mcp.core.derived.traefik_dynamic import traefik_dynamic
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.settings import build_settings
from homelab_mcp.core.traefik import dynamic_text, gives_certificates, traefik_parts
from homelab_mcp.core.traefik.providers import PROVIDERS, provider
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.core.operation_parts import CATALOG
from tests.unit.core.test_generator import REAL, make

ACME = "--certificatesresolvers.letsencrypt.acme"
TLS = "--entrypoints.websecure.http.tls"


def settings(**values: Any) -> LabSettings:
    return build_settings({"domain": "lab.example.org", "email": "me@example.org", **values})


def command(**values: Any) -> tuple[str, ...]:
    return traefik_parts(settings(**values)).command


def test_there_are_enough_providers_and_each_says_what_it_wants() -> None:
    assert len(PROVIDERS) >= 25
    assert len({p.code for p in PROVIDERS}) == len(PROVIDERS)
    assert [p.code for p in PROVIDERS][:2] == ["duckdns", "cloudflare"]
    assert all(p.variables and p.name for p in PROVIDERS)
    assert not [v for p in PROVIDERS for v in p.plain if v.endswith(("TOKEN", "SECRET", "PASSWORD", "API_KEY"))]


@pytest.mark.parametrize("code", [p.code for p in PROVIDERS])
def test_with_dns_one_wildcard_certificate_is_asked_for_at_the_entry_point(code: str) -> None:
    values = {"acme.dns_provider": code}
    parts = traefik_parts(settings(**values))
    found = provider(code)

    assert found is not None
    assert f"{ACME}.dnschallenge.provider={code}" in parts.command
    assert parts.command[-3:] == (
        f"{TLS}.certresolver=letsencrypt",
        f"{TLS}.domains[0].main=lab.example.org",
        f"{TLS}.domains[0].sans=*.lab.example.org",
    )
    assert parts.environment == {v: f"${{{v}}}" for v in found.variables}
    assert {v.name for v in parts.variables if v.secret} == set(found.secret)


def test_a_provider_of_no_table_here_is_taken_with_its_variables_named() -> None:
    values = {"acme.dns_provider": "exoscale", "acme.dns_variables": ["EXOSCALE_API_KEY", "EXOSCALE_API_SECRET"]}
    parts = traefik_parts(settings(**values))
    assert "--certificatesresolvers.letsencrypt.acme.dnschallenge.provider=exoscale" in parts.command
    assert parts.environment["EXOSCALE_API_KEY"] == "${EXOSCALE_API_KEY}"
    assert {v.name for v in parts.variables if v.secret} == set(values["acme.dns_variables"])
    for wrong in ({"acme.dns_provider": "exoscale"}, {**values, "acme.dns_provider": "exo scale --x"}):
        with pytest.raises(InvalidInput) as told:
            traefik_parts(settings(**wrong))
        assert told.value.code == "dns_provider_unknown"


def test_a_provider_with_one_record_a_domain_is_asked_patiently_and_of_public_resolvers() -> None:
    slow = command()
    assert f"{ACME}.dnschallenge.propagation.disableanschecks=true" in slow
    assert f"{ACME}.dnschallenge.propagation.delaybeforechecks=60s" in slow
    assert f"{ACME}.dnschallenge.resolvers=1.1.1.1:53,9.9.9.9:53" in slow
    assert not [f for f in command(**{"acme.dns_provider": "cloudflare"}) if "propagation" in f or "resolvers=" in f]


def test_a_person_may_name_other_resolvers_or_have_it_wait_instead_of_asking() -> None:
    chosen = command(**{"acme.resolvers": ["192.0.2.1:53"], "acme.propagation_wait": 30})
    assert f"{ACME}.dnschallenge.resolvers=192.0.2.1:53" in chosen
    assert f"{ACME}.dnschallenge.propagation.disablechecks=true" in chosen
    assert f"{ACME}.dnschallenge.propagation.delaybeforechecks=30s" in chosen
    assert not [f for f in chosen if "disableanschecks" in f]
    with pytest.raises(InvalidInput):
        settings(**{"acme.resolvers": ["1.1.1.1:53,--x"]})


@pytest.mark.parametrize("challenge", ["http", "tls"])
def test_without_dns_each_route_gets_its_own_certificate_and_no_wildcard_is_asked_for(challenge: str) -> None:
    found = command(**{"acme.challenge": challenge})
    assert f"{ACME}.{challenge}challenge=true" in found
    assert f"{TLS}.certresolver=letsencrypt" in found
    assert not [f for f in found if "domains" in f or "dnschallenge" in f]


def test_staging_has_its_own_server_and_its_own_store_so_that_leaving_it_asks_anew() -> None:
    trying = command(**{"acme.staging": True})
    assert f"{ACME}.caserver=https://acme-staging-v02.api.letsencrypt.org/directory" in trying
    assert f"{ACME}.storage=/letsencrypt/acme-staging.json" in trying
    assert f"{ACME}.storage=/letsencrypt/acme.json" in command()
    assert not [f for f in command() if "caserver" in f]
    own = command(**{"acme.staging": True, "acme.ca_server": "https://ca.lan/dir"})
    assert [f for f in own if "caserver" in f] == [f"{ACME}.caserver=https://ca.lan/dir"]


def test_ones_own_certificates_need_no_ca_and_the_first_is_for_all_else() -> None:
    chosen = settings(**{"acme.challenge": "none", "traefik.certificates": ["home", "nas.lan"]})
    parts, text = traefik_parts(chosen, "edge"), yaml12.load(dynamic_text(chosen))

    assert f"{TLS}=true" in parts.command and not [f for f in parts.command if "certificatesresolvers" in f]
    assert "./edge/certificates:/certificates:ro" in parts.volumes
    first = {"certFile": "/certificates/home.crt", "keyFile": "/certificates/home.key"}
    assert text["tls"]["certificates"][0] == first
    assert text["tls"]["certificates"][1]["keyFile"] == "/certificates/nas.lan.key"
    assert text["tls"]["stores"]["default"]["defaultCertificate"] == first
    assert "stores" not in yaml12.load(dynamic_text(settings(**{"traefik.certificates": ["home"]})))["tls"]
    alone = traefik_parts(settings(**{"acme.challenge": "none"})).notes
    assert any("no browser trusts" in note for note in alone)


def test_the_dynamic_file_has_headers_a_limit_and_no_tls_below_1_2() -> None:
    found = yaml12.load(dynamic_text(settings(**{"traefik.rate_limit": 50})))

    middlewares = found["http"]["middlewares"]
    assert middlewares["rate-limit"]["rateLimit"] == {"average": 50, "period": "1s", "burst": 150}
    headers = middlewares["security-headers"]["headers"]
    assert headers["stsSeconds"] >= 15_552_000 and headers["contentTypeNosniff"] is True
    assert headers["customResponseHeaders"] == {"Server": "", "X-Powered-By": ""}
    assert found["tls"]["options"]["default"] == {"minVersion": "VersionTLS12"}
    assert yaml12.load(dynamic_text(settings(**{"traefik.rate_limit": 0})))["http"]["middlewares"]["rate-limit"] == {
        "rateLimit": {"average": 0, "period": "1s", "burst": 1}
    }


def test_docker_is_asked_through_a_proxy_on_a_network_of_their_own() -> None:
    made = make(REAL["traefik"])
    proxy, traefik = made.services["traefik-socket"], made.services["traefik"]

    assert "--providers.docker.endpoint=tcp://traefik-socket:2375" in traefik["command"]
    assert not [v for v in traefik["volumes"] if "docker.sock" in v]
    assert proxy["networks"] == ["traefik-private"] and made.networks["traefik-private"] == {"internal": True}
    assert "ports" not in proxy and proxy["environment"]["POST"] == "0"
    assert traefik["depends_on"]["traefik-socket"] == {"condition": "service_healthy"}


def test_a_person_may_have_the_socket_in_traefik_itself() -> None:
    made = make(REAL["traefik"], settings(**{"traefik.docker_access": "socket"}))

    assert list(made.services) == ["traefik"]
    assert "/var/run/docker.sock:/var/run/docker.sock:ro" in made.services["traefik"]["volumes"]
    assert not [f for f in made.services["traefik"]["command"] if "endpoint" in f]
    assert "traefik-private" not in made.networks


def test_an_access_log_in_a_file_is_put_aside_before_it_grows_without_end() -> None:
    block = make(REAL["traefik"], settings(**{"traefik.access_log": "file"})).services["traefik"]

    assert "--accesslog.filepath=/logs/access.log" in block["command"]
    assert "./traefik/logs:/logs" in block["volumes"]
    kind, script = block["healthcheck"]["test"]
    assert kind == "CMD-SHELL" and "kill -USR1 1" in script and "traefik healthcheck --ping" in script
    assert "$" not in script.replace("$$", "")
    assert make(REAL["traefik"]).services["traefik"]["healthcheck"]["test"][0] == "CMD"


def test_metrics_are_served_inside_the_lab_alone() -> None:
    block = make(REAL["traefik"]).services["traefik"]
    assert "--metrics.prometheus=true" in block["command"]
    assert block["ports"] == ["80:80", "443:443"]


def test_a_route_says_nothing_of_certificates_where_the_entry_point_does() -> None:
    assert gives_certificates(make(REAL["traefik"]).services["traefik"]["command"])
    assert not gives_certificates(["--entrypoints.websecure.address=:443"]) and not gives_certificates(None)
    labels = make(REAL["traefik"]).services["traefik"]["labels"]
    assert not [k for k in labels if ".tls" in k]
    alone = make(CATALOG["web"], settings(**{"acme.challenge": "none"})).services["web"]["labels"]
    assert alone["traefik.http.routers.web.tls"] == "true"


def test_media_services_share_a_network_of_their_own() -> None:
    assert "media-network" in make(REAL["jellyfin"]).services["jellyfin"]["networks"]
    assert make(REAL["jellyfin"]).networks["media-network"] == {"external": True}
    assert "media-network" not in make(CATALOG["web"]).networks


def test_the_file_follows_the_settings_beside_a_traefik_that_asks_for_it_and_beside_no_other() -> None:
    made = make(REAL["traefik"])
    from homelab_mcp.core.compose_edit import new_document

    ours = new_document(made.services, networks=made.networks, urls=made.urls)
    old = ours.replace("security-headers@file,", "")

    def files(text: str) -> list[tuple[str, str | None]]:
        snapshot = Snapshot((StackFiles("core", "core/compose.yaml", text),), None)
        chosen = settings(**{"traefik.rate_limit": 7})
        lab = LabAfter(snapshot, chosen, view(snapshot), lambda _: made.files[-1].text, lambda _: None, "/opt/stacks")
        return [(f.path, f.text) for f in derive(lab, (traefik_dynamic,))]

    assert [path for path, _ in files(ours)] == ["core/traefik/dynamic/homelab.yaml"]
    assert "average: 7" in str(files(ours)[0][1])
    assert files(old) == []
