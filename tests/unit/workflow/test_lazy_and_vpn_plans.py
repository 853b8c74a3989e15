"""Lazy loading and the VPN as plans of a whole lab: judged by linter and Compose, applied to files, and taken back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.plan_view import view
from homelab_mcp.workflow.proposals import propose_add_service, propose_rollback, propose_set_env
from homelab_mcp.workflow.propose_lazy import propose_lazy_loading
from homelab_mcp.workflow.propose_vpn import propose_vpn

PIN = "27182818"
PERSON = Requester("cli")
SABLIER = "core/traefik/dynamic/sablier.yml"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with Traefik, log-in and Sablier, made once."""
    made = tmp_path_factory.mktemp("core") / "lab"
    settings = {"domain": "lab.test", "email": "a@lab.test", "acme.challenge": "tls"}
    init_lab(open_lab(str(made), files_only=True), settings, PIN)
    for service in ("traefik", "authelia", "sablier"):
        apply(str(made), propose_add_service(lab_at(str(made)), service, "", {}, PERSON))
    return made


@pytest.fixture
def root(core: Path, tmp_path: Path) -> str:
    return str(shutil.copytree(core, tmp_path / "lab"))


def lab_at(root: str) -> LocalLab:
    return open_lab(root, files_only=True)


def apply(root: str, plan: Plan) -> Plan:
    assert [f for f in plan.findings if f.severity is Severity.ERROR] == []
    lab = lab_at(root)
    approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
    assert applier(lab).run(plan.id).state is PlanState.DONE
    return plan


def texts(root: str) -> dict[str, str]:
    found = Path(root).rglob("*")
    return {
        str(p.relative_to(root)): p.read_text()
        for p in found
        if p.is_file() and not {".git", ".homelab"} & set(p.relative_to(root).parts)
    }


def sleep(root: str, service: str, *, on: bool = True) -> Plan:
    return propose_lazy_loading(lab_at(root), service, "", on=on, options={}, requester=PERSON)


def test_a_service_is_added_asleep_woken_for_good_and_all_of_it_taken_back(root: str) -> None:
    start = texts(root)
    added = apply(root, propose_add_service(lab_at(root), "grafana", "", {"lazy": True}, PERSON))
    derived = {e.path for e in added.draft.edits if e.derived}
    assert derived == {SABLIER, "core/authelia/config/access-control.yml"}
    assert "sablier-grafana" in texts(root)[SABLIER]
    assert "experimental.plugins.sablier" in texts(root)["core/compose.yaml"]
    apply(root, sleep(root, "grafana", on=False))
    assert SABLIER not in texts(root)
    assert texts(root)["core/compose.yaml"] == start["core/compose.yaml"]
    awake = texts(root)
    put = apply(root, sleep(root, "grafana"))
    assert texts(root) != awake
    apply(root, propose_rollback(lab_at(root), put.id, PERSON))
    assert texts(root) == awake


def test_a_person_s_file_of_middlewares_beside_it_stays(root: str) -> None:
    mine = Path(root) / "core/traefik/dynamic/mine.yml"
    mine.write_text("http: {middlewares: {gz: {compress: {}}}}\n")
    apply(root, propose_add_service(lab_at(root), "grafana", "", {"lazy": True}, PERSON))
    apply(root, sleep(root, "grafana", on=False))
    assert mine.read_text() == "http: {middlewares: {gz: {compress: {}}}}\n"


def test_what_must_not_sleep_is_not_added_asleep_either(root: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        propose_add_service(lab_at(root), "uptime-kuma", "", {"lazy": True}, PERSON)
    assert refused.value.code == "lazy_refused"


def test_a_service_goes_behind_the_vpn_with_its_keys_set_by_a_person(root: str) -> None:
    apply(root, propose_add_service(lab_at(root), "prowlarr", "", {}, PERSON))
    plain = texts(root)
    stack = next(p.partition("/")[0] for p, t in plain.items() if "\n  prowlarr:" in t)
    with pytest.raises(InvalidInput) as refused:
        propose_vpn(lab_at(root), PERSON, service="prowlarr", state="on", provider="mullvad")
    assert refused.value.code == "vpn_needs_secrets"
    keys = {"WIREGUARD_PRIVATE_KEY": "k3yk3yk3y", "WIREGUARD_ADDRESSES": "10.64.0.2/32"}
    apply(root, propose_set_env(lab_at(root), stack, dict(keys), PERSON))
    plan = apply(root, propose_vpn(lab_at(root), PERSON, service="prowlarr", state="on", provider="mullvad"))
    assert "k3yk3yk3y" not in repr(view(plan, PlanStatus(PlanState.PENDING), 0.0, full=True))
    services = services_of(read(texts(root)[f"{stack}/compose.yaml"]))
    assert services["prowlarr"]["network_mode"] == "service:gluetun"
    assert "traefik.http.routers.prowlarr.rule" in services["gluetun"]["labels"]
    with pytest.raises(InvalidInput) as lazy:
        sleep(root, "prowlarr")
    assert lazy.value.code == "lazy_refused"
    apply(root, propose_vpn(lab_at(root), PERSON, service="prowlarr", state="off"))
    assert services_of(read(texts(root)[f"{stack}/compose.yaml"])) == services_of(read(plain[f"{stack}/compose.yaml"]))


def test_the_command_line_says_the_same(root: str) -> None:
    def run(*words: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "homelab_mcp", "--root", root, "--files-only", *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        said: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, said.get("error", said)

    apply(root, propose_add_service(lab_at(root), "grafana", "", {}, PERSON))
    code, plan = run("lazy", "grafana", "on", "--session", "10m", "--plan-only")
    assert code in (0, 3), plan
    assert "sleep" in str(plan["summary"])
    code, error = run("lazy", "traefik", "on")
    assert (code, error["code"]) == (1, "lazy_refused")
    code, error = run("vpn", "set", "grafana", "on", "--provider", "mullvad")
    assert (code, error["code"]) == (1, "vpn_not_possible")
    code, listed = run("vpn", "providers")
    assert code == 0
    assert "airvpn" in str(listed)
    code, error = run("vpn", "check")
    assert (code, error["code"]) == (1, "needs_docker")
