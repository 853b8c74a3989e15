"""What facts come to: causes in the order of how sure they are."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.adapters.failure_files import load_signatures
from homelab_mcp.core.diagnosis import diagnose
from homelab_mcp.core.diagnosis.checks import looked_at
from homelab_mcp.core.diagnosis.known_lines import LENGTH, matches
from homelab_mcp.core.diagnosis.peers import reach
from homelab_mcp.model.diagnosis import ContainerFacts, ContainerMount, Facts, HostPath, Other, RouteFacts
from homelab_mcp.model.observed import ContainerState

SIGNATURES = load_signatures()
NET = ("net",)


def container(state: str = "running", *, code: int | None = None, **more: Any) -> ContainerFacts:
    health, restarts, networks = more.pop("health", ""), more.pop("restarts", 0), more.pop("networks", NET)
    status = ContainerState("c1", "app", "app:1", state, health, "apps", "app", exit_code=code)
    return ContainerFacts(replace(status, restart_count=restarts, networks=networks), **more)


def ran(seconds: int, **more: Any) -> ContainerFacts:
    """Killed so long after its start, without the engine's word on memory."""
    one = container("exited", code=137, finished_at=f"2026-01-02T03:04:{5 + seconds:02}.5Z", **more)
    return replace(one, state=replace(one.state, started_at="2026-01-02T03:04:05.25Z"))


def facts(one: ContainerFacts | None, **more: Any) -> Facts:
    there = () if one is None else (one,)
    given = {"image": "app:1", **more}
    return Facts("apps", "app", containers=there, signatures=SIGNATURES, networks=frozenset(NET), **given)


def first(found: Facts, what: str = "service") -> str:
    return next((c.id for c in diagnose(found, what)), "")


def crashed(*logs: str, **more: Any) -> Facts:
    return facts(container("restarting", code=1, restarts=3, restart="always"), logs=logs, **more)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (crashed("panic: bad"), "crash_loop"),
        (facts(container("exited", code=137, oom=True, restart="always")), "oom_killed"),
        (facts(container("exited", code=137, restart="unless-stopped")), "stopped_by_person"),
        (facts(ran(2, memory=2**25)), "oom_killed"),
        (facts(ran(2)), "stopped_by_person"),
        (facts(ran(12, memory=2**25)), "stopped_by_person"),
        (facts(container("exited", code=0, restart="no")), "ended_normally"),
        (facts(container("exited", code=137, restart="unless-stopped"), lazy=True), "asleep"),
        (facts(container("paused")), "paused"),
        (facts(container("exited", code=127)), "command_not_found"),
        (facts(container("created", error="exec format error")), "wrong_architecture"),
        (facts(container("created", error="Bind for 0.0.0.0:80 failed: port is already allocated")), "port_taken"),
        (facts(None, wanted_networks=("gone",)), "network_missing"),
        (facts(None, image_here=False), "image_missing"),
        (facts(None), "never_started"),
        (crashed("API_KEY is not set", missing=("API_KEY",)), "env_missing"),
        (crashed("invalid value for LOG_LEVEL: loud"), "env_bad_value"),
        (
            crashed("Can't start Nextcloud because the version of the data (31)", image="docker.io/nextcloud:30"),
            "downgrade_refused",
        ),
        (crashed('FATAL: password authentication failed for user "a"'), "db_password"),
        (crashed("wget: bad address 'databse'", others=(Other("apps", "database", "running"),)), "wrong_service_name"),
        (crashed("bad address 'db'", others=(Other("apps", "db", "exited"),)), "dependency_down"),
        (crashed("could not connect to server 127.0.0.1"), "localhost_meant"),
        (
            crashed(
                "touch: /data/x: Permission denied",
                paths=(HostPath("/data", "./data", "folder", 0, 0, 0o700),),
                puid=1000,
            ),
            "permission_denied",
        ),
        (
            crashed(
                "can't create /data/x: Read-only file system", paths=(HostPath("/data", "d", "folder", read_only=True),)
            ),
            "mount_read_only",
        ),
        (
            facts(container(health="unhealthy", health_log=('exit code -1: exec: "curl": executable file not found',))),
            "health_program_missing",
        ),
        (facts(container("exited", code=1), recent=("p1", "Update app", 60.0)), "recent_change"),
        (facts(container(), drift=True), "stale_container"),
    ],
)
def test_the_likeliest_cause_comes_first(found: Facts, cause: str) -> None:
    assert first(found) == cause


def route(**more: Any) -> RouteFacts:
    edge = Other("edge", "traefik", "running", "", frozenset(NET))
    given = {"hosts": ("app.lab.test",), "port": 80, "enabled": "true", "traefik": edge, "status": 502, **more}
    return RouteFacts(**given)


