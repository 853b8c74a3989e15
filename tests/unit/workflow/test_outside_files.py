"""Compose files that read what lies outside of the stack's folder: a model's plan that brings one in is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.operations.request import SetEnvRequest
from homelab_mcp.core.operations.set_env import set_env
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import lint_of

OLD = "services:\n  web:\n    image: nginx:1.29\n"
MODEL, PERSON = Requester("mcp", "test"), Requester("cli")

ESCAPES = {
    "include": f"include: [/etc/compose.yaml]\n{OLD}",
    "include upwards": f"include: [../other/compose.yaml]\n{OLD}",
    "include, long": f"include: [{{path: ../other/compose.yaml}}]\n{OLD}",
    "include, one of two": f"include: [{{path: [./a.yaml, ~/b.yaml]}}]\n{OLD}",
    "include's env": f"include: [{{path: ./a.yaml, env_file: /root/.env}}]\n{OLD}",
    "include's folder": f"include: [{{path: ./a.yaml, project_directory: /}}]\n{OLD}",
    "include from afar": f"include: ['oci://registry.example/evil:1']\n{OLD}",
    "include from git": f"include: ['https://git.example/evil.git']\n{OLD}",
    "include by ssh": f"include: ['git@git.example:evil/evil.git']\n{OLD}",
    "extends": f"{OLD}    extends: {{file: /srv/base.yaml, service: base}}\n",
    "extends upwards": f"{OLD}    extends: {{file: ../base.yaml, service: base}}\n",
    "env_file": f"{OLD}    env_file: /etc/environment\n",
    "env_file upwards": f"{OLD}    env_file: [./a.env, {{path: x/../../b.env, required: false}}]\n",
    "env_file at home": f"{OLD}    env_file: ~/.netrc\n",
    "label_file": f"{OLD}    label_file: /etc/shadow\n",
    "build": "services:\n  web:\n    build: /root\n",
    "build upwards": "services:\n  web:\n    build: {context: ../..}\n",
    "dockerfile": "services:\n  web:\n    build: {context: ., dockerfile: ../Dockerfile}\n",
    "additional context": "services:\n  web:\n    build: {context: ., additional_contexts: {host: /}}\n",
}


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    made = open_lab(str(tmp_path / "stacks"), files_only=True)
    init_lab(made, {"domain": "lab.test"}, pin="")
    (tmp_path / "stacks" / "media").mkdir(exist_ok=True)
    (tmp_path / "stacks" / "media" / "compose.yaml").write_text(OLD)
    return made


def make(lab: LocalLab, before: str, after: str, who: Requester) -> Plan:
    draft = Draft("test", "Test", (FileEdit("media/compose.yaml", before, after),), (), target="web")
    machine = planner(lab)
    return machine.make(draft, machine.snapshot(containers=False), who, lint_of(lab))


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES)
def test_a_models_plan_that_brings_one_in_is_refused(lab: LocalLab, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(lab, OLD, text, MODEL)
    assert caught.value.code == "lint_refused"
    assert {"HL100", "HL219"} & {f["rule"] for f in caught.value.details["findings"]}


def test_a_person_is_warned_and_what_is_there_already_stays_a_warning(lab: LocalLab) -> None:
    outside = ESCAPES["env_file"]
    assert "HL100" in {f.rule for f in make(lab, OLD, outside, PERSON).findings}
    (Path(lab.root) / "media" / "compose.yaml").write_text(outside)
    plan = make(lab, outside, outside + "    init: true\n", MODEL)
    assert plan.findings == ()
    assert any("warning" in note and "does not bring in" in note for note in plan.draft.notes), plan.draft.notes


def test_another_stacks_file_is_an_info_to_a_person_and_refuses_a_models_plan(lab: LocalLab) -> None:
    (Path(lab.root) / "other").mkdir(exist_ok=True)
    (Path(lab.root) / "other" / "compose.yaml").write_text("services:\n  more:\n    image: nginx:1.29\n")
    text = ESCAPES["include upwards"]
    found = {f.rule: str(f.severity) for f in make(lab, OLD, text, PERSON).findings}
    assert found["HL219"] == "info"
    assert "HL100" not in found
    with pytest.raises(InvalidInput) as caught:
        make(lab, OLD, text, MODEL)
    assert [f["rule"] for f in caught.value.details["findings"]] == ["HL219"]


def test_a_variable_does_not_hide_it(lab: LocalLab) -> None:
    """The file asks for ``${PLACE}``, and a model then says what that is."""
    text = f"{OLD}    env_file: ${{PLACE}}\n"
    (Path(lab.root) / "media" / "compose.yaml").write_text(text)
    (Path(lab.root) / "media" / ".env").write_text("PLACE=./web.env\n")
    machine = planner(lab)
    snapshot = machine.snapshot(containers=False)
    draft = set_env(snapshot, SetEnvRequest(stack="media", values={"PLACE": "/etc/shadow"}), read=lab.files.read)
    with pytest.raises(InvalidInput) as caught:
        machine.make(draft, snapshot, MODEL, lint_of(lab))
    assert "HL100" in str(caught.value.details)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("policy.yaml", "policy_protected"),
        ("Policy.yaml", "policy_protected"),
        (".homelab/approver.json", "path_refused"),
        (".homelab/plans/x/approval.json", "path_refused"),
        (".git/hooks/post-commit", "path_refused"),
        ("media/.git/config", "path_refused"),
        ("./policy.yaml", "path_refused"),
        ("media/../policy.yaml", "path_refused"),
        ("/etc/passwd", "path_refused"),
        ("../x", "path_refused"),
    ],
)
@pytest.mark.parametrize("who", [MODEL, PERSON])
def test_no_plan_writes_what_the_guard_rests_on(lab: LocalLab, path: str, code: str, who: Requester) -> None:
    draft = Draft("rollback", "Roll back", (FileEdit(path, None, "approval: {high: automatic}\n"),), (), target="web")
    machine = planner(lab)
    with pytest.raises(InvalidInput) as caught:
        machine.make(draft, machine.snapshot(containers=False), who, lint_of(lab))
    assert caught.value.code == code
