"""A log-in in two steps, as FreshRSS wants it (Google's Reader API): the packaged entry against a stand-in over HTTP.

The stand-in is written from FreshRSS' p/api/greader.php; it refuses every write without the second step's ticket.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from homelab_mcp.adapters.service_calls import Line
from homelab_mcp.adapters.service_ways import Way
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.queries.service_api import called
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_api import propose_api_call
from tests.unit.workflow.fakes import FakeCompose, FakeDocker

PIN = "correct horse"
BY = Requester("mcp", "test")
PASSWORD = "api-pass word&7c0ffee"
SESSION = "anna/8e6845e089457af25303abc6f53356eb60bdb5f8"
TICKET = SESSION.partition("/")[2].ljust(57, "Z")
COMPOSE = "services:\n  freshrss:\n    image: freshrss/freshrss:1.29.1\n    labels: {homelab.service: freshrss}\n"
ARTICLE = "tag:google.com,2005:reader/item/0006000000000001"
STAR = "user/-/state/com.google/starred"
API = "/api/greader.php/reader/api/0/"


class Reader(ThreadingHTTPServer):
    """The service: what it knows, and every request as (method, path, form)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.feeds = {12: "https://example.org/news.xml"}
        self.starred: set[str] = set()
        self.heard: list[tuple[str, str, dict[str, str]]] = []
        self.allowed = True
        self.tickets = True


