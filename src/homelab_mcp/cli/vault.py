"""``homelab-mcp key`` and ``homelab-mcp snapshot``: what the lab keeps encrypted."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from homelab_mcp.cli.common import FAILED, JsonFlag, console, emit, lab_of, who
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

if TYPE_CHECKING:
    from homelab_mcp.ports import SecretsSnapshot, VaultReport

Name = Annotated[str, typer.Argument(help="A snapshot's name (see snapshot list).")]


def register(app: typer.Typer) -> None:
    """Add both command groups."""
    keys = typer.Typer(
        help="The key of what the lab keeps encrypted: plans, undo data, snapshots.", no_args_is_help=True
    )
    app.add_typer(keys, name="key")
    snapshots = typer.Typer(help="Encrypted copies of the files git must not hold.", no_args_is_help=True)
    app.add_typer(snapshots, name="snapshot")
    _keys(keys)
    _snapshots(snapshots)


def _keys(group: typer.Typer) -> None:
    @group.command("show")
    def show(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Where the key is and what it is called; never the key itself."""
        report = lab_of(ctx).vault.report()
        emit(_facts(report), as_json, lambda: _tell(report))
        if report.problem:
            raise typer.Exit(FAILED)

    @group.command("rotate")
    def rotate(
        ctx: typer.Context,
        lost: Annotated[bool, typer.Option("--lost", help="The old key is gone, with all that it sealed.")] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Encrypt everything with a new key and forget the old; run again, it goes on where it was cut off."""
        lab = lab_of(ctx)
        # Recorded first: what cannot be recorded is not done.
        lab.journal.append("key_rotation", {"from": lab.vault.report().key_id, "lost": lost})
        report = lab.vault.rotate(lost=lost)
        lab.journal.append("key_rotated", {"to": report.key_id, "sealed": report.sealed})

        def text() -> None:
            console().print(f"{report.sealed} records are encrypted with the new key.")
            if report.unreadable:
                console().print(f"{report.unreadable} were sealed with a key that is gone, and stay unreadable.")
            _tell(report)
            console().print("Back the new key up; backups of the old one open nothing that is here now.")

        emit({**_facts(report), "sealed": report.sealed, "unreadable": report.unreadable}, as_json, text)


def _snapshots(group: typer.Typer) -> None:
    @group.command("list")
    def list_(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Snapshots, the newest first."""
        names = lab_of(ctx).snapshots.names()

        def text() -> None:
            for name in names:
                console().print(name, markup=False)
            if not names:
                console().print("No snapshots yet: one is taken before each apply.")

        emit({"snapshots": list(names)}, as_json, text)

    @group.command("create")
    def create(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Keep the secret files as they are now."""
        lab = lab_of(ctx)
        lab.journal.append("snapshot", {"by": who()})
        taken = lab.snapshots.take()
        emit(asdict(taken), as_json, lambda: _list_files(taken))

    @group.command("show")
    def show(ctx: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
        """The files in a snapshot: names, sizes and marks, never contents."""
        found = lab_of(ctx).snapshots.get(name)
        emit(asdict(found), as_json, lambda: _list_files(found))

    @group.command("restore")
    def restore(
        ctx: typer.Context,
        name: Name,
        paths: Annotated[list[str] | None, typer.Argument(help="Files to put back; none: all.")] = None,
        plan_only: PlanOnly = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Plan to put files back as a snapshot has them."""
        from homelab_mcp.model.plan import Requester
        from homelab_mcp.workflow.restore import propose_restore

        lab = lab_of(ctx)
        made = propose_restore(lab, name, paths or (), Requester(via="cli"))
        raise typer.Exit(proposed(lab, made, as_json=as_json, plan_only=plan_only))


def _facts(report: VaultReport) -> dict[str, object]:
    found = asdict(report)
    return {k: found[k] for k in ("lab_id", "path", "key_id", "keys", "problem")}


def _tell(report: VaultReport) -> None:
    out = console()
    if not report.lab_id:
        out.print("This lab has no key yet; its first plan, or `homelab-mcp init`, makes one.")
    out.print(
        f"lab   {report.lab_id or 'none yet'}\nkey   {report.key_id or 'none'}\npath  {report.path}", markup=False
    )
    if report.keys > 1:
        out.print("A rotation was cut off: `homelab-mcp key rotate` finishes it.")
    if report.problem:
        console(error=True).print(report.problem, markup=False)


def _list_files(snapshot: SecretsSnapshot) -> None:
    out = console()
    when = datetime.fromtimestamp(snapshot.when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    out.print(f"{snapshot.name}  {when}", markup=False)
    for file in snapshot.files:
        out.print(f"  {file.mark[:16]}  {file.size:>8}  {file.mode:04o}  {file.path}", markup=False)
    for path in snapshot.left_out:
        out.print(f"  left out (not readable, or over 10 MiB): {path}", markup=False)
