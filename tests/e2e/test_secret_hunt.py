"""Two hundred secrets in a lab; all tools, resources and commands called every way; every byte of it looked through."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import ElicitResult

from homelab_mcp.core.env_file import quote
from homelab_mcp.core.redact import telling_values
from tests.canaries import Hunt, make
from tests.e2e.server import LabOnDisk, types_the_name, words
from tests.resource_walk import every_page

VALUES = make()
STACKS = ("media", "photos", "tools", "data")
COMPOSE = """services:
  {name}-app:
    image: docker.io/library/alpine:3.20
    environment:
      PASSWORD: ${{{first}}}
      URL: http://app:${{{second}}}@db/
      ADMIN_PASSWORD: {inline}
      DATABASE_URL: postgres://app:{inline}url@db:5432/app
    command: ["serve", "--token", "{inline}option"]
    labels: {{traefik.http.middlewares.x.basicauth.users: "me:$$apr1$$q8eZFHjF$${inline}/ju5n/"}}
"""
INLINE = {f"inline in {stack}": f"zQ{number}w8RkLmVx7Yt{number}bN4c" for number, stack in enumerate(STACKS)}
"""Secrets that stand in the compose files themselves, where their place tells what they are."""


def plant(lab: LabOnDisk) -> dict[str, str]:
    """Put the secrets into four stacks; all secrets of the lab, its own generated ones too."""
    names = sorted(VALUES)
    for number, stack in enumerate(STACKS):
        folder = lab.root / stack
        folder.mkdir(exist_ok=True)
        mine = names[number::4]
        (folder / ".env").write_text("TZ=Europe/Berlin\n" + "".join(f"{n}={quote(VALUES[n])}\n" for n in mine))
        (folder / "compose.yaml").write_text(
            COMPOSE.format(name=stack, first=mine[0], second=mine[1], inline=INLINE[f"inline in {stack}"])
        )
    known = VALUES | INLINE
    for path in lab.root.glob("*/.env"):
        pairs = [line.split("=", 1) for line in path.read_text().splitlines() if "=" in line]
        if path.parent.name not in STACKS:
            for name, value in pairs:
                if any(telling_values([(name, value.strip("'"))])) and len(value) >= 8:
                    known[f"{path.parent.name}/{name}"] = value.strip("'")
    return known


def samples(schema: dict[str, Any], name: str, whole: dict[str, Any]) -> list[Any]:
    """A few values that fit (or nearly fit) a parameter: ordinary ones, and secrets."""
    schema = whole.get("$defs", {}).get(schema.get("$ref", "").rsplit("/", 1)[-1], schema)
    secret = VALUES["C002_SECRET"]
    if "enum" in schema:
        return [schema["enum"][-1]]
    match schema.get("type"):
        case "integer":
            return [schema.get("minimum", 1)]
        case "boolean":
            return [True]
        case "array":
            return [[], [secret], ["authelia"]]
        case "object":
            return [{"A": "b"}, {"ODD": VALUES["C007_ODD"]}, {"X": f"{secret}"}]
    plan = "0" * 32
    return {"stack": ["media", secret], "service": ["authelia", "uptime-kuma", secret]}.get(name, [secret, plan])


def calls(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Arguments for a tool: the required ones, then each parameter by itself with each of its samples."""
    wanted = schema.get("required", [])
    parts = schema.get("properties", {})
    base = {name: samples(parts[name], name, schema)[0] for name in wanted}
    return [base, {}] + [{**base, name: value} for name in parts for value in samples(parts[name], name, schema)]


def words_of(lab: LabOnDisk) -> dict[str, list[str]]:
    """What the addresses of resources are filled with: what is there, what is not, and a secret."""
    secret = VALUES["C002_SECRET"]
    return {
        "stack": [*STACKS, "core", secret],
        "service": ["media-app", "authelia", secret],
        "plan_id": [*sorted(p.name for p in (lab.root / ".homelab/plans").iterdir() if p.is_dir()), secret],
        "name": ["security", "rules", secret],
        "part": ["2", secret],
        "cursor": [secret],
    }


