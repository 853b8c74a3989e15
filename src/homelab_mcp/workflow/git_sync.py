"""The lab and its repository elsewhere: what differs, a plan that takes it, and sending what is here."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core.diff import is_env
from homelab_mcp.core.operations.pull import Differing, pull
from homelab_mcp.core.secret_files import SECRET_NAMES
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.ports import Lab, RemoteSettings
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of


def set_remote(lab: Lab, url: str, branch: str, *, signed: bool) -> RemoteSettings:
    """Say which repository and branch the lab goes with. Raises InvalidInput (``bad_remote``), HomelabError."""
    with lab.lock.hold("git remote"):
        lab.history.ensure()
        lab.remote.configure(url, branch, signed=signed)
        lab.journal.append("git_remote", {"what": f"{branch} of {url}{', signed commits only' if signed else ''}"})
    return lab.remote.settings()


def sync_state(lab: Lab, *, fetch: bool = True) -> dict[str, Any]:
    """How lab and repository stand: ``ahead`` and ``behind`` in commits, files ``to_take``, what is not committed.

    Args:
        lab: the lab.
        fetch: ask the repository; else what it held at the last fetch.

    Raises HomelabError (``no_remote``, ``fetch_failed``, ``git_missing``).
    """
    settings = _settings(lab)
    tip = lab.remote.fetch() if fetch else lab.remote.known()
    head = lab.remote.head()
    base = lab.remote.base(head, tip) if head and tip else ""
    new = _differing(lab, base, tip) if tip else []
    return {
        "url": settings.url,
        "branch": settings.branch,
        "signed_only": settings.signed,
        "commit": head[:12],
        "theirs": tip[:12],
        "ahead": lab.remote.count(base, head) if base else (1 if head else 0),
        "behind": lab.remote.count(base, tip) if base else 0,
        "to_take": [d.path for d in new if d.open][:50],
        "not_committed": lab.history.dirty(sorted(lab.history.held()))[:50],
    }


def propose_pull(lab: Lab, requester: Requester, *, fetch: bool = True, once: bool = False) -> Plan:
    """A plan that takes what the repository changed; one that waits for the same commit is given again.

    Args:
        lab: the lab.
        requester: who asks.
        fetch: ask the repository; else what it held at the last fetch.
        once: not for a commit that had its plan, whatever became of it (InvalidInput, ``nothing_to_do``).

    Raises HomelabError (``no_remote``, ``fetch_failed``, ``not_signed``, ``too_many_commits``),
    InvalidInput as ``core.operations.pull``.
    """
    settings = _settings(lab)
    tip = lab.remote.fetch() if fetch else lab.remote.known()
    head = lab.remote.head()
    if not tip or not head:
        raise InvalidInput(
            f"There is no branch {settings.branch} to take anything from.",
            hint="`homelab-mcp git push` makes it.",
            code="nothing_to_do",
        )
    base = lab.remote.base(head, tip)
    if settings.signed and (bad := lab.remote.unsigned(base, tip)):
        raise HomelabError(
            f"{len(bad)} commit(s) carry no signature that git trusts here, such as {bad[0][:12]}.",
            hint="Look with `git log --show-signature`; git's gpg.ssh.allowedSignersFile says whom it trusts.",
            code="not_signed",
        )
    if waiting := _waiting(lab, tip):
        return waiting
    if once and any(_plan_of(plan, tip) for plan, _ in lab.plans.list(50, outline=True)):
        raise InvalidInput(
            f"{tip[:12]} had its plan already.", hint="`homelab-mcp git pull` makes another.", code="nothing_to_do"
        )
    differing = _differing(lab, base, tip)
    commits = lab.remote.count(base, tip)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = pull(
        differing,
        tip=tip,
        branch=settings.branch,
        commits=commits,
        read=lab.files.read,
        stacks=snapshot.stacks,
    )
    return plan_of(lab, draft, snapshot, requester)


def push(lab: Lab) -> dict[str, Any]:
    """Send the lab's commits; what was sent.

    Where the repository has commits of others whose changes are all taken, one commit joins both first.

    Raises HomelabError: ``no_remote``, ``push_behind`` (something of theirs is not taken yet), ``secret_in_commit``,
    ``push_failed``.
    """
    settings = _settings(lab)
    with lab.lock.hold("git push"):
        held = [p for p in lab.history.held() if is_env(p) or p.rpartition("/")[2] in SECRET_NAMES]
        if held:
            raise HomelabError(
                f"The lab's repository holds secrets: {', '.join(sorted(held)[:5])}.",
                hint="Take them out of git and out of its past before it goes anywhere.",
                code="secret_in_commit",
            )
        tip, head = lab.remote.fetch(), lab.remote.head()
        if not head:
            raise HomelabError(
                "The lab has no commit to send yet.", hint="Adopt a stack first: homelab-mcp review STACK --adopt.",
                code="nothing_to_do",
            )  # fmt: skip
        joined = ""
        if tip and lab.remote.base(head, tip) != tip:
            left = [d.path for d in _differing(lab, lab.remote.base(head, tip), tip) if d.open]
            if left:
                raise HomelabError(
                    f"The branch {settings.branch} has changes that this lab has not taken: {', '.join(left[:8])}.",
                    hint="Take them first: `homelab-mcp git pull`, then push again. Nothing was overwritten.",
                    code="push_behind",
                )
            joined = lab.remote.join(tip, f"Join {settings.branch} ({tip[:12]}), whose changes are taken\n")
        lab.remote.push()
        head = lab.remote.head()
        lab.journal.append("git_pushed", {"what": f"{head[:12]} to {settings.branch}"})
    return {"pushed": head[:12], "branch": settings.branch, "url": settings.url, "joined": bool(joined)}


def _settings(lab: Lab) -> RemoteSettings:
    settings = lab.remote.settings()
    if not settings.url:
        raise HomelabError(
            "The lab has no repository elsewhere yet.",
            hint="A person says it: `homelab-mcp git remote git@host:me/lab.git`.",
            code="no_remote",
        )
    if not lab.remote.whole():
        raise HomelabError(
            "The lab is one folder of a bigger repository, whose other folders are not this program's.",
            hint="Pull and push it with git itself, then `homelab-mcp review`.",
            code="lab_inside_repository",
        )
    return settings


def _differing(lab: Lab, base: str, tip: str) -> list[Differing]:
    """What the repository changed since ``base``, with the three texts of each file."""
    changes = lab.remote.changes(base, tip)
    paths = [c.path for c in changes]
    from_empty = lab.remote.is_empty(base)
    before: dict[str, str | None] = dict.fromkeys(paths) if from_empty else lab.history.committed(paths, base)
    ours, theirs = lab.history.committed(paths), lab.history.committed(paths, tip)
    return [Differing(c.path, c.mode, before[c.path], ours[c.path], theirs[c.path]) for c in changes]


def _waiting(lab: Lab, tip: str) -> Plan | None:
    now = lab.clock.now()
    for plan, status in lab.plans.list(50, outline=True):
        if _plan_of(plan, tip) and status.state is PlanState.PENDING and now < plan.expires:
            return lab.plans.get(plan.id)
    return None


def _plan_of(plan: Plan, tip: str) -> bool:
    return plan.draft.operation == "pull" and plan.draft.target == tip[:12]
