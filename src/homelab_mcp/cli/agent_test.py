"""``homelab-mcp agent-test``: play what an agent would do against this lab's own server, and judge the answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, emit, lab_of, who
from homelab_mcp.cli.plan_flow import PinFile, read_pin
from homelab_mcp.core.agent_script import Script, Step, astray, at, edited, filled, parse_script, unmet
from homelab_mcp.model.errors import HomelabError, InvalidInput

if TYPE_CHECKING:
    from mcp import Client

    from homelab_mcp.ports import Lab

Lines = list[dict[str, Any]]
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
        names: Annotated[
            list[str], typer.Option("--set", metavar="NAME=VALUE", help="What {NAME} in the script stands for.")
        ] = [],  # noqa: B006
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
        pin = read_pin(pin_file) if any(step.approve or step.decline or step.apply for step in script.steps) else ""
        known = {name: value for name, _, value in (word.partition("=") for word in names)}
        lines = anyio.run(play, lab, script, pin, known)
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


async def play(lab: Lab, script: Script, pin: str, saved: Mapping[str, str] = MappingProxyType({})) -> Lines:
    """Start the lab's server as a client does, over stdio, and do the script's steps on it; see ``steps_of``."""
    async with client_of(lab) as client:
        return await steps_of(client, lab, script, pin, saved)


def client_of(lab: Lab) -> Client:
    """A client of a server of that lab, which is started when the client is entered and ends with it."""
    import os

    from mcp import Client, StdioServerParameters

    program, *arguments = [*_own(lab), "serve", "--toolsets", "all"]
    return Client(StdioServerParameters(command=program, args=arguments, env=dict(os.environ)))


async def steps_of(client: Client, lab: Lab, script: Script, pin: str, known: Mapping[str, str]) -> Lines:
    """Do the steps until one does not hold; for each what it was, whether it held, and what did not.

    Args:
        client: connected to that lab's server.
        lab: the lab, for what the person does in it.
        script: the steps.
        pin: the person's PIN, for their answers to plans.
        known: what stands for ``{name}`` from the start.
    """
    lines: Lines = []
    saved: dict[str, Any] = dict(known)
    async with AsyncExitStack() as beside:
        for step in script.steps:
            step = step.model_validate(filled(step.model_dump(by_alias=True), saved))
            if step.kind == "start":
                problems = await _started(beside, step.start, lab.root, saved)
            else:
                problems = await _tried(lab, client, step, saved, pin)
            lines.append({"step": f"{step.kind} {getattr(step, step.kind)}", "ok": not problems, "problems": problems})
            if problems:
                break
    return lines


async def _started(beside: AsyncExitStack, command: str, folder: str, saved: dict[str, Any]) -> list[str]:
    """Start a program that ends with ``beside``, with whatever it started itself; why it does not start."""
    import os
    import shlex
    import signal
    from subprocess import DEVNULL

    import anyio

    try:
        words = shlex.split(command)
        if not words:
            return ["it does not start: there is no command in it"]
        # A session of its own, so that its children are ended with it.
        program = await anyio.open_process(
            words, cwd=folder, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
        )
    except (OSError, ValueError) as error:
        return [f"it does not start: {error}"]

    async def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await program.wait()

    beside.push_async_callback(end)
    saved["pid"] = program.pid
    return []


async def _tried(lab: Lab, client: Client, step: Step, saved: dict[str, Any], pin: str) -> list[str]:
    """Do one step; what did not hold, or why it could not be done."""
    from mcp.shared.exceptions import MCPError

    try:
        return await _done(lab, client, step, saved, pin)
    except HomelabError as error:
        return [error.as_text()]
    except (OSError, MCPError) as error:
        return [str(error)]


async def _done(lab: Lab, client: Client, step: Step, saved: dict[str, Any], pin: str) -> list[str]:
    """Do one step; what did not hold."""
    match step.kind:
        case "file":
            return astray(step, _read(lab, step.file), "the file") + _owned(lab, step)
        case "prompt":
            prompt = await client.get_prompt(step.prompt, {name: str(v) for name, v in step.arguments.items()})
            return astray(step, "".join(getattr(m.content, "text", "") for m in prompt.messages), "the prompt")
        case "resource":
            page = await client.read_resource(step.resource)
            return astray(step, "".join(getattr(content, "text", "") for content in page.contents), "the resource")
        case "write":
            path = _inside(lab, step.write)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edited(step, _read(lab, step.write)), encoding="utf-8")
        case "delete":
            _inside(lab, step.delete).unlink()
        case "command":
            return await _typed(lab, step)
        case "approve" | "decline":
            return _answered(lab, step.approve or step.decline, pin, approved=bool(step.approve))
        case "apply":
            problems = _answered(lab, step.apply, pin, approved=True)
            done = Step.model_validate(
                {"tool": "apply_plan", "with": {"plan_id": step.apply}, "expect": step.expect | {"state": "done"}}
            )
            return problems or await _called(client, done, saved)
        case _:
            return await _in_time(client, step, saved)
    return []


async def _in_time(client: Client, step: Step, saved: dict[str, Any]) -> list[str]:
    """Call the step's tool, and again while it may still become what is expected."""
    import anyio

    end = anyio.current_time() + step.within
    while (problems := await _called(client, step, saved)) and anyio.current_time() < end:
        await anyio.sleep(1)
    return problems


