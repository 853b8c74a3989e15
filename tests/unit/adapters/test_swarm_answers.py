"""Swarm's services and tasks, read into containers and rollouts; the JSON is of a real two-node Swarm (20.10), cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homelab_mcp.adapters.swarm_answers import Cluster, rollouts, states
from homelab_mcp.adapters.swarm_engine import SwarmEngine

FORM = {"homelab.swarm.hash": "abc", "com.docker.stack.namespace": "pages", "traefik.enable": "true"}


def service(image: str = "page:2", replicas: int = 2, **more: Any) -> dict[str, Any]:
    spec = {
        "Name": "pages_web",
        "Labels": FORM,
        "TaskTemplate": {"ContainerSpec": {"Image": image}, "ForceUpdate": 0},
        "Mode": {"Replicated": {"Replicas": replicas}},
        "UpdateConfig": {"Monitor": 2_000_000_000},
    }
    return {"ID": "s1", "Spec": spec, **more}


def task(
    ident: str, slot: int, state: str, made: str, *, image: str = "page:2", node: str = "n1", **more: Any
) -> dict[str, Any]:
    wanted = "running" if state in {"running", "starting"} else "shutdown"
    return {
        "ID": ident, "ServiceID": "s1", "Slot": slot, "NodeID": node, "CreatedAt": made, "DesiredState": wanted,
        "Spec": {"ContainerSpec": {"Image": image}, "ForceUpdate": 0},
        "Status": {"State": state, "Timestamp": made, **more},
    }  # fmt: skip


NODES = [{"ID": "n1", "Description": {"Hostname": "here"}}, {"ID": "n2", "Description": {"Hostname": "other"}}]


def cluster(*tasks: dict[str, Any], of: dict[str, Any] | None = None) -> Cluster:
    return Cluster([of or service()], list(tasks), NODES, "n1")


def test_each_replica_is_its_newest_task_and_says_its_node() -> None:
    found = states(
        cluster(
            task("old", 1, "shutdown", "1"), task("new", 1, "running", "2"), task("far", 2, "running", "1", node="n2"),
        )
    )  # fmt: skip
    assert [(c.id, c.name, c.service, c.stack, c.state, c.host) for c in found] == [
        ("new", "pages_web.1", "web", "pages", "running", ""),
        ("far", "pages_web.2", "web", "pages", "running", "other"),
    ]
    assert found[0].config_hash == "abc"
    assert found[0].labels["traefik.enable"] == "true"


def test_a_task_on_its_way_is_created_and_its_fallen_ones_are_its_restarts() -> None:
    (found,) = states(
        cluster(
            task("a", 1, "failed", "1", Err="task: non-zero exit (1)"), task("b", 1, "rejected", "2"),
            task("c", 1, "starting", "3"), of=service(replicas=1),
        )
    )  # fmt: skip
    assert (found.state, found.restart_count) == ("created", 2)


def test_a_service_without_replicas_has_nothing_and_a_job_that_ended_is_seen() -> None:
    assert states(cluster(task("a", 1, "shutdown", "1"), of=service(replicas=0))) == []
    (job,) = states(cluster(task("a", 1, "complete", "1", ContainerStatus={"ExitCode": 0}), of=service(replicas=1)))
    assert (job.state, job.exit_code) == ("exited", 0)


def test_a_rollout_counts_the_tasks_of_the_form_that_is_wanted() -> None:
    (found,) = rollouts(
        cluster(
            task("a", 1, "running", "1", image="page:1"), task("b", 2, "running", "2"),
            task("c", 1, "failed", "3", Err="exit 3"), of=service(UpdateStatus={"State": "updating"}),
        )
    )  # fmt: skip
    assert (found.wanted, found.running, found.failed, found.update, found.error) == (2, 1, 1, "updating", "exit 3")
    assert (found.watched, found.form) == (2.0, "abc")


def test_after_a_roll_back_the_error_is_that_of_what_was_taken_back() -> None:
    (found,) = rollouts(
        cluster(
            task("a", 1, "running", "3", image="page:1"), task("b", 2, "running", "1", image="page:1"),
            task("c", 1, "rejected", "2", Err="No such image: page:2"),
            of=service("page:1", UpdateStatus={"State": "rollback_completed"}),
        )
    )  # fmt: skip
    assert (found.running, found.failed, found.update) == (2, 0, "rollback_completed")
    assert found.error == "No such image: page:2"


class Manager(SwarmEngine):
    """An engine that has these containers, and of whose stacks Swarm runs ``pages``."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        self.listed = list(containers)

    def _ask(self, call: Callable[[Any], Any]) -> Any:
        return self.listed

    def _projects(self) -> frozenset[str]:
        return frozenset({"pages"})

    def cluster(self, stack: str | None, *, everything: bool = False) -> Cluster:
        return cluster(task("t1", 1, "running", "2026-01-01T00:00:00Z"))


def test_a_task_stands_for_the_container_that_it_has_here() -> None:
    own = {"Id": "1", "Names": ["/pages_web.1.t1"], "Labels": {"com.docker.stack.namespace": "pages"}}
    other = {"Id": "2", "Names": ["/mine"], "Labels": {"com.docker.stack.namespace": "others"}}
    engine = Manager(own, other)

    assert [c.name for c in engine.containers()] == ["pages_web.1"]
    assert {c.name for c in engine.containers(besides=True)} == {"pages_web.1", "mine"}
