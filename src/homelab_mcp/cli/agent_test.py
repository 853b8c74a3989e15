"""``homelab-mcp agent-test``: play what an agent would do against this lab's own server, and judge the answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, emit, lab_of, who
from homelab_mcp.cli.plan_flow import PinFile, read_pin
from homelab_mcp.core.agent_script import Script, Step, at, filled, parse_script, unmet
from homelab_mcp.model.errors import HomelabError, InvalidInput

if TYPE_CHECKING:
    from mcp import Client

    from homelab_mcp.ports import Lab

AT_WORK = ("queued", "applying")
ROUNDS = 20
"""Times an apply is waited for, 45 s each."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="agent-test")
    def agent_test(
        ctx: typer.Context,
        file: Annotated[str, typer.Argument(help="YAML file with the steps.")],
        pin_file: PinFile = "",
        as_json: JsonFlag = False,
    ) -> None:
        """Run a script of tool calls against this lab, through MCP, and say which step did not hold.

        Plans are made for real and, where a step approves them, applied: use a lab made for it, or --files-only.
        """
        import anyio

        lab = lab_of(ctx)
        try:
            script = parse_script(Path(file).read_text(encoding="utf-8"), file)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{file} cannot be read.", hint="Give the path of a script.") from error
        pin = read_pin(pin_file) if any(step.approve or step.decline for step in script.steps) else ""
        lines = anyio.run(play, lab, script, pin)
        failed = [line for line in lines if not line["ok"]]
        data = {"says": script.says, "ok": not failed, "steps": lines}

        def show() -> None:
            for line in lines:
                typer.echo(f"{'ok  ' if line['ok'] else 'FAIL'} {line['step']}")
                for problem in line["problems"]:
                    typer.echo(f"       {problem}")

        emit(data, as_json, show)
        if failed:
            raise typer.Exit(FAILED)


async def play(lab: Lab, script: Script, pin: str) -> list[dict[str, Any]]:
    """Do the steps until one does not hold; for each what it was, whether it held, and what did not."""
    from mcp import Client

    from homelab_mcp.server import build

    lines: list[dict[str, Any]] = []
    saved: dict[str, str] = {}
    async with Client(build(lab)) as client:
        for step in script.steps:
            problems = await _done(lab, client, step, saved, pin)
            kinds = ("tool", "approve", "decline", "file")
            what = next(f"{kind} {value}" for kind in kinds if (value := getattr(step, kind)))
            lines.append({"step": filled(what, saved), "ok": not problems, "problems": problems})
            if problems:
                break
    return lines


async def _done(lab: Lab, client: Client, step: Step, saved: dict[str, str], pin: str) -> list[str]:
    """Do one step; what did not hold."""
    if step.file:
        text = lab.files.read(filled(step.file, saved)) or ""
        problems = [f"the file does not hold {w!r}" for w in filled(step.contains, saved) if w not in text]
        return problems + [f"the file holds {w!r}" for w in filled(step.lacks, saved) if w in text]
    if step.approve or step.decline:
        return _answered(lab, filled(step.approve or step.decline, saved), pin, approved=bool(step.approve))
    result = await client.call_tool(step.tool, filled(step.arguments, saved))
    words = "".join(getattr(block, "text", "") for block in result.content)
    if step.refused:
        held = result.is_error and f"[{step.refused}]" in words
        return [] if held else [f"expected to be refused with {step.refused}, got: {words[:300]}"]
    if result.is_error:
        return [words]
    data = dict(result.structured_content or {})
    for _ in range(ROUNDS):
        if data.get("state") not in AT_WORK:
            break
        waited = await client.call_tool("get_plan", {"plan_id": data["plan_id"], "wait": 45, "brief": True})
        data = dict(waited.structured_content or {})
    saved.update({name: str(at(data, path)) for name, path in step.save.items()})
    return unmet(step, data)


def _answered(lab: Lab, plan_id: str, pin: str, *, approved: bool) -> list[str]:
    """A person's answer to a plan, as ``homelab-mcp approve`` gives it; what went wrong."""
    from homelab_mcp.workflow.assembly import approvals

    try:
        approvals(lab).out_of_band(plan_id, pin, who=who(), approved=approved)
    except HomelabError as error:
        return [error.as_text()]
    return []
