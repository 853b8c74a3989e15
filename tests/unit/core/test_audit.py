"""The audits, on facts made here: each finding has its evidence and a call that plans its fix, and nothing is said
of what is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core.access import all_routes
from homelab_mcp.core.audit.facts import SUBJECTS, AuditFacts, AuditFinding, Running, Subject
from homelab_mcp.core.audit.linted import RULES
from homelab_mcp.core.audit.report import MOST_RULES, audit
from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.resources import Host
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import PublishedPort, Snapshot, StackFiles

NOW = 1_800_000_000.0
DAY = 86_400
MIB = 2**20
COMPOSE = """services:
  wiki:
    image: wiki:1
    mem_limit: 256m
    volumes: [./wiki:/data]
    labels:
      traefik.http.routers.wiki.rule: Host(`wiki.lab.test`)
  blog:
    image: blog:1
    labels:
      traefik.http.routers.blog.rule: Host(`blog.lab.test`)
      homelab.sso: bypass
      homelab.sso.reason: readers have no account
  safe:
    image: safe:1
    privileged: true
    labels:
      traefik.http.routers.safe.rule: Host(`safe.lab.test`)
      traefik.http.routers.safe.middlewares: authelia@docker
"""


def facts(compose: str = COMPOSE, **changes: Any) -> AuditFacts:
    stacks = (StackFiles("apps", "apps/compose.yaml", compose),)
    settings = LabSettings(domain="lab.test")
    seen = view(Snapshot(stacks, None))
    found = lint([LintStack(s.name, s.compose_path, s.compose_text, {}) for s in stacks])
    made = AuditFacts(seen, settings, found, tuple(all_routes(seen, settings)), running=(), now=NOW)
    return replace(made, **changes)


def found(made: AuditFacts, subject: Subject, id: str) -> list[AuditFinding]:
    return [f for f in audit(made, subject).findings if f.id == id]


def test_every_rule_that_is_named_is_there() -> None:
    known = {r.id for r in all_rules()}
    assert {rule for rules in RULES.values() for rule in rules} <= known
    assert set(RULES) == set(SUBJECTS)


def test_a_route_without_log_in_is_told_once_and_a_stated_reason_is_kept() -> None:
    made = facts()

    (wiki,) = found(made, "security", "open_route")
    assert wiki.service == "apps/wiki"
    assert wiki.severity is Severity.WARNING
    assert wiki.fix is not None
    assert wiki.fix.tool == "set_access_policy"
    assert wiki.fix.arguments == {"services": ["apps/wiki"], "policy": "one_factor"}
    assert wiki.ask

    (blog,) = found(made, "security", "open_route_with_reason")
    assert "readers have no account" in blog.message
    assert blog.severity is Severity.INFO
    assert blog.fix is None
    said = [f for f in audit(made, "security").findings if f.service == "apps/wiki"]
    assert "HL080" not in {f.id for f in said}
    assert not [f for f in audit(made, "security").findings if f.id.startswith("open_") and f.service == "apps/safe"]


@pytest.mark.parametrize(
    ("firewall", "severity", "words"),
    [
        ("ufw", Severity.WARNING, "before ufw's rules"),
        ("nftables", Severity.WARNING, "nftables has rules"),
        ("none", Severity.INFO, "no firewall rules of its own"),
        ("unseen", Severity.INFO, "cannot be seen"),
    ],
)
def test_ports_that_docker_opens_are_told_with_what_the_firewall_does_to_them(
    firewall: str, severity: Severity, words: str
) -> None:
    ports = (
        PublishedPort("0.0.0.0", 8080, 80),
        PublishedPort("::", 8080, 80),
        PublishedPort("127.0.0.1", 9000, 9000),
        PublishedPort("0.0.0.0", 443, 443),
    )
    made = facts(running=(Running("apps", "wiki", user="1000", ports=ports),), firewall=firewall)

    (port,) = found(made, "security", "port_past_firewall")

    assert port.severity is severity
    assert port.message.startswith("Ports 8080/tcp are open")
    assert words in port.message
    assert bool(found(made, "security", "firewall_unseen")) is (firewall == "unseen")
    assert bool(found(made, "security", "no_firewall")) is (firewall == "none")


def test_root_and_old_images_are_the_engines_word() -> None:
    made = facts(
        running=(
            Running("apps", "wiki", "wiki:1", user="", image_created=NOW - 400 * DAY),
            Running("apps", "blog", "blog:1", user="", drops_root=True, image_created=NOW - 200 * DAY),
            Running("apps", "safe", "safe:1", user="1000:1000", image_created=315_532_800.0),
        )
    )

    assert [f.service for f in found(made, "security", "runs_as_root")] == ["apps/wiki"]
    old = {f.service: f for f in found(made, "security", "old_image")}
    assert {k: v.severity for k, v in old.items()} == {"apps/wiki": Severity.WARNING, "apps/blog": Severity.INFO}
    assert "400 days" in old["apps/wiki"].message
    assert not found(replace(made, old_days=500), "security", "old_image")


def test_secrets_are_judged_and_never_told() -> None:
    long, short = "canary-long-0123456789", "canary-9"
    made = facts(secrets={"apps": {"DB_PASSWORD": short, "API_KEY": long}, "docs": {"TOKEN": long}})

    report = audit(made, "security")

    (weak,) = [f for f in report.findings if f.id == "weak_secret"]
    assert weak.fix is not None
    assert weak.fix.arguments == {"stack": "apps", "generate": ["DB_PASSWORD"]}
    (shared,) = [f for f in report.findings if f.id == "shared_secret"]
    assert shared.evidence == "apps/.env API_KEY, docs/.env TOKEN"
    assert "canary" not in str([f.as_dict() for f in report.findings])
    assert "canary" not in repr(made)


def test_use_near_a_limit_restarts_and_memory_deaths_are_told_with_a_plan() -> None:
    made = facts(
        running=(
            Running("apps", "wiki", memory=250 * MIB, memory_limit=256 * MIB),
            Running("apps", "blog", state="restarting", restarts=7),
            Running("apps", "safe", state="exited", out_of_memory=True, restarts=2),
        )
    )

    (near,) = found(made, "resources", "near_limit")
    assert near.evidence == "250M of 256M"
    assert near.fix is not None
    assert near.fix.arguments == {"service": "wiki", "stack": "apps", "limits": {"memory": "384M"}}
    (loop,) = found(made, "resources", "restarts")
    assert (loop.service, loop.severity) == ("apps/blog", Severity.ERROR)
    (killed,) = found(made, "resources", "out_of_memory")
    assert killed.service == "apps/safe"
    assert audit(made, "resources").findings[0].severity is Severity.ERROR
    calm = replace(made, running=(Running("apps", "wiki", memory=100 * MIB, memory_limit=256 * MIB, restarts=2),))
    assert {f.id for f in audit(calm, "resources").findings} <= RULES["resources"]


def test_a_service_without_a_limit_gets_one_from_what_it_uses() -> None:
    (first, *_) = found(facts(), "resources", "HL112")

    assert first.fix is not None
    assert first.fix.tool == "update_service"
    assert first.fix.arguments["resources"] == "measured"
    assert not first.ask


def test_reservations_over_the_host_are_told() -> None:
    compose = "services:\n  a:\n    image: a:1\n    mem_reservation: 3g\n"

    assert found(facts(compose, host=Host(2, 2**30)), "resources", "overbooked")
    assert not found(facts(compose, host=Host(2, 8 * 2**30)), "resources", "overbooked")


def test_no_backup_is_told_until_something_makes_one() -> None:
    (none,) = found(facts(), "backups", "no_backup")
    assert none.evidence == "apps/wiki"

    with_one = f"{COMPOSE}  keep:\n    image: garethgeorge/backrest:v1.9\n"
    assert not found(facts(with_one), "backups", "no_backup")
    outside = facts(settings=LabSettings(domain="lab.test", backup_paths=("/srv",)))
    assert not found(outside, "backups", "no_backup")
    nothing_kept = COMPOSE.replace("    volumes: [./wiki:/data]\n", "    volumes: [/etc/localtime:/etc/localtime:ro]\n")
    assert not found(facts(nothing_kept), "backups", "no_backup")


def test_the_labs_own_backup_says_what_it_lacks() -> None:
    made = facts(backup=(("apps/wiki: ./wiki (left out)",), ("No backup has been made yet.",)))

    told = audit(made, "backups").findings

    assert [(f.id, f.severity) for f in told if not f.id.startswith("HL")] == [
        ("backup_problem", Severity.ERROR),
        ("not_in_backup", Severity.WARNING),
    ]


def test_a_health_check_that_the_image_brings_counts() -> None:
    assert {f.service for f in found(facts(), "monitoring", "HL113")} == {"apps/wiki", "apps/blog", "apps/safe"}

    made = facts(running=(Running("apps", "wiki", health="healthy"), Running("apps", "blog", health="unhealthy")))

    assert {f.service for f in found(made, "monitoring", "HL113")} == {"apps/safe"}
    assert [f.service for f in found(made, "monitoring", "unhealthy")] == ["apps/blog"]


def test_monitors_are_known_by_their_images() -> None:
    assert found(facts(), "monitoring", "no_uptime_monitor")
    assert found(facts(), "monitoring", "no_metrics")
    watched = f"{COMPOSE}  up:\n    image: louislam/uptime-kuma:2\n  fig:\n    image: prom/prometheus@sha256:abc\n"
    assert not found(facts(watched), "monitoring", "no_uptime_monitor")
    assert not found(facts(watched), "monitoring", "no_metrics")


def test_one_call_plans_all_that_is_safe_and_another_one_what_needs_a_word() -> None:
    compose = (
        "services:\n  a:\n    image: a:1\n    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n"
        "    security_opt: ['no-new-privileges:false']\n"
    )
    report = audit(facts(compose), "security")

    assert report.batch is not None
    assert report.batch.tool == "fix_compose"
    assert report.batch.arguments == {"stack": "", "rules": ["HL091"]}
    assert report.batch_all is not None
    assert report.batch_all.arguments["unsafe"] is True
    assert set(report.batch_all.arguments["rules"]) > {"HL091"}
    assert len(report.batch_all.arguments["rules"]) <= MOST_RULES


def test_only_one_stack_and_files_alone() -> None:
    made = facts(running=None, secrets={"docs": {"PASSWORD": "short"}})

    assert {f.service.partition("/")[0] for f in audit(made, "security", "apps").findings} <= {"apps", ""}
    assert audit(made, "security").unseen == ("Docker was not asked or did not answer: files alone were judged.",)
    assert not audit(facts("services: {}\n"), "monitoring").findings
