"""Calls of a service's own API, from the wish to the outcome: over real HTTP to a stand-in; Docker is make-believe."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.redact import MASK
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.queries.service_api import called
from homelab_mcp.web.views import detail
from homelab_mcp.workflow.assembly import applier, approvals, recovery
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.plan_view import view
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_api import propose_api_call
from tests.service_stand_in import ENTRY, KEY, Memo, MemoCalls, memo_served
from tests.unit.workflow.fakes import FakeClock, FakeCompose, FakeDocker

PIN = "correct horse"
BY = Requester("mcp", "test")
COMPOSE = "services:\n  memo:\n    image: example.org/memo:1.0\n    labels: {homelab.service: memo}\n"


class QuickClock(FakeClock):
    """Waiting costs nothing, and the time of day is the real one, as the approver's is."""

    def now(self) -> float:
        return time.time()


class Desk:
    """A lab with the stand-in in it."""

    def __init__(self, root: Path, memo: Memo) -> None:
        (root / "tools").mkdir(parents=True)
        (root / "catalog").mkdir()
        (root / "tools" / "compose.yaml").write_text(COMPOSE)
        (root / "tools" / ".env").write_text(f"MEMO_API_KEY={KEY}\n")
        (root / "catalog" / "memo.yaml").write_text(ENTRY)
        init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
        self.root, self.memo = root, memo
        self.docker = FakeDocker()
        self.compose = FakeCompose(root, self.docker)
        self.compose.up("tools", ())
        self.calls = MemoCalls(memo)
        self.lab = self.opened()

    def opened(self) -> LocalLab:
        """The lab as another process would open it."""
        lab = open_lab(str(self.root))
        lab.__dict__ |= {
            "engine": self.docker,
            "compose": self.compose,
            "service_calls": self.calls,
            "clock": QuickClock(),
        }
        return lab

    def read(self, operation: str = "", **values: Any) -> dict[str, Any]:
        found = called(self.lab, "memo", "", operation, values)
        assert isinstance(found, dict)
        return found

    def plan(self, operation: str, **values: Any) -> Plan:
        return propose_api_call(self.lab, "memo", "", operation, values, BY)

    def apply(self, plan: Plan) -> PlanStatus:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(self.lab).run(plan.id)

    def sent(self, method: str) -> int:
        return sum(m == method for m, _, _ in self.memo.heard)

    def everything(self) -> str:
        """All that the lab keeps and git knows, but the sealed and the secret files."""
        files = [p for p in self.root.rglob("*") if p.is_file() and p.name != ".env"]
        return "\n".join(p.read_bytes().decode("latin-1") for p in files)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with memo_served() as memo:
        yield Desk(tmp_path / "lab", memo)


def refused(desk: Desk, operation: str, code: str, **values: Any) -> HomelabError:
    with pytest.raises(HomelabError) as caught:
        found = called(desk.lab, "memo", "", operation, values)
        if not isinstance(found, dict):
            desk.plan(operation, **values)
    assert caught.value.code == code, caught.value
    assert KEY not in caught.value.as_text()
    return caught.value


# --- reading --------------------------------------------------------------------------------------------------------


def test_what_there_is_is_told_without_asking_the_service(desk: Desk) -> None:
    found = called(desk.lab, "")
    assert found == {"services": [{"service": "tools/memo", "operations": 9, "key": "MEMO_API_KEY is set"}], "total": 1}
    told = {row["id"]: row for row in desk.read()["operations"]}
    assert told["set_done"]["plan"] == "low risk"
    assert "plan" not in told["notes"]
    assert told["add"]["values"]["mark"].endswith("may be left out")
    assert desk.memo.heard == []


def test_a_read_answers_what_the_entry_keeps(desk: Desk) -> None:
    desk.memo.notes[1]["owner"] = {"mail": "a@example.org"}
    answer = desk.read("notes")
    assert answer["items"] == [{"id": 1, "text": "buy milk", "done": False}]
    assert (answer["untrusted"], answer["total"]) == (True, 1)
    assert desk.memo.headers[0]["x-api-key"] == KEY
    assert desk.read("note", id=1)["data"] == {"id": 1, "text": "buy milk", "done": False}


def test_pages_of_a_long_answer_hold_it_all(desk: Desk) -> None:
    desk.memo.notes = {n: {"id": n, "text": f"note {n} " + "y" * 300} for n in range(1, 91)}
    seen, offset = [], 0
    while True:
        page = called(desk.lab, "memo", "", "notes", {}, limit=100, offset=offset)
        assert isinstance(page, dict)
        assert len(json.dumps(page)) < 16_384
        seen += [one["id"] for one in page["items"]]
        if "next_offset" not in page:
            break
        offset = page["next_offset"]
    assert seen == list(range(1, 91))


