"""Vaultwarden behind the lab's log-in: its apps reach what they call, and everything else asks for a second factor.

The paths are those of dani-garcia/vaultwarden 1.37 (``src/main.rs``, ``src/api``) and of the pages that
bitwarden/clients builds (``apps/web/webpack.base.js``).
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import load_catalog
from homelab_mcp.core.access import accesses
from homelab_mcp.core.derived.access_control import rules_of
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import SETTINGS

APPS = [
    "/identity/accounts/prelogin",
    "/identity/connect/token",
    "/identity/sso/prevalidate?domainHint=lab",
    "/api/config",
    "/api/sync?excludeDomains=true",
    "/api/accounts/revision-date",
    "/api/ciphers/6b1b4a3c-0a4e-4a52-8b8c-55b0a1d0a6b1/admin",
    "/api/sends/access/file/c2f1",
    "/api/sends/ab/cd?t=eyJhbGciOi.J9.x_y-z",
    "/notifications/hub?access_token=eyJ.eyJ.x",
    "/notifications/anonymous-hub?Token=1",
    "/icons/xn--bcher-kva.example.org/icon.png",
    "/attachments/6b1b4a3c/0f3d?token=eyJ.eyJ.x",
    "/events/collect",
    "/connectors/webauthn.0123456789abcdef.js",
    "/webauthn-mobile-connector.html?data=eyJ&parent=https%3A%2F%2Fvault.lab.test&v=2",
    "/duo-redirect-connector.html?client=browser&code=x&state=y",
    "/app-id.json",
    "/.well-known/apple-app-site-association",
]
BROWSERS = [
    "/",
    "/index.html",
    "/app/main.0123456789abcdef.js",
    "/css/vaultwarden.css",
    "/vw_static/admin.js",
    "/admin",
    "/admin/",
    "/admin/users/overview",
    "/admin?x=/api/",
    "//admin",
    "/ADMIN",
    "/%61dmin",
    "/api/../admin",
    "/api/..%2fadmin",
    "/api/%2e%2e/admin",
    "/api/..;/admin",
    "/api//../admin",
    "/identity/.%2e/admin",
    "/icons/..%5cadmin",
    "/apiadmin",
    "/api-docs",
    "/connectors../admin",
    "/app-id.jsonx",
]


@pytest.fixture(scope="module")
def draft() -> Draft:
    return add_service(
        Snapshot((), None),
        SETTINGS,
        AddServiceRequest.model_validate({"service": "vaultwarden"}),
        find=load_catalog().get,
        secrets=lambda *_: "s",
        argon2=lambda _: "h",
        root="/lab",
        read=lambda _: None,
    )


def asked(draft: Draft, path: str) -> str:
    """What Authelia asks: the policy of the first rule whose resources match, as its documentation has it."""
    (edit,) = (e for e in draft.edits if e.path.endswith("compose.yaml"))
    stack = StackFiles("utilities", edit.path, edit.after or "", f"DOMAIN={SETTINGS.domain}\n")
    (route,) = accesses(view(Snapshot((stack,), None)), SETTINGS.sso_middleware, SETTINGS.domain)
    rules: list[dict[str, Any]] = rules_of(route)
    found = (r for r in rules if "resources" not in r or any(re.search(p, path) for p in r["resources"]))
    return str(next(found)["policy"])


def test_what_apps_call_is_open(draft: Draft) -> None:
    assert [path for path in APPS if asked(draft, path) != "bypass"] == []


def test_the_web_vault_and_the_administration_page_ask_for_a_second_factor(draft: Draft) -> None:
    assert [path for path in BROWSERS if asked(draft, path) != "two_factor"] == []


def test_only_the_paths_of_apps_go_round_the_log_in_s_middleware(draft: Draft) -> None:
    (edit,) = (e for e in draft.edits if e.path.endswith("compose.yaml"))
    labels = load(edit.after or "")["services"]["vaultwarden"]["labels"]
    assert labels["traefik.http.routers.vaultwarden.middlewares"] == SETTINGS.sso_middleware
    assert "traefik.http.routers.vaultwarden-api.middlewares" not in labels
    rule = labels["traefik.http.routers.vaultwarden-api.rule"]
    opened = re.findall(r"[^!]Path(?:Prefix)?\(`([^`]*)`\)", rule)
    assert not [path for path in opened if any(b.startswith(path) for b in ("/admin", "/vw_static", "/app/main"))]
    assert "/" not in opened and any("second factor" in note for note in draft.notes)