@pytest.mark.parametrize(
    ("one", "seen", "cause"),
    [
        (container(listens=frozenset({8080})), route(), "wrong_port"),
        (container(listens=frozenset({80}), listens_local=frozenset({80})), route(), "listens_on_loopback"),
        (container(listens=frozenset()), route(), "not_listening"),
        (container(networks=("apart",)), route(status=504), "not_on_traefik_network"),
        (container(), route(traefik=Other("edge", "traefik", "exited"), status=0), "traefik_down"),
        (container(), route(enabled="false", status=404), "traefik_disabled"),
        # With allowEmptyServices its route stays: no server, or one without an address, and never a good one.
        (container(health="starting"), route(status=500), "left_out_unhealthy"),
        (container(health="starting"), route(status=503), "left_out_unhealthy"),
        (container(health="starting"), route(status=404), "left_out_unhealthy"),
        (container(), route(undefined=("slow@docker",), status=404), "middleware_undefined"),
        (container(), route(clashes=("apps/twin",), status=200), "rule_clash"),
        (container(), route(sso=True, status=500, login=Other("core", "authelia", "exited")), "login_down"),
        (
            container(),
            route(sso=True, status=302, login=Other("core", "authelia", "running"), login_protected=True),
            "sso_loop",
        ),
        (
            container(),
            route(status=200, certificate="subject x, ended 2020-01-01", expired="2020-01-01"),
            "certificate_expired",
        ),
        (
            container(),
            route(status=200, certificate="TRAEFIK DEFAULT CERT", hosts=("a.b.lab.test",), domain="lab.test"),
            "host_too_deep",
        ),
        (container(), route(status=200, resolves=(), verified=True), "host_not_in_dns"),
    ],
)
def test_a_route_is_judged_by_what_stands_in_its_way(one: ContainerFacts, seen: RouteFacts, cause: str) -> None:
    assert first(facts(one, route=seen), "route") == cause


def test_the_health_of_what_has_ended_is_no_cause_and_no_evidence() -> None:
    stopped = facts(container("exited", code=0, health="unhealthy", restart="always"), route=route(status=404))
    assert {c.id for c in diagnose(stopped, "route")}.isdisjoint({"left_out_unhealthy", "health_fails"})
    assert "health check" not in {e.what for e in looked_at(stopped)}


def test_a_service_that_works_has_no_cause() -> None:
    well = facts(
        container(health="healthy", listens=frozenset({80})),
        route=route(status=200, verified=True, resolves=("1.2.3.4",)),
    )
    assert diagnose(well) == ()
    assert all(check.ok for check in looked_at(well))


def test_old_lines_of_a_service_that_runs_count_for_less() -> None:
    line = 'FATAL: password authentication failed for user "a"'
    crash, runs = diagnose(crashed(line))[0], diagnose(facts(container(), logs=(line,)))[0]
    assert (crash.id, runs.id) == ("db_password", "db_password")
    assert runs.confidence < crash.confidence - 0.3


def test_what_the_person_saw_counts_as_a_line() -> None:
    assert first(facts(container(), error="database disk image is malformed")) == "db_corrupt"


def test_two_services_on_different_networks_are_told_to_be_connected() -> None:
    found = reach(facts(container()), Other("apps", "db", "running", "", frozenset({"other"})))
    assert found[0].id == "no_shared_network"
    assert found[0].fix.as_dict()["arguments"] == {"a": "apps/app", "b": "apps/db"}


def test_a_secret_is_generated_and_a_setting_is_asked_for() -> None:
    found = diagnose(crashed("x", missing=("DB_PASSWORD", "SITE_URL")))
    fix = next(c.fix for c in found if c.id == "env_missing")
    assert fix.arguments == {"stack": "apps", "generate": ["DB_PASSWORD"], "values": {"SITE_URL": "VALUE"}}


def test_each_signature_has_its_parts_and_a_source() -> None:
    assert len(SIGNATURES) >= 40
    assert len({s.id for s in SIGNATURES}) == len(SIGNATURES)
    for one in SIGNATURES:
        assert one.source.startswith("https://"), one.id
        assert one.cause.endswith("."), one.id
        assert one.fix.endswith((".", ")")), one.id
        assert 0.3 <= one.confidence < 1
        assert not re.search(r"[*+}]\)[*+{]", one.pattern), f"{one.id}: a repeat of a repeat"


@pytest.mark.parametrize("text", ["a" * 600, "(" * 600, "error " * 100, "=" * 300 + "'" * 300, "x: " * 200, "A_" * 300])
def test_no_line_keeps_a_signature_busy(text: str) -> None:
    everywhere = tuple(replace(s, images=()) for s in SIGNATURES)
    begun = time.process_time()
    list(matches(everywhere, "app", (text[:LENGTH],) * 20))
    diagnose(crashed(*([text] * 20)))
    assert time.process_time() - begun < 5


