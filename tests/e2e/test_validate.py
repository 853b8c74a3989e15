"""The checker as people and clients use it: a lab with its settings and facts, fixes as plans, Compose's own word."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import LabOnDisk, call, connected, data, types_the_name, words

pytestmark = pytest.mark.timeout(60)

FAULTY = """\
# my web page
services:
  web:
    image: nginx:1.29   # pinned
    restart: allways
    ports: ["8080:80"]
"""


@pytest.fixture
def faulty(lab: LabOnDisk) -> LabOnDisk:
    (lab.root / "web").mkdir()
    (lab.root / "web" / "compose.yaml").write_text(FAULTY)
    return lab


def rules(answer: dict[str, Any]) -> set[str]:
    return {f["rule"] for f in answer["findings"]}


async def test_a_fix_is_a_plan_that_keeps_the_persons_layout(faulty: LabOnDisk) -> None:
    async with connected(faulty, answer=types_the_name) as client:
        found = data(await call(client, "validate_compose", stack="web"))
        assert not found["ok"]
        row = next(f for f in found["findings"] if f["rule"] == "HL014")
        assert (row["file"], row["line"], row["fix"]) == ("web/compose.yaml", 5, "safe")
        plan = data(await call(client, "fix_compose", stack="web", rules=["HL014"]))
        assert (faulty.root / "web" / "compose.yaml").read_text() == FAULTY
        done = data(await call(client, "apply_plan", plan_id=plan["plan_id"]))
        assert done["state"] == "done"
        assert data(await call(client, "validate_compose", stack="web", severity="error"))["findings"] == []
        nothing = await call(client, "fix_compose", stack="web", rules=["HL014"])
        assert "nothing_to_do" in words(nothing)
    assert (faulty.root / "web" / "compose.yaml").read_text() == FAULTY.replace("allways", "always")


def test_the_command_line_plans_fixes_in_a_lab_and_prints_a_diff_elsewhere(faulty: LabOnDisk, tmp_path: Path) -> None:
    plan = faulty.json("validate", str(faulty.root / "web"), "--fix", "--rule", "hl014", code=3)
    assert plan["summary"]
    assert faulty.approve(plan["plan_id"], "--apply")["state"] == "done"
    outside = tmp_path / "outside.yaml"
    outside.write_text(FAULTY)
    shown = faulty.json("validate", str(outside), "--fix")
    assert "-    restart: allways" in shown["diff"]
    assert outside.read_text() == FAULTY


def test_a_secret_moved_into_the_env_file_is_shown_nowhere(faulty: LabOnDisk) -> None:
    canary = "Zq8-canary-41c9"
    (faulty.root / "web" / "compose.yaml").write_text(FAULTY + f"    environment:\n      ADMIN_PASSWORD: {canary}\n")
    done = faulty.run("validate", str(faulty.root / "web"), "--fix", "--unsafe", "--rule", "HL054", "--json")
    assert done.returncode == 3, done.stderr
    assert canary not in done.stdout + done.stderr
    plan = json.loads(done.stdout)
    assert faulty.approve(plan["plan_id"], "--apply")["state"] == "done"
    assert canary in (faulty.root / "web" / ".env").read_text()
    assert canary not in (faulty.root / "web" / "compose.yaml").read_text()


async def test_the_labs_own_settings_and_facts_count(faulty: LabOnDisk) -> None:
    settings = faulty.root / "homelab.yaml"
    text = settings.read_text()
    settings.write_text(text[: text.index("lint:")] + "lint:\n  ignore: [HL014]\n  severity: {HL113: error}\n")
    (faulty.root / "web" / ".env").write_text("A=1\n")
    subprocess.run(["git", "-C", faulty.root, "add", "-f", "web/.env"], check=True)
    found = faulty.json("validate", str(faulty.root), code=1)
    assert "HL014" not in rules(found)
    assert any(f["rule"] == "HL173" and f["file"].endswith("web/.env") for f in found["findings"])
    assert {f["severity"] for f in found["findings"] if f["rule"] == "HL113"} == {"error"}
    async with connected(faulty) as client:
        answer = data(await call(client, "validate_compose"))
        assert "HL014" not in rules(answer)
        assert "HL173" in rules(answer)


async def test_compose_says_its_own_word_when_asked(faulty: LabOnDisk) -> None:
    (faulty.root / "web" / "compose.yaml").write_text(FAULTY.replace("restart: allways", "restrat: always"))
    found = faulty.json("validate", str(faulty.root / "web"), "--engine", code=1)
    assert {"HL011", "HL900"} <= rules(found)
    async with connected(faulty) as client:
        answer = data(await call(client, "validate_compose", stack="web", engine=True, severity="error"))
        assert {"HL011", "HL900"} <= rules(answer)
        pasted = data(await call(client, "validate_compose", content=[FAULTY, "services: {web: {restart: no}}\n"]))
        assert pasted["ok"], pasted


def test_files_of_one_stack_are_merged_in_order(lab: LabOnDisk, tmp_path: Path) -> None:
    base, prod = tmp_path / "base.yaml", tmp_path / "prod.yaml"
    base.write_text("services:\n  web:\n    image: nginx:1.29\n")
    prod.write_text("services:\n  web:\n    restart: allways\n")
    found = lab.json("validate", "-f", str(base), "-f", str(prod), code=1)
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert [(f["rule"], f["file"], f["line"]) for f in errors] == [("HL014", str(prod), 3)]


@pytest.mark.parametrize(
    "lines",
    [
        "    env_file: {outside}\n",
        "    env_file: ${{NOTHING}}{outside}\n",
        "    extends: {{file: {outside}, service: web}}\n",
        "    build: {{context: ., dockerfile: {outside}}}\n",
    ],
)
async def test_a_client_gets_nothing_of_the_host_through_composes_own_word(
    lab: LabOnDisk, tmp_path: Path, lines: str
) -> None:
    canary = "canary-outside-93b1"
    outside = tmp_path / "outside.yaml"
    outside.write_text(f"{canary}: [\n")
    text = "services:\n  web:\n    image: nginx:1.29\n" + lines.format(outside=outside)
    (lab.root / "web").mkdir()
    (lab.root / "web" / "compose.yaml").write_text(text + "# homelab: ignore=HL100 I said so\n")
    async with connected(lab) as client:
        for arguments in ({"stack": "web"}, {"content": [text]}, {"content": [f"include: [{outside}]\n", text]}):
            answer = await call(client, "validate_compose", engine=True, severity="info", **arguments)
            assert canary not in words(answer)
            assert "HL900" not in rules(data(answer))
            assert "names files outside" in " ".join(data(answer)["not_asked"])
