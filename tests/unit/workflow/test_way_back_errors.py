"""A way back to an error that stood there before is a risk that the plan tells, wherever the error is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester, Risk
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.judging import refusing
from homelab_mcp.workflow.proposals import plan_of

WEB = "services:\n  {name}:\n    image: nginx:1.27\n    ports: ['{port}:80']\n"


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    made = LocalLab(str(tmp_path / "lab"), files_only=True)
    init_lab(made, {"domain": "lab.test"}, "correct-horse")
    return made


def put(lab: LocalLab, path: str, text: str) -> str:
    file = Path(lab.root, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return text


def plan(lab: LocalLab, operation: str, path: str, now: str, then: str) -> Plan:
    draft = Draft(
        operation, "Take it back", (FileEdit(path, now, then, secret=path.endswith(".env")),), (), target="old"
    )
    return plan_of(lab, draft, planner(lab).snapshot(containers=False), Requester("cli"))


BACK = ("rollback", "discard")


@pytest.mark.parametrize("operation", BACK)
@pytest.mark.parametrize("path", ["old/.env", "global.env"])
def test_a_variable_put_back_brings_its_compose_files_error_back(lab: LocalLab, operation: str, path: str) -> None:
    put(lab, "old/compose.yaml", WEB.format(name="web", port="${PORT}"))
    now = put(lab, path, "PORT=8080\n")
    made = plan(lab, operation, path, now, "PORT=99999\n")
    assert made.risk is Risk.HIGH
    assert any("Brings back" in r and "HL040" in r and "old/compose.yaml" in r for r in made.reasons)
    with pytest.raises(InvalidInput) as refused:
        plan(lab, "set_env", path, now, "PORT=99999\n")
    assert refused.value.code == "lint_refused"


@pytest.mark.parametrize("operation", BACK)
@pytest.mark.parametrize(
    ("mended", "clash"),
    [
        (WEB.format(name="web", port="8081"), WEB.format(name="web", port="8080")),
        (
            WEB.format(name="web", port="8081") + "    container_name: b\n",
            WEB.format(name="web", port="8081") + "    container_name: a\n",
        ),
    ],
    ids=["HL041", "HL042"],
)
@pytest.mark.parametrize("other", ["aaa", "two"])
def test_a_clash_put_back_is_told_of_both_stacks_and_refused_for_neither(
    lab: LocalLab, operation: str, mended: str, clash: str, other: str
) -> None:
    put(lab, f"{other}/compose.yaml", WEB.format(name="more", port="8080") + "    container_name: a\n")
    now = put(lab, "old/compose.yaml", mended)
    made = plan(lab, operation, "old/compose.yaml", now, clash)
    assert made.risk is Risk.HIGH
    with pytest.raises(InvalidInput) as refused:
        plan(lab, "update_service", "old/compose.yaml", now, clash)
    assert refused.value.code == "lint_refused"


def test_an_error_elsewhere_that_is_no_side_of_a_clash_refuses_a_way_back(lab: LocalLab) -> None:
    now = put(lab, "old/compose.yaml", WEB.format(name="web", port="8081"))
    draft = Draft(
        "rollback",
        "Take it back",
        (
            FileEdit("old/compose.yaml", now, now.replace("1.27", "1.26")),
            replace(FileEdit("two/compose.yaml", None, WEB.format(name="web", port="99999")), derived=True),
        ),
        (),
        target="old",
    )
    with pytest.raises(InvalidInput) as refused:
        plan_of(lab, draft, planner(lab).snapshot(containers=False), Requester("cli"))
    assert refused.value.code == "lint_refused"


EDGE = """\
services:
  traefik:
    image: traefik:v3.6.2
    command:
      - --entrypoints.web.address=:80
      - --providers.file.directory=/etc/traefik/dyn
    volumes: ['./dyn:/etc/traefik/dyn:ro']
"""
MENDED = EDGE.replace("address=:80", "address=:80\n      - --entrypoints.websecure.address=:443")
ROUTER = """\
http:
  routers:
    web:
      rule: Host(`a.lab.test`)
      entryPoints: [websecure]
      service: noop@internal
