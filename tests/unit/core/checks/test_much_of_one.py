"""Much of one thing in a lab costs as much more, not the square of it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable

import pytest

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.core.checks.alike import Words


def _takes(stacks: list[LintStack], facts: LabFacts | None = None) -> float:
    started = time.process_time()
    lint(stacks, facts=facts or LabFacts())
    return time.process_time() - started


@pytest.mark.parametrize(
    "test",
    [
        "curl; true" + " " * 40_000 + "x",
        "curl; true ;" + " " * 40_000 + "x",
        "curl ||" + " " * 40_000 + "; true",
        "curl" + "\\n" * 40_000 + "; true",
        "curl" + "; " * 20_000 + "true",
    ],
    ids=["behind true", "behind the end", "before the end", "lines", "ends"],
)
def test_a_health_check_with_much_room_in_it(test: str) -> None:
    text = f'services:\n  web:\n    image: nginx:1.29\n    healthcheck:\n      test: "{test}"\n'
    assert _takes([LintStack("s", "s/compose.yaml", text, {})]) < 2


def _network(n: int) -> str:
    return (
        "services:\n  w:\n    image: nginx:1.29\n    networks: [a, b]\n"
        f"networks:\n  a: {{external: true, name: net-outer-{n}}}\n  b: {{name: net-inner-{n}}}\n"
    )


def _host(n: int) -> str:
    return (
        f"services:\n  w{n}:\n    image: x/y:1\n    environment: {{A_URL: 'http://hostname-of-nobody-{n}:8080'}}\n"
        f"  hostname-of-one-{n}:\n    image: x/z:1\n"
    )


def _route(n: int) -> str:
    labels = (
        f"traefik.http.routers.r{n}.rule: Host(`a{n}.example.org`), "
        f"traefik.http.routers.r{n}.middlewares: middle-{n}x, "
        f"traefik.http.middlewares.middle-{n}.compress: 'true', traefik.http.routers.r{n}.service: back-{n}x, "
        f"traefik.http.services.back-{n}.loadbalancer.server.port: '80'"
    )
    return f"services:\n  w{n}:\n    image: x/y:1\n    labels: {{{labels}}}\n"


@pytest.mark.parametrize("of", [_network, _host, _route])
def test_many_names_that_nobody_has(of: Callable[[int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    quick = difflib.SequenceMatcher.real_quick_ratio

    def counted(self: difflib.SequenceMatcher[str]) -> float:
        nonlocal compared
        compared += 1
        return quick(self)

    monkeypatch.setattr(difflib.SequenceMatcher, "real_quick_ratio", counted)
    traefik = "services:\n  traefik:\n    image: traefik:v3.6.1\n    command: ['--providers.docker=true']\n"
    stacks = [LintStack(f"s{n}", f"s{n}/compose.yaml", of(n), {}) for n in range(400)]
    found = lint([*stacks, LintStack("t", "t/compose.yaml", traefik, {})], facts=LabFacts(networks=frozenset({"x"})))
    assert found
    assert compared <= 400 * 250


def test_among_many_words_a_slip_is_found_wherever_it_is() -> None:
    many = Words(
        [f"{letters}-{n}" for letters in ("media", "photos", "proxy", "backup") for n in range(250)] + ["grafana"]
    )
    for slip in ("rgafana", "grfana", "graffana", "grafanna", "grafan", "Grafana"):
        assert many.near(slip, 0.75) == "grafana"
    assert many.near("nobody-at-all-is-called-so") == ""
    few = Words(["grafana", "loki"])
    assert few.near("loky") == "loki"
