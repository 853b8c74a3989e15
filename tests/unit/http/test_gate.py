"""When the gate lets an answer begin."""

from typing import Any, cast

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from homelab_mcp.http.gate import PROXY_PAUSE, Gate
from homelab_mcp.http.keyring import Keyring
from homelab_mcp.http.settings import HttpSettings
from homelab_mcp.model.token import ALL_SCOPES
from homelab_mcp.ports import TokenStore

BODY = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'


class NoTokens:
    def exists(self) -> bool:
        return False

    def find(self, value: str) -> None:
        return None


async def pauses(monkeypatch: pytest.MonkeyPatch, *, always: bool = False, **headers: str) -> list[float]:
    """Seconds that the gate waited before one answer."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        assert not sent, "the answer had begun"
        waited.append(seconds)

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    monkeypatch.setattr("homelab_mcp.http.gate.anyio.sleep", sleep)
    keyring = Keyring(cast("TokenStore", NoTokens()), "", ALL_SCOPES, always=always)
    settings = HttpSettings("127.0.0.1", 9, behind_proxy=("127.0.0.1",), allow_hosts=("lab.test",))
    gate = Gate(PlainTextResponse("done"), settings, keyring, now=lambda: 0.0)
    given = {"host": "lab.test", **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST" if "content-length" in headers else "GET",
        "path": "/mcp",
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 9),
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await gate(scope, receive, send)
    assert sent[0]["status"] == (401 if always else 200)
    return waited


LENGTH = {"content-length": str(len(BODY))}
THROUGH_A_PROXY = {"x-forwarded-for": "192.168.1.7"}


@pytest.mark.parametrize("refused", [False, True])
async def test_an_answer_through_a_proxy_waits_until_the_proxy_has_seen_the_bodys_end(
    refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await pauses(monkeypatch, always=refused, **LENGTH, **THROUGH_A_PROXY) == [PROXY_PAUSE]


async def test_nobody_else_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await pauses(monkeypatch, **LENGTH) == []
    assert await pauses(monkeypatch, **THROUGH_A_PROXY) == [], "a request without a body has no end to be seen"
