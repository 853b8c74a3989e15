"""What doctor says of HTTP tokens, and of roll-backs that failed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.project_name import ONE_OFF_LABEL
from homelab_mcp.model.host import Check
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import ContainerState, PublishedPort
from homelab_mcp.model.token import Scope
from homelab_mcp.queries.doctor import doctor, machine
from homelab_mcp.workflow.assembly import recovery


def test_it_says_whether_the_server_would_listen_without_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOMELAB_HTTP_TOKEN", raising=False)
    (tmp_path / ".homelab").mkdir(mode=0o700)
    lab = open_lab(str(tmp_path), files_only=True)

    def said() -> Check:
        return next(check for check in doctor(lab) if check.name == "http_tokens")

    assert said().ok
    assert "would listen without a token" in said().sentence
    lab.tokens.create("laptop", (Scope.READ,), 90)
    assert said() == Check("http_tokens", True, "HTTP clients need a token: 1 in the lab.")
    lab.tokens.revoke("laptop")
    assert not said().ok
    assert "none is left" in said().sentence
    monkeypatch.setenv("HOMELAB_HTTP_TOKEN", "static-canary-0123456789")
    assert said().ok
    assert "canary" not in said().sentence
    (tmp_path / ".homelab" / "tokens.json").write_text("{")
    assert not said().ok


def test_a_failed_roll_back_is_told_with_both_ways_out_until_it_is_settled(tmp_path: Path) -> None:
    (tmp_path / ".homelab").mkdir(mode=0o700)
    lab = open_lab(str(tmp_path), files_only=True)

    def said() -> Check:
        return next(check for check in doctor(lab) if check.name == "roll_backs")

    assert said().ok
    for number in range(4):
        plan = f"plan{number}"
        lab.journal.append("apply_begin", {"plan": plan, "summary": f"Add thing{number}"})
        lab.journal.append("rollback_failed", {"plan": plan, "evidence": []})
    told = said()
    assert not told.ok
    assert "plan0 (Add thing0); plan1 (Add thing1); plan2 (Add thing2) and 1 more" in told.sentence
    assert "homelab-mcp recover`" in told.hint
    assert "recover --as-it-is plan0`" in told.hint
    lab.journal.append("recovered", {"plan": "plan0", "outcome": "rolled_back"})
    for number in (1, 2, 3):
        recovery(lab).accept(f"plan{number}", "test")
    assert said().ok


def test_a_port_of_compose_run_is_published_by_that_and_one_of_a_stranger_or_another_host_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(name: str, port: int, **more: Any) -> ContainerState:
        return ContainerState(name, name, "x", "running", ports=(PublishedPort("", port, 80),), **more)

    found = (
        of("core-traefik-run-1", 80, stack="core", service="traefik", labels={ONE_OFF_LABEL: "True"}),
        of("somebodys", 443),
        of("there", 443, stack="core", service="traefik", host="nas"),
    )

    def containers(*, besides: bool = False) -> tuple[ContainerState, ...]:
        return found if besides else found[2:]

    lab = open_lab(str(tmp_path))
    monkeypatch.setattr(lab, "engine", SimpleNamespace(containers=containers))
    told = {c.name: c.sentence for c in machine(lab, LabSettings(domain="lab.test"))}
    assert told["port_80"] == "Port 80 is published by core-traefik-run-1."
    assert "published" not in told["port_443"]


@pytest.mark.parametrize("there", [False, True])
def test_before_there_is_a_lab_it_looks_at_the_machine_and_says_once_that_there_is_none(
    tmp_path: Path, there: bool
) -> None:
    root = tmp_path / "stacks"
    if there:
        (root / "media").mkdir(parents=True)
        (root / "media" / "compose.yaml").write_text("services:\n  web: {image: 'nginx:1.27'}\n")
    checks = doctor(open_lab(str(root), files_only=True))
    wrong = [check for check in checks if check.level == "fail" and check.name != "owner"]
    assert [check.name for check in wrong] == ["lab"]
    assert "homelab-mcp init" in wrong[0].hint
    assert {"python", "disk_media", "memory"} <= {check.name for check in checks}
