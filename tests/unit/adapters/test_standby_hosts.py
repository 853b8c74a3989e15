"""A standby by its containers and the mark in its folder: whose it is, in which order it starts, how it stops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from homelab_mcp.adapters import standby
from homelab_mcp.adapters.standby import StandbyHosts
from homelab_mcp.adapters.standby_copy import Entry, Mark
from homelab_mcp.adapters.standby_files import StandbyFiles, _routes
from homelab_mcp.adapters.standby_order import DEPENDS_LABEL, fulfils, in_order
from homelab_mcp.core.project_name import FOLDER_LABEL
from homelab_mcp.model.errors import EngineFailed, InvalidInput, NotFound
from homelab_mcp.model.observed import ContainerState

ROOT = "/stacks"
USERS = Entry(0o640, 0, 0, b"users")
SENT = Mark({"users.yml": USERS.digest}, ("nas-far-watch",))


@dataclass
class Machine:
    """An engine, Compose on it, and what is in the lab's folder there."""

    containers_: dict[str, ContainerState] = field(default_factory=dict)
    mark: Mark | None = SENT
    asked_for: list[str] = field(default_factory=list)
    hashed: tuple[str, ...] = ("login", "traefik")
    fails: str = ""

    def has(self, service: str, state: str = "created", needs: str = "", image: str = "sha256:1") -> None:
        labels = {FOLDER_LABEL: f"{ROOT}/core", DEPENDS_LABEL: needs}
        self.containers_[service] = ContainerState(
            service, service, "x", state, stack="core", service=service, labels=labels, image_id=image, config_hash="1"
        )

    def _becomes(self, service: str, state: str) -> None:
        self.asked_for.append(f"{state} {service}")
        self.containers_[service] = replace(self.containers_[service], state=state)

    # The engine.
    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        return tuple(self.containers_.values())

    def asked(self, call: Callable[[Any], Any], seconds: float = 0.0) -> Any:
        if self.fails:
            raise EngineFailed("Docker refused: no.", details={"output": self.fails})
        client = SimpleNamespace(
            start=lambda ident: self._becomes(ident, "running"),
            unpause=lambda ident: self._becomes(ident, "running"),
            stop=lambda ident: self._becomes(ident, "exited"),
            containers=lambda **_: [],
        )
        return call(client)

    # Compose.
    def project(self, stack: str) -> str:
        return stack

    def hashes(self, stack: str) -> dict[str, str]:
        return dict.fromkeys(self.hashed, "1")

    def pull(self, stack: str, services: Sequence[str]) -> None:
        self.asked_for.append(f"pull {' '.join(services)}")
        if self.fails:
            raise EngineFailed(self.fails)

    def remove(self, stack: str, services: Sequence[str]) -> None:
        self.asked_for.append(f"remove {' '.join(services)}")

    def create(self, stack: str, services: Sequence[str]) -> None:
        self.asked_for.append(f"create {' '.join(services)}")
        for service in services:
            self.has(service)

    # The hosts.
    names = ("local", "nas")

    def patience(self, name: str) -> float:
        return 5.0

    def knock(self, name: str) -> None: ...

    def engine(self, name: str) -> Machine:
        return self


@pytest.fixture
def nas(monkeypatch: pytest.MonkeyPatch) -> Machine:
    there = Machine()
    monkeypatch.setattr(StandbyFiles, "mark", lambda *_: there.mark)
    monkeypatch.setattr(StandbyFiles, "look", lambda *_: {"users.yml": USERS})
    monkeypatch.setattr(standby, "_POLL", 0.001)
    return there


def hosts(nas: Machine) -> StandbyHosts:
    return StandbyHosts(ROOT, lambda: cast(Any, nas), lambda _: cast(Any, nas))


def test_a_lab_that_was_there_before_is_no_standby_and_nothing_of_it_is_touched(nas: Machine) -> None:
    nas.has("traefik", "running")
    nas.mark = None
    assert hosts(nas).seen(("core",)) == ()
    assert hosts(nas).active("nas", ("core",)) == ()
    for act in (hosts(nas).start, hosts(nas).stop):
        with pytest.raises(NotFound) as none:
            act("nas", ("core",))
        assert none.value.code == "standby_missing"
    with pytest.raises(InvalidInput) as occupied:
        hosts(nas).sync("nas", ("core",))
    assert occupied.value.code == "standby_occupied"
    assert nas.asked_for == []


@pytest.mark.parametrize("state", ["running", "restarting", "paused"])
def test_what_keeps_a_sync_away_is_what_a_stop_ends(nas: Machine, state: str) -> None:
    nas.has("traefik", state)
    (seen,) = hosts(nas).seen(("core",))
    assert seen.active == hosts(nas).active("nas", ("core",)) == ("core/traefik",)
    assert bool(seen.running) is (state == "running")
    with pytest.raises(InvalidInput) as refused:
        hosts(nas).sync("nas", ("core",))
    assert refused.value.code == "standby_active"


