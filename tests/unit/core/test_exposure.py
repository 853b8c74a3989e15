"""What a plan opens counts as high risk, whichever operation made the plan."""

from __future__ import annotations

import pytest

from homelab_mcp.core.exposure import CORE_TOLD, what_opens
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk

SETTINGS = "domain: lab.test\nexternal:\n  nas: {url: 'https://10.0.0.5:5001', sso: protect}\n"
RULE = "traefik.http.routers.web.rule: Host(`web.lab.test`)"
LOGIN = "traefik.http.routers.web.middlewares: authelia@docker"


def stack(body: str, name: str = "apps", env: str = "") -> StackFiles:
    return StackFiles(name, f"{name}/compose.yaml", f"services:\n  web:\n    image: web:1\n{body}", env)


def snapshot(*stacks: StackFiles, settings: str = SETTINGS, shared: str = "") -> Snapshot:
    return Snapshot(stacks, settings, shared_env=shared)


def opened(before: Snapshot, after: Snapshot, draft: Draft | None = None) -> list[str]:
    found = what_opens(draft or Draft("rollback", "Take back", (), ()), before, after)
    assert all(r.risk is Risk.HIGH for r in found)
    return [r.reason for r in found]


def ports(*texts: str) -> str:
    return f"    ports: [{', '.join(texts)}]\n"


def labels(*lines: str) -> str:
    return "    labels:\n" + "".join(f"      {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((), ("'8080:80'",), "web publishes 8080:80 on the host."),
        (("'8080:80'",), ("'8080:80'", "'8443:443'"), "web publishes 8443:443 on the host."),
        (("'127.0.0.1:8080:80'",), ("'8080:80'",), "web publishes 8080:80 on the host."),
        (("'127.0.0.1:8080:80'",), ("'[::]:8080:80'",), "web publishes [::]:8080:80 on the host."),
        (("'10.0.0.2:8080:80'",), ("'0.0.0.0:8080:80'",), "web publishes 0.0.0.0:8080:80 on the host."),
        (("'8080:80'",), ("'8080:80/udp'",), "web publishes 8080:80/udp on the host."),
        (("'8080:80'",), ("'8080-8090:80-90'",), "web publishes 8080-8090:80-90 on the host."),
        ((), ("{target: 80, published: '8080'}",), "web publishes 8080:80 on the host."),
        ((), ("'80'",), "web publishes 80 on the host."),
        ((), ("'${NOBODY_KNOWS}:80'",), "web publishes ${NOBODY_KNOWS}:80 on the host."),
        (("'8080:80'",), ("'8080:81'",), ""),
        (("'8080:80'",), ("'10.0.0.2:8080:80'",), ""),
        (("'8080:80'",), ("'127.0.0.1:8080:80'", "'[::1]:9090:80'"), ""),
        (("'8080-8090:80-90'",), ("'8085:85'",), ""),
        (("'8080:80'",), (), ""),
    ],
)
def test_a_port_that_others_reach_anew_is_told(before: tuple[str, ...], after: tuple[str, ...], told: str) -> None:
    found = opened(snapshot(stack(ports(*before))), snapshot(stack(ports(*after))))
    assert found == ([told] if told else [])


def test_a_variable_that_opens_a_port_is_seen_through() -> None:
    text = ports("'${BIND}:8080:80'")
    closed, wide = "BIND=127.0.0.1\n", "BIND=0.0.0.0\n"
    assert opened(snapshot(stack(text, env=closed)), snapshot(stack(text, env=wide))) != []
    assert opened(snapshot(stack(text), shared=closed), snapshot(stack(text), shared=wide)) != []
    assert opened(snapshot(stack(text, env=wide)), snapshot(stack(text, env=closed))) == []


def test_a_port_that_moves_with_its_service_is_nothing_new() -> None:
    there = stack(ports("'8080:80'"), "media")
    assert opened(snapshot(stack(ports("'8080:80'"))), snapshot(there)) == []


