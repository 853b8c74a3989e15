"""``homelab-mcp host``: the machine, and the lab's other Docker hosts."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from homelab_mcp.cli import host_ca, host_standby
from homelab_mcp.cli.common import FAILED, OK, JsonFlag, at_terminal, console, emit, globals_of, lab_of
from homelab_mcp.cli.host_ca import CaKey

HostName = Annotated[str, typer.Argument(help="Short name, such as nas.")]
HostNames = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All when none is named.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")]


def register(app: typer.Typer) -> None:
    """Add the command group; without a subcommand it shows this machine."""
    group = typer.Typer(
        help="This machine's health; Docker hosts of the lab: add, check, list, remove, tls, renew-ca, standby."
    )
    app.add_typer(group, name="host", invoke_without_command=True)
    _machine(group)
    _looking(group)
    _writing(group)
    _tls(group)
    host_ca.register(group)
    host_standby.register(group)


def _machine(group: typer.Typer) -> None:
    @group.callback()
    def host(
        ctx: typer.Context,
        find: Annotated[str, typer.Option(help="Only processes with this in name or command line.")] = "",
        top: Annotated[int, typer.Option(min=1, max=30, help="Processes shown.")] = 8,
        as_json: JsonFlag = False,
    ) -> None:
        """The machine: load, memory, disks, processes, clock, DNS, updates; what is not well comes first."""
        if ctx.invoked_subcommand is not None:
            return
        from homelab_mcp.cli.seeing import show_host
        from homelab_mcp.queries.host_health import host_health

        found = host_health(lab_of(ctx), top=top, find=find)
        emit(found, as_json, lambda: show_host(found))


def _looking(group: typer.Typer) -> None:
    @group.command("list")
    def list_hosts(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """The hosts of hosts.yaml; nothing is asked of them."""
        settings = lab_of(ctx).hosts.settings
        data = {name: host.model_dump(mode="json", exclude_defaults=True) for name, host in settings.hosts.items()}

        def show() -> None:
            for name, host in settings.hosts.items():
                console().print(f"{name:<16} {host.address}", markup=False)
            if not data:
                console().print("This machine only. `homelab-mcp host add nas ssh://root@nas.lan` adds one.")

        emit({"hosts": data}, as_json, show)

    @group.command()
    def check(ctx: typer.Context, names: HostNames = None, as_json: JsonFlag = False) -> None:
        """Ask each host's engine, all at once, and look at certificates; exit code 1 when something is not well."""
        from homelab_mcp.queries.hosts import looked

        found = looked(lab_of(ctx), tuple(names or ()))
        emit(found, as_json, lambda: _show(found))
        raise typer.Exit(FAILED if found["findings"] else OK)

    @group.command()
    def schema() -> None:
        """Print the JSON Schema of hosts.yaml, for editors."""
        from homelab_mcp.model.hosts import HostsSettings

        typer.echo(json.dumps(HostsSettings.model_json_schema(), indent=2))


