"""A lab on files alone with an approver, the page over it, and a visitor who speaks HTTP to it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import httpx

from homelab_mcp.adapters.approver import KeyFileApprover, KeySigner
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.plan_codec import seal
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester, Risk
from homelab_mcp.web.app import routes
from homelab_mcp.web.site import Site, site
from homelab_mcp.workflow.init_lab import init_lab
from tests.unit.workflow.fakes import FakeClock

PIN = "correct-horse"
HOME = "http://127.0.0.1:8766"
SECRET = "s3cr3t-canary-8f2a91"
OLD = "services:\n  web:\n    image: web:1\n"


class QuickApprover(KeyFileApprover):
    """The real one, but that a PIN which fitted a file once is not stretched again: that takes a while, on purpose."""

    known: ClassVar[dict[tuple[str, str], KeySigner]] = {}

    def unlock(self, pin: str) -> KeySigner:
        key = (json.loads(self._path.read_text())["sealed"], pin)
        if key not in self.known:
            self.known[key] = super().unlock(pin)
        return KeySigner(self.known[key]._key, self._clock)


def a_lab(root: Path) -> LocalLab:
    lab = open_lab(str(root), files_only=True)
    clock = FakeClock()
    lab.clock = clock
    lab.approver = QuickApprover(root / ".homelab" / "approver.json", clock)
    if lab.approver.exists():
        return lab
    init_lab(lab, {"domain": "lab.test"}, PIN)
    (root / "media").mkdir(exist_ok=True)
    (root / "media" / "compose.yaml").write_text(OLD)
    (root / "media" / ".env").write_text(f"TZ=Etc/UTC\nDB_PASSWORD={SECRET}\n")
    return lab


def a_plan(lab: LocalLab, number: int = 0, **changes: Any) -> Plan:
    """A stored plan of medium risk; fields of Draft and Plan may be given."""
    draft = Draft(
        operation="change",
        summary=f"Change web {number}",
        edits=(FileEdit("media/compose.yaml", OLD, OLD.replace("web:1", f"web:{number + 2}")),),
        actions=(),
        undo="Roll it back.",
        target="web",
    )
    in_draft = {k: changes.pop(k) for k in list(changes) if k in Draft.__dataclass_fields__}
    now = lab.clock.now()
    plan = Plan(
        id=f"{number + 1:032x}",
        draft=replace(draft, **in_draft),
        risk=Risk.MEDIUM,
        reasons=("Changes a service that runs.",),
        findings=(),
        fingerprint={},
        asked_by=Requester("mcp", "some client", "1.2"),
        created=now,
        expires=now + 900,
    )
    plan = seal(replace(plan, **changes))
    lab.plans.add(plan)
    return plan


class Visitor(httpx.AsyncClient):
    """A browser without a screen: keeps cookies, and sends the Origin that a browser would."""

    def __init__(self, lab: LocalLab, where: Site | None = None, address: str = "127.0.0.1", base: str = HOME) -> None:
        self.app = routes(lab, where or replace(site("127.0.0.1", 8766), account="me"))
        super().__init__(transport=httpx.ASGITransport(app=Prefixed(self.app), client=(address, 4)), base_url=base)
        self.base = base

    async def form(self, path: str, origin: str | None = "", **fields: str) -> httpx.Response:
        headers = {} if origin is None else {"Origin": origin or self.base}
        return await self.post(f"/approvals{path}", data=fields, headers=headers)

    async def login(self, pin: str = PIN) -> httpx.Response:
        return await self.form("/login", pin=pin)

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.get("/approvals/")).text)
        assert found
        return found[1]

    async def answer(self, plan: Plan, do: str, **fields: str) -> httpx.Response:
        given = {"csrf": await self.csrf(), "digest": plan.digest, "do": do, **fields}
        return await self.form(f"/plans/{plan.id}/answer", **given)


class Prefixed:
    """Calls the page as a mount at /approvals does."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"].startswith("/approvals")
        await self.app({**scope, "root_path": "/approvals"}, receive, send)


class Parts(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data
