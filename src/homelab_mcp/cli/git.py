"""``homelab-mcp git``: the lab and its repository elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import NEEDS_APPROVAL, JsonFlag, console, emit, lab_of
from homelab_mcp.cli.plan_flow import PlanOnly, proposed

if TYPE_CHECKING:
    from homelab_mcp.model.plan import Plan
    from homelab_mcp.ports import Lab

Offline = Annotated[bool, typer.Option("--offline", help="Go by the last fetch; ask nobody.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="The lab's files in a git repository elsewhere: remote, status, pull, push, poll, webhook."
    )
    app.add_typer(group, name="git", no_args_is_help=True)
    _setting(group)
    _taking(group)
    _sending(group)
    _called(group)


def _setting(group: typer.Typer) -> None:
    @group.command()
    def remote(
        ctx: typer.Context,
        url: Annotated[str, typer.Argument(help="git@host:me/lab.git, https://..., or a folder.")],
        branch: Annotated[str, typer.Option(help="Its branch.")] = "main",
        signed: Annotated[
            bool, typer.Option("--signed", help="Take signed commits only, by keys that git trusts.")
        ] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Say which repository and branch the lab goes with; nothing is sent or taken yet."""
        from homelab_mcp.workflow.git_sync import set_remote

        found = set_remote(lab_of(ctx), url, branch, signed=signed)
        said = {"url": found.url, "branch": found.branch, "signed_only": found.signed}
        emit(said, as_json, lambda: console().print(f"{found.branch} of {found.url}", markup=False))

    @group.command()
    def status(ctx: typer.Context, offline: Offline = False, as_json: JsonFlag = False) -> None:
        """How many commits are only here, how many only there, and which files a pull would change."""
        from homelab_mcp.workflow.git_sync import sync_state

        found = sync_state(lab_of(ctx), fetch=not offline)
        emit(found, as_json, lambda: _show(found))


def _taking(group: typer.Typer) -> None:
    @group.command()
    def pull(
        ctx: typer.Context, offline: Offline = False, plan_only: PlanOnly = False, as_json: JsonFlag = False
    ) -> None:
        """Plan to take what the repository changed; asks for the PIN at a terminal and applies."""
        lab = lab_of(ctx)
        plan = _something_new(lab, as_json, fetch=not offline)
        if plan is not None:
            raise typer.Exit(proposed(lab, plan, as_json=as_json, plan_only=plan_only))

    @group.command()
    def poll(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """For a timer: fetch, and make a plan where there is something new; exit code 3 while one waits."""
        plan = _something_new(lab_of(ctx), as_json)
        if plan is None:
            return
        said = {"plan_id": plan.id, "summary": plan.draft.summary}
        told = f"{plan.draft.summary}: homelab-mcp plan {plan.id}, then approve --apply {plan.id}"
        emit(said, as_json, lambda: console().print(told, markup=False))
        raise typer.Exit(NEEDS_APPROVAL)


def _something_new(lab: Lab, as_json: bool, *, fetch: bool = True) -> Plan | None:
    """A plan of what the repository changed; None, and said so, where there is nothing new: that is no failure."""
    from homelab_mcp.model.errors import InvalidInput
    from homelab_mcp.model.plan import Requester
    from homelab_mcp.workflow.git_sync import propose_pull

    try:
        return propose_pull(lab, Requester(via="cli"), fetch=fetch)
    except InvalidInput as error:
        if error.code != "nothing_to_do":
            raise
        nothing = error.message
    emit({"plan_id": "", "summary": nothing}, as_json, lambda: console().print(nothing, markup=False))
    return None


def _sending(group: typer.Typer) -> None:
    @group.command()
    def push(ctx: typer.Context, as_json: JsonFlag = False) -> None:
        """Send the lab's commits; refused while the repository has changes that are not taken yet."""
        from homelab_mcp.workflow.git_sync import push as send

        found = send(lab_of(ctx))
        told = f"{found['pushed']} is now {found['branch']} of {found['url']}"
        emit(found, as_json, lambda: console().print(told, markup=False))


def _called(group: typer.Typer) -> None:
    @group.command()
    def webhook(
        ctx: typer.Context,
        new: Annotated[bool, typer.Option("--new", help="A new secret; the old one counts no more.")] = False,
        off: Annotated[bool, typer.Option("--off", help="Take the secret away: nobody's call counts.")] = False,
        as_json: JsonFlag = False,
    ) -> None:
        """Let a forge tell the HTTP server of a push: makes the secret it signs with, and prints it this one time."""
        from homelab_mcp.http.settings import GIT_HOOK
        from homelab_mcp.workflow.git_hook import hook_off, hook_on

        lab = lab_of(ctx)
        if off:
            was = hook_off(lab)
            told = "Nobody's call counts any more." if was else "There was no secret."
            emit({"webhook": "off", "was_on": was}, as_json, lambda: console().print(told, markup=False))
            return
        secret = hook_on(lab, again=new)

        def show() -> None:
            # The value alone on stdout, as with tokens.
            out = console(error=True)
            out.print(f"The forge calls http(s)://THIS-SERVER{GIT_HOOK}, content type application/json, on pushes.")
            out.print("Its secret, which is not shown again:")
            sys.stdout.write(secret + "\n")

        emit({"webhook": "on", "path": GIT_HOOK, "secret": secret}, as_json, show)


def _show(found: dict[str, Any]) -> None:
    out = console()
    out.print(f"{found['branch']} of {found['url']}", markup=False)
    out.print(f"only here: {found['ahead']} commit(s); only there: {found['behind']} commit(s)", markup=False)
    for title, key in (("A pull would change", "to_take"), ("Edited and not committed", "not_committed")):
        if found[key]:
            out.print(f"{title}: {', '.join(found[key])}", markup=False)
    if found["to_take"]:
        out.print("Next: homelab-mcp git pull")
    elif found["ahead"]:
        out.print("Next: homelab-mcp git push")