def test_what_cannot_be_read_to_its_end_is_refused_and_not_cut(desk: Desk) -> None:
    desk.memo.mood = "big"
    refused(desk, "notes", "answer_too_large")


def test_no_secret_of_an_answer_is_shown(desk: Desk) -> None:
    desk.memo.secret = {
        "apiKey": "abc123", "deep": [{"userPassword": "pw", "author": "Ann", "monkey": "cheeta"}], "echo": KEY,
        "access_token": "t", "text": "plain\u202e\x1b[31m", "tokens": 0,
    }  # fmt: skip
    shown = desk.read("secrets")["data"]
    assert shown["apiKey"] == shown["access_token"] == shown["deep"][0]["userPassword"] == MASK
    assert (shown["deep"][0]["author"], shown["deep"][0]["monkey"]) == ("Ann", "cheeta")
    assert KEY not in json.dumps(shown)
    assert shown["text"] == "plain"


def test_a_redirect_is_told_and_not_followed(desk: Desk) -> None:
    desk.memo.mood = "redirect"
    assert "not followed" in refused(desk, "notes", "service_refused").message
    assert len(desk.memo.heard) == 1


def test_an_unset_key_is_told_with_the_way_to_set_it(desk: Desk) -> None:
    (desk.root / "tools" / ".env").write_text("TZ=UTC\n")
    error = refused(desk, "notes", "api_key_missing")
    assert "in Memo under Settings, API" in error.hint
    assert "homelab-mcp env set tools MEMO_API_KEY" in error.hint
    assert "homelab-mcp env set tools MEMO_API_KEY" in desk.read()["key"]
    refused(desk, "add", "api_key_missing", text="x")
    (desk.root / "tools" / ".env").write_text("MEMO_API_KEY='a b\\r'\n")
    refused(desk, "notes", "api_key_unusable")
    (desk.root / "tools" / ".env").write_text("MEMO_API_KEY=wrong-key-of-long-ago\n")
    assert "env set tools MEMO_API_KEY" in refused(desk, "notes", "api_key_refused").hint
    assert len(desk.memo.heard) == 1, "only the wrong key was tried"


def test_only_what_is_on_the_list_is_asked(desk: Desk) -> None:
    assert "notes" in refused(desk, "format_disk", "operation_unknown").hint
    for values in ({"id": "../../admin"}, {"id": "1/2"}, {"id": 1.5}, {"id": True}, {"other": 1}, {}):
        refused(desk, "note", "bad_value", **values)
    assert desk.memo.heard == []


def test_an_entry_of_anothers_catalog_allows_nothing(desk: Desk) -> None:
    (desk.root / "catalog" / "memo.yaml").unlink()
    (desk.root / "catalog" / "friends").mkdir()
    (desk.root / "catalog" / "friends" / "memo.yaml").write_text(ENTRY)
    desk.lab = desk.opened()
    refused(desk, "notes", "api_untrusted")
    assert called(desk.lab, "") == {"services": [], "total": 0}
    assert desk.memo.heard == []


def test_a_service_that_does_not_run_is_told(desk: Desk) -> None:
    desk.compose.stop("tools", ("memo",))
    refused(desk, "notes", "not_running")


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_write_is_a_plan_that_shows_what_is_sent_and_is_then_sent_once(desk: Desk) -> None:
    plan = desk.plan("set_done", id="1", done="true")
    assert desk.sent("PUT") == 0
    shown = view(plan, approvals(desk.lab).state(plan.id), 0.0)
    assert "+ PUT /api/notes/1" in (shown.diff or "")
    assert '+ {"done":true}' in (shown.diff or "")
    assert "- done: false\n+ done: true" in (shown.diff or "")
    assert any('{"done":true}' in line for line in shown.actions or ())
    assert (shown.risk, shown.undo) == ("low", "set_done takes it back.")
    with pytest.raises(HomelabError) as caught:
        applier(desk.lab).run(plan.id)
    assert caught.value.code == "plan_not_approved"
    status = desk.apply(plan)
    assert (status.state, desk.memo.notes[1]["done"], desk.sent("PUT")) == (PlanState.DONE, True, 1), status
    assert any("shows it" in e.what for e in status.evidence)
    with pytest.raises(HomelabError) as caught:
        applier(desk.lab).run(plan.id)
    assert (caught.value.code, desk.sent("PUT")) == ("plan_used", 1)
    assert KEY not in desk.everything()


