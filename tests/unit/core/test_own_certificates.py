"""Services that show a certificate of their own: Traefik leaves it unchecked for them alone, by label and file."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from homelab_mcp.core import yaml12
from homelab_mcp.core.derived import LabAfter, derive
from homelab_mcp.core.derived.host_routes import host_routes_file
from homelab_mcp.core.derived.own_certificates import own_certificates_file
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.core.own_certificates import FILE, HEAD
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import definition

SETTINGS = LabSettings(domain="lab.test")
TRAEFIK = """services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.docker=true, --providers.file.directory=/dynamic, --entrypoints.websecure.address=:443]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
"""
PATH = f"core/traefik/dynamic/{FILE}"
ROUTE: dict[str, Any] = {
    "port": 80,
    "scheme": "https",
    "own_certificate": True,
    "subdomain": "panel",
    "sso": {"policy": "protect", "why": "No log-in of its own."},
}
PANEL = definition("panel", route=ROUTE)


def added(core: str = TRAEFIK, name: str = "panel") -> Draft:
    return add_service(
        Snapshot((StackFiles("core", "core/compose.yaml", core),), "domain: lab.test\n"),
        SETTINGS,
        AddServiceRequest(service="panel", options=ServiceOptions(name=name)),
        find=lambda _: PANEL,
        secrets=lambda _, length: "s" * length,
        argon2=lambda _: "$argon2id$x",
        root="/lab",
        read=lambda _: None,
    )


def files(*stacks: StackFiles, **there: str) -> dict[str, str | None]:
    snapshot = Snapshot((StackFiles("core", "core/compose.yaml", TRAEFIK), *stacks), "domain: lab.test\n")
    read = {"hosts.yaml": "hosts:\n  nas: {address: 'ssh://root@nas', private: 10.0.0.2}\n", **there}
    lab = LabAfter(snapshot, SETTINGS, view(snapshot), read.get, lambda _: None, "/lab")
    return {f.path: f.text for f in derive(lab, [own_certificates_file, host_routes_file])}


def stack(draft: Draft, host: str = "") -> StackFiles:
    (compose,) = [e for e in draft.edits if e.path == "apps/compose.yaml"]
    text = with_host(compose.after or "", host) if host else compose.after or ""
    return StackFiles("apps", compose.path, text, "DOMAIN=lab.test\n")


def test_the_file_defines_what_the_labels_name_and_nothing_else() -> None:
    text = files(stack(added()), StackFiles("web", "web/compose.yaml", "services: {web: {image: 'example/web:1'}}\n"))
    assert yaml12.load(text[PATH] or "") == {
        "http": {"serversTransports": {"panel-own-certificate": {"insecureSkipVerify": True}}}
    }


def test_the_file_goes_with_the_last_of_them_and_somebody_elses_is_let_be() -> None:
    assert files(**{PATH: f"{HEAD}http: {{}}\n"})[PATH] is None
    assert PATH not in files()
    assert PATH not in files(stack(added()), **{PATH: "http: {}\n"})


def test_two_of_one_kind_have_a_transport_each() -> None:
    draft = added(name="second")
    assert list(yaml12.load(files(stack(draft))[PATH] or "")["http"]["serversTransports"]) == ["second-own-certificate"]


def test_on_another_host_the_core_traefik_asks_it_so() -> None:
    there = files(stack(added(core=TRAEFIK), "nas"))
    assert "panel-own-certificate" in (there[PATH] or "")
    text = stack(added(), "nas").compose_text.replace("    labels:", '    ports: ["10.0.0.2:8443:80"]\n    labels:')
    routes = files(StackFiles("apps", "apps/compose.yaml", text, "DOMAIN=lab.test\n"))
    services = yaml12.load(routes["core/traefik/dynamic/other-hosts.yaml"] or "")["http"]["services"]
    assert services["nas-apps-panel"]["loadBalancer"] == {
        "servers": [{"url": "https://10.0.0.2:8443"}],
        "serversTransport": "panel-own-certificate@file",
    }


def test_the_plan_says_that_the_certificate_is_not_checked() -> None:
    assert [r.reason for r in added().risks if "does not check the certificate of panel" in r.reason]
    assert not [n for n in added().notes if "serversTransport" in n]


def test_a_traefik_without_a_folder_of_files_must_be_told_by_hand() -> None:
    plain = TRAEFIK.replace("--providers.file.directory=/dynamic, ", "")
    assert [n for n in added(plain).notes if "panel-own-certificate" in n]


def test_without_https_there_is_no_certificate() -> None:
    with pytest.raises(ValidationError, match="own_certificate is for scheme https"):
        definition("panel", route=ROUTE | {"scheme": "http"})
