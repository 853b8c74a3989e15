"""A stand-in for a language model: an OpenAI-compatible endpoint that answers by a script, and understands nothing.

No model can run here. What a chat program does with the answers (offering tools, calling them, showing dialogs, handing
results back) is real all the same. Only what OpenWebUI asks of such an endpoint is there: ``GET /v1/models`` and
``POST /v1/chat/completions``, streamed or whole.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "scripted-stand-in"

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model says when it calls a tool, by the name that the chat program offers it under."""

    name: str
    arguments: Mapping[str, Any]


Script = Callable[[Messages], "ToolCall | str"]
"""Answers a conversation: the same messages, the same answer."""


@dataclass
class ScriptedModel:
    """The endpoint at work; ``asked`` holds the body of each request for an answer."""

    address: str
    asked: list[dict[str, Any]] = field(default_factory=list)

    def offered(self) -> set[str]:
        """Names of the tools that the chat program offered with its last request that had any."""
        for body in reversed(self.asked):
            if body.get("tools"):
                return {tool["function"]["name"] for tool in body["tools"]}
        return set()


def tool_results(messages: Messages) -> list[str]:
    """What the tools that were called since the person's last words answered, oldest first."""
    last = max((n for n, m in enumerate(messages) if m["role"] == "user"), default=0)
    return [_text(m.get("content")) for m in messages[last:] if m["role"] == "tool"]


def last_words(messages: Messages) -> str:
    """What the person said last."""
    return next((_text(m.get("content")) for m in reversed(messages) if m["role"] == "user"), "")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or () if isinstance(part, dict))


@contextmanager
def scripted_model(script: Script) -> Iterator[ScriptedModel]:
    """The endpoint on loopback, until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            models = [{"id": NAME, "object": "model", "created": 0, "owned_by": "tests"}]
            self.send(json.dumps({"object": "list", "data": models}).encode(), "application/json")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            with lock:
                model.asked.append(body)
                number = len(model.asked)
            said = script(body["messages"])
            if body.get("stream"):
                self.send(b"".join(_chunks(said, number)), "text/event-stream")
            else:
                self.send(json.dumps(_whole(said, number)).encode(), "application/json")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model = ScriptedModel(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _call(said: ToolCall, number: int) -> dict[str, Any]:
    function = {"name": said.name, "arguments": json.dumps(said.arguments)}
    return {"index": 0, "id": f"call_{number}", "type": "function", "function": function}


def _message(said: ToolCall | str, number: int) -> tuple[dict[str, Any], str]:
    if isinstance(said, str):
        return {"role": "assistant", "content": said}, "stop"
    return {"role": "assistant", "content": "", "tool_calls": [_call(said, number)]}, "tool_calls"


def _whole(said: ToolCall | str, number: int) -> dict[str, Any]:
    message, reason = _message(said, number)
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"id": f"chat-{number}", "object": "chat.completion", "created": 0, "model": NAME, "choices": [choice]}


def _chunks(said: ToolCall | str, number: int) -> Iterator[bytes]:
    message, reason = _message(said, number)
    for delta, ends in ((message, None), ({}, reason)):
        choice = {"index": 0, "delta": delta, "finish_reason": ends}
        chunk = {"id": f"chat-{number}", "object": "chat.completion.chunk", "created": 0, "model": NAME}
        yield f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()
    yield b"data: [DONE]\n\n"
