"""A plan does not bring into git what some ``.env`` of the lab keeps as a secret: refused when it is made."""

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Requester
from homelab_mcp.workflow.propose_changes import propose_update_service

PERSON = Requester("cli")
CANARY = "canary-of-another-stack-41c7"
COMPOSE = "services:\n  web:\n    image: nginx:1.29.3\n    environment:\n      GREETING: hello\n"


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    for path, text in {
        "homelab.yaml": "domain: example.org\n",
        "apps/compose.yaml": COMPOSE,
        "other/compose.yaml": "services:\n  db:\n    image: redis:8.2.2\n",
        "other/.env": f"DB_PASSWORD={CANARY}\nTZ=Europe/Berlin\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    made = LocalLab(str(tmp_path), files_only=True)
    made.history.ensure()
    return made


def greet(lab: LocalLab, text: str, name: str = "GREETING") -> str:
    plan = propose_update_service(lab, "web", "apps", {"env_set": {name: text}}, PERSON)
    return next(e.after or "" for e in plan.draft.edits if e.path == "apps/compose.yaml")


def test_another_stacks_secret_is_refused_with_the_line_and_nothing_is_planned(lab: LocalLab) -> None:
    with pytest.raises(InvalidInput) as error:
        greet(lab, f"say {CANARY}")
    assert error.value.code == "secret_in_public_file"
    assert "apps/compose.yaml" in error.value.message
    assert CANARY not in str(error.value.as_dict())
    assert lab.plans.list() == []


def test_what_is_no_secret_is_planned(lab: LocalLab) -> None:
    assert "Europe/Berlin" in greet(lab, "Europe/Berlin")
    assert "two words" in greet(lab, "two words")


def test_what_a_person_wrote_there_before_stays_and_keeps_no_plan_back(lab: LocalLab) -> None:
    file = Path(lab.root) / "apps/compose.yaml"
    file.write_text(COMPOSE.replace("hello", CANARY))
    assert CANARY in greet(lab, "more", name="OTHER")
