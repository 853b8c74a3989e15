"""``homelab-mcp backups``, ``backup`` (configure, run, verify) and ``restore``."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import FAILED, OK, JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

if TYPE_CHECKING:
    from homelab_mcp.queries.backups import Report

Many = list[str] | None
OnHost = Annotated[str, typer.Option("--host", help="Of this Docker host alone; else of all that make backups.")]
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backups)
    app.command()(restore)
    group = typer.Typer(no_args_is_help=True, help="Set up backups, make one now, prove that it can be restored.")
    group.command()(configure)
    group.command()(run)
    group.command()(verify)
    app.add_typer(group, name="backup")


def backups(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(help="How many to list.", min=1, max=200)] = 10,
    host: OnHost = "",
    as_json: JsonFlag = False,
) -> None:
    """Tell how the backup stands: the last run, what there is, what no backup covers. Exit code 1 with a problem."""
    from homelab_mcp.queries.backup_everywhere import Everywhere, reports
    from homelab_mcp.queries.backups import report

    lab = lab_of(ctx)
    found = Everywhere(report(lab, most=limit, host=host), {}) if host else reports(lab, most=limit)

    def show() -> None:
        _show(found.main, title=bool(found.hosts or host))
        for name, one in found.hosts.items():
            if one is None:
                console().print(f"\nHost {name}: not known", style="bold")
            else:
                _show(one, title=True)

    hosts = {name: one and dataclasses.asdict(one) for name, one in found.hosts.items()}
    emit({**dataclasses.asdict(found.main), **({"hosts": hosts} if hosts else {})}, as_json, show)
    raise typer.Exit(FAILED if found.main.problems else OK)


def _show(found: Report, *, title: bool) -> None:
    out = console()
    if title:
        out.print(f"\nHost {found.host}", style="bold")
    out.print(f"Repository {found.repository}, by the clock at {found.schedule}")
    if found.last:
        out.print(f"Last run   {found.last['result']}, ended {found.last['ended']}")
    out.print(f"Last good  {found.last_ok or ('never' if found.asked else 'not known')}")
    if found.last_check:
        passed = "passed" if found.last_check["ok"] else "did not pass"
        out.print(f"Last check {passed}, ended {found.last_check['ended']}")
    if found.at_work:
        out.print(f"At work    a {found.at_work}")
    for heading, lines in (
        (f"Backups ({found.total})", [f"{b.id}  {b.time}" for b in found.backups]),
        (
            "By another lab's id",
            [f"{o.newest.id}  {o.newest.time}  {o.tag}, {o.total} in all" for o in found.others],
        ),
        ("Databases dumped", found.databases),
        ("Not covered", found.uncovered),
        ("Look at", found.problems),
        ("Note", (found.note,) if found.note else ()),
    ):
        if lines:
            out.print(heading, style="bold")
            for line in lines:
                out.print(f"  {line}", markup=False)


def configure(
    ctx: typer.Context,
    repository: Annotated[
        str,
        typer.Argument(help="/folder, sftp:user@host:/path, s3:https://host/bucket, rclone:remote:path; empty: as is."),
    ] = "",
    schedule: Annotated[str, typer.Option(help="Five cron fields, such as '15 3 * * *'.")] = "",
    keep: Annotated[
        Many, typer.Option("--keep", metavar="NAME=N", help="last, daily, weekly, monthly or yearly.")
    ] = None,
    exclude: Annotated[Many, typer.Option("--exclude", help="A path of the lab, or a glob, to leave out.")] = None,
    skip: Annotated[Many, typer.Option("--skip", metavar="STACK/SERVICE", help="A service to leave out.")] = None,
    ui: Annotated[bool, typer.Option("--ui", help="Also add Backrest, to look into the repository.")] = False,
    stack: Annotated[str, typer.Option(help="The stack it goes to, at first.")] = "",
    host: Annotated[
        str, typer.Option(help="The Docker host whose data is to be backed up, by a container there.")
    ] = "local",
    keys_file: Annotated[
        str,
        typer.Option(help="File with the repository's keys as NAME=VALUE lines; - reads stdin. Else they are asked."),
    ] = "",
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to set up the lab's backups, or to change them."""
    from homelab_mcp.cli.add import pairs
    from homelab_mcp.model.errors import InvalidInput
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_backup import missing_keys, propose_configure_backup

    counts = pairs(keep or [])
    if wrong := [n for n, v in counts.items() if not v.isdigit()]:
        raise InvalidInput(f"--keep {wrong[0]} is no number.", hint="For example --keep daily=7.")
    changes = {
        "repository": repository,
        "schedule": schedule,
        "keep": {n: int(v) for n, v in counts.items()},
        "exclude": tuple(exclude or ()),
        "skip": tuple(skip or ()),
    }
    lab = lab_of(ctx)
    keys = _keys(keys_file) if keys_file else {}
    if sys.stdin.isatty() and keys_file != "-":
        names = [n for n in missing_keys(lab, changes, stack=stack, host=host) if n not in keys]
        keys |= {n: typer.prompt(n, hide_input=True, err=True) for n in names}
    plan = propose_configure_backup(lab, changes, Requester("cli"), stack=stack, ui=ui, keys=keys, host=host)
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _keys(file: str) -> dict[str, str]:
    """The variables of a file of ``NAME=VALUE`` lines (``-``: standard input), each value as it is.

    Keys never come as arguments: those are in process lists and shells' histories. Raises InvalidInput
    (``keys_file``), which names a line by its number alone: what is no variable may be the secret.
    """
    from homelab_mcp.model.errors import InvalidInput

    hint = "Give a file with lines like NAME=VALUE."
    try:
        # Windows' editors begin a file with a mark.
        text = sys.stdin.read() if file == "-" else Path(file).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput(f"{file} cannot be read: {said}.", hint=hint, code="keys_file") from None
    keys = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if line.strip()[:1] in ("", "#"):
            continue
        name, sign, value = line.partition("=")
        # All variables that a repository takes are in capitals. A key may end with "=".
        if not sign or not _NAME.fullmatch(name.strip()):
            where = "standard input" if file == "-" else file
            raise InvalidInput(f"Line {number} of {where} is not NAME=VALUE.", hint=hint, code="keys_file")
        keys[name.strip()] = value.strip()
    return keys


