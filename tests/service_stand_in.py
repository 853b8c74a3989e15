"""A stand-in for a service with an API of its own: notes behind a key, over real HTTP, and ways to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from homelab_mcp.adapters.service_calls import Line
from homelab_mcp.adapters.service_ways import Way
from homelab_mcp.model.errors import ServiceFailed

KEY = "k3y-canary-51c0ffee77aa"

ENTRY = """\
id: memo
name: Memo
summary: Keeps notes, for tests alone.
category: utilities
level: draft
stack: tools
links: {upstream: "https://example.org/", documentation: "https://example.org/"}
sources: [{facts: all, where: this test}]
container:
  image: {repository: example.org/memo, tag: "1.0"}
  user_note: For tests.
  ports: [{container: 8080, purpose: web}]
  health_note: For tests.
  resources: tiny
lazy: {ok: false, why: For tests.}
vpn: {use: "no", why: For tests.}
gpu: {use: none, why: For tests.}
backup: {notes: Nothing to keep.}
api:
  documentation: https://example.org/api
  source: this test
  port: 8080
  failed: {error: null}
  auth:
    kind: header
    name: X-Api-Key
    key: {variable: MEMO_API_KEY, how: "in Memo under Settings, API"}
  operations:
    - {id: notes, summary: All notes., path: /api/notes, items: notes, keep: [id, text, done]}
    - id: note
      summary: One note.
      path: /api/notes/{id}
      parameters: {id: {type: integer, minimum: 1, description: id of notes}}
      keep: [id, text, done]
    - id: find
      summary: Notes with a word.
      path: /api/notes
      query: {q: "@{word}"}
      parameters: {word: {description: a word}}
      items: notes
    - id: by_tag
      summary: Notes with a tag.
      path: /api/tags/{tag}/notes
      parameters: {tag: {pattern: "[^/]+", description: a tag}}
      items: notes
    - id: add
      summary: Writes a note.
      method: POST
      path: /api/notes
      body: {text: "@{text}", done: false, mark: "@{mark}"}
      parameters:
        text: {max_length: 2000, description: what it says}
        mark: {required: false, description: a mark}
      check: {operation: note, values: {id: "@{answer.id}"}, expect: {text: "@{text}"}}
      undo: {operation: delete, values: {id: "@{answer.id}"}}
    - id: set_done
      summary: Marks a note as done or not.
      method: PUT
      path: /api/notes/{id}
      body: {done: "@{done}"}
      parameters:
        id: {type: integer, minimum: 1, description: id of notes}
        done: {type: boolean, description: whether it is}
      risk: low
      check: {operation: note, values: {id: "@{id}"}, expect: {done: "@{done}"}}
      undo: {operation: set_done, values: {id: "@{id}", done: "@{before.done}"}}
    - id: delete
      summary: Deletes a note.
      method: DELETE
      path: /api/notes/{id}
      parameters: {id: {type: integer, minimum: 1, description: id of notes}}
      check: {operation: note, values: {id: "@{id}"}, absent: true}
      no_undo: Write it again.
    - id: ring
      summary: Rings a bell.
      method: POST
      path: /api/ring
      form: {how: "@{how}"}
      parameters: {how: {default: softly, description: how}}
      seconds: 1
      no_undo: It was heard.
    - {id: secrets, summary: What should not be seen., path: /api/secrets}
"""


class Memo(ThreadingHTTPServer):
    """The service. ``mood`` is how it misbehaves; ``heard`` is every request as (method, target, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.notes: dict[int, dict[str, Any]] = {1: {"id": 1, "text": "buy milk", "done": False}}
        self.heard: list[tuple[str, str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.mood = ""
        self.secret: dict[str, Any] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Memo

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        memo, path = self.server, self.path.partition("?")[0]
        memo.heard.append((self.command, self.path, body))
        memo.headers.append({k.lower(): v for k, v in self.headers.items()})
        if self.headers.get("X-Api-Key") != KEY:
            self._say(401, {"message": "no such key"})
        elif memo.mood == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/")
            self.end_headers()
        elif memo.mood == "big":
            self._say(200, {"notes": [{"id": n, "text": "x" * 900} for n in range(6000)]})
        elif self.command == "GET":
            self._read(path)
        else:
            self._write(path, json.loads(body) if body.startswith("{") else {})

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _read(self, path: str) -> None:
        notes = self.server.notes
        number = path.rpartition("/")[2]
        if path == "/api/secrets":
            self._say(200, self.server.secret)
        elif number.isdigit():
            found = notes.get(int(number))
            self._say(200 if found else 404, found or {"message": "no such note"})
        else:
            self._say(200, {"notes": list(notes.values())})

    def _write(self, path: str, given: dict[str, Any]) -> None:
        memo = self.server
        number = path.rpartition("/")[2]
        mood = memo.mood
        if mood == "no":
            self._say(400, {"message": f"text must not be empty; your key {KEY} is fine"})
            return
        if mood == "no with 200":
            self._say(200, {"error": "quota"})
            return
        answer: dict[str, Any] = {"ok": True}
        if mood != "forgets" and "fails" not in mood:
            if self.command == "POST" and path == "/api/notes":
                new = max(memo.notes, default=0) + 1
                answer = memo.notes[new] = {"id": new, **given}
            elif self.command == "PUT":
                memo.notes[int(number)].update(given)
            elif self.command == "DELETE":
                memo.notes.pop(int(number), None)
        elif mood == "forgets" and path == "/api/notes":
            answer = {"id": 1}
        if "silent" in mood:
            time.sleep(0.05)
            self.connection.close()
            return
        self._say(500 if "fails" in mood else 201, answer)

    def _say(self, status: int, data: Any) -> None:
        text = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class MemoCalls:
    """Fulfils ``ports.ServiceCalls`` with the way to the stand-in; the rest of the way is the real adapter's."""

    def __init__(self, memo: Memo) -> None:
        self.memo = memo
        self.away = False

    def line(self, container_id: str, port: int) -> AbstractContextManager[Line]:
        return self._line(port)

    @contextmanager
    def _line(self, port: int) -> Iterator[Line]:
        assert port == 8080
        if self.away:
            raise ServiceFailed("memo was not reached; nothing was sent.", hint="Start it.", code="service_unreached")
        yield Line("memo", port, [Way("127.0.0.1", self.memo.server_address[1])])


@contextmanager
def memo_served() -> Iterator[Memo]:
    """The stand-in, answering on a port of its own."""
    memo = Memo()
    thread = threading.Thread(target=memo.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield memo
    finally:
        memo.shutdown()
        memo.server_close()
        thread.join(5)
