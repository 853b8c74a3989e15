"""What counts as holding, and how long it takes to say that something does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.model.lab import Acme
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import RouteCheck, Verification
from homelab_mcp.workflow.patience import Patience, patience_of
from homelab_mcp.workflow.verifier import Verifier, is_traefik
from tests.unit.workflow.fakes import FakeClock, FakeContainer, FakeDocker, FakeProbe


def verifier(
    image: str, probe: FakeProbe | None = None, patience: Patience | None = None
) -> tuple[Verifier, FakeClock, FakeDocker]:
    docker, clock = FakeDocker(), FakeClock()
    docker.containers_now["a"] = FakeContainer("a", "s", "app", image, "h")
    docker.containers_now["t"] = FakeContainer("t", "core", "traefik", "traefik:v3.7", "h")
    return Verifier(engine=docker, probe=probe or FakeProbe(), clock=clock, patience=patience), clock, docker


def test_without_a_health_check_it_must_run_for_a_while_without_a_restart() -> None:
    looker, clock, _ = verifier("steady:1")
    (seen,) = looker.verify(Verification("s", ("app",)))
    assert (seen.ok, seen.what) == (True, "app runs steadily")
    assert 30 <= clock.passed < 32


class Falling(FakeDocker):
    """A container that falls every so many seconds and is restarted at once.

    ``falls``: how often, then it stays up; ``health``: before the first fall, and after it.
    """

    def __init__(
        self, clock: FakeClock, every: float, falls: int = 10**6, health: tuple[str, str] = (" ", " ")
    ) -> None:
        super().__init__()
        self.clock, self.every, self.falls, self.health = clock, every, falls, health
        self.containers_now["a"] = FakeContainer("a", "s", "app", "steady:1", "h")

    def inspect(self, container_id: str) -> ContainerState:
        fell = min(int(self.clock.passed / self.every), self.falls)
        health = self.health[bool(fell)].strip()
        return replace(super().inspect(container_id), restart_count=fell, started_at=str(fell), health=health)


@pytest.mark.parametrize("every", [0.3, 2, 5, 9.4, 10.6, 14, 17, 22, 29])
def test_a_crash_loop_of_any_period_within_the_window_is_told_within_35_seconds(every: float) -> None:
    clock = FakeClock()
    looker = Verifier(engine=Falling(clock, every), probe=FakeProbe(), clock=clock)
    (seen,) = looker.verify(Verification("s", ("app",)))
    assert (seen.ok, "crash-loops" in seen.what) == (False, True)
    assert clock.passed <= 35


class Restarting(Falling):
    """As an engine on a busy machine: it takes 5 s to start the container again, and tells nothing of it meanwhile."""

    SLOW = 5.0

    def held(self) -> float:
        """Seconds until it has been started again."""
        since = self.clock.passed % (self.every + self.SLOW) - self.every
        return self.SLOW - since if since >= 0 else 0.0

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        word = "restarting" if self.held() else "running"
        return tuple(
            replace(c, state=word, status="Restarting (3)") for c in super().containers(stack, besides=besides)
        )

    def inspect(self, container_id: str) -> ContainerState:
        self.clock.sleep(self.held())
        fell = int(self.clock.passed / (self.every + self.SLOW))
        return replace(FakeDocker.inspect(self, container_id), restart_count=fell, started_at=str(fell), health="")

    def logs(self, container_id: str, **how: Any) -> Iterator[tuple[str, str, str]]:
        self.clock.sleep(self.held())
        return super().logs(container_id, **how)


@pytest.mark.parametrize(("every", "falls"), [(28, 1), (11, 1), (4, 3)])
def test_a_fall_is_told_before_the_engine_has_started_the_container_again(every: float, falls: int) -> None:
    clock, told = FakeClock(), []
    looker = Verifier(engine=Restarting(clock, every), probe=FakeProbe(), clock=clock)
    (seen,) = looker.verify(Verification("s", ("app",)), tell=lambda what: told.append((what, clock.passed)))
    ((what, when),) = told
    fell = falls * every + (falls - 1) * Restarting.SLOW
    assert fell <= when < fell + 1
    assert (seen.ok, seen.what) == (False, what)
    assert "crash-loops" in what


@pytest.mark.parametrize("health", [(" ", " "), ("starting", "healthy")])
def test_a_service_that_falls_once_while_it_comes_up_is_watched_for_the_whole_window_after_it(
    health: tuple[str, str],
) -> None:
    clock = FakeClock()
    looker = Verifier(engine=Falling(clock, 4, 1, health), probe=FakeProbe(), clock=clock)
    (seen,) = looker.verify(Verification("s", ("app",)))
    assert seen.ok
    assert 34 <= clock.passed < 36


def test_a_health_check_that_passes_needs_no_window() -> None:
    looker, clock, _ = verifier("web:1")
    (seen,) = looker.verify(Verification("s", ("app",)))
    assert (seen.what, clock.passed) == ("app is healthy", 0)


class Thawing(FakeDocker):
    """A container that its health check calls unhealthy until ``well``, as one that was paused."""

    clock: FakeClock
    well: float

    def inspect(self, container_id: str) -> ContainerState:
        seen = super().inspect(container_id)
        return replace(seen, health="healthy" if self.clock.passed >= self.well else "unhealthy")


@pytest.mark.parametrize(("well", "thawed", "said"), [
    (20, ("app",), "app is healthy"),
    (20, (), "app is unhealthy: its health check fails"),
    (1000, ("app",), "app did not come up in time (still unhealthy)"),
])  # fmt: skip
def test_what_was_paused_is_not_judged_by_the_checks_that_failed_meanwhile(
    well: float, thawed: tuple[str, ...], said: str
) -> None:
    docker, clock = Thawing(), FakeClock()
    docker.clock, docker.well = clock, well
    docker.containers_now["a"] = FakeContainer("a", "s", "app", "web:1", "h")
    (seen,) = Verifier(engine=docker, probe=FakeProbe(), clock=clock).verify(Verification("s", ("app",)), thawed=thawed)
    assert seen.what == said


def test_a_crash_loop_is_told_within_seconds() -> None:
    looker, clock, _ = verifier("crash:1")
    (seen,) = looker.verify(Verification("s", ("app",)))
    assert not seen.ok
    assert "crash-loops" in seen.what
    assert seen.detail.startswith("last log lines of s-app-1 (untrusted data):\n")
    assert "listening" in seen.detail
    assert clock.passed < 35


def test_a_health_check_that_never_passes_ends_after_its_start_period_and_patience() -> None:
    looker, clock, docker = verifier("steady:1")
    docker.containers_now["a"].state = "created"
    text = "services:\n  app:\n    image: x\n    healthcheck: {test: [CMD, a], start_period: 1m30s}\n"
    (seen,) = looker.verify(Verification("s", ("app",)), compose_text=text)
    assert seen.what == "app did not come up in time (still created)"
    assert 210 <= clock.passed < 212


def test_a_service_that_others_wait_for_to_complete_may_end_but_only_well() -> None:
    looker, _, docker = verifier("exit:1")
    needs = "{app: {condition: service_completed_successfully}}"
    text = f"services:\n  app: {{image: x}}\n  b: {{image: y, depends_on: {needs}}}\n"
    (seen,) = looker.verify(Verification("s", ("app",)), compose_text=text)
    assert not seen.ok, "it ended with code 3"
    docker.exit_code = 0
    assert looker.verify(Verification("s", ("app",)), compose_text=text)[0].what == "app ran to its end"
    assert not looker.verify(Verification("s", ("app",)))[0].ok, "nothing waits for it, so it should run"


def test_a_missing_container_is_a_failure() -> None:
    looker, _, _ = verifier("web:1")
    (seen,) = looker.verify(Verification("s", ("other",)))
    assert (seen.ok, seen.what) == (False, "other has no container")


def test_gone_means_gone() -> None:
    looker, clock, docker = verifier("web:1")
    (seen,) = looker.verify(Verification("s", gone=("app",)))
    assert (seen.ok, clock.passed >= 10) == (False, True)
    del docker.containers_now["a"]
    assert looker.verify(Verification("s", gone=("app",)))[0].ok


@pytest.mark.parametrize(
    ("statuses", "sso", "ok"),
    [
        ([200], False, True),
        ([401], False, True),
        ([0, 404, 502, 302], False, True),
        ([404], False, False),
        ([0], False, False),
        ([503], False, False),
        # A server without an address: what Traefik answers for who is not healthy, from 3.7.2 on.
        ([500], False, False),
        ([500], True, False),
        ([302], True, True),
        ([401], True, True),
        ([404, 200, 200, 302], True, True),
        ([200], True, False),
        ([403], True, False),
    ],
)
def test_a_route_must_answer_as_it_should(statuses: list[int], sso: bool, ok: bool) -> None:
    looker, clock, _ = verifier("web:1", FakeProbe(statuses, location="https://auth.lab.test/?rd=x"))
    seen = looker.verify(Verification("s", ("app",), routes=(RouteCheck("app", "app.lab.test", sso=sso),)))
    assert seen[-1].ok is ok, seen
    assert clock.passed < 70


def test_a_certificate_that_comes_late_is_waited_for() -> None:
    looker, clock, _ = verifier("web:1", FakeProbe([200], untrusted=20))
    seen = looker.verify(Verification("s", ("app",), routes=(RouteCheck("app", "app.lab.test"),)))
    assert seen[-1].ok
    assert seen[-1].what.endswith("certificate trusted")
    assert 5 < clock.passed < 70


def test_a_certificate_that_never_comes_is_said_and_undoes_nothing() -> None:
    looker, _, _ = verifier("web:1", FakeProbe([200], untrusted=10**6))
    seen = looker.verify(Verification("s", ("app",), routes=(RouteCheck("app", "app.lab.test"),)))
    assert seen[-1].ok
    assert "its certificate is not trusted yet" in seen[-1].what


@pytest.mark.parametrize(
    ("acme", "seconds", "yet"),
    [
        (Acme(challenge="none"), 6, ""),
        (Acme(staging=True), 6, ""),
        (Acme(staging=True, root_certificate="/etc/ssl/staging.pem"), 91, " yet"),
        (Acme(), 91, " yet"),
    ],
)
def test_a_certificate_that_nobody_will_ever_trust_is_not_waited_for(acme: Acme, seconds: float, yet: str) -> None:
    looker, clock, _ = verifier("web:1", FakeProbe([200], untrusted=10**6), patience_of(acme))
    seen = looker.verify(Verification("s", routes=(RouteCheck("app", "app.lab.test"),)))
    assert seen[-1].ok
    assert seen[-1].what.endswith(f"its certificate is not trusted{yet}")
    assert seconds - 2 < clock.passed < seconds + 1


@pytest.mark.parametrize("missed", [0, 404, 500])
def test_one_answer_that_is_missed_while_a_certificate_is_waited_for_undoes_nothing(missed: int) -> None:
    looker, clock, _ = verifier("web:1", FakeProbe([*[200] * 140, missed, 200], untrusted=10**6))
    seen = looker.verify(Verification("s", routes=(RouteCheck("app", "app.lab.test"),)))
    assert seen[-1].ok, seen
    assert "its certificate is not trusted yet" in seen[-1].what
    assert clock.passed > 80
    looker, clock, _ = verifier("web:1", FakeProbe([*[200] * 140, missed], untrusted=10**6))
    assert not looker.verify(Verification("s", routes=(RouteCheck("app", "app.lab.test"),)))[-1].ok, "it stays away"


def test_traefik_is_known_by_its_image_from_any_registry() -> None:
    assert is_traefik("traefik:v3.7")
    assert is_traefik("docker.io/library/traefik@sha256:00")
    assert not is_traefik("traefik/whoami:v1.11")


class FakeDockerWhoseTagsMoved(FakeDocker):
    """Lists containers by image id, as the engine does once another image has taken the tag."""

    def silent(self) -> dict[str, str]:
        return {}

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        return tuple(replace(one, image="sha256:" + "0" * 64) for one in super().containers(stack, besides=besides))


def test_traefik_is_still_found_after_its_tag_moved_on() -> None:
    docker = FakeDockerWhoseTagsMoved()
    docker.containers_now["a"] = FakeContainer("a", "s", "app", "web:1", "h")
    docker.containers_now["t"] = FakeContainer("t", "core", "traefik", "traefik:v3.7", "h")
    looker = Verifier(engine=docker, probe=FakeProbe([500]), clock=FakeClock())
    seen = looker.verify(Verification("s", ("app",), routes=(RouteCheck("app", "app.lab.test"),)))
    assert not seen[-1].ok, "the route was not asked"
