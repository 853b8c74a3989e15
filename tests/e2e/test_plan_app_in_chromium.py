"""The page that shows a plan in a client (MCP Apps), in a real Chromium, from a real server; the client is a stand-in.

Texts of a plan come from files that anybody may have written: they are shown to the letter, and never become markup.
``HOMELAB_PICTURES=DIR`` keeps pictures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp_types import TextResourceContents

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.diff import unified
from homelab_mcp.model.plan import FileEdit
from homelab_mcp.server import build
from tests.e2e.browser import Browser, chromium
from tests.e2e.mcp_app_host import Host, app_host
from tests.e2e.test_page_in_chromium import FAINT

pytestmark = pytest.mark.timeout(240)

APPS = advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})
PAGES = "https://approvals.lab.test/approvals/"
HOSTILE = (
    "<script>window.parent.hacked=window.hacked=1</script>",
    "<img src=x onerror=window.hacked=2>",
    "</code></pre></main><iframe srcdoc='<script>parent.hacked=3</script>'></iframe>",
    "<svg/onload=window.hacked=4>",
    "{{constructor.constructor('window.hacked=5')()}} ${window.hacked=6}",
    "<a href=javascript:window.hacked=7>Approve</a>",
    '"><style>*{display:none}</style>',
    "&lt;b&gt; &#x3c;b&#x3e;",
)
COMPOSE = "services:\n  blog:\n    # {}\n    # {}\n    image: ghost:5.1\n    # {}\n    # {}\n".format(*HOSTILE)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as found:
            yield found
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


async def served(root: Path) -> tuple[str, dict[str, Any]]:
    """The page that the server's list of tools names, and the answer of one of these tools, as a client gets them."""
    (root / "apps").mkdir(parents=True)
    (root / "homelab.yaml").write_text("domain: lab.test\n")
    (root / "apps/compose.yaml").write_text(COMPOSE)
    async with Client(build(open_lab(str(root), files_only=True), approvals=PAGES), extensions=[APPS]) as client:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        uri = (tools["update_service"].meta or {})["ui"]["resourceUri"]
        (page,) = (await client.read_resource(uri)).contents
        answer = await client.call_tool("update_service", {"service": "blog", "tag": "5.2"})
    assert isinstance(page, TextResourceContents)
    return page.text, answer.model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    return anyio.run(served, tmp_path_factory.mktemp("plan-app") / "lab")


@pytest.fixture
def host(made: tuple[str, dict[str, Any]]) -> Iterator[Host]:
    with app_host(made[0]) as found:
        yield found


def methods(host: Host, browser: Browser) -> set[str]:
    return {str(m.get("method")) for m in host.seen(browser)}


def harmless(host: Host, browser: Browser) -> None:
    """Nothing of the plan became more than text, and the view asked the host for nothing but its place."""
    assert (
        browser.script("return document.querySelectorAll('#plan :is(script, img, iframe, svg, a, style)').length") == 0
    )
    assert browser.script("return window.hacked === undefined")
    assert methods(host, browser) == {
        "ui/initialize", "ui/notifications/initialized", "ui/notifications/size-changed",
    }  # fmt: skip
    browser.ask("POST", "/frame", {"id": None})
    assert browser.script("return window.hacked === undefined")
    host.inside(browser)
    assert host.reached == []


