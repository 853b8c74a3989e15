"""``audit`` and ``check`` on containers that run: whom they run as, what they publish, that one crashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.audit.facts import Subject
from homelab_mcp.queries.audit import audit
from homelab_mcp.queries.check_lab import check_lab
from testbed import LocalImage, Scratch, free_port
from testbed.docker_engine import wait_until

IMAGE = "homelab-tests/audit:1"


@pytest.fixture(scope="module")
def lab(
    docker_engine: str, stand_in: Callable[..., LocalImage], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalLab]:
    with Scratch() as scratch:
        stand_in(IMAGE)
        root = tmp_path_factory.mktemp("lab")
        stack = scratch.claim_project(scratch.name("audit"))
        (root / stack).mkdir()
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        common = f"    image: {IMAGE}\n    stop_signal: KILL\n    entrypoint: [/bin/sh, -c, 'exec sleep 1000']\n"
        (root / stack / "compose.yaml").write_text(
            f"services:\n  shown:\n{common}    ports: ['{free_port()}:80']\n    mem_limit: 64m\n"
            f"  user:\n{common}    user: '1000'\n"
            f"  loop:\n    image: {IMAGE}\n    entrypoint: [/bin/false]\n    restart: always\n"
            f"  absent:\n    image: {IMAGE}\n"
        )
        ComposeCli(root).up(stack, ["shown", "user", "loop"])
        yield LocalLab(str(root))


def found(lab: LocalLab, what: Subject) -> set[tuple[str, str]]:
    return {(f.id, f.service.rpartition("/")[2]) for f in audit(lab, what).findings}


def test_what_the_engine_knows_is_told(lab: LocalLab) -> None:
    security = found(lab, "security")

    assert ("runs_as_root", "shown") in security
    assert ("runs_as_root", "user") not in security
    assert {who for id, who in security if id == "port_past_firewall"} == {"shown"}
    wait_until(lambda: ("restarts", "loop") in found(lab, "resources"), "a crash loop that is told")
    assert ("near_limit", "shown") not in found(lab, "resources")


def test_a_check_tells_the_service_that_is_gone_and_the_one_that_crashes(lab: LocalLab) -> None:
    def told() -> set[str]:
        checked = check_lab(lab, skip=["drift", "host"])
        assert not checked.ok
        return {f"{t.what.rpartition('/')[2]}: {t.message}" for t in checked.troubles}

    wait_until(lambda: told() == {"absent: it has no container.", "loop: it is restarting."}, "both to be told")