def test_a_start_needs_no_compose_file_and_goes_by_what_the_containers_wait_for(nas: Machine) -> None:
    nas.has("api", needs="traefik:service_started:false")
    nas.has("login", needs="db:service_healthy:true,api:service_started:false")
    nas.has("traefik", "running")
    nas.has("db", "paused")
    assert hosts(nas).start("nas", ("core",)) == ("api", "db", "login", "traefik")
    assert nas.asked_for == ["running api", "running db", "running login"]


def test_only_what_is_named_starts(nas: Machine) -> None:
    nas.has("login")
    nas.has("traefik")
    assert hosts(nas).start("nas", ("core",), only=("core/traefik",)) == ("traefik",)
    assert nas.asked_for == ["running traefik"]


def test_why_a_container_does_not_start_is_told_and_a_sick_one_is_waited_for_in_vain(
    nas: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nas.has("traefik")
    nas.fails = "bind: cannot assign requested address"
    with pytest.raises(EngineFailed) as refused:
        hosts(nas).start("nas", ("core",))
    assert refused.value.message == f"traefik does not start on nas: {nas.fails}"
    nas.fails = ""
    monkeypatch.setattr(standby, "_UP_SECONDS", 0.0)
    nas.has("login", needs="db:service_healthy:true")
    nas.has("db", "running")
    nas.containers_["db"] = replace(nas.containers_["db"], health="unhealthy")
    with pytest.raises(EngineFailed) as ill:
        hosts(nas).start("nas", ("core",))
    assert "not well: db" in ill.value.message
    assert "running login" not in nas.asked_for


def test_a_stop_pulls_first_names_what_it_makes_anew_and_keeps_what_is_to_stay(nas: Machine) -> None:
    for service in ("login", "old", "traefik"):
        nas.has(service, "running")
    hosts(nas).stop("nas", ("core",), keep=("core/traefik",))
    # `old` is of no file any more: Compose could not make it again.
    assert nas.asked_for == ["pull login", "remove login", "create login", "exited old"]


def test_what_never_ran_is_not_made_anew_by_a_stop(nas: Machine) -> None:
    nas.has("login", "running")
    nas.has("traefik", "created")
    nas.hashed = ("login", "traefik")
    hosts(nas).stop("nas", ("core",))
    assert nas.asked_for == ["pull login", "remove login", "create login"]


def test_an_image_that_cannot_be_had_leaves_the_containers(nas: Machine) -> None:
    nas.has("traefik", "running")
    nas.fails = "no such image"
    with pytest.raises(EngineFailed):
        hosts(nas).stop("nas", ("core",))
    assert nas.asked_for == ["pull traefik"]


def test_files_that_changed_since_the_sync_are_seen(nas: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    nas.has("login")
    nas.has("traefik")
    (same,) = hosts(nas).seen(("core",))
    assert (same.behind, same.changed, same.routes) == ((), (), ("nas-far-watch",))
    now = {"users.yml": replace(USERS, data=b"one more"), "acme.json": USERS}
    monkeypatch.setattr(StandbyFiles, "look", lambda *_: now)
    (moved,) = hosts(nas).seen(("core",))
    assert moved.changed == ("core/acme.json", "core/users.yml")
    # Cut off before it could note what it sent.
    nas.mark = Mark()
    (cut,) = hosts(nas).seen(("core",))
    assert (cut.changed, cut.routes, cut.cut_off) == ((), None, ("core",))
    assert moved.cut_off == ()


def test_a_drill_looks_without_reading_files(nas: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    nas.has("traefik", "running")

    def never(*_: object) -> Collection[str]:
        raise AssertionError("read")

    monkeypatch.setattr(StandbyFiles, "mark", never)
    (seen,) = hosts(nas).seen(("core",), compared=False)
    assert seen.running == ("core/traefik",)


def test_the_order_ends_where_containers_wait_for_each_other() -> None:
    nas = Machine()
    nas.has("a", needs="b:service_started:false")
    nas.has("b", needs="a:service_started:false,gone:service_started:false")
    found = {f"core/{name}": one for name, one in nas.containers_.items()}
    assert sorted(in_order(found)) == ["core/a", "core/b"]
    ended = replace(nas.containers_["a"], state="exited", status="Exited (0) 2 seconds ago")
    assert fulfils(ended, "service_completed_successfully")
    assert not fulfils(nas.containers_["a"], "service_completed_successfully")
    assert fulfils(nas.containers_["a"], "service_started")


def test_routes_to_other_hosts_are_those_of_traefiks_file() -> None:
    text = b"http: {routers: {nas-far-watch: {rule: x}}}\ntcp: {routers: {nas-far-db: {}}, services: {a: 1}}\n"
    assert _routes({"traefik/dynamic/other-hosts.yaml": replace(USERS, data=text), "users.yml": USERS}) == (
        "nas-far-db",
        "nas-far-watch",
    )
    assert _routes({"other-hosts.yaml": replace(USERS, data=b"a: [")}) == ()
    assert _routes({"other-hosts.yaml": replace(USERS, data=b"text")}) == ()
