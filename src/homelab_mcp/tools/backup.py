"""Tools ``backups`` (which also checks them), ``configure_backup``, ``run_backup`` and ``restore_backup``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import Field

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import Lab
from homelab_mcp.tools.backup_answer import BackupsOutput, backups_output
from homelab_mcp.tools.plan_result import PLAN_ONLY, PlanOutput, plan_result
from homelab_mcp.tools.shape import guarded, in_thread, requester, result

Host = Annotated[str, Field(description="Docker host.", max_length=40)]

CHECK_SECONDS = 45.0
"""How long one call follows a check: below the 60 s after which common clients give up. It goes on by itself."""


def register_backups(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``backups``."""

    @guarded
    async def backups(
        ctx: Context[Any],
        limit: Annotated[int, Field(description="How many backups to list.", ge=1, le=200)] = 10,
        verify: Annotated[
            int,
            Field(description="Check the repository first, restoring this many files aside to compare.", ge=0, le=50),
        ] = 0,
        host: Host = "",
    ) -> Annotated[CallToolResult, BackupsOutput]:
        from homelab_mcp.queries.backup_everywhere import Everywhere, reports
        from homelab_mcp.queries.backups import report

        if verify:
            await _check(ctx, lab, verify, host or LOCAL)
        if host:
            found = Everywhere(await in_thread(report, lab, most=limit, host=host), {})
        else:
            found = await in_thread(reports, lab, most=limit)
        return result(backups_output(found))

    server.add_tool(
        backups,
        name="backups",
        title="How the backup stands",
        description="Is the lab's data safe? Last run and last good run, list of backups, databases that are dumped, "
        "what no backup covers, last check, problems. Changes nothing.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
        ),
    )


def register_configure(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``configure_backup``."""

    @guarded
    async def configure_backup(
        ctx: Context[Any],
        repository: Annotated[
            str,
            Field(
                description="/folder, sftp:user@host:/path, s3:https://host/bucket, rclone:remote:path.", max_length=300
            ),
        ] = "",
        schedule: Annotated[str, Field(description="Five cron fields.", max_length=80)] = "",
        keep: Annotated[dict[str, int], Field(description="last, daily, weekly, monthly, yearly.", max_length=5)] = {},  # noqa: B006
        exclude: Annotated[list[str], Field(description="Paths of the lab, or globs, to leave out.")] = [],  # noqa: B006
        skip: Annotated[list[str], Field(description="stack/service to leave out.")] = [],  # noqa: B006
        ui: Annotated[bool, Field(description="Add Backrest, to look into it.")] = False,
        host: Host = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_backup import propose_configure_backup

        changes = {
            "repository": repository,
            "schedule": schedule,
            "keep": keep,
            "exclude": tuple(exclude),
            "skip": tuple(skip),
        }
        plan = await in_thread(propose_configure_backup, lab, changes, requester(ctx), ui=ui, host=host or LOCAL)
        return await plan_result(lab, plan)

    server.add_tool(
        configure_backup,
        name="configure_backup",
        title="Plan the lab's backup",
        description="Plan to set up or change encrypted restic backups of the whole lab, with dumps of its databases "
        "first; what is left empty stays. Keys never pass here: the person runs `homelab-mcp backup configure`. "
        "Returns a plan for apply_plan.",
        annotations=PLAN_ONLY,
    )


def register_run(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``run_backup``."""

    @guarded
    async def run_backup(ctx: Context[Any], host: Host = "") -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_backup import propose_run_backup

        return await plan_result(lab, await in_thread(propose_run_backup, lab, requester(ctx), host=host))

    server.add_tool(
        run_backup,
        name="run_backup",
        title="Plan a backup now",
        description="Plan to make a backup now, besides those by its clock. To prove one: backups(verify).",
        annotations=PLAN_ONLY,
    )


def register_restore(server: MCPServer[Any], lab: Lab) -> None:
    """Add ``restore_backup``."""

    @guarded
    async def restore_backup(
        ctx: Context[Any],
        target: Annotated[str, Field(description="A stack, a service or stack/service.", min_length=1, max_length=160)],
        backup: Annotated[str, Field(description="Id from backups.", max_length=64)] = "latest",
        path: Annotated[str, Field(description="Only this file or folder, from the lab's root.", max_length=300)] = "",
    ) -> Annotated[CallToolResult, PlanOutput]:
        from homelab_mcp.workflow.propose_restore import propose_restore_backup

        plan = await in_thread(
            propose_restore_backup, lab, target, requester(ctx), backup=backup, path=path, on_step=_steps(ctx)
        )
        return await plan_result(lab, plan)

    server.add_tool(
        restore_backup,
        name="restore_backup",
        title="Plan a restore",
        description="Plan to put a service's, a stack's or one path's data back from a backup, databases from their "
        "dumps. Restores to a side folder now; apply_plan swaps it in and keeps the present data.",
        annotations=PLAN_ONLY,
    )


async def _check(ctx: Context[Any], lab: Lab, sample: int, host: str) -> None:
    """Check the repository and follow it for a while; then it goes on, and a later report has what it came to."""
    from homelab_mcp.queries.backups import verify_backup

    loop = asyncio.get_running_loop()
    tell, ended, following = _steps(ctx), asyncio.Event(), threading.Event()
    failed: list[HomelabError] = []
    following.set()

    def heard(step: str) -> None:
        if following.is_set():
            tell(step)

    def work() -> None:
        try:
            verify_backup(lab, sample=sample, on_step=heard, host=host)
        except HomelabError as error:
            failed.append(error)
        finally:
            # The server may have ended meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

    # None of the event loop's own threads, which a server that ends would wait for.
    threading.Thread(target=work, name="backup check", daemon=True).start()
    try:
        with anyio.move_on_after(CHECK_SECONDS):
            await ended.wait()
    finally:
        following.clear()
    if failed:
        raise failed[0]


def _steps(ctx: Context[Any]) -> Callable[[str], None]:
    """Reports steps as MCP progress, from the thread that works."""
    loop = asyncio.get_running_loop()
    count = 0

    def tell(step: str) -> None:
        nonlocal count
        count += 1
        asyncio.run_coroutine_threadsafe(ctx.report_progress(count, None, step), loop)

    return tell
