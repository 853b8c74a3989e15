"""Rules over labs of many routes look at each a few times, not at each pair."""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LintStack, lint, rules_authelia
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.traefik_labels import Router
from homelab_mcp.model.lab import LintSettings

MANY = 120
TRAEFIK = "services:\n  traefik:\n    image: traefik:v3.7.13\n    command: ['--entrypoints.web.address=:80']\n"
AUTHELIA = """  authelia:
    image: authelia/authelia:4.39.4
    configs: [{source: auth, target: /config/configuration.yml}]
    labels:
      traefik.http.middlewares.auth.forwardauth.address: http://authelia:9091/api/authz/forward-auth
configs:
  auth:
    content: |
      access_control:
        default_policy: deny
        rules: [{domain: w0.example.org, policy: one_factor}]
"""


def only(rule: str) -> LintSettings:
    return LintSettings(ignore=tuple(r.id for r in all_rules() if r.id != rule))


def routes(options: str) -> str:
    return "".join(
        f"  w{n}:\n    image: nginx:1.29\n    labels:\n"
        f"      traefik.http.routers.w{n}.rule: Host(`w{n}.example.org`)\n"
        f"      traefik.http.routers.w{n}.{options.format(n=n)}\n"
        for n in range(MANY)
    )


def test_domains_of_many_routers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    hosts = vars(Router)["hosts"].fget

    def counted(router: Router) -> list[str]:
        nonlocal asked
        asked += 1
        return list(hosts(router))

    monkeypatch.setattr(Router, "hosts", property(counted))
    text = TRAEFIK + routes("tls.domains[0].main: w{n}.example.org")
    found = lint([LintStack("s", "s/compose.yaml", text, {})], settings=only("HL309"))
    assert len(found) == MANY
    assert asked <= 3 * MANY
    shared = TRAEFIK + routes("tls.domains[0].main: '*.example.org'")
    assert lint([LintStack("s", "s/compose.yaml", shared, {})], settings=only("HL309")) == ()


def test_middlewares_of_many_routers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(text: str) -> tuple[str, int]:
        asked.append(text)
        return host_in(text)

    monkeypatch.setattr(rules_authelia, "host_in", counted)
    text = TRAEFIK + routes("middlewares: auth@docker") + AUTHELIA
    found = lint([LintStack("s", "s/compose.yaml", text, {})], settings=only("HL245"))
    assert len(found) == MANY - 1
    assert len(asked) == 1