def _inside(lab: Lab, name: str) -> Path:
    """The place of a file of the lab. Raises InvalidInput (``path_refused``)."""
    asked = Path(name)
    if asked.is_absolute() or ".." in asked.parts:
        raise InvalidInput(f"{name} is not inside the lab.", code="path_refused", hint="Give a path below its root.")
    return Path(lab.root, asked)


def _read(lab: Lab, name: str) -> str:
    """A file of the lab; "" where there is none. Of a database what can be read of it."""
    path = _inside(lab, name)
    return path.read_bytes().decode(errors="replace") if path.is_file() else ""


def _owned(lab: Lab, step: Step) -> list[str]:
    """Whether the file belongs to whom the step says; links are not followed."""
    if not step.owner:
        return []
    try:
        seen = _inside(lab, step.file).lstat()
    except OSError:
        return ["the file is not there"]
    owner = f"{seen.st_uid}:{seen.st_gid}"
    return [] if owner == step.owner else [f"the file belongs to {owner}, not to {step.owner}"]


async def _typed(lab: Lab, step: Step) -> list[str]:
    """Run what the person types; what did not hold."""
    import shlex

    import anyio

    done = await anyio.run_process(["/bin/sh", "-c", f"exec {shlex.join(_own(lab))} {step.command}"], check=False)
    words = (done.stdout + done.stderr).decode(errors="replace")
    return astray(step, words, "the output") if done.returncode == 0 else [f"it ended with {done.returncode}: {words}"]


def _own(lab: Lab) -> list[str]:
    """This program for that lab, as an argument list."""
    import sys

    return [sys.executable, "-m", "homelab_mcp", "--root", lab.root, *(["--files-only"] if lab.files_only else [])]


async def _called(client: Client, step: Step, saved: dict[str, Any]) -> list[str]:
    """Call the step's tool and keep what it saves; what did not hold."""
    result = await client.call_tool(step.tool, step.arguments)
    words = "".join(getattr(block, "text", "") for block in result.content)
    if step.refused:
        if not result.is_error or f"[{step.refused}]" not in words:
            return [f"expected to be refused with {step.refused}, got: {words[:300]}"]
        return astray(step, words, "the refusal")
    if result.is_error:
        return [words]
    data = dict(result.structured_content or {})
    for _ in range(ROUNDS):
        if data.get("state") not in AT_WORK:
            break
        waited = await client.call_tool("get_plan", {"plan_id": data["plan_id"], "wait": 45, "brief": True})
        data = dict(waited.structured_content or {})
    if data.get("plan_id"):
        saved["plan"] = data["plan_id"]
    saved.update({name: str(at(data, path)) for name, path in step.save.items()})
    problems = unmet(step, data)
    return [*problems, f"it says: {data['error']}"] if problems and data.get("error") else problems


def _answered(lab: Lab, plan_id: str, pin: str, *, approved: bool) -> list[str]:
    """A person's answer to a plan, as ``homelab-mcp approve`` gives it; what went wrong."""
    from homelab_mcp.workflow.assembly import approvals

    try:
        approvals(lab).out_of_band(plan_id, pin, who=who(), approved=approved)
    except HomelabError as error:
        return [error.as_text()]
    return []