class _Handler(BaseHTTPRequestHandler):
    server: Reader

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        path, _, query = self.path.partition("?")
        reader = self.server
        reader.heard.append((self.command, path, form))
        if not reader.allowed:
            self._say(503, "Service Unavailable!")
        elif path == "/api/greader.php/accounts/ClientLogin":
            right = (form.get("Email"), form.get("Passwd")) == ("anna", PASSWORD)
            self._say(200, f"SID={SESSION}\nLSID=null\nAuth={SESSION}\n") if right else self._say(401, "Unauthorized!")
        elif self.headers.get("Authorization") != f"GoogleLogin auth={SESSION}":
            self._say(401, "Unauthorized!")
        elif path == f"{API}token":
            self._say(200, f"{TICKET}\n") if reader.tickets else self._say(401, "Unauthorized!")
        elif self.command == "GET":
            self._read(path, query)
        elif form.get("T") != TICKET:
            self._say(401, "Unauthorized!")
        else:
            self._write(path, form)

    do_GET = do_POST = _serve

    def _read(self, path: str, query: str) -> None:
        if path == f"{API}subscription/list" and query == "output=json":
            rows = ",".join(
                f'{{"id":"feed/{n}","title":"News","categories":[{{"label":"Daily"}}],"url":"{url}","iconUrl":"x"}}'
                for n, url in self.server.feeds.items()
            )
            self._say(200, f'{{"subscriptions":[{rows}]}}')
        elif path == f"{API}stream/contents/{STAR}":
            rows = ",".join(
                f'{{"id":"{one}","title":"{SESSION} {TICKET}","canonical":[{{"href":"https://example.org/1"}}]}}'
                for one in self.server.starred
            )
            self._say(200, f'{{"items":[{rows}]}}')
        else:
            self._say(501, "Not Implemented!")

    def _write(self, path: str, form: dict[str, str]) -> None:
        feeds, starred = self.server.feeds, self.server.starred
        what = path.removeprefix(API)
        if what == "subscription/quickadd":
            if "broken" in form["quickadd"]:
                self._say(200, '{"numResults":0,"error":"no feed there"}')
                return
            feeds[13] = form["quickadd"]
            self._say(200, '{"numResults":1,"streamId":"feed/13"}')
        elif what == "subscription/edit" and form["ac"] == "unsubscribe":
            feeds.pop(int(form["s"].removeprefix("feed/")))
            self._say(200, "OK")
        elif what == "edit-tag":
            starred.update({form["i"]} if form.get("a") == STAR else ())
            starred.difference_update({form["i"]} if form.get("r") == STAR else ())
            self._say(200, "OK")
        else:
            self._say(400, "Bad Request!")

    def _say(self, status: int, text: str) -> None:
        # As PHP says it of most of its answers, JSON too.
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=UTF-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Calls:
    """Fulfils ``ports.ServiceCalls`` with the way to the stand-in."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def line(self, container_id: str, port: int) -> AbstractContextManager[Line]:
        return self._line(port)

    @contextmanager
    def _line(self, port: int) -> Iterator[Line]:
        assert port == 80
        yield Line("freshrss", port, [Way("127.0.0.1", self.reader.server_address[1])])


class Desk:
    """A lab with the stand-in in it."""

    def __init__(self, root: Path, reader: Reader) -> None:
        (root / "news").mkdir(parents=True)
        (root / "news" / "compose.yaml").write_text(COMPOSE)
        self.keys(root, "anna", PASSWORD)
        init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
        self.root, self.reader = root, reader
        docker = FakeDocker()
        compose = FakeCompose(root, docker)
        compose.up("news", ())
        self.lab: LocalLab = open_lab(str(root))
        calls = Calls(reader)
        self.lab.__dict__ |= {"engine": docker, "compose": compose, "service_calls": calls}

    @staticmethod
    def keys(root: Path, user: str, password: str) -> None:
        (root / "news" / ".env").write_text(f"FRESHRSS_USER={user}\nFRESHRSS_API_PASSWORD='{password}'\n")

    def read(self, operation: str, **values: Any) -> dict[str, Any]:
        found = called(self.lab, "freshrss", "", operation, values)
        assert isinstance(found, dict)
        return found

    def apply(self, plan: Plan) -> PlanStatus:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(self.lab).run(plan.id)

    def done(self, operation: str, **values: Any) -> PlanStatus:
        return self.apply(propose_api_call(self.lab, "freshrss", "", operation, values, BY))

    def everything(self) -> str:
        """All that the lab keeps and git knows, but the secret files."""
        files = [p for p in self.root.rglob("*") if p.is_file() and p.name != ".env"]
        return "\n".join(p.read_bytes().decode("latin-1") for p in files)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    reader = Reader()
    thread = threading.Thread(target=reader.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Desk(tmp_path / "lab", reader)
    finally:
        reader.shutdown()
        reader.server_close()
        thread.join(5)


def test_a_read_logs_in_and_asks_for_no_ticket(desk: Desk) -> None:
    answer = desk.read("feeds")
    assert answer["items"][0] == {
        "id": "feed/12", "title": "News", "url": "https://example.org/news.xml", "categories.*.label": "Daily",
    }  # fmt: skip
    assert [(m, p.rpartition("/")[2]) for m, p, _ in desk.reader.heard] == [("POST", "ClientLogin"), ("GET", "list")]


def test_a_write_carries_the_ticket_and_none_of_the_steps_is_seen(desk: Desk) -> None:
    plan = propose_api_call(desk.lab, "freshrss", "", "star", {"article": ARTICLE}, BY)
    assert not any(path.endswith("edit-tag") for _, path, _ in desk.reader.heard)
    assert desk.apply(plan).state is PlanState.DONE
    assert desk.reader.starred == {ARTICLE}
    (sent,) = (form for _, path, form in desk.reader.heard if path.endswith("edit-tag"))
    assert sent == {"i": ARTICLE, "a": STAR, "T": TICKET}
    # What the service gives back of a session is masked, whole and without its prefix.
    assert SESSION not in str(seen := desk.read("starred"))
    assert ARTICLE in str(seen)
    for secret in (PASSWORD, SESSION, TICKET):
        assert secret not in desk.everything()
    back = propose_rollback(desk.lab, plan.id, BY)
    assert desk.apply(back).state is PlanState.DONE
    assert desk.reader.starred == set()


def test_a_feed_is_added_and_taken_away_again_by_the_number_that_it_was_given(desk: Desk) -> None:
    plan = propose_api_call(desk.lab, "freshrss", "", "add_feed", {"url": "https://example.org/two.xml?a=1&T=x"}, BY)
    assert desk.apply(plan).state is PlanState.DONE
    assert desk.reader.feeds[13] == "https://example.org/two.xml?a=1&T=x"
    assert desk.apply(propose_rollback(desk.lab, plan.id, BY)).state is PlanState.DONE
    assert set(desk.reader.feeds) == {12}


def test_a_no_with_200_is_a_no(desk: Desk) -> None:
    status = desk.done("add_feed", url="https://broken.example.org/")
    assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "service_refused")
    assert "no feed there" in status.error


def test_where_a_step_fails_nothing_was_sent(desk: Desk) -> None:
    desk.reader.tickets = False
    status = desk.done("star", article=ARTICLE)
    assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "api_key_refused")
    desk.reader.tickets, desk.reader.allowed = True, False
    status = desk.done("star", article=ARTICLE)
    assert (status.state, status.error_code) == (PlanState.ROLLED_BACK, "service_refused")
    assert not any(path.endswith("edit-tag") for _, path, _ in desk.reader.heard)
    desk.reader.allowed = True
    desk.keys(desk.root, "anna", "another")
    with pytest.raises(HomelabError) as caught:
        desk.read("feeds")
    assert caught.value.code == "api_key_refused"
    assert "FRESHRSS_API_PASSWORD" in caught.value.hint
    assert "another" not in caught.value.as_text()
