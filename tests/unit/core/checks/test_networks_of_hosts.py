"""Networks are judged by the engine of the stack's own host, under the name that facts give them."""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.core.text_edits import apply_edits
from homelab_mcp.model.finding import Finding

NAS = "x-homelab: {host: nas}\n"
WEB = "services:\n  web:\n    image: nginx:1.29\n"
FRONT = f"{WEB}    networks: [proxy_net]\nnetworks: {{proxy_net: {{external: true}}}}\n"
MAKER = f"{WEB}    networks: [p]\nnetworks: {{p: {{name: proxy-net}}}}\n"
KEYED = f"{WEB}    networks: [proxy_net]\nnetworks: {{proxy_net: {{}}}}\n"
MODE = f"{WEB}    network_mode: proxy_net\n"
HERE = {"bridge", "proxy_net"}
ASKED = {"bridge", "nas/bridge"}


def found(rule: str, *texts: str, networks: set[str] | None) -> list[Finding]:
    stacks = [LintStack(f"s{n}", f"s{n}/compose.yaml", text, {}) for n, text in enumerate(texts)]
    return [f for f in lint(stacks, facts=LabFacts(networks=networks), fixes=True) if f.rule == rule]


@pytest.mark.parametrize(
    ("rule", "texts"),
    [("HL025", (FRONT,)), ("HL141", (MODE,)), ("HL293", (FRONT, MAKER)), ("HL209", (FRONT, KEYED))],
)
def test_each_host_has_its_own(rule: str, texts: tuple[str, ...]) -> None:
    there = tuple(f"{NAS}{text}" for text in texts)
    assert found(rule, *texts, networks={"bridge"})
    assert not found(rule, *texts, networks=HERE)
    assert found(rule, *texts, networks={"bridge", "nas/bridge", "nas/proxy_net"}), "another host has it"
    assert not found(rule, *there, networks={"bridge", "nas/bridge", "nas/proxy_net"})
    assert found(rule, *there, networks=ASKED)
    assert found(rule, *there, networks=ASKED | HERE), "this machine has it"
    assert not found(rule, *there, networks={"bridge"}), "nobody asked that host"


@pytest.mark.parametrize("rule", ["HL293", "HL209"])
def test_what_another_hosts_stack_makes_is_not_meant(rule: str) -> None:
    maker = MAKER if rule == "HL293" else KEYED
    assert found(rule, FRONT, maker, networks=None)
    assert not found(rule, f"{NAS}{FRONT}", maker, networks=None)
    assert not found(rule, FRONT, f"{NAS}{maker}", networks=ASKED)


@pytest.mark.parametrize(
    ("more", "made"),
    [
        ("", True),
        ("    networks: [default]\nnetworks: {default: {}}\n", True),
        ("    network_mode: host\n", False),
        ("    network_mode: host\nnetworks: {default: {}}\n", False),
        ("    profiles: [now and then]\n", False),
        ("    profiles: [now and then]\nnetworks: {default: {}}\n", False),
    ],
)
def test_a_default_network_is_made_with_a_service_on_it_that_is_started(more: str, made: bool) -> None:
    head = "services:\n  web:\n    image: nginx:1.29\n"
    user = f"{head}    networks: [other]\nnetworks: {{other: {{external: true, name: s1_default}}}}\n"
    assert bool(found("HL025", user, head + more, networks={"bridge"})) is not made
    assert not found("HL293", user, head + more, networks={"bridge"})


def test_a_missing_network_is_told_with_the_host_that_lacks_it() -> None:
    (told,) = found("HL025", f"{NAS}{FRONT}", networks=ASKED)
    assert told.message == (
        "The engine of host 'nas' has no network 'proxy_net'; make it there with 'docker network create proxy_net'."
    )


@pytest.mark.parametrize(
    ("head", "networks", "external"),
    [
        ("", HERE, True),
        ("", {"bridge", "nas/proxy_net"}, False),
        (NAS, HERE, False),
        (NAS, {"bridge", "nas/proxy_net"}, True),
    ],
)
def test_a_fix_declares_it_external_where_the_stacks_own_host_has_it(
    head: str, networks: set[str], external: bool
) -> None:
    text = f"{head}{WEB}    networks: [proxy_net]\n"
    (told,) = found("HL020", text, networks=networks)
    assert told.fix
    assert ("external: true" in apply_edits(text, list(told.fix.edits))) is external