def test_a_plan_is_shown_to_the_letter_small_large_light_and_dark(
    made: tuple[str, dict[str, Any]], host: Host, browser: Browser
) -> None:
    plan = made[1]["structuredContent"]
    folder = os.environ.get("HOMELAB_PICTURES", "")
    for width in (360, 1280):
        for dark in (False, True):
            for context in ({}, {"theme": "light" if dark else "dark"}):
                browser.look(width=width, dark=dark)
                host.show(browser, made[1], context=context)
                browser.wait(plan["summary"])
                ground = browser.script("return getComputedStyle(document.body).backgroundColor")
                # What the client says counts; where it says nothing, what the person's system says.
                assert (ground == "rgb(255, 255, 255)") is (
                    (context.get("theme") or ("dark" if dark else "light")) == "light"
                )
                assert browser.script("return document.documentElement.scrollWidth <= innerWidth"), width
                assert browser.script(FAINT) == [], (width, dark, context)
                if folder and not context:
                    Path(folder).mkdir(parents=True, exist_ok=True)
                    browser.ask("POST", "/frame", {"id": None})
                    browser.picture(Path(folder) / f"plan-app-{width}-{'dark' if dark else 'light'}.png")
                    host.inside(browser)
    text = browser.text()
    for words in (
        "medium risk",
        "waits for your answer",
        "apps/compose.yaml",
        "changed, 1 added, 1 removed",
        *HOSTILE[:4],
    ):
        assert words in text, words
    for words in ("cannot approve", f" approve {plan['plan_id']}", plan["undo"], *plan["actions"]):
        assert words in text, words
    rows = browser.script(
        "return [...document.querySelectorAll('.l.add, .l.del')].map(e => e.innerText.replace(/\\s+/g, ' '))"
    )
    assert [row.strip() for row in rows] == ["- image: ghost:5.1", "+ image: ghost:5.2"]
    colours = browser.script(
        "return ['add', 'del', 'hunk'].map(c => getComputedStyle(document.querySelector('.' + c)).backgroundColor)"
    )
    assert len(set(colours)) == 3
    harmless(host, browser)
    # The frame is as high as the plan is long: nothing of it is below an edge.
    assert browser.script("return document.documentElement.scrollHeight <= innerHeight + 1")


def test_lines_that_look_like_heads_of_files_stay_lines(
    made: tuple[str, dict[str, Any]], host: Host, browser: Browser
) -> None:
    """A file's content can imitate every mark of a diff, and every field of a plan can hold markup."""
    # The last line that goes and the first that comes stand side by side in a diff, as a file's head does.
    before = "\n".join(["++ b/first.txt", "@@ -1 +1 @@", *HOSTILE, "same", "-- a/harmless.txt"])
    after = "\n".join(["-- a/first.txt", "… 12 more characters", *reversed(HOSTILE), "same", "++ b/harmless.txt"])
    diff = unified(
        [
            FileEdit("apps/a.txt", before, after),
            FileEdit("apps/.env", "A=1\nOLD=2\n", "A=3\nNEW=4\n"),
            FileEdit("gone.txt", "one\n", None),
            FileEdit("new <b>.txt", None, "two\n\n\nthree\n"),
        ]
    )
    plan = {
        **made[1]["structuredContent"],
        "diff": diff,
        "summary": HOSTILE[0],
        "target": HOSTILE[5],
        "risk": HOSTILE[1],
    }
    plan |= {name: list(HOSTILE) for name in ("reasons", "actions", "findings", "notes")}
    plan |= {
        "undo": HOSTILE[2],
        "error": HOSTILE[3],
        "evidence": [{"what": HOSTILE[4], "ok": True, "detail": HOSTILE[6]}],
    }
    assert "\n--- a/harmless.txt\n+++ b/harmless.txt\n" in diff
    host.show(browser, {"content": [], "structuredContent": plan})
    browser.wait("Files")
    heads = browser.script("return [...document.querySelectorAll('.file h3')].map(e => e.innerText)")
    assert [head.split(" ")[0] for head in heads] == ["apps/a.txt", "apps/.env", "gone.txt", "new"]
    assert heads[3].startswith("new <b>.txt new, 4 added")
    rows = browser.script(
        "const first = document.querySelector('.file');"
        "return [...first.querySelectorAll('.l')].map(e => [e.className, e.lastChild.textContent])"
    )
    lines = {side: [text for look, text in rows if look in (f"l {side}", "l ")] for side in ("add", "del")}
    assert lines == {"del": before.split("\n"), "add": after.split("\n")}
    assert "A (changed, not shown)" in browser.text()
    harmless(host, browser)


def test_what_is_no_plan_is_told_as_text_and_a_text_alone_is_a_plan_too(
    made: tuple[str, dict[str, Any]], host: Host, browser: Browser
) -> None:
    host.show(browser, {"isError": True, "content": [{"type": "text", "text": f"No such service. {HOSTILE[1]}"}]})
    browser.wait(f"No such service. {HOSTILE[1]}")
    harmless(host, browser)
    host.show(browser, {"content": made[1]["content"]})
    browser.wait(made[1]["structuredContent"]["summary"])
    assert len(browser.script("return [...document.querySelectorAll('.file')]")) == 1
    odds: tuple[dict[str, Any], ...] = (
        {}, {"content": None}, {"structuredContent": []}, {"structuredContent": {"plan_id": 7}},
    )  # fmt: skip
    for odd in odds:
        host.show(browser, odd)
        harmless(host, browser)


