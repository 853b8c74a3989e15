"""What a removal or a move would take away is others' too: in files that are not seen, in other stacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from homelab_mcp.core.operations.change_request import MoveServiceRequest
from homelab_mcp.core.operations.move_service import move_service
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import SETTINGS, find, lab

TEXT = """\
services:
  web: {image: 'web:1', environment: {KEY: '${KEY}'}, volumes: ['./web/data:/data']}
  other: {image: 'x:1'}
"""
JOB = """\
services:
  job: {image: 'job:1', environment: {KEY: '${KEY}'}, volumes: ['../apps/web/data:/data:ro']}
"""


def of_files(text: str, *named: tuple[str, str], env: str = "KEY=a\nCOMMON=../common\n") -> Snapshot:
    return Snapshot((StackFiles("apps", "apps/compose.yaml", text, env, (), named),), None)


def remove(snapshot: Snapshot, data: str = "keep", env: str = "keep") -> Draft:
    request = RemoveServiceRequest(stack="apps", service="web", data=data, env=env)
    exists = lambda path: path.startswith("apps/")  # noqa: E731 # as short as what it says
    return remove_service(snapshot, SETTINGS, request, find=find, exists=exists, trash=".homelab/trash/x")


def move(snapshot: Snapshot) -> Draft:
    request = MoveServiceRequest(stack="apps", service="web", to="new")
    exists = lambda path: path.startswith("apps/")  # noqa: E731 # as short as what it says
    return move_service(snapshot, SETTINGS, request, exists=exists, read_text=lambda _: None)


def refused(call: Callable[[], Draft]) -> HomelabError:
    with pytest.raises(HomelabError) as caught:
        call()
    assert caught.value.hint
    return caught.value


UNSEEN = {
    "a variable": of_files(f"include: ['${{COMMON}}/more.yaml']\n{TEXT}", ("common/more.yaml", JOB)),
    "elsewhere": of_files(f"include: ['https://git.example.org/a/b.git']\n{TEXT}"),
    "not there": of_files(f"include: [more.yaml]\n{TEXT}"),
    "extends": of_files(f"{TEXT}  job: {{extends: {{file: '${{COMMON}}/more.yaml', service: job}}}}\n"),
}


@pytest.mark.parametrize("why", UNSEEN)
def test_data_and_variables_stay_where_not_all_services_are_seen(why: str) -> None:
    snapshot = UNSEEN[why]
    for call in (
        lambda: remove(snapshot, data="delete"),
        lambda: remove(snapshot, env="delete"),
        lambda: move(snapshot),
    ):
        error = refused(call)
        assert error.code == "files_unseen"
        assert "apps" in error.message
    kept = remove(snapshot)
    assert [e.path for e in kept.edits] == ["apps/compose.yaml"]
    assert not any("nothing uses them" in note for note in kept.notes)


def test_files_that_are_seen_are_no_reason_to_keep_anything() -> None:
    seen = of_files(f"include: [../common/more.yaml]\n{TEXT}", ("common/more.yaml", "services: {job: {image: x}}\n"))
    assert remove(seen, "delete", "delete").moves
    assert move(seen).moves
    shared = of_files(f"include: [../common/more.yaml]\n{TEXT}", ("common/more.yaml", JOB))
    assert refused(lambda: remove(shared, data="delete")).code == "data_shared"
    word = of_files(TEXT.replace("image: 'x:1'", "image: 'x:1', labels: {what: include}"))
    assert remove(word, "delete", "delete").moves


@pytest.mark.parametrize("mount", ["../apps/web/data:/in:ro", "../apps/web:/in", "../apps/web/data/films:/in"])
def test_a_folder_that_another_stack_mounts_stays_in_its_place(mount: str) -> None:
    snapshot = lab(apps=(TEXT, "KEY=a\n"), two=(f"services: {{reader: {{image: r, volumes: ['{mount}']}}}}\n", ""))
    for call in (lambda: remove(snapshot, data="delete"), lambda: move(snapshot)):
        error = refused(call)
        assert error.code == "data_shared"
        assert "two/reader" in error.message
    assert remove(snapshot).moves == ()


@pytest.mark.parametrize("mount", ["..:/lab", "../apps:/apps", "../apps/other:/other", "./web/data:/data"])
def test_who_mounts_all_of_a_stack_or_something_else_keeps_nothing(mount: str) -> None:
    snapshot = lab(apps=(TEXT, "KEY=a\n"), two=(f"services: {{files: {{image: r, volumes: ['{mount}']}}}}\n", ""))
    assert [m.source for m in remove(snapshot, data="delete").moves] == ["apps/web"]
    assert [m.source for m in move(snapshot).moves] == ["apps/web"]


@pytest.mark.parametrize(
    "other",
    [
        "env_file: [.env]",
        "env_file: ./.env",
        "env_file: [{path: .env, required: false}]",
        "env_file: ['${FILE}']",
        "environment: [KEY]",
        "environment: {KEY: }",
    ],
)
def test_a_variable_that_a_staying_service_takes_stays(other: str) -> None:
    snapshot = lab(apps=(TEXT.replace("image: 'x:1'", f"image: 'x:1', {other}"), "KEY=a\nMORE=b\n"))
    draft = remove(snapshot, env="delete")
    assert not any(e.path == "apps/.env" for e in draft.edits)
    assert not any("nothing uses them" in n for n in remove(snapshot).notes)
    assert "KEY" in {p: a for p, a in ((e.path, e.after or "") for e in move(snapshot).edits)}.get("apps/.env", "KEY")


@pytest.mark.parametrize(
    "beside",
    ["networks: {n: {name: '${KEY}'}}", "volumes: {v: {name: 'x-${KEY}'}}", "secrets: {s: {environment: KEY}}"],
)
def test_a_variable_that_the_file_names_beside_its_services_stays(beside: str) -> None:
    snapshot = lab(apps=(f"{TEXT}{beside}\n", "KEY=a\n"))
    assert not any(e.path == "apps/.env" for e in remove(snapshot, env="delete").edits)
    edits = [e for e in move(snapshot).edits if e.path == "apps/.env"]
    assert edits == []


def test_a_variable_goes_with_the_last_service_or_with_the_last_who_takes_it() -> None:
    alone = TEXT.replace("  other: {image: 'x:1'}\n", "networks: {n: {name: '${KEY}'}}\n")
    for text in (TEXT, alone, TEXT.replace("{KEY: '${KEY}'}", "[KEY]")):
        (edit,) = [e for e in remove(lab(apps=(text, "KEY=a\n")), env="delete").edits if e.path == "apps/.env"]
        assert edit.after == ""


def test_an_env_file_that_another_stack_reads_stays_as_it_is() -> None:
    two = "services: {reader: {image: r, env_file: ../apps/.env}}\n"
    assert [e.path for e in remove(lab(apps=(TEXT, "KEY=a\n"), two=(two, "")), env="delete").edits] == [
        "apps/docker-compose.yml"
    ]