def test_the_hosts_own_network_is_told() -> None:
    host = stack("    network_mode: host\n")
    assert opened(snapshot(stack("")), snapshot(host)) == ["web uses the host's own network."]
    assert opened(snapshot(host), snapshot(host)) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((RULE, LOGIN), (RULE,), "apps/web is reached without the lab's log-in"),
        ((RULE, LOGIN), (RULE, "homelab.sso: bypass", "homelab.sso.reason: quick"), '"quick"'),
        ((RULE, LOGIN, "homelab.sso: two_factor"), (RULE, LOGIN), "asks for no second factor any more"),
        ((RULE, LOGIN, "homelab.sso.groups: admins"), (RULE, LOGIN), "lets everyone pass"),
        ((RULE, LOGIN, "homelab.sso.groups: a"), (RULE, LOGIN, "homelab.sso.groups: 'a,b'"), "lets more groups pass"),
        (
            (RULE, LOGIN),
            (RULE, LOGIN, "traefik.http.routers.web-api.rule: Host(`web.lab.test`) && PathPrefix(`/api`)"),
            "without the lab's log-in below /api",
        ),
        ((RULE,), (RULE, LOGIN), ""),
        ((RULE,), (RULE,), ""),
        ((RULE, LOGIN), (), ""),
        ((), (RULE,), ""),
        ((RULE, LOGIN), (RULE, LOGIN, "homelab.sso: two_factor"), ""),
    ],
)
def test_a_host_that_asks_for_less_is_told(before: tuple[str, ...], after: tuple[str, ...], told: str) -> None:
    found = opened(snapshot(stack(labels(*before) if before else "")), snapshot(stack(labels(*after) if after else "")))
    assert bool(found) is bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("sso: protect", "sso: bypass, sso_reason: it asks itself", "it asks itself"),
        ("sso: two_factor", "sso: protect", "no second factor"),
        ("sso: protect, sso_groups: [admins]", "sso: protect", "lets more people pass"),
        ("sso: bypass, sso_reason: it asks itself", "sso: protect", ""),
    ],
)
def test_a_device_outside_that_asks_for_less_is_told(before: str, after: str, told: str) -> None:
    old, new = (f"domain: lab.test\nexternal:\n  nas: {{url: 'https://10.0.0.5:5001', {t}}}\n" for t in (before, after))
    found = opened(snapshot(settings=old), snapshot(settings=new))
    assert bool(found) is bool(told)
    assert told in "".join(found)


CORE = stack("", "core")
LABELLED = stack(labels("homelab.category: core"))


@pytest.mark.parametrize(
    ("edits", "actions", "high"),
    [
        ((FileEdit("core/compose.yaml", "a", "b"),), (), True),
        ((FileEdit("core/.env", "a", "b", secret=True),), (), True),
        ((FileEdit("core/compose.override.yaml", None, "b"),), (), True),
        ((FileEdit("core/authelia/config/access-control.yml", "a", "b", derived=True),), (), False),
        ((FileEdit("core/homepage/config/services.yaml", "a", "b"),), (), False),
        ((FileEdit("apps/compose.yaml", "a", "b"),), (), False),
        ((), (EngineAction(ActionKind.STOP, "", "core", ("web",)),), True),
        ((), (EngineAction(ActionKind.UP, "", "core"),), True),
        ((), (EngineAction(ActionKind.RECREATE, "", "core", ("web",)),), True),
        ((), (EngineAction(ActionKind.RESTART, "", "core", ("web",)),), False),
        ((), (EngineAction(ActionKind.PULL, "", "core", ("web",)),), False),
        ((), (EngineAction(ActionKind.UP, "", "apps", ("web",)),), True),
        ((), (EngineAction(ActionKind.UP, "", "apps", ("other",)),), False),
    ],
)
def test_what_touches_the_core_is_told(
    edits: tuple[FileEdit, ...], actions: tuple[EngineAction, ...], high: bool
) -> None:
    lab = snapshot(CORE, LABELLED)
    found = opened(lab, lab, Draft("rollback", "Take back", edits, actions))
    assert found == ([CORE_TOLD] if high else [])