def _writing(group: typer.Typer) -> None:
    @group.command()
    def add(
        ctx: typer.Context,
        name: HostName,
        address: Annotated[
            str, typer.Argument(help="ssh://[user@]host[:port], tcp://host:port or unix:///path; or --context.")
        ] = "",
        certificates: Annotated[
            str, typer.Option(help="For tcp://: folder with ca.pem, cert.pem, key.pem; else what host tls made.")
        ] = "",
        context: Annotated[str, typer.Option(help="Take address and certificates from this Docker context.")] = "",
        private: Annotated[
            str, typer.Option(help="IP address in your network or VPN that routes to its services go to.")
        ] = "",
        timeout: Annotated[float, typer.Option(min=0.5, max=120, help="Seconds that a look at it may take.")] = 5.0,
        unreached: Annotated[bool, typer.Option("--unreached", help="Also when it does not answer now.")] = False,
        yes: Yes = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Add a Docker host, or change a known one: looks whether it answers, shows what it writes, and asks."""
        from homelab_mcp.workflow.change_hosts import added, write_hosts

        lab = lab_of(ctx)
        change = added(lab, name, address, certificates, context, timeout, unreached=unreached, private=private)
        _write(ctx, change.diff, yes=yes)
        write_hosts(lab, change)
        said = {"host": name, "address": change.address, "version": change.version, "diff": change.diff}

        def show() -> None:
            console().print(f"Host {name} is in hosts.yaml (Docker {change.version or 'not reached'}).", markup=False)
            if change.before is None:
                console().print("A server that runs already learns of its first host when it is started anew.")
            console().print(f"Next: homelab-mcp add SERVICE --stack NEW-STACK --host {name}", markup=False)

        emit(said, as_json, show)

    @group.command()
    def remove(ctx: typer.Context, name: HostName, yes: Yes = False, as_json: JsonFlag = False) -> None:
        """Take a host out of hosts.yaml; the machine, its containers and certificates stay as they are."""
        from homelab_mcp.workflow.change_hosts import removed, write_hosts

        lab = lab_of(ctx)
        change = removed(lab, name)
        _write(ctx, change.diff, yes=yes)
        write_hosts(lab, change)
        said = {"removed": name, "diff": change.diff}
        emit(said, as_json, lambda: console().print(f"Host {name} is no more in hosts.yaml.", markup=False))

    @group.command()
    def contexts(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Docker contexts of this account that can be taken over with host add NAME --context CONTEXT."""
        usable, refused = lab_of(ctx).hosts.contexts()

        def show() -> None:
            for name, host in usable.items():
                console().print(f"{name:<16} {host.address}", markup=False)
            for name, why in refused.items():
                console().print(f"{name:<16} not usable: {why}", markup=False)
            if not usable and not refused:
                console().print("There is none but the default one, which is this machine.")

        data = {name: host.model_dump(mode="json", exclude_defaults=True) for name, host in usable.items()}
        emit({"contexts": data, "refused": dict(refused)}, as_json, show)


def _tls(group: typer.Typer) -> None:
    @group.command()
    def tls(
        ctx: typer.Context,
        name: HostName,
        names: Annotated[
            list[str] | None, typer.Option("--name", help="Host name or address it is reached by; repeat.")
        ] = None,
        days: Annotated[int, typer.Option(min=1, max=825, help="How long the certificates last.")] = 397,
        rotate: Annotated[bool, typer.Option("--rotate", help="New certificates in place of those there are.")] = False,
        ca_key: CaKey = "",
        check_only: Annotated[bool, typer.Option("--check", help="Only show how long they last; 1 when soon.")] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Make, check or rotate the certificates for Docker over TCP: a CA, one for the host, one for this machine."""
        from homelab_mcp.queries.hosts import SOON_DAYS, tls_rows
        from homelab_mcp.workflow.change_hosts import make_tls

        lab = lab_of(ctx)
        steps: list[str] = []
        if not check_only:
            steps = make_tls(lab, name, tuple(names or ()), days, again=rotate, ca_key=ca_key)
        rows = tls_rows(lab, name)

        def show() -> None:
            for row in rows:
                told = f"{row['role']:<7} {row['days_left']:>5} days  {row['file']}  {', '.join(row['names'])}"
                console().print(told.rstrip(), markup=False)
            for step in steps:
                console().print(step, markup=False)

        emit({"host": name, "certificates": rows, "next": steps}, as_json, show)
        soon = check_only and min(row["days_left"] for row in rows) < SOON_DAYS
        raise typer.Exit(FAILED if soon else OK)


def _write(ctx: typer.Context, diff: str, *, yes: bool) -> None:
    """Show the change and ask, where somebody can be asked. Raises InvalidInput (``not_confirmed``)."""
    from homelab_mcp.model.errors import InvalidInput

    if yes:
        return
    console(error=True).print(diff, markup=False)
    if at_terminal() and typer.confirm(f"Write this to {globals_of(ctx).root}/hosts.yaml?", err=True):
        return
    raise InvalidInput("Nothing was written.", hint="Answer y, or give --yes.", code="not_confirmed")


def _show(found: dict[str, Any]) -> None:
    out = console()
    for row in found["hosts"]:
        state = f"Docker {row['version']} in {row['milliseconds']} ms" if row["answers"] else "no answer"
        stacks = ", ".join(row["stacks"]) or "no stack"
        out.print(f"{row['host']:<16} {state}  {row['address']}  {stacks}", markup=False)
    for one in found["findings"]:
        out.print(f"{one['level']}: {one['what']} {one['do']}", style="yellow", markup=False)
