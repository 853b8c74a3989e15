"""Any change of any service in any realistic lab: refused with a way out, or made so that the files still hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.gpu import Gpus, RenderNode
from homelab_mcp.core.operations.change_request import (
    ConnectServicesRequest,
    MoveServiceRequest,
    UpdateServiceRequest,
)
from homelab_mcp.core.operations.connect_services import connect_services
from homelab_mcp.core.operations.move_service import move_service
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.update_service import update_service
from homelab_mcp.core.operations.update_work import Machine
from homelab_mcp.core.resources import Host, Usage
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, FileEdit
from tests.unit.core.operation_parts import SETTINGS, find, lab
from tests.unit.core.test_operations_add_service import propose
from tests.unit.core.test_operations_remove_and_env import apply
from tests.unit.core.test_service_edit import REALISTIC, named

# The processors are made up: they stand for a machine with two kinds of them.
MACHINE = Machine(
    Host(4, 8 * 2**30),
    Gpus(nvidia=True, toolkit=True, nodes=(RenderNode("/dev/dri/renderD128", "intel", 104),)),
    (Usage(90 * 2**20, 0.3, 12),),
    10.0,
)
CHANGES: list[dict[str, Any]] = [
    {"tag": "9.9"},
    {"subdomain": "elsewhere"},
    {"port": 81},
    {"sso": "protect"},
    {"sso": "bypass", "sso_reason": "Public."},
    {"resources": "tiny"},
    {"resources": "measured"},
    {"limits": {"memory": "512M", "cpus": "1", "pids": 100, "io_weight": 100}},
    {"gpu": "on"},
    {"gpu": "intel"},
    {"gpu": "off"},
    {"volumes_add": ["./more:/more", "spare:/spare", "nfs://nas/x:/share"]},
    {"volumes_remove": ["/more", "/data"]},
    {"env_set": {"TZ": "Europe/Rome", "NEW": "a $b"}},
    {"health": "true", "restart": "always"},
    {"health": "off", "health_reason": "None."},
    {"replicas": 2},
]


def written(snapshot: Snapshot) -> dict[str, str]:
    """A lab's files by their paths."""
    texts = {s.compose_path: s.compose_text for s in snapshot.stacks}
    return texts | {s.env_path: s.env_text for s in snapshot.stacks if s.env_text}


def seen(disk: dict[str, str]) -> Snapshot:
    """The lab that such files are."""
    composes = sorted(path for path in disk if not path.endswith("/.env"))
    stacks = [(path.partition("/")[0], path) for path in composes]
    return Snapshot(tuple(StackFiles(n, path, disk[path], disk.get(f"{n}/.env", "")) for n, path in stacks), None)


def drafts(snapshot: Snapshot, disk: dict[str, str], draw: Callable[[Any], Any]) -> Draft:
    """The draft of any request."""
    places = [(s.name, n) for s in snapshot.stacks for n in named(s.compose_text)]
    (stack, service), (other_stack, other) = draw(st.sampled_from(places)), draw(st.sampled_from(places))
    kind = draw(st.sampled_from(["update"] * 4 + ["move", "connect", "remove"]))
    if kind == "update":
        request = UpdateServiceRequest(stack=stack, service=service, **draw(st.sampled_from(CHANGES)))
        return update_service(snapshot, SETTINGS, request, find=find, machine=MACHINE)
    if kind == "move":
        to = draw(st.sampled_from(["fresh", other_stack]))
        exists = lambda path: path.startswith(f"{stack}/")  # noqa: E731
        wanted = MoveServiceRequest(stack=stack, service=service, to=to)
        return move_service(snapshot, SETTINGS, wanted, exists=exists, read_text=disk.get)
    if kind == "connect":
        pair = ConnectServicesRequest(
            a_stack=stack, a=service, b_stack=other_stack, b=other, variables={"PEER": "{host}"}
        )
        return connect_services(snapshot, SETTINGS, pair)
    how = draw(st.sampled_from(["keep", "delete"]))
    gone = RemoveServiceRequest(stack=stack, service=service, data=how, env=how)
    return remove_service(snapshot, SETTINGS, gone, find=find, exists=lambda path: True, trash=".homelab/trash/x")


@pytest.mark.timeout(120)
@given(data=st.data())
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
def test_any_change_of_any_lab_is_whole_or_refused(data: st.DataObject) -> None:
    one, two = (data.draw(st.sampled_from(REALISTIC))[1] for _ in range(2))
    start = lab(one=(one, "TZ=UTC\nDOMAIN=lab.test\n"), two=(two, "DOMAIN=lab.test\n"))
    for wanted in ("web", "app"):
        try:
            start = apply(start, propose(start, wanted))
        except HomelabError:
            continue
    disk = first = written(start)
    done: list[Draft] = []
    for _ in range(6):
        snapshot = seen(disk)
        if not any(named(s.compose_text) for s in snapshot.stacks):
            break
        try:
            draft = drafts(snapshot, disk, data.draw)
        except HomelabError as refusal:
            assert refusal.message
            continue
        for edit in draft.edits:
            assert edit.before == disk.get(edit.path), "it starts from what is there"
            assert edit.before != edit.after
        disk = changed(disk, draft)
        services = {s.name: services_of(read(s.compose_text)) for s in seen(disk).stacks}
        for action in draft.actions:
            if action.kind is ActionKind.UP:
                assert set(action.services) <= services[action.stack].keys()
            if action.kind is ActionKind.REMOVE:
                assert not set(action.services) & services.get(action.stack, {}).keys()
        done.append(draft)
    for draft in reversed(done):
        back = tuple(FileEdit(e.path, e.after, e.before) for e in draft.edits)
        disk = changed(disk, Draft("x", "x", back, ()))
    assert disk == first


def changed(disk: dict[str, str], draft: Draft) -> dict[str, str]:
    """The files after a draft's edits."""
    texts: dict[str, str | None] = {**disk, **{e.path: e.after for e in draft.edits}}
    return {path: text for path, text in texts.items() if text is not None}
