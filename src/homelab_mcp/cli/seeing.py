"""``homelab-mcp details`` and ``usage``; what ``host`` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from homelab_mcp.cli.common import HostOption, JsonFlag, console, emit, lab_of, seen
from homelab_mcp.cli.tables import print_table, table_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _details(app)
    _usage(app)


def _details(app: typer.Typer) -> None:
    @app.command()
    def details(
        ctx: typer.Context,
        service: Annotated[str, typer.Argument(help="Compose service name, or stack/service.")],
        stack: Annotated[str, typer.Option(help="To tell equal names apart.")] = "",
        as_json: JsonFlag = False,
    ) -> None:
        """One service's configuration, explained: routes, log-in, networks, mounts, variables, limits."""
        from homelab_mcp.queries.service_details import service_details

        found = service_details(lab_of(ctx), service, stack)

        def show() -> None:
            out = console()
            out.print(f"{found['service']}  {found.get('image', '')}", style="bold", markup=False)
            for line in found.get("explained", ()):
                out.print(f"  {line}", markup=False)
            for key, value in found.items():
                if key not in {"service", "image", "explained"}:
                    out.print(f"{key}: {_short(value)}", markup=False)

        emit(found, as_json, show)


def _usage(app: typer.Typer) -> None:
    @app.command()
    def usage(
        ctx: typer.Context,
        stack: Annotated[str, typer.Argument(help="Only this stack.")] = "",
        sort: Annotated[str, typer.Option(help="memory, cpu, pids, network or disk.")] = "memory",
        top: Annotated[int, typer.Option(min=1, max=200, help="Services shown.")] = 20,
        hours: Annotated[int, typer.Option(min=0, max=240, help="Also what was sampled in these.")] = 0,
        host: HostOption = "",
        sample: Annotated[bool, typer.Option("--sample", help="Only take a sample, for cron or a timer.")] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """What services use, now and over time; growth like a leak, OOM kills, restart loops."""
        from homelab_mcp.queries.resource_usage import resource_usage, sample_now

        if sample:
            taken = sample_now(lab_of(ctx))
            emit({"sampled": len(taken.points)}, as_json, lambda: console().print(f"{len(taken.points)} services"))
            return
        lab, _ = seen(lab_of(ctx), host, stack=stack)
        found = resource_usage(lab, stack=stack, sort=sort, top=top, hours=hours)

        def show() -> None:
            _table(found["services"], ("service", "mem_mb", "of_limit", "cpus", "pids", "net_mb", "disk_mb"))
            if found.get("over_time"):
                _table(found["over_time"], tuple(found["over_time"][0]))
            for line in (*found["trouble"], *found["growing"]):
                console().print(line, style="yellow", markup=False)
            if isinstance(found["sampled"], str):
                console(error=True).print(found["sampled"], style="dim", markup=False)

        emit(found, as_json, show)


def show_host(found: Mapping[str, Any]) -> None:
    """The machine for people: what is not well, then figures."""
    out = console()
    for one in found["findings"]:
        out.print(f"{one['level']}: {one['what']} {one['do']}", style="yellow", markup=False)
    if not found["findings"]:
        out.print("Nothing is wrong with what can be seen.")
    for key, value in found.items():
        if key not in {"findings", "top", "stuck", "unseen"}:
            out.print(f"{key}: {_short(value)}", markup=False)
    for key in ("stuck", "top"):
        if found.get(key):
            out.print(f"{key}:")
            _table(found[key], ("pid", "name", "user", "state", "cpus", "mem_mb", "hours", "service"))
    for one in found.get("unseen", ()):
        out.print(f"Not seen: {one['what']}, because {one['because']}. Run {one['run_instead']}.", markup=False)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_short(v)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(_short(one) for one in value)
    return str(value)


def _table(rows: Sequence[Mapping[str, Any]], titles: Sequence[str]) -> None:
    shown = [{title: _short(row[title]) for title in titles if row.get(title) is not None} for row in rows]
    print_table(console(), table_of(shown, titles))