def test_a_memory_disk_that_is_full_is_told_by_its_place() -> None:
    one = container("exited", code=1, mounts=(ContainerMount("tmpfs", "", "/scratch"),))
    assert first(facts(one, logs=("dd: error writing '/scratch/x': No space left on device",))) == "tmpfs_full"


def offered(found: Facts, what: str = "service") -> dict[str, Any]:
    """The call that the likeliest cause offers; {} for a person's work."""
    fix = diagnose(found, what)[0].fix
    return {"tool": fix.tool, **{k: v for k, v in fix.arguments.items() if k not in ("service", "stack")}}


def path(target: str, *, read_only: bool = False) -> HostPath:
    return HostPath(target, "./x", "folder", read_only=read_only)


@pytest.mark.parametrize(
    ("found", "call"),
    [
        (crashed("open /data/x: Read-only file system", paths=(path("/data", read_only=True),)), "writable:/data"),
        (crashed("Too many open files"), "more_files"),
        (facts(None, wanted_networks=("gone",)), "make_network:gone"),
        (
            facts(
                container("created", error="x"),
                takers={80: "a/b"},
                route=RouteFacts(("a.lab.test",), enabled="true", traefik=Other("core", "traefik", "running")),
            ),
            "unpublish:80",
        ),
        (
            facts(container("exited", code=127), body={"entrypoint": ["/bin/server"]}),
            "own_command",
        ),
        (
            facts(container("created", error="unable to find user me: no such user"), body={"user": "me"}),
            "own_user",
        ),
        (
            facts(
                container("created", error='error gathering device information "/dev/ttyA": no such file'),
                body={"devices": ["/dev/ttyA:/dev/tty", "/dev/dri"]},
            ),
            "no_device:/dev/ttyA",
        ),
        (
            facts(
                container(health="unhealthy", health_log=("Health check exceeded timeout (1s)",)),
                body={"healthcheck": {"test": "x"}},
            ),
            "patient_health",
        ),
        (
            crashed(
                "getaddrinfo ENOTFOUND databse",
                others=(Other("apps", "database", "running", networks=frozenset(NET)),),
                body={"environment": {"DB": "databse:1"}},
            ),
            "rename_host:databse>database",
        ),
    ],
)
def test_the_plan_that_settles_it_is_ready(found: Facts, call: str) -> None:
    assert offered(found) == {"tool": "update_service", "repairs": [call]}


@pytest.mark.parametrize(
    "found",
    [
        facts(container("exited", code=127)),
        facts(container("created", error="x"), takers={443: "a/b"}),
        facts(container("created", error="unable to find user me: no such user")),
        facts(container("created", error='error gathering device information "/dev/ttyA": no such file')),
        facts(container(health="unhealthy", health_log=("Health check exceeded timeout (1s)",))),
        crashed(
            "getaddrinfo ENOTFOUND databse",
            others=(Other("apps", "database", "running", networks=frozenset(NET)),),
            body={"environment": {"DB": "${DB}"}},
        ),
    ],
)
def test_where_its_file_has_nothing_to_change_a_person_is_told_what_to_do(found: Facts) -> None:
    assert offered(found) == {"tool": ""}
    assert diagnose(found)[0].fix.what


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("postgres:17", "15"),
        ("docker.io/library/postgres:17.2-alpine3.20@sha256:00", "15-alpine"),
        ("pgvector/pgvector:0.8.0-pg17", "0.8.0-pg15"),
    ],
)
def test_data_of_a_former_major_version_leads_to_its_tag(image: str, tag: str) -> None:
    line = "DETAIL: The data directory was initialized by PostgreSQL version 15, which is not compatible with 17."
    assert offered(crashed(line, image=image)) == {"tool": "update_service", "tag": tag}


def test_a_missing_image_leads_to_the_tag_that_is_here() -> None:
    assert offered(facts(None, image_here=False, tags=("1.2", "1.1"))) == {"tool": "update_service", "tag": "1.2"}
    assert offered(facts(None, image_here=False)) == {"tool": "control_service", "action": "recreate"}


def test_a_mounted_program_for_another_processor_is_not_the_images_fault() -> None:
    one = container("created", error="exec format error", image_architecture="amd64")
    assert offered(facts(one, host_architecture="x86_64", paths=(path("/app"),))) == {"tool": ""}
    assert offered(facts(one, host_architecture="aarch64", paths=(path("/app"),)))["tag"] == "TAG"
