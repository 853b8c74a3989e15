"""The approval page: who gets in, what they see, and what their answers do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from homelab_mcp.adapters.approver import KeyFileApprover
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.env_file import parse
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, LabLocked, PlanRefused, StorageFailed
from homelab_mcp.model.plan import ApprovalKind, Evidence, FileEdit, Plan, PlanState, PlanStatus, Requester, Risk
from homelab_mcp.web.look import Look
from homelab_mcp.web.problems import problem_of
from homelab_mcp.web.sessions import IDLE_SECONDS, LONGEST_SECONDS
from homelab_mcp.web.site import site
from tests.unit.web.page_lab import HOME, OLD, PIN, SECRET, Parts, Visitor, a_lab, a_plan
from tests.unit.workflow.fakes import FakeClock


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with an approver; sealing a key takes a while, on purpose."""
    return Path(a_lab(tmp_path_factory.mktemp("pattern") / "lab").root)


@pytest.fixture
def lab(tmp_path: Path, pattern: Path) -> LocalLab:
    return a_lab(shutil.copytree(pattern, tmp_path / "lab"))


def pass_time(lab: LocalLab, seconds: float) -> None:
    assert isinstance(lab.clock, FakeClock)
    lab.clock.passed += seconds


# --- who gets in


async def test_without_a_session_there_is_only_the_log_in(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    for path in ("/", f"/plans/{plan.id}", "/history", "/journal", "/set", "/plans/x?live=1&auto=1"):
        answer = await visitor.get(f"/approvals{path}")
        assert answer.status_code == (401 if "live" in path else 303), path
        assert answer.headers.get("location", "/approvals/login").startswith("/approvals/login")
        assert "Change web" not in answer.text
    for path in (f"/plans/{plan.id}/answer", "/logout", "/set"):
        answer = await visitor.form(path, do="approve", digest=plan.digest, csrf="")
        assert answer.status_code == 401
        assert "Nothing was recorded" in answer.text
    assert lab.plans.approval(plan.id) is None


async def test_a_forged_cookie_and_one_of_another_server_open_nothing(lab: LocalLab) -> None:
    elsewhere = Visitor(lab)
    await elsewhere.login()
    foreign = elsewhere.cookies["homelab"]
    assert (await elsewhere.get("/approvals/")).status_code == 200
    for token in (foreign, "", "x", "a" * 43, "\u00ff" * 3, "0" * 4000):
        answer = await Visitor(lab).get("/approvals/", headers={b"Cookie": b"homelab=" + token.encode("latin-1")})
        assert answer.status_code == 303, token


async def test_the_cookie_is_for_this_page_alone(lab: LocalLab) -> None:
    cookie = (await Visitor(lab).login()).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    url = "https://approvals.lab.test"
    behind = Visitor(lab, site("0.0.0.0", 8766, url=url, remote=True), base=url)
    cookie = (await behind.login()).headers["set-cookie"]
    assert cookie.startswith("__Host-homelab=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie
    assert (await behind.get("/approvals/")).status_code == 200


async def test_a_log_in_has_a_new_id_and_a_log_out_ends_it(lab: LocalLab) -> None:
    visitor = Visitor(lab)
    await visitor.login()
    first = visitor.cookies["homelab"]
    await visitor.login()
    second = visitor.cookies["homelab"]
    assert first != second
    assert len(second) >= 43
    visitor.cookies.clear()
    assert (await visitor.get("/approvals/", headers={"Cookie": f"homelab={first}"})).status_code == 303
    visitor.cookies.set("homelab", second)
    assert (await visitor.form("/logout")).status_code == 403
    assert (await visitor.form("/logout", csrf=await visitor.csrf())).status_code == 303
    assert (await visitor.get("/approvals/", headers={"Cookie": f"homelab={second}"})).status_code == 303


async def test_a_session_ends_when_nobody_is_there_although_the_page_polls(lab: LocalLab) -> None:
    visitor = Visitor(lab)
    await visitor.login()
    for _ in range(14):
        pass_time(lab, 60)
        assert (await visitor.get("/approvals/?live=1")).status_code == 200
        assert (await visitor.get("/approvals/?auto=1")).status_code == 200
    pass_time(lab, 61)
    assert (await visitor.get("/approvals/?live=1")).status_code == 401
    assert (await visitor.get("/approvals/")).status_code == 303


async def test_a_session_ends_after_eight_hours_and_a_clock_set_back_does_not_lengthen_it(lab: LocalLab) -> None:
    visitor = Visitor(lab)
    await visitor.login()
    assert isinstance(lab.clock, FakeClock)
    for _ in range(int(LONGEST_SECONDS / (IDLE_SECONDS - 1))):
        pass_time(lab, IDLE_SECONDS - 1)
        lab.clock.wall -= IDLE_SECONDS
        assert (await visitor.get("/approvals/")).status_code == 200
    pass_time(lab, IDLE_SECONDS - 1)
    assert (await visitor.get("/approvals/")).status_code == 303


async def test_wrong_pins_are_counted_by_address_and_the_right_one_is_then_refused_too(lab: LocalLab) -> None:
    assert isinstance(lab.clock, FakeClock)
    lab.approver = KeyFileApprover(Path(lab.root, ".homelab", "approver.json"), lab.clock)
    visitor = Visitor(lab)
    for _ in range(5):
        answer = await visitor.login("wrong-pin")
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    answer = await visitor.login()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 200
    assert "Too many tries" in answer.text
    # The approver's own lock holds for the terminal and for every address: a minute.
    elsewhere = Visitor(lab, address="192.0.2.7")
    assert (await elsewhere.login()).status_code == 429
    pass_time(lab, 61)
    assert (await elsewhere.login()).status_code == 303
    assert (await visitor.login()).status_code == 429
    pass_time(lab, 240)
    assert (await visitor.login()).status_code == 303
    events = [e["event"] for e in lab.journal.entries()]
    assert events.count("page_login_refused") == 6
    assert events.count("page_login") == 2


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"Host": "evil.example"}, "GET", 421),
        ({"Host": "127.0.0.1:8766.evil.example"}, "GET", 421),
        ({"Host": "127.0.0.1"}, "GET", 421),
        ({"Host": "evil.example"}, "POST", 421),
        ({"Origin": "http://evil.example"}, "GET", 403),
        ({"Origin": "http://evil.example"}, "POST", 403),
        ({"Origin": "null"}, "POST", 403),
        ({"Origin": "https://127.0.0.1:8766"}, "POST", 403),
        ({}, "POST", 403),
        ({"Origin": HOME, "Sec-Fetch-Site": "cross-site"}, "POST", 403),
        ({"Origin": HOME, "Sec-Fetch-Site": "same-site"}, "POST", 403),
        ({"Origin": HOME}, "PUT", 405),
        ({"Origin": HOME}, "DELETE", 405),
        ({"Origin": HOME}, "OPTIONS", 405),
    ],
)
async def test_other_names_origins_and_methods_are_refused(
    lab: LocalLab, headers: dict[str, str], method: str, status: int
) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    fields = {"csrf": await visitor.csrf(), "digest": plan.digest, "do": "approve"}
    answer = await visitor.request(
        method, f"/approvals/plans/{plan.id}/answer", data=fields if method == "POST" else None, headers=headers
    )
    assert answer.status_code == status
    assert lab.plans.approval(plan.id) is None