def test_the_approval_page_is_opened_by_a_persons_press_alone_and_by_the_client(
    made: tuple[str, dict[str, Any]], host: Host, browser: Browser
) -> None:
    where = f"{PAGES}plans/{made[1]['structuredContent']['plan_id']}"
    host.show(browser, made[1])
    browser.wait(where)
    assert browser.script("return document.querySelectorAll('button').length") == 0, "this client opens no links"

    host.show(browser, made[1], capabilities={"openLinks": {}, "serverTools": {}})
    browser.wait("Open the approval page")
    assert "ui/open-link" not in methods(host, browser)
    browser.script("document.querySelector('button').click()")
    sent = [m for m in host.seen(browser) if m["method"] == "ui/open-link"]
    assert [m["params"] for m in sent] == [{"url": where}]
    assert "tools/call" not in methods(host, browser)

    for odd in ("javascript:alert(1)", "data:text/html,x", " https://x", "https://x y", 7):
        meta = {"io.github.homelab-mcp/approvals": odd}
        host.show(browser, {**made[1], "_meta": meta}, capabilities={"openLinks": {}})
        browser.wait("Why this risk")
        assert browser.script("return document.querySelectorAll('button').length") == 0, odd


def test_the_host_is_answered_as_the_protocol_says_and_nobody_else_is_heard(
    made: tuple[str, dict[str, Any]], host: Host, browser: Browser
) -> None:
    summary = made[1]["structuredContent"]["summary"]
    host.show(browser, made[1])
    browser.wait(summary)
    for n, method in enumerate(("ping", "ui/resource-teardown", "tools/list"), 100):
        host.tell(browser, {"id": n, "method": method, "params": {}})
    host.tell(browser, {"method": "constructor", "params": {}})
    host.tell(browser, {"method": "ui/notifications/host-context-changed", "params": {"theme": "dark"}})
    end = time.monotonic() + 10
    while len(answers := [m for m in host.seen(browser) if m.get("id", 0) >= 100]) < 3:
        assert time.monotonic() < end
    assert [("result" in m, m.get("error", {}).get("code")) for m in answers] == [
        (True, None),
        (True, None),
        (False, -32601),
    ]
    assert browser.script("return getComputedStyle(document.body).backgroundColor") == "rgb(27, 33, 30)"
    # A message of the page's own window is nobody's: another frame cannot put words into a plan.
    forged = {
        "jsonrpc": "2.0",
        "method": "ui/notifications/tool-result",
        "params": {"isError": True, "content": [{"text": "forged"}]},
    }
    browser.script("window.postMessage(arguments[0], '*')", forged)
    time.sleep(0.3)
    assert "forged" not in browser.text()
    host.tell(browser, {"method": "ui/notifications/tool-cancelled", "params": {"reason": "x"}})
    browser.wait("Nothing has changed.")


TO_THE_OUTSIDE = """
window.out = []; const to = arguments[0];
fetch(to + 'fetched').then(() => out.push('sent'), () => out.push('refused'));
const i = new Image(); i.onload = i.onerror = () => out.push('image'); i.src = to + 'image';
const s = document.createElement('script'); s.src = to + 'script'; s.onload = s.onerror = () => out.push('script');
document.head.append(s);
"""
"""What a script in the page would do to send what it read to somebody."""


@pytest.mark.parametrize("own_policy", [True, False])
def test_even_in_a_client_without_a_policy_nothing_leaves_the_page(
    made: tuple[str, dict[str, Any]], host: Host, browser: Browser, own_policy: bool
) -> None:
    """By the page's own policy; without it everything would get out, which shows that this test can see it."""
    host.policy = ""
    if not own_policy:
        host.view = host.view.replace('http-equiv="Content-Security-Policy"', 'name="none"')
    host.show(browser, made[1])
    browser.wait(made[1]["structuredContent"]["summary"])
    browser.script(TO_THE_OUTSIDE, host.address)
    end = time.monotonic() + 10
    while len(told := browser.script("return window.out")) < 3:
        assert time.monotonic() < end, told
    assert ("sent" in told) is not own_policy
    assert sorted(host.reached) == ([] if own_policy else ["/fetched", "/image", "/script"])
