"""Secrets wherever a lab may have them; every resource and template read every way; none of them comes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.env_file import quote
from homelab_mcp.model.plan import Requester
from homelab_mcp.queries.pages import _parts
from homelab_mcp.server import build
from homelab_mcp.tools import lab_resources
from homelab_mcp.tools.bounded import RESULT_LIMIT
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.propose_env import propose_env
from tests.canaries import Hunt, make
from tests.resource_walk import every_page

PIN = "correct-horse"
CLI = Requester("cli")
IN_ENV = make(60, seed=3)
WORDS = [f"{n:02}qVz7RkLm{n * 7919:06}Xw" for n in range(12)]
"""In no .env file: what tells them is the place where they stand."""


def _plans(lab: LocalLab) -> list[str]:
    return [plan.id for plan, _ in lab.plans.list(100, outline=True)]


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    root = tmp_path / "lab"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test", "email": "person@example.org"}, PIN)
    stack = root / "media"
    stack.mkdir()
    names = sorted(IN_ENV)
    (stack / ".env").write_text("TZ=Europe/Berlin\n" + "".join(f"{n}={quote(v)}\n" for n, v in IN_ENV.items()))
    (stack / "compose.yaml").write_text(
        f"""\
services:
  app:
    image: docker.io/library/alpine:3.20
    command: ["serve", "--password={WORDS[0]}", "--token", "{WORDS[1]}"]
    environment:
      DB_PASSWORD: {WORDS[2]}
      DATABASE_URL: postgres://app:{WORDS[3]}@db:5432/app
      KNOWN: ${{{names[0]}}}
      PLAIN: word  # API_KEY={WORDS[4]}
    labels:
      traefik.http.middlewares.app.basicauth.users: "me:$$apr1$$q8eZFHjF$${WORDS[5]}/ju5n/"
    healthcheck: {{test: [CMD-SHELL, "wget -q -O- http://me:{WORDS[6]}@localhost/?apikey={WORDS[7]}"]}}