def test_what_was_changed_is_taken_back_by_a_plan(desk: Desk) -> None:
    plan = desk.plan("set_done", id=1, done=True)
    assert desk.apply(plan).state is PlanState.DONE
    back = propose_rollback(desk.lab, plan.id, BY)
    assert "PUT /api/notes/1" in str(back.draft.actions)
    assert desk.apply(back).state is PlanState.DONE
    assert desk.memo.notes[1]["done"] is False


def test_what_was_made_is_taken_back_by_the_number_it_was_given(desk: Desk) -> None:
    plan = desk.plan("add", text='say "hi", {id} @{id}\nnext line')
    assert desk.apply(plan).state is PlanState.DONE
    assert desk.memo.notes[2]["text"] == 'say "hi", {id} @{id}\nnext line'
    assert "mark" not in desk.memo.notes[2]
    back = propose_rollback(desk.opened(), plan.id, BY)
    assert desk.apply(back).state is PlanState.DONE
    assert list(desk.memo.notes) == [1]
    with pytest.raises(HomelabError) as caught:
        propose_rollback(desk.lab, back.id, BY)
    assert caught.value.code == "not_undoable"
    assert "Write it again" in caught.value.message


@pytest.mark.parametrize(
    ("operation", "name", "secret"),
    [
        ("add", "text", "hook-canary-77"),
        ("ring", "how", "hook-canary-77"),
        ("add", "text", "q7"),
        ("ring", "how", "q7"),
    ],
)
def test_a_log_in_in_an_address_is_sent_and_shown_to_nobody(desk: Desk, operation: str, name: str, secret: str) -> None:
    address = f"https://anna:{secret}@git.lab.test/hook?apikey=query-canary-88&page=2"
    plan = desk.plan(operation, **{name: address})
    told = (
        view(plan, PlanStatus(PlanState.PENDING), 0).model_dump_json() + repr(plan.draft.actions) + repr(plan.reasons)
    )
    told += json.dumps(detail(desk.lab, plan.id), default=str)
    assert "git.lab.test" in told, "whoever approves sees where it goes"
    assert "is sent and not shown here" in told
    assert desk.apply(plan).state is PlanState.DONE
    assert secret in unquote(next(body for method, _, body in desk.memo.heard if method == "POST"))
    assert "query-canary-88" in unquote(desk.memo.heard[-1][2] or desk.memo.heard[0][2])
    told += desk.everything() + view(plan, desk.lab.plans.status(plan.id), 0).model_dump_json()
    for leak in (f"anna:{secret}", f"anna%3A{secret}", "query-canary-88", f":{secret}@"):
        assert leak not in told, leak


@pytest.mark.parametrize("word", ["/mnt/other", "privileged", "take this away"])
def test_no_word_of_the_requesters_blots_out_another_before_who_approves(desk: Desk, word: str) -> None:
    plan = desk.plan("add", text=f"{word} see https://git.lab.test/hook?apikey={word.replace(' ', '%20')}")
    told = view(plan, PlanStatus(PlanState.PENDING), 0).model_dump_json() + repr(plan.draft.actions)
    assert f"{word} see" in told
    # Nor in any other text: a plan nobody approved would hide what the next one does.
    hidden = desk.plan("add", text=f"see https://git.lab.test/hook?apikey={word.replace(' ', '%20')}")
    assert word in hidden.draft.secrets
    assert desk.lab.redactor.safe(f"image: {word}") == f"image: {word}"


def test_a_service_that_says_no_has_done_nothing(desk: Desk) -> None:
    for mood in ("no", "no with 200"):
        desk.memo.mood = ""
        plan = desk.plan("add", text="x")
        desk.memo.mood = mood
        before = desk.sent("POST")
        status = desk.apply(plan)
        assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "service_refused"), status
        assert desk.sent("POST") == before + 1
        assert KEY not in str(status)


def test_what_it_was_before_must_be_known_to_take_it_back(desk: Desk) -> None:
    plan = desk.plan("set_done", id=7, done=True)
    assert plan.draft.call is not None
    assert (plan.draft.call.undo, plan.draft.call.before) == ("", ())
    assert "not known" in plan.draft.undo


def test_a_call_that_was_not_sent_is_no_mystery(desk: Desk) -> None:
    plan = desk.plan("add", text="x")
    desk.calls.away = True
    status = desk.apply(plan)
    assert (status.state, status.error_code, desk.sent("POST")) == (PlanState.ROLLED_BACK, "service_unreached", 0)