"""


@pytest.mark.parametrize("operation", BACK)
def test_an_error_in_a_config_file_of_the_stack_that_is_put_back_refuses_no_way_back(
    lab: LocalLab, operation: str
) -> None:
    put(lab, "edge/dyn/a.yml", ROUTER)
    now = put(lab, "edge/compose.yaml", MENDED)
    made = plan(lab, operation, "edge/compose.yaml", now, EDGE)
    assert made.risk is Risk.HIGH
    assert any("Brings back" in r and "HL071" in r and "edge/dyn/a.yml" in r for r in made.reasons)
    with pytest.raises(InvalidInput) as refused:
        plan(lab, "update_service", "edge/compose.yaml", now, EDGE)
    assert refused.value.code == "lint_refused"


@pytest.mark.parametrize(
    ("edits", "left"),
    [
        ((FileEdit("old/compose.yaml", "name: a\n", "name: b\n"),), ["two/conf/a.yml", "older/conf/a.yml"]),
        ((FileEdit("global.env", "a", "b"),), ["older/conf/a.yml"]),
        ((FileEdit("homelab.yaml", "a", "b"),), ["older/conf/a.yml"]),
        (
            (
                FileEdit("old/compose.yaml", "name: a\n", "name: b\n"),
                FileEdit("old/conf/a.yml", "a", "b", derived=True),
                FileEdit("two/conf/a.yml", "a", "b", derived=True),
            ),
            ["old/conf/a.yml", "two/conf/a.yml", "older/conf/a.yml"],
        ),
        (
            (FileEdit("global.env", "a", "b"), FileEdit("two/conf/a.yml", "a", "b", derived=True)),
            ["two/conf/a.yml", "older/conf/a.yml"],
        ),
    ],
    ids=["one stack", "global.env", "homelab.yaml", "derived", "derived with global.env"],
)
def test_files_below_the_folder_of_a_stack_that_is_put_back_are_known(
    edits: tuple[FileEdit, ...], left: list[str]
) -> None:
    stacks = tuple(StackFiles(n, f"{n}/compose.yaml", "") for n in ("old", "two"))
    errors = [Finding("HL071", Severity.ERROR, "None.", f"{n}/conf/a.yml", 1, 1) for n in ("old", "two", "older")]
    draft = Draft("rollback", "Take it back", edits, (), target="old")
    assert [f.file for f in refusing(draft, errors, stacks)] == left


@pytest.mark.parametrize("operation", BACK)
def test_a_file_that_nobody_could_read_is_put_back_whatever_errors_the_others_had_all_along(
    lab: LocalLab, operation: str
) -> None:
    then = WEB.format(name="web", port="8080")
    now = put(lab, "old/compose.yaml", then.replace("['8080:80']", "['8080:80'"))
    put(lab, "other/compose.yaml", OTHER_SIDE)
    made = plan(lab, operation, "old/compose.yaml", now, then)
    assert any("HL066" in reason for reason in made.reasons), made.reasons


UNSEEN = {
    "include": "include: ['gone.yaml']\n",
    "labels": "    label_file: more.labels\n",
    "yaml": "    labels: [a=b\n",
}


@pytest.mark.parametrize("how", UNSEEN)
@pytest.mark.parametrize("operation", [*BACK, "update_service", "adopt"])
def test_a_lab_that_can_be_seen_again_is_refused_for_nothing_that_the_others_had_all_along(
    lab: LocalLab, operation: str, how: str
) -> None:
    then = WEB.format(name="web", port="8080")
    now = then + UNSEEN[how] if how != "include" else UNSEEN[how] + then
    put(lab, "old/more.labels", "a=b\n")
    put(lab, "other/compose.yaml", OLD_ERROR)
    edit = FileEdit("old/compose.yaml", now, then)
    adopt = operation == "adopt"
    put(lab, "old/compose.yaml", then if adopt else now)
    draft = Draft(operation, "See it", () if adopt else (edit,), (), target="old")
    if adopt:
        draft = replace(draft, adopts=(edit,))
    made = plan_of(lab, draft, planner(lab).snapshot(containers=False), Requester("cli"))
    assert any("HL066" in r and "all along" in r for r in made.reasons), made.reasons
    assert "HL066" in {f.rule for f in made.findings}
    assert not any(word in r for r in made.reasons for word in ("Brings back", "Adopts 1"))


def test_what_a_plan_itself_takes_from_another_stack_refuses_it(lab: LocalLab) -> None:
    labels = "    labels: {traefik.http.services.grafana.loadbalancer.server.port: '80'}\n"
    then = WEB.format(name="web", port="8080")
    now = put(lab, "old/compose.yaml", then + labels)
    put(lab, "other/compose.yaml", OLD_ERROR)
    with pytest.raises(InvalidInput) as refused:
        plan(lab, "update_service", "old/compose.yaml", now, then)
    assert refused.value.code == "lint_refused"


OLD_ERROR = """services:
  film:
    image: nginx:1.27
    labels:
      traefik.http.routers.a.rule: Host(`a.lab.test`)
      traefik.http.routers.a.service: grafana@docker
"""
OTHER_SIDE = """services:
  film:
    image: nginx:1.27
    labels:
      traefik.enable: "true"
      traefik.http.routers.a.rule: Host(`a.lab.test`)
      traefik.http.routers.a.service: films@docker
      traefik.http.services.film.loadbalancer.server.port: "80"
"""