def run(ctx: typer.Context, host: OnHost = "", as_json: JsonFlag = False) -> None:
    """Make a backup now, on all hosts that make any at the same time. Exit code 1 when one was not whole.

    As JSON, one host's record is at the top (this machine's, where it makes backups), and the others' are in hosts.
    """
    from homelab_mcp.queries.backup_everywhere import hosts_meant, runs

    lab = lab_of(ctx)
    found = runs(lab, hosts_meant(lab, host), on_step=_steps(as_json))
    good = all(one["result"] == "ok" for one in found.values())
    (first, main), *rest = found.items()

    def show() -> None:
        for name, one in found.items():
            if rest:
                console().print(f"\nHost {name}", style="bold")
            _fields(one)

    # The same shape whether or not there are other hosts, as of `backups --json`.
    emit({**main, "host": first, **({"hosts": dict(rest)} if rest else {})}, as_json, show)
    raise typer.Exit(OK if good else FAILED)


def verify(
    ctx: typer.Context,
    sample: Annotated[int, typer.Option(help="How many files to restore and compare.", min=1, max=1000)] = 5,
    host: Annotated[str, typer.Option(help="The Docker host whose backup is checked.")] = "local",
    as_json: JsonFlag = False,
) -> None:
    """Check the repository, and restore and compare a sample of files and all dumps. Exit code 1 when that fails."""
    from homelab_mcp.queries.backups import verify_backup

    found = verify_backup(lab_of(ctx), sample=sample, on_step=_steps(as_json), host=host)
    _ended(found, as_json, good=found["ok"])


def restore(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(help="A stack, a service or stack/service.")],
    backup: Annotated[str, typer.Option(help="A backup's id.")] = "latest",
    path: Annotated[str, typer.Option(help="Only this file or folder, from the lab's root.")] = "",
    plan_only: PlanOnly = False,
    as_json: JsonFlag = False,
) -> None:
    """Plan to put data back from a backup; what is there now is kept in the lab's trash."""
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.propose_restore import propose_restore_backup

    lab = lab_of(ctx)
    plan = propose_restore_backup(lab, target, Requester("cli"), backup=backup, path=path, on_step=_steps(as_json))
    raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))


def _steps(as_json: bool) -> Callable[[str], None]:
    err = console(error=True)
    return (lambda _: None) if as_json else lambda step: err.print(f"  {step}", style="dim", markup=False)


def _ended(found: dict[str, Any], as_json: bool, *, good: bool) -> None:
    emit(found, as_json, lambda: _fields(found))
    raise typer.Exit(OK if good else FAILED)


def _fields(found: dict[str, Any]) -> None:
    for name, value in found.items():
        console().print(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}", markup=False)
