"""Ways to get a plan applied without a person's yes to exactly that plan. Nothing may change by any of them."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import ElicitResult, InputRequiredResult

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core import plan_codec
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Approval, ApprovalKind, Plan, PlanState
from homelab_mcp.workflow.assembly import applier, approvals
from tests.e2e.hostile import tree
from tests.e2e.server import ERAS, PIN, Era, LabOnDisk, call, connected, data, types_the_name, words

CALLS = 300
ADDS = ("uptime-kuma", "jellyfin", "dozzle", "homepage")


def events(lab: LabOnDisk, event: str) -> list[str]:
    lines = (lab.root / ".homelab" / "journal.jsonl").read_text().splitlines()
    return [e["data"]["plan"] for e in map(json.loads, lines) if e["event"] == event]


def untouched(lab: LabOnDisk, before: dict[str, bytes]) -> bool:
    """Whether files, git and the journal say that nothing was applied since."""
    return lab.files() == before and lab.json("journal", "verify")["ok"] is True


async def pending(client: Client, *services: str) -> list[dict[str, Any]]:
    return [data(await call(client, "add_service", service=s)) for s in services]


async def asked(client: Client, plan: dict[str, Any]) -> InputRequiredResult:
    """The question that a 2026-07-28 client gets, unanswered."""
    result = await client.session.call_tool("apply_plan", {"plan_id": plan["plan_id"]}, allow_input_required=True)
    assert isinstance(result, InputRequiredResult), result
    return result


def answer_to(question: InputRequiredResult, name: str) -> dict[str, Any]:
    assert question.input_requests
    return {key: ElicitResult(action="accept", content={"name": name}) for key in question.input_requests}


async def answered(
    client: Client, plan: dict[str, Any], responses: dict[str, Any] | None, state: str | None
) -> tuple[bool, str]:
    """Whether the call went through, and its words; a protocol error counts as refused."""
    try:
        result = await client.session.call_tool(
            "apply_plan",
            {"plan_id": plan["plan_id"]},
            input_responses=responses,
            request_state=state,
            allow_input_required=True,
        )
    except Exception as error:  # noqa: BLE001 - whichever way the SDK refuses
        return False, str(error)
    if isinstance(result, InputRequiredResult):
        return False, "asked again"
    assert "internal_error" not in words(result)
    return not getattr(result, "is_error", False), words(result)


@pytest.mark.timeout(90)
async def test_an_answer_and_its_state_hold_for_one_plan_one_time_and_one_server(lab: LabOnDisk) -> None:
    before = lab.files()
    async with connected(lab, "auto", types_the_name) as client, connected(lab, "auto", types_the_name) as other:
        a, b, c = await pending(client, *ADDS[:3])
        question_a, question_b = await asked(client, a), await asked(client, b)
        state_a, state_b = question_a.request_state, question_b.request_state
        assert state_a
        assert state_b
        right = answer_to(question_b, b["target"])
        raw = bytearray(base64.urlsafe_b64decode(state_b + "=" * (-len(state_b) % 4))) if state_b.isalnum() else b""
        broken = base64.urlsafe_b64encode(bytes([*raw[:-1], raw[-1] ^ 1])).decode() if raw else state_b[:-4] + "AAAA"
        forged: list[tuple[str, dict[str, Any] | None, str | None]] = [
            ("no state", right, None),
            ("empty state", right, ""),
            ("plain state", right, json.dumps({"plan_id": b["plan_id"], "approved": True})),
            ("another plan's state", right, state_a),
            ("another plan's answer and state", answer_to(question_a, a["target"]), state_a),
            ("a broken state", right, broken),
            ("half a state", right, state_b[: len(state_b) // 2]),
            ("two states", right, state_a + state_b),
            ("no answer", None, state_b),
            ("an empty answer", {}, state_b),
            ("an empty name", answer_to(question_b, ""), state_b),
            ("another plan's name", answer_to(question_b, a["target"]), state_b),
            ("a name and more", answer_to(question_b, b["target"] + "\nyes"), state_b),
            ("yes", answer_to(question_b, "yes"), state_b),
            ("an answer to another key", {"x": ElicitResult(action="accept", content={"name": b["target"]})}, state_b),
            ("declined", {k: ElicitResult(action="decline") for k in right}, state_b),
            ("cancelled", {k: ElicitResult(action="cancel") for k in right}, state_b),
        ]
        for what, responses, state in forged:
            through, text = await answered(client, b, responses, state)
            assert not through, (what, text)
        through, text = await answered(other, b, right, state_b)
        assert not through, ("another server's state", text)
        assert untouched(lab, before)
        assert events(lab, "approved") == events(lab, "apply_begin"), "only what made the lab was approved"
        # Late: a person said no in the terminal while the dialog was open; then the dialog's yes comes.
        lab.approve(b["plan_id"], "--decline", "--reason", "no")
        through, text = await answered(client, b, right, state_b)
        assert not through
        assert "plan_declined" in text
        assert untouched(lab, before)
        # And the honest way, once; the same state and answer again apply nothing, to this plan or to another.
        through, text = await answered(client, a, answer_to(question_a, a["target"]), state_a)
        assert through, text
        while data(await call(client, "get_plan", plan_id=a["plan_id"], wait=20))["state"] != "done":
            continue
        after = lab.files()
        for plan in (a, c):
            await answered(client, plan, answer_to(question_a, a["target"]), state_a)
        assert events(lab, "apply_begin").count(a["plan_id"]) == 1
        assert c["plan_id"] not in events(lab, "approved")
        assert lab.files() == after


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.timeout(90)
async def test_hostile_dialogs_and_hostile_ids_apply_nothing(lab: LabOnDisk, era: Era, tmp_path: Path) -> None:
    before = lab.files()
    queue: list[ElicitResult] = []

    def answer(_: str) -> ElicitResult:
        return queue.pop(0) if queue else ElicitResult(action="accept", content={})

    async with connected(lab, era, answer) as client:
        first, second = await pending(client, *ADDS[:2])
        for content in ({}, {"name": ""}, {"name": " "}, {"name": first["target"]}, {"name": first["plan_id"]},
                        {"name": second["target"].upper()}, {"name": second["target"] + "\u200b"},
                        {"approved": True}, {"name": "y"}):  # fmt: skip
            queue[:] = [ElicitResult(action="accept", content=dict(content))]
            try:
                result = await client.call_tool("apply_plan", {"plan_id": second["plan_id"]})
                assert result.is_error, (content, words(result))
            except Exception as error:  # noqa: BLE001 - an SDK may refuse the malformed answer itself
                assert "internal" not in str(error).lower()
        real = second["plan_id"]
        elsewhere = LabOnDisk(tmp_path / "other" / "stacks", lab.environment)
        shutil.copytree(lab.root, elsewhere.root, symlinks=True)
        foreign = elsewhere.json("add", "dozzle", "--plan-only", code=3)["plan_id"]
        flipped = format(int(real, 16) ^ 1, "032x")
        queue.clear()
        for forged in (
            foreign,
            flipped,
            "0" * 32,
            "f" * 32,
            real[::-1],
            real[:31],
            real + "0",
            f" {real}",
            f"{real}/.",
        ):
            result = await call(client, "apply_plan", plan_id=forged)
            assert result.is_error, forged
        assert "approved" not in data(await call(client, "get_plan", plan_id=real))["state"]
    assert untouched(lab, before)


@pytest.mark.timeout(90)
async def test_a_plan_that_turned_stale_or_old_is_not_applied_on_its_approval(lab: LabOnDisk) -> None:
    async with connected(lab, "auto", types_the_name) as client:
        approved, waiting = await pending(client, ADDS[0], ADDS[0])
        lab.approve(approved["plan_id"])
        stack = re.search(r"to stack (\w+)", approved["summary"])
        assert stack
        (lab.root / stack[1]).mkdir(exist_ok=True)
        (lab.root / stack[1] / "compose.yaml").write_text("services:\n  mine:\n    image: x:1\n")
        before = lab.files()
        for plan in (approved, waiting):
            refused = await call(client, "apply_plan", plan_id=plan["plan_id"])
            assert refused.is_error
            assert "plan_stale" in words(refused)
        assert lab.files() == before


def _leaves(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(part, dict) and part:
        for key, value in part.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(part, list) and part:
        for number, value in enumerate(part):
            yield from _leaves(value, (*path, number))
    else:
        yield path


def _flip(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else ["x"] if value == [] else {"x": "y"} if value == {} else "x"


@pytest.mark.parametrize("kind", list(ApprovalKind))
@pytest.mark.timeout(90)
async def test_each_field_of_a_stored_plan_and_of_its_approval_flipped_is_refused(
    lab: LabOnDisk, kind: ApprovalKind
) -> None:
    """On disk, by hand: as it is, and with the digest made anew; by the applier that the worker runs."""
    before = lab.files()
    plan_id = lab.json("add", "nextcloud", "--plan-only", code=3)["plan_id"]
    inside = open_lab(str(lab.root), files_only=True)
    if kind is ApprovalKind.OUT_OF_BAND:
        lab.approve(plan_id)
    else:
        approvals(inside).dialog(inside.plans.get(plan_id), inside.plans.get(plan_id).draft.target, "test")
    machine = applier(inside)
    assert machine.check(plan_id).id == plan_id, "as it is, it may be applied"
    folder = lab.root / ".homelab" / "plans" / plan_id
    codes: Counter[str] = Counter()

    def refused(what: object) -> None:
        try:
            machine.check(plan_id)
        except HomelabError as error:
            codes[error.code] += 1
        else:
            pytest.fail(f"{what} flipped, and the plan may still be applied")

    kept = (folder / "plan.json").read_text()
    for what, changed in _records_touched(kept):
        (folder / "plan.json").write_text(changed)
        refused(what)
    (folder / "plan.json").write_text(kept)
    # Who has the key too, or writes a record of the time before there was one, meets the digest.
    whole = plan_codec.plan_to_json(inside.plans.get(plan_id))
    for path in _leaves(json.loads(whole)["plan"]):
        changed = json.loads(whole)
        place = changed["plan"]
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = _flip(place[path[-1]])
        (folder / "plan.json").write_text(json.dumps(changed))
        refused(path)
        try:
            (folder / "plan.json").write_text(plan_codec.plan_to_json(_sealed_anew(changed)))
        except (HomelabError, ValueError, TypeError, KeyError, AttributeError):
            continue
        refused((*path, "sealed anew"))
    (folder / "plan.json").write_text(whole)
    assert machine.check(plan_id).id == plan_id
    given = json.loads((folder / "approval.json").read_text())
    for field, value in given.items():
        if (kind, field) == (ApprovalKind.CLIENT_DIALOG, "signature"):
            continue
        new = {"kind": next(str(k) for k in ApprovalKind if str(k) != value)}.get(field, _flip(value))
        (folder / "approval.json").write_text(json.dumps({**given, field: new}))
        # When an answer to a dialog came is told by the journal; within the plan's life it may be any moment.
        if (kind, field) != (ApprovalKind.CLIENT_DIALOG, "when"):
            refused(("approval", field))
    assert sum(codes.values()) > 100, codes
    assert set(codes) <= {"plan_corrupt", "plan_not_approved", "plan_declined", "plan_expired", "plan_stale"}, codes
    assert untouched(lab, before)


def _records_touched(kept: str) -> Iterator[tuple[object, str]]:
    """A stored record with each leaf of its outline flipped, and with its sealed part changed at many places."""
    for path in _leaves(json.loads(kept)["outline"]):
        changed = json.loads(kept)
        place = changed["outline"]
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = _flip(place[path[-1]])
        yield ("outline", *path), json.dumps(changed)
    sealed = json.loads(kept)["sealed"]
    for at in range(0, len(sealed), max(len(sealed) // 40, 1)):
        other = "A" if sealed[at] != "A" else "B"
        yield ("sealed", at), json.dumps({**json.loads(kept), "sealed": f"{sealed[:at]}{other}{sealed[at + 1 :]}"})


def _sealed_anew(changed: dict[str, Any]) -> Plan:
    return plan_codec.seal(plan_codec._plan(changed))


@pytest.mark.timeout(150)
def test_an_approval_written_by_hand_is_none(lab: LabOnDisk, tmp_path: Path) -> None:
    before = lab.files()
    inside = open_lab(str(lab.root), files_only=True)
    plan_id = lab.json("add", "uptime-kuma", "--plan-only", code=3)["plan_id"]
    other_id = lab.json("add", "jellyfin", "--plan-only", code=3)["plan_id"]
    plan = inside.plans.get(plan_id)
    lab.approve(other_id)
    signed = inside.plans.approval(other_id)
    assert signed is not None
    stranger = open_lab(str(tmp_path / "stranger"), files_only=True)
    stranger.approver.create("another pin")
    foreign = stranger.approver.sign("another pin", plan, approved=True, who="me")
    by_hand = Approval(plan.id, plan.digest, ApprovalKind.OUT_OF_BAND, True, "me", inside.clock.now())
    written = {
        "unsigned": by_hand,
        "dialog, and no dialog was": dataclasses.replace(by_hand, kind=ApprovalKind.CLIENT_DIALOG),
        "another key": foreign,
        "another key as dialog": dataclasses.replace(foreign, kind=ApprovalKind.CLIENT_DIALOG),
        "another plan's": dataclasses.replace(signed, plan_id=plan.id),
        "another plan's signature": dataclasses.replace(by_hand, signature=signed.signature),
        "another digest": dataclasses.replace(signed, plan_id=plan.id, digest=plan.digest),
        "a signature of nothing": dataclasses.replace(by_hand, signature=base64.b64encode(bytes(64)).decode()),
        "the other plan's record": signed,
    }
    for what, approval in written.items():
        (lab.root / ".homelab" / "plans" / plan_id / "approval.json").write_text(plan_codec.approval_to_json(approval))
        with pytest.raises(HomelabError) as caught:
            applier(inside).check(plan_id)
        assert caught.value.code == "plan_not_approved", what
        assert lab.run("apply", plan_id, "--json").returncode == 1, what
        shown = inside.plans.status(plan_id).state
        assert shown is PlanState.PENDING, what
        if what == "dialog, and no dialog was":
            (lab.root / ".homelab" / "plans" / plan_id / "status.json").write_text(
                (lab.root / ".homelab" / "plans" / other_id / "status.json").read_text()
            )
            assert lab.run("apply", plan_id, "--json").returncode == 1, "its status said approved"
            inside.plans.set_status(plan_id, dataclasses.replace(inside.plans.status(plan_id), state=PlanState.PENDING))
    other_key = (tmp_path / "stranger" / ".homelab" / "approver.json").read_text()
    (lab.root / ".homelab" / "approver.json").write_text(other_key)
    assert "approver_replaced" in lab.run("apply", other_id, "--json").stdout, "signed by the key that was there before"
    (lab.root / ".homelab" / "plans" / plan_id / "approval.json").write_text(plan_codec.approval_to_json(foreign))
    assert "approver_replaced" in lab.run("apply", plan_id, "--json").stdout, "signed by the key that is there now"
    assert untouched(lab, before)


@pytest.mark.timeout(90)
async def test_no_tool_reaches_the_policy_the_approver_or_the_records(lab: LabOnDisk) -> None:
    (lab.root / "policy.yaml").write_text("approval: {high: [out_of_band]}\n")
    places = (
        *("policy.yaml", "../policy.yaml", "core/../policy.yaml", "./policy.yaml", "POLICY.YAML", "policy.yaml\0"),
        *(".homelab", ".homelab/approver.json", "homelab.yaml", ".git", ".git/hooks", ".", "..", "/", "Policy"),
    )
    guarded = ("policy.yaml", "homelab.yaml", ".homelab/approver.json")
    kept = {p: (lab.root / p).read_bytes() for p in guarded}
    hooks = tree(lab.root / ".git" / "hooks") if (lab.root / ".git" / "hooks").is_dir() else {}
    async with connected(lab, "auto", types_the_name) as client:
        for place in places:
            for tool, arguments in (
                ("set_env", {"stack": place, "values": {"approval": "automatic"}}),
                ("add_service", {"service": "uptime-kuma", "stack": place}),
                ("add_service", {"service": "uptime-kuma", "name": place}),
                ("add_service", {"service": place}),
                ("remove_service", {"service": "traefik", "stack": place}),
                ("rollback", {"plan_id": place.ljust(8, "x")}),
            ):
                result = await call(client, tool, **arguments)
                if (tool, place) == ("set_env", "."):
                    # Stands for the variables that all stacks share, in a file of their own.
                    assert result.structured_content
                    files = re.findall(r"^\+\+\+ (\S+)", result.structured_content["diff"], re.MULTILINE)
                    assert [f.removeprefix("b/") for f in files] == ["global.env"], files
                    continue
                assert result.is_error, (tool, arguments, words(result))
                if result.structured_content:
                    assert "plan_id" not in result.structured_content
    assert {p: (lab.root / p).read_bytes() for p in guarded} == kept
    assert (tree(lab.root / ".git" / "hooks") if hooks else {}) == hooks


class Walk:
    """A model that calls every tool in every order, with whatever it has seen so far and what it makes up."""

    def __init__(self, seed: int, tools: list[Any]) -> None:
        self.chance = random.Random(seed)
        self.tools = tools
        self.deck: list[Any] = []
        self.ids: list[str] = ["0" * 32]
        self.names = ["core", "media", "traefik", "authelia", *ADDS, "nextcloud", "policy.yaml", "../..", "", "linked"]

    def person(self, message: str) -> ElicitResult:
        """Not a person: everything that is no yes to this very question."""
        right = message.rsplit("type: ", 1)[-1].strip()
        wrong = [n for n in self.names if n.strip() != right]
        return self.chance.choice(
            [
                ElicitResult(action="accept", content={}),
                ElicitResult(action="accept", content={"name": self.chance.choice(wrong)}),
                ElicitResult(action="accept", content={"name": "yes", "approved": True}),
                ElicitResult(action="decline"),
                ElicitResult(action="cancel"),
            ]
        )

    def next(self) -> tuple[str, dict[str, Any]]:
        if not self.deck:
            # Each tool once a round, in any order; apply_plan more often, as what it must refuse is the point.
            self.deck = [*self.tools, *(t for t in self.tools if t.name == "apply_plan" for _ in range(3))]
            self.chance.shuffle(self.deck)
        tool = self.deck.pop()
        properties = tool.input_schema.get("properties", {})
        chosen = set(tool.input_schema.get("required", ())) | {n for n in properties if self.chance.random() < 0.3}
        return tool.name, {name: self._value(name, properties[name]) for name in sorted(chosen)}

    def _value(self, name: str, body: dict[str, Any]) -> Any:
        if "plan_id" in name:
            return self.chance.choice(self.ids)
        if body.get("enum"):
            return self.chance.choice(body["enum"])
        if name == "wait":
            return 0
        match body.get("type", "string"):
            case "integer":
                return self.chance.choice([1, 2, 10])
            case "boolean":
                return self.chance.choice([True, False])
            case "array":
                return [self._word() for _ in range(self.chance.randint(0, 2))]
            case "object":
                return {self.chance.choice(["A", "DOMAIN", "TZ", "approved"]): self._word()}
        return self._word()

    def _word(self) -> str:
        return self.chance.choice(self.names)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.timeout(120)
async def test_a_model_that_calls_everything_in_every_order_changes_nothing(lab: LabOnDisk, era: Era) -> None:
    # An apply of before, so that there is something to roll back.
    done = lab.json("add", "homepage", "--plan-only", code=3)["plan_id"]
    lab.approve(done, "--apply")
    before, begun = lab.files(), events(lab, "apply_begin")
    walk: Walk | None = None

    def person(message: str) -> ElicitResult:
        assert walk is not None
        return walk.person(message)

    counts: Counter[str] = Counter()
    async with connected(lab, era, person) as client:
        walk = Walk(20261123 + ERAS.index(era), (await client.list_tools()).tools)
        walk.ids = [done, *walk.ids]
        for _ in range(CALLS // len(ERAS)):
            tool, arguments = walk.next()
            counts[tool] += 1
            try:
                result = await asyncio.wait_for(client.call_tool(tool, arguments), 20)
            except TimeoutError:
                pytest.fail(f"{tool} {arguments} did not end")
            except Exception as error:  # noqa: BLE001 - an SDK may refuse the malformed answer itself
                assert "elicit" in str(error).lower() or "name" in str(error).lower(), error
                continue
            assert "internal_error" not in words(result), (tool, arguments, words(result))
            if found := re.findall(r'"plan_id":"([0-9a-f]{32})"', words(result)):
                walk.ids = [done, *list(dict.fromkeys([*walk.ids[1:], *found]))[-12:]]
                if len(list((lab.root / ".homelab" / "plans").iterdir())) > 40:
                    for plan in walk.ids[1:7]:
                        shutil.rmtree(lab.root / ".homelab" / "plans" / plan, ignore_errors=True)
    assert counts["apply_plan"] >= 5, counts
    assert set(counts) == {t.name for t in walk.tools}
    assert events(lab, "apply_begin") == begun
    assert untouched(lab, before)
    assert lab.approve(lab.json("add", "dozzle", "--plan-only", code=3)["plan_id"], "--apply")["state"] == "done", PIN