async def test_answers_are_taken_by_post_alone(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    fields = {"csrf": await visitor.csrf(), "digest": plan.digest, "do": "approve"}
    answer = await visitor.get(f"/approvals/plans/{plan.id}/answer", params=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/plans/{plan.id}")
    assert (await visitor.get("/approvals/plans/evil/answer")).headers["location"] == "/approvals/"
    assert lab.plans.approval(plan.id) is None


async def test_a_log_in_leads_nowhere_else(lab: LocalLab) -> None:
    for place in (
        "//evil.example",
        "https://evil.example/approvals/",
        "/approvals/../x",
        "/approvals/logout",
        "\r\nX: y",
    ):
        answer = await Visitor(lab).form("/login", pin=PIN, next=place)
        assert answer.headers["location"] == "/approvals/", place
    wanted = f"/approvals/plans/{'a' * 32}"
    assert (await Visitor(lab).form("/login", pin=PIN, next=wanted)).headers["location"] == wanted


# --- answers


async def test_a_yes_is_signed_and_names_who_gave_it(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    answer = await visitor.answer(plan, "approve", reason="wanted")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/plans/{plan.id}")
    given = lab.plans.approval(plan.id)
    assert given is not None
    assert given.approved
    assert (given.kind, given.who, given.reason) == (ApprovalKind.OUT_OF_BAND, "page me", "wanted")
    assert lab.approver.verify(given)
    assert lab.plans.status(plan.id).state is PlanState.APPROVED
    page = (await visitor.get(f"/approvals/plans/{plan.id}")).text
    assert "approved, not applied yet" in page
    assert "Apply now" in page


async def test_a_no_is_final(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    assert (await visitor.answer(plan, "decline", reason="not <now>")).status_code == 303
    page = (await visitor.get(f"/approvals/plans/{plan.id}")).text
    assert "not &lt;now&gt;" in page
    answer = await visitor.answer(plan, "approve")
    assert answer.status_code == 409
    assert "declined" in Parts(answer.text).words
    given = lab.plans.approval(plan.id)
    assert given is not None
    assert not given.approved


async def test_a_form_of_another_session_records_nothing(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    stale = await visitor.csrf()
    await visitor.login()
    for token in ("", "x", stale, stale.upper()):
        answer = await visitor.answer(plan, "approve", csrf=token)
        assert answer.status_code == 403
        assert "Nothing was recorded" in answer.text
    assert lab.plans.approval(plan.id) is None


async def test_a_plan_of_high_risk_needs_its_name_typed(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab, risk=Risk.HIGH), Visitor(lab)
    await visitor.login()
    for name in ("", "yes", "w\u0435b", "Web"):
        for do in ("approve", "approve_apply"):
            answer = await visitor.answer(plan, do, name=name, reason="kept <text>")
            assert answer.status_code == 422
            assert "kept &lt;text&gt;" in answer.text
            assert 'aria-invalid="true"' in answer.text
    assert lab.plans.approval(plan.id) is None
    assert (await visitor.answer(plan, "approve", name=" web ")).status_code == 303


async def test_enter_in_a_field_answers_nothing(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    form = (await visitor.get(f"/approvals/plans/{plan.id}")).text.split('id="answer"')[1]
    buttons = [attrs for tag, attrs in Parts(form).tags if tag == "button"]
    assert buttons[0]["value"] == "ask"
    answer = await visitor.answer(plan, "ask", reason="no!")
    assert answer.status_code == 422
    assert "choose one of the buttons" in answer.text
    assert lab.plans.approval(plan.id) is None


async def test_only_the_plan_that_was_read_is_answered(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    answer = await visitor.answer(plan, "approve", digest="0" * 64)
    assert answer.status_code == 409
    assert "not the plan that you read" in answer.text
    assert lab.plans.approval(plan.id) is None


def _used(lab: LocalLab, plan: Plan) -> None:
    lab.plans.consume(plan.id)


def _expired(lab: LocalLab, plan: Plan) -> None:
    pass_time(lab, 301)


def _refused(lab: LocalLab, plan: Plan) -> None:
    Path(lab.root, "policy.yaml").write_text("rules:\n  - {target: web, approval: refuse}\n")


def _bad_policy(lab: LocalLab, plan: Plan) -> None:
    Path(lab.root, "policy.yaml").write_text("nonsense: 1\n")


def _no_journal(lab: LocalLab, plan: Plan) -> None:
    path = Path(lab.root, ".homelab", "journal.jsonl")
    path.unlink()
    path.mkdir()


def _new_key(lab: LocalLab, plan: Plan) -> None:
    path = Path(lab.root, ".homelab", "approver.json")
    path.unlink()
    KeyFileApprover(path).create("another-pin")


@pytest.mark.parametrize(
    ("happens", "status", "words"),
    [
        (_used, 409, "applied already"),
        (_expired, 409, "time is over"),
        (_refused, 409, "policy refuses"),
        (_bad_policy, 400, "policy file"),
        (_no_journal, 503, "The journal takes no record, so nothing was changed"),
        (_new_key, 403, "key was replaced"),
    ],
)
async def test_what_cannot_be_approved_says_why_and_what_to_do(
    lab: LocalLab, happens: Callable[[LocalLab, Plan], None], status: int, words: str
) -> None:
    plan, visitor = a_plan(lab, expires=lab.clock.now() + 300), Visitor(lab)
    await visitor.login()
    fields = {"csrf": await visitor.csrf(), "digest": plan.digest, "do": "approve"}
    happens(lab, plan)
    answer = await visitor.form(f"/plans/{plan.id}/answer", **fields)
    assert answer.status_code == status
    assert words in Parts(answer.text).words
    assert "Traceback" not in answer.text
    assert ("a", "/approvals/") in [(t, a.get("href")) for t, a in Parts(answer.text).tags]
    assert lab.plans.approval(plan.id) is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LabLocked("Another apply is at work.", hint="Wait for it."), 409),
        (EngineUnavailable("Docker does not answer.", hint="Start it."), 503),
        (StorageFailed("The disk is full.", hint="Free some space.", code="disk_full"), 503),
        (PlanRefused("Since the plan was made: x.", code="plan_stale", hint="Ask again."), 409),
    ],
)
def test_each_error_has_its_title_and_way_out(error: HomelabError, status: int) -> None:
    told, title, todo = problem_of(error)
    assert told == status
    assert title
    assert error.hint in todo


async def test_unknown_plans_pages_and_answers(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    for path in (f"/plans/{'f' * 32}", "/plans/..%2f..%2fx", "/plans/%00", "/nowhere", "/static/app.py"):
        answer = await visitor.get(f"/approvals{path}")
        assert answer.status_code == 404, path
        assert "<h1>" in answer.text
    assert (await visitor.answer(plan, "approve-all")).status_code == 400
    assert lab.plans.approval(plan.id) is None


async def test_forms_are_small_and_plain(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()
    assert (await visitor.answer(plan, "approve", reason="x" * 20_000)).status_code == 413
    url, headers = f"/approvals/plans/{plan.id}/answer", {"Origin": HOME}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies = (b"do=approve&do=decline", b"\xff", b"&".join(b"a%d=1" % n for n in range(50)), b"a=%ff")
    for body in bodies:
        assert (await visitor.post(url, content=body, headers={**headers, **kind})).status_code == 400
    assert (await visitor.post(url, json={"do": "approve"}, headers=headers)).status_code == 400
    assert lab.plans.approval(plan.id) is None


async def test_an_unforeseen_error_keeps_its_words_to_the_log(lab: LocalLab, caplog: pytest.LogCaptureFixture) -> None:
    visitor = Visitor(lab)
    await visitor.login()
    lab.plans = None  # type: ignore[assignment]
    answer = await visitor.get("/approvals/")
    assert answer.status_code == 500
    assert "NoneType" not in answer.text
    assert "reference" in answer.text
    assert "NoneType" in caplog.text


# --- what is shown

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}</title>"


def _hostile_plan(lab: LocalLab) -> Plan:
    return a_plan(
        lab,
        summary=HOSTILE,
        target=HOSTILE,
        undo=HOSTILE,
        notes=(HOSTILE,),
        edits=(FileEdit(f"media/{HOSTILE}", f"a: {HOSTILE}\n", f"b: {HOSTILE}\n{SECRET}\n"),),
        risk=Risk.HIGH,
        reasons=(HOSTILE,),
        asked_by=Requester("mcp", HOSTILE, HOSTILE),
    )


async def test_hostile_text_is_shown_and_not_run(lab: LocalLab) -> None:
    plan, visitor = _hostile_plan(lab), Visitor(lab)
    await visitor.login()
    lab.journal.append(HOSTILE, {"plan": HOSTILE, "summary": HOSTILE})
    pages = [await visitor.get(f"/approvals{p}") for p in ("/", f"/plans/{plan.id}", "/journal")]
    pages.append(await visitor.answer(plan, "approve", name=HOSTILE + "x", reason=HOSTILE))
    seen = Evidence(HOSTILE, False, HOSTILE)
    lab.plans.set_status(plan.id, PlanStatus(PlanState.ROLLED_BACK, HOSTILE, (seen,), error=HOSTILE))
    pages += [
        await visitor.get(f"/approvals{p}") for p in ("/history", f"/plans/{plan.id}", f"/plans/{plan.id}?live=1")
    ]
    for page in pages:
        parts = Parts(page.text)
        assert "alert(1)" in parts.words or 'value="&lt;script&gt;' in page.text
        assert not [t for t, _ in parts.tags if t in {"img", "iframe", "object", "style", "svg", "base"}]
        assert all(a.get("src", "").startswith("/approvals/static/") for t, a in parts.tags if t == "script")  # type: ignore[union-attr]
        assert not [name for _, attrs in parts.tags for name in attrs if name.startswith("on") or name == "style"]
        assert "49" not in parts.words.replace(plan.id, "") or "{{7*7}}" in parts.words
        links = [a.get("href") or a.get("action") or "" for t, a in parts.tags if t in {"a", "form"}]
        assert all(link.startswith(("/approvals", "#")) for link in links)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `docker compose up -d` later", 'run <code class="typed">docker compose up -d</code> later'),
        ("`a` and `b`", '<code class="typed">a</code> and <code class="typed">b</code>'),
        ("one ` alone", "one ` alone"),
        ("`<b>`, <i>", '<code class="typed">&lt;b&gt;</code>, &lt;i&gt;'),
        ("none", "none"),
    ],
)
def test_what_is_to_be_typed_stands_out_and_stays_text(lab: LocalLab, text: str, shown: str) -> None:
    page = Look(lab.clock).problem(400, "Title", text)
    assert f"<p>{shown}</p>" in bytes(page.body).decode()


async def test_no_secret_of_the_lab_is_on_any_page(lab: LocalLab) -> None:
    env = Path(lab.root, "media", ".env").read_text()
    fresh = "brand-new-Value-77123"
    plan = a_plan(
        lab,
        summary=f"Set {SECRET}",
        notes=(f"note {SECRET}", fresh),
        reasons=(SECRET,),
        edits=(
            FileEdit("media/.env", env, env + f"NEW_TOKEN={fresh}\n", 0o600, secret=True),
            FileEdit("media/compose.yaml", OLD, OLD + f"    command: run {fresh} {SECRET}\n"),
            FileEdit("media/users.yml", None, f"hash: {fresh}\n", 0o600, secret=True),
        ),
        secrets=(fresh,),
        asked_by=Requester("mcp", SECRET),
    )
    visitor = Visitor(lab)
    await visitor.login()
    lab.journal.append("x", {"plan": plan.id, "summary": SECRET})
    pages = [await visitor.get(f"/approvals{p}") for p in ("/", f"/plans/{plan.id}", "/journal")]
    await visitor.answer(plan, "approve", reason=f"because {SECRET}")
    seen = Evidence(SECRET, False, f"log: {SECRET}")
    lab.plans.set_status(plan.id, PlanStatus(PlanState.ROLLED_BACK, SECRET, (seen,), error=SECRET))
    pages += [await visitor.get(f"/approvals{p}") for p in ("/", "/history", f"/plans/{plan.id}", "/journal")]
    for page in pages:
        assert page.status_code == 200
        assert SECRET not in page.text, page.url
        assert fresh not in page.text, page.url
    assert "NEW_TOKEN" in pages[1].text
    assert SECRET not in Path(lab.root, ".homelab", "journal.jsonl").read_text().replace('"summary": "' + SECRET, "")


async def test_every_answer_carries_the_headers_and_no_page_is_kept(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    answers = [await visitor.get("/approvals/"), await visitor.get("/approvals/login"), await visitor.login("wrong")]
    answers += [
        await visitor.login(),
        await visitor.get("/approvals/"),
        await visitor.get(f"/approvals/plans/{plan.id}"),
    ]
    answers += [await visitor.get("/approvals/nowhere"), await visitor.get("/approvals/", headers={"Host": "evil"})]
    answers += [await visitor.form("/logout"), await visitor.answer(plan, "approve")]
    assert {a.status_code for a in answers} == {200, 303, 401, 403, 404, 421}
    assets = [await visitor.get(f"/approvals/static/{n}") for n in ("page.css", "live.js", "icon.svg")]
    for answer in answers + assets:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert {a.headers["cache-control"] for a in answers} == {"no-store"}
    assert all(a.status_code == 200 and "http" not in a.text.replace("http://www.w3.org", "") for a in assets)


async def test_the_list_is_newest_first_with_risk_asker_and_time_left(lab: LocalLab) -> None:
    for number in range(3):
        a_plan(lab, number, risk=Risk.HIGH if number == 1 else Risk.LOW)
        pass_time(lab, 10)
    visitor = Visitor(lab)
    await visitor.login()
    page = await visitor.get("/approvals/")
    words = Parts(page.text).words
    assert "3 plans wait for your answer" in words
    places = [words.index(f"Change web {n}") for n in (2, 1, 0)]
    assert places == sorted(places)
    assert "some client 1.2 (mcp)" in words
    assert "▲ high risk" in words
    assert "14:50 left" in words
    fresh = (await visitor.get("/approvals/?live=1")).text
    assert "<html" not in fresh
    await visitor.answer(a_plan(lab, 8), "decline")
    for _ in range(2):
        pass_time(lab, 450)
        await visitor.get("/approvals/")
    assert "No plan waits" in (await visitor.get("/approvals/")).text


async def test_what_the_page_polls_changes_with_the_plan_and_not_with_time(lab: LocalLab) -> None:
    plan, visitor = a_plan(lab), Visitor(lab)
    await visitor.login()

    async def versions() -> set[str]:
        found = set()
        for path in ("/?live=1", f"/plans/{plan.id}?live=1"):
            tags = Parts((await visitor.get(f"/approvals{path}")).text).tags
            found |= {f"{path}{a['data-version']}" for _, a in tags if "data-live" in a}
        return found

    first = await versions()
    pass_time(lab, 30)
    assert await versions() == first
    await visitor.answer(plan, "approve")
    second = await versions()
    assert not first & second
    pass_time(lab, 900)
    assert not second & await versions()


async def test_the_journal_page_tells_of_a_broken_chain(lab: LocalLab) -> None:
    for number in range(30):
        a_plan(lab, number)
        lab.journal.append("plan_made", {"plan": f"{number + 1:032x}"})
    visitor = Visitor(lab)
    await visitor.login()
    page = (await visitor.get("/approvals/journal")).text
    assert "The journal is whole" in page
    assert "Older" in page
    assert "lab initialised" in (await visitor.get("/approvals/journal?page=2")).text
    path = Path(lab.root, ".homelab", "journal.jsonl")
    path.write_text(path.read_text().replace("plan_made", "plan_mode", 1))
    page = (await visitor.get("/approvals/journal")).text
    assert "not whole" in page
    assert "was changed after it was written" in page
    for line in (
        "nonsense",
        "1",
        "{}",
        '{"data": 1, "time": "x"}',
        '{"event": "plan_made", "data": {}, "time": 1e300}',
    ):
        path.write_text(f"{line}\n")
        answer = await visitor.get("/approvals/journal")
        assert answer.status_code == 200, line
        assert "not whole" in answer.text


async def test_a_proxy_of_ours_says_who_it_is_and_nobody_else_does(lab: LocalLab) -> None:
    url = "https://approvals.lab.test"
    where = replace(site("0.0.0.0", 8766, url=url, proxies=["172.18.0.0/16"], remote=True), account="root")
    for address, who in (("172.18.0.2", "page anna"), ("192.0.2.9", "page root")):
        plan = a_plan(lab, int(address[-1]))
        visitor = Visitor(lab, where, address, base=url)
        visitor.headers.update({"Remote-User": "anna", "X-Forwarded-For": "6.6.6.6, 10.0.0.5"})
        await visitor.login()
        await visitor.answer(plan, "approve")
        given = lab.plans.approval(plan.id)
        assert given is not None
        assert given.who == who
    logins = [e["data"]["address"] for e in lab.journal.entries() if e["event"] == "page_login"]
    assert logins == ["10.0.0.5", "192.0.2.9"]


async def test_a_value_that_a_person_types_becomes_a_plan_and_is_shown_nowhere(lab: LocalLab) -> None:
    visitor, typed = Visitor(lab), "typed-by-a-person-93"
    await visitor.login()
    sent = {"csrf": await visitor.csrf(), "stack": "media", "name": "API_KEY", "value": typed}
    assert (await visitor.form("/set", **{**sent, "csrf": "x"})).status_code == 403
    for wrong in (
        {"stack": "../media"},
        {"stack": "No Where"},
        {"stack": ""},
        {"name": "A B"},
        {"name2": "OTHER"},
        {"name2": "API_KEY", "value2": "y"},
        {"value": ""},
        {"generate": "yes"},
        {"name": ""},
    ):
        answer = await visitor.form("/set", **{**sent, **wrong})
        assert answer.status_code == 422, wrong
        assert typed not in answer.text
    assert lab.plans.list() == []
    answer = await visitor.form("/set", **sent)
    assert answer.status_code == 303
    ((plan, status),) = lab.plans.list()
    assert answer.headers["location"] == f"/approvals/plans/{plan.id}"
    # Who typed it has approved nothing by that.
    assert status.state is PlanState.PENDING
    assert lab.plans.approval(plan.id) is None
    assert plan.asked_by.via == "page"
    page = (await visitor.get(answer.headers["location"])).text
    assert "API_KEY" in page
    for text in (
        page,
        (await visitor.get("/approvals/journal")).text,
        (await visitor.get("/approvals/set?name=API_KEY")).text,
    ):
        assert typed not in text
    assert typed not in Path(lab.root, ".homelab", "journal.jsonl").read_text()
    assert (
        await visitor.form("/set", **{**sent, "value": "", "generate": "yes", "name": "OTHER_KEY"})
    ).status_code == 303


async def test_eight_long_keys_fit_into_one_form(lab: LocalLab) -> None:
    visitor = Visitor(lab)
    await visitor.login()
    key = "-----BEGIN KEY-----" + "+/=" * 1300
    names = ["K1", *(f"K{n}" for n in range(2, 9))]
    typed = {f"name{n or ''}": name for n, name in zip(["", *range(2, 9)], names, strict=True)}
    typed |= {f"value{n or ''}": f"{key}{n}" for n in ["", *range(2, 9)]}
    answer = await visitor.form("/set", csrf=await visitor.csrf(), stack="media", **typed)
    assert answer.status_code == 303, answer.text
    ((plan, _),) = lab.plans.list()
    assert set(names) <= set(parse(plan.draft.edits[0].after or ""))


async def test_a_link_to_the_form_names_what_is_wanted_and_is_kept_over_the_log_in(lab: LocalLab) -> None:
    """Of a stack that is yet to come, too: its first service may want the values before it is added."""
    visitor, link = Visitor(lab), "/approvals/set?stack=fresh&name=TUNNEL_TOKEN&name=OTHER_KEY"
    sent_away = (await visitor.get(link)).headers["location"]
    assert parse_qs(urlsplit(sent_away).query) == {"next": [link]}
    page = (await visitor.get(sent_away)).text
    assert f'name="next" value="{link.replace("&", "&amp;")}"' in page
    assert (await visitor.form("/login", pin=PIN, next=link)).headers["location"] == link
    page = (await visitor.get(link)).text
    assert "<option selected>fresh</option>" in page
    for number, name in (("", "TUNNEL_TOKEN"), ("2", "OTHER_KEY")):
        assert f'name="name{number}" value="{name}"' in page
    sent = {"csrf": await visitor.csrf(), "stack": "fresh", "name": "TUNNEL_TOKEN", "value": "x-typed-1"}
    answer = await visitor.form("/set", **sent, name2="OTHER_KEY", value2="x-typed-2")
    assert answer.status_code == 303
    ((plan, _),) = lab.plans.list()
    assert [(e.path, e.secret) for e in plan.draft.edits] == [("fresh/.env", True)]
    assert parse(plan.draft.edits[0].after or "") == {"TUNNEL_TOKEN": "x-typed-1", "OTHER_KEY": "x-typed-2"}
    assert "x-typed" not in (await visitor.get(answer.headers["location"])).text
    for place in ("/approvals/set?next=https://evil.example", "/approvals/set?a=<b>", "/approvals/setx?a=b"):
        login = await Visitor(lab).form("/login", pin=PIN, next=place)
        assert login.headers["location"] == "/approvals/"
    page = (await visitor.get("/approvals/set?stack=../etc&name=%22%3E%3Cb%3E")).text
    assert "../etc" not in page
    assert "<b>" not in page