@pytest.mark.parametrize("mood", ["silent", "fails silent", "fails"])
def test_without_an_answer_it_is_looked_at_and_never_sent_again(desk: Desk, mood: str) -> None:
    plan = desk.plan("set_done", id=1, done=True)
    desk.memo.mood = mood
    status = desk.apply(plan)
    assert desk.sent("PUT") == 1
    if mood == "silent":
        assert (status.state, desk.memo.notes[1]["done"]) == (PlanState.DONE, True), status
        return
    assert (status.state, status.error_code) == (PlanState.FAILED, "call_outcome_unknown"), status
    assert "not known" in str(status.evidence)
    told = view(plan, status, 0.0).next
    assert "Nothing is sent again" in told
    # Nothing of the lab is half done: the next plan of the same stack is made and applied.
    desk.memo.mood = ""
    assert recovery(desk.lab).recover() == []
    assert desk.apply(desk.plan("set_done", id=1, done=True)).state is PlanState.DONE


def test_a_write_without_a_look_whose_answer_is_lost_is_unknown(desk: Desk) -> None:
    plan = desk.plan("ring", how="loudly & twice")
    assert plan.draft.call is not None
    assert plan.draft.call.body == "how=loudly%20%26%20twice"
    desk.memo.mood = "silent"
    status = desk.apply(plan)
    assert (status.state, status.error_code, desk.sent("POST")) == (PlanState.FAILED, "call_outcome_unknown", 1)


def test_what_the_look_does_not_show_is_taken_back(desk: Desk) -> None:
    plan = desk.plan("add", text="a thing that it forgets")
    desk.memo.mood = "forgets"
    status = desk.apply(plan)
    # It said that note 1 was made, so that is what its undo names.
    assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "not_verified"), status
    assert desk.sent("DELETE") == 1
    assert "took it back" in str(status.evidence)


def test_what_nothing_takes_back_is_left_and_told(desk: Desk) -> None:
    plan = desk.plan("delete", id=1)
    assert plan.risk.word == "medium"
    desk.memo.mood = "forgets"
    status = desk.apply(plan)
    assert (status.state, status.error_code, desk.sent("DELETE")) == (PlanState.FAILED, "call_not_undone", 1), status


def test_a_plan_made_for_another_container_is_stale(desk: Desk) -> None:
    plan = desk.plan("add", text="x")
    desk.compose.recreate("tools", ("memo",))
    with pytest.raises(HomelabError) as caught:
        desk.apply(plan)
    assert (caught.value.code, desk.sent("POST")) == ("plan_stale", 0)


class Died(BaseException):
    """Stands for a kill."""


def test_an_apply_that_died_while_it_asked_is_told_as_unknown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from homelab_mcp.queries.service_call import Conversation

    plan = desk.plan("add", text="x")
    send = Conversation.send

    def killed(self: Conversation, *given: Any) -> Any:
        send(self, *given)
        raise Died

    monkeypatch.setattr(Conversation, "send", killed)
    with pytest.raises(Died):
        desk.apply(plan)
    monkeypatch.undo()
    assert desk.sent("POST") == 1
    (report,) = recovery(desk.opened()).recover()
    assert report.outcome is PlanState.FAILED
    assert "not asked again" in str(report.evidence)
    assert (desk.sent("POST"), recovery(desk.opened()).recover()) == (1, [])
    assert desk.lab.plans.status(plan.id).error_code == "call_outcome_unknown"
    assert desk.apply(desk.plan("add", text="y")).state is PlanState.DONE


def test_files_only_says_that_docker_is_needed(desk: Desk) -> None:
    lab = open_lab(str(desk.root), files_only=True)
    for operation, values in (("notes", {}), ("add", {"text": "x"})):
        with pytest.raises(HomelabError) as caught:
            if operation == "add":
                propose_api_call(lab, "memo", "", operation, values, BY)
            called(lab, "memo", "", operation, values)
        assert caught.value.code == "plan_needs_docker"


def test_the_command_lists_what_there_is_and_says_what_does_not_fit(desk: Desk) -> None:
    from typer.testing import CliRunner

    from homelab_mcp.cli.app import app

    def typed(*words: str) -> Any:
        return CliRunner().invoke(app, ["--root", str(desk.root), "--files-only", "api", *words])

    assert "tools/memo" in typed().output
    listed = typed("memo").output
    assert "MEMO_API_KEY is set" in listed
    assert "--set id=" in listed
    assert "plan, low risk" in listed
    assert json.loads(typed("memo", "--json").output)["service"] == "tools/memo"
    for words, code in ((["memo", "notes"], "plan_needs_docker"), (["memo", "note", "-s", "id"], "bad_value")):
        error = typed(*words).exception
        assert isinstance(error, HomelabError)
        assert error.code == code
    assert KEY not in listed