"""
    )
    (stack / "compose.override.yaml").write_text(
        f"services:\n  app:\n    environment:\n      SMTP_PASSWORD: {WORDS[8]}\n      HOOK: https://h.test/?token={WORDS[9]}\n"
    )
    here = open_lab(str(root), files_only=True)
    done = propose_env(here, "media", {"PLAIN": "word", "NEW_PASSWORD": WORDS[11]}, CLI)
    approvals(here).out_of_band(done.id, PIN, who="test", approved=True)
    applier(here).run(done.id)
    # Waiting ones: their edits and words hold what was given to them.
    propose_add_service(here, "uptime-kuma", "media", {}, CLI)
    secret = IN_ENV["C002_SECRET"]
    here.journal.append(
        "trouble",
        {"said": f"login with {secret} failed", "at": f"https://me:{WORDS[10]}@registry.test/v2", "of": IN_ENV},
    )
    return here


async def test_no_resource_lets_a_secret_out(lab: LocalLab) -> None:
    hunt = Hunt({**IN_ENV, **{f"inline {n}": word for n, word in enumerate(WORDS)}})
    files = (*Path(lab.root, "media").iterdir(), Path(lab.root, ".homelab/journal.jsonl"))
    hunt.look("the files themselves", b"\n".join(path.read_bytes() for path in files))
    assert len(hunt.found) >= len(WORDS) + 50, "a hunt that finds nothing in the files would find nothing anywhere"
    hunt.found.clear()
    secret = IN_ENV["C000_PASSWORD"]
    words = {
        "stack": ["media", "none", secret],
        "service": ["app", "uptime-kuma", secret],
        "plan_id": [*_plans(lab), "0" * 32, secret],
        "name": ["rules", "security", secret],
        "part": ["1", "2", "99", secret],
        "cursor": ["x", secret],
    }
    async with Client(build(lab)) as client:
        pages = await every_page(client, words)
    for address, text, _ in pages:
        # What was asked for may be said again, so the address itself is no find; a secret in it is masked all the same.
        hunt.look(address, text)
    served = [address for address, _, is_page in pages if is_page]
    for begin in ("catalog", "catalog/", "docs/", "inventory", "journal", "plans/", "stacks/"):
        assert any(address.startswith(f"homelab://{begin}") for address in served), begin
    for end in (
        "stacks/media/compose",
        "stacks/media/env",
        "catalog/uptime-kuma",
        "catalog/uptime-kuma/docs",
        "rules/2",
    ):
        assert any(address.endswith(end) for address in served), end
    assert len(_plans(lab)) == 2
    assert hunt.bytes > 100_000
    assert not hunt.found, "\n".join(hunt.found[:20])


async def test_a_plan_and_what_happened_are_read_as_pages(lab: LocalLab) -> None:
    waiting, done = sorted(_plans(lab), key=lambda one: approvals(lab).state(one).state, reverse=True)
    async with Client(build(lab)) as client:

        async def read(uri: str) -> str:
            return (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]

        page = await read(f"homelab://plans/{waiting}")
        assert page.startswith("# Add uptime-kuma to stack media")
        assert f"Plan {waiting}: pending" in page
        assert "## Diff" in page
        assert "+  uptime-kuma:" in page
        page = await read(f"homelab://plans/{done}")
        assert f"Plan {done}: done" in page
        assert "NEW_PASSWORD" in page
        journal = json.loads(await read("homelab://journal"))
        assert journal[0]["event"] == "trouble", "the newest is first"
        assert "failed" in journal[0]["data"]["said"]
        assert done in json.dumps(journal)


async def test_a_page_is_masked_before_it_is_cut(lab: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = max((value for value in IN_ENV.values() if value.isalnum()), key=len)
    told = {"text": ""}
    monkeypatch.setattr(lab_resources, "plan_page", lambda *_: told["text"])
    async with Client(build(lab)) as client:
        for before in range(RESULT_LIMIT - len(secret) - 60, RESULT_LIMIT, 3):
            told["text"] = f"{'.' * before}{secret}{'é.' * 900}"
            page = (await client.read_resource("homelab://plans/a")).contents[0].text  # type: ignore[union-attr]
            assert secret[:3] not in page
            assert len(page.encode()) <= RESULT_LIMIT
            assert page.endswith(f"… cut after {RESULT_LIMIT} bytes\n")
        told["text"] = "é" * (RESULT_LIMIT - 10)
        page = (await client.read_resource("homelab://plans/a")).contents[0].text  # type: ignore[union-attr]
        assert RESULT_LIMIT - 4 < len(page.encode()) <= RESULT_LIMIT


def test_parts_of_a_page_are_counted_in_bytes_and_nothing_is_left_out() -> None:
    for text in ("größe " * 900 + "\n" + "é" * 9_000, "é\n" * 5_000, "🙂" * 3_000, ""):
        parts = _parts(text, 1_000)
        assert "".join(parts) == text
        assert all(len(part.encode()) <= 1_000 for part in parts)


async def test_a_long_page_of_the_docs_goes_on_where_it_says(lab: LocalLab) -> None:
    long = {name: text for name, text in lab.docs.items() if len(text) > RESULT_LIMIT}
    assert len(long["rules"]) > 5 * RESULT_LIMIT
    async with Client(build(lab)) as client:
        for name, text in long.items():
            whole = lab.redactor.data(text)
            address, read, seen = f"homelab://docs/{name}", "", 0
            while address:
                text = (await client.read_resource(address)).contents[0].text  # type: ignore[union-attr]
                assert len(text.encode()) <= RESULT_LIMIT
                part, _, end = text.rpartition("\n… part ")
                read, seen = read + part, seen + 1
                assert end.startswith(f"{seen} of "), end
                address = end.partition("goes on at ")[2].strip()
                assert not address or part.endswith("\n"), "between lines"
            assert read == whole, name
            assert seen > 1
        short = (await client.read_resource("homelab://docs/seeing")).contents[0].text  # type: ignore[union-attr]
        assert short == lab.docs["seeing"]
        for wrong in ("0", "99", "x", "-1"):
            with pytest.raises(MCPError, match="Its parts are 1 to"):
                await client.read_resource(f"homelab://docs/rules/{wrong}")