async def drive(lab: LabOnDisk, hunt: Hunt, errlog: Path) -> int:
    """Every tool by its schema, then plans, applies, a refusal and a roll-back; how many calls."""
    asked: list[str] = []

    def person(message: str) -> ElicitResult:
        asked.append(message)
        return types_the_name(message)

    async def answer(context: Any, params: Any) -> ElicitResult:
        return person(params.message)

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        hunt.look("progress", message or "")

    count = 0
    server = StdioServerParameters(command=sys.executable, args=["-m", "homelab_mcp", "serve"], env=lab.env())
    with errlog.open("w") as errors:
        async with Client(stdio_client(server, errlog=errors), elicitation_callback=answer) as client:

            async def call(tool: str, **arguments: Any) -> Any:
                nonlocal count
                count += 1
                with suppress(Exception):
                    result = await client.call_tool(tool, arguments, progress_callback=progress)
                    hunt.look(f"{tool} {list(arguments)}", result.model_dump_json())
                    hunt.look(tool, words(result))
                    return result.structured_content
                return None

            for tool in (await client.list_tools()).tools:
                for arguments in calls(tool.input_schema):
                    await call(tool.name, **arguments)
            for prompt in (await client.list_prompts()).prompts:
                given = {a.name: VALUES["C000_PASSWORD"] for a in prompt.arguments or ()}
                hunt.look(prompt.name, (await client.get_prompt(prompt.name, given)).model_dump_json())
            # Whole courses: a yes, a plan whose files moved, and the way back.
            for made in (
                await call("add_service", service="jellyfin"),
                await call("set_env", stack="media", values={"PLAIN": "word"}, generate=["NEW_PASSWORD"]),
                await call("remove_service", service="photos-app"),
            ):
                assert made, "a plan was to be made"
                await call("apply_plan", plan_id=made["plan_id"])
                await call("get_plan", plan_id=made["plan_id"], wait=20)
            stale = await call("set_env", stack="tools", values={"PLAIN": "word"})
            with (lab.root / "tools/.env").open("a") as file:
                file.write("# moved\n")
            await call("apply_plan", plan_id=stale["plan_id"])
            await call("rollback", plan_id=made["plan_id"])
            await call("history")
            for address, text, is_page in await every_page(client, words_of(lab)):
                count += is_page
                hunt.look(address, text)
    hunt.look("elicitation", "\n".join(asked))
    assert asked
    return count


def command_lines(plan: str) -> list[list[str]]:
    secret = VALUES["C002_SECRET"]
    lines = [
        ["status"],
        ["env", "list", "media"],
        ["env", "set", "media", f"ODD={VALUES['C012_SECRET']}", "--plan-only"],
        ["plan", plan],
        ["plan"],
        ["add", secret, "--plan-only"],
        ["logs", secret],
        ["history"],
        ["journal", "show"],
        ["validate"],
    ]
    return [line + more for line in lines for more in ([], ["--json"])] + [
        ["validate", "--format", "sarif"],
        ["validate", "--format", "github"],
        ["policy", "show"],
        ["doctor"],
    ]


def git_objects(root: Path) -> bytes:
    """Every object of the lab's repository, decompressed, reachable or not."""
    from dulwich.repo import Repo

    repo = Repo(str(root))
    try:
        return b"\n".join(repo.object_store[sha].as_raw_string() for sha in repo.object_store)
    finally:
        repo.close()


@pytest.mark.timeout(480)
async def test_no_byte_of_any_secret_leaves(lab: LabOnDisk, tmp_path: Path) -> None:
    known = plant(lab)
    assert len(known) > 200
    hunt = Hunt(known)
    hunt.look("the files themselves", b"\n".join((lab.root / f"{s}/.env").read_bytes() for s in STACKS))
    assert len(hunt.found) >= 170, "a hunt that finds nothing in the files would find nothing anywhere"
    hunt.found.clear()

    errlog = tmp_path / "stderr"
    count = await drive(lab, hunt, errlog)
    assert count > 60
    hunt.look("the server's stderr", errlog.read_bytes())

    plan = sorted(p.name for p in (lab.root / ".homelab/plans").iterdir())[0]
    for line in command_lines(plan):
        done = subprocess.run(
            [sys.executable, "-m", "homelab_mcp", *line],
            env=lab.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        hunt.look(" ".join(line[:2]), done.stdout)
        hunt.look(" ".join(line[:2]), done.stderr)
        assert b"Traceback" not in done.stderr, done.stderr
        if "--json" in line or "sarif" in line:
            json.loads(done.stdout)

    for path in lab.root.rglob("*"):
        parts = path.relative_to(lab.root).parts
        # Plans are what is applied: they hold the .env files to be written, readable by their owner only.
        if path.is_file() and parts[0] == ".homelab" and parts[1] not in {"plans", "snapshots"}:
            hunt.look("/".join(parts), path.read_bytes())
    for path in lab.root.glob(".homelab/plans/*/status.json"):
        hunt.look("status.json", path.read_bytes())
    # Compose files are in the lab's git as their person wrote them, with what stands in them.
    in_git = Hunt({name: value for name, value in known.items() if name not in INLINE})
    in_git.look("git", git_objects(lab.root))
    hunt.found += in_git.found
    assert hunt.bytes > 100_000
    assert not hunt.found, "\n".join(hunt.found[:20])
