"""Takes an applied plan back: a new draft that restores its files to what they were before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from homelab_mcp.core.diff import is_secret, secrets_of
from homelab_mcp.core.operations.containers_back import containers_back, services_in
from homelab_mcp.core.operations.moves_back import moves_back
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import (
    Draft,
    FileEdit,
    OwnerChange,
    Plan,
    Risk,
    RiskReason,
    Verification,
)


def rollback(
    plan: Plan,
    undo: Mapping[str, tuple[str | None, int]],
    *,
    read: Callable[[str], str | None],
    stacks: Sequence[StackFiles] = (),
    later: Sequence[Plan] = (),
    exists: Callable[[str], bool] = lambda path: False,
    trash: str = "",
    host_of: Callable[[str], str] = lambda path: LOCAL,
) -> Draft:
    """A draft that puts the files of an applied plan back, and the containers with them.

    Who stands still while data changes place, :func:`standing_still` tells: no file does.

    A file that was changed since is a conflict: it is put back all the same, but the draft says so, its risk is
    high, and its diff shows what would be lost; the person decides.

    Args:
        plan: the applied plan.
        undo: what its files were before it: path -> (text or None, mode). Empty: taken from the plan's own edits.
        read: a file's text now.
        stacks: the lab's, as they are: whose containers a file decides over.
        later: what was applied after it, oldest first, to name who changed a file or moved its data on since.
        exists: whether a path of the lab is there, for data that the plan moved.
        trash: a new folder of the trash, for data in use that goes out of the way of what comes back.
        host_of: the host that a path's data is on.

    Raises InvalidInput: every file is as it was before the plan (nothing_to_do); data_in_the_way, as of moves_back.
    """
    stores = {d.store for d in plan.draft.drops}
    before = {path: kept for path, kept in undo.items() if path not in stores} or {
        e.path: (e.before, e.mode) for e in plan.draft.edits
    }
    meant = {e.path: e for e in plan.draft.edits}
    edits, derived, conflicts = [], [], []
    for path, (text, mode) in before.items():
        now = read(path)
        if now == text:
            continue
        if path in meant and meant[path].derived:
            # What follows from the lab is made anew from the lab as it will be, or goes with what it followed from.
            if text is None:
                derived.append(FileEdit(path, now, None, mode, derived=True))
            continue
        if path in meant and now != meant[path].after:
            conflicts.append(path)
        secret = path in meant and is_secret(meant[path])
        edits.append(FileEdit(path, now, text, mode, secret))
    data = moves_back([plan], exists, trash=trash, later=later, host_of=host_of)
    owners = tuple(
        OwnerChange(o.path, o.was_uid, o.was_gid, o.uid, o.gid) for o in reversed(plan.draft.owners) if not o.whole
    )
    if stores and not edits:
        raise InvalidInput(
            "A renewed certificate is not taken back: the old one is still valid at most as long as it was.",
            code="nothing_to_do",
            hint="The store as it was is in the encrypted snapshot of that plan: `homelab-mcp snapshot list`.",
        )
    if not (edits or data.moves or owners):
        raise InvalidInput(
            " ".join(["Every file is already as it was before that plan.", *data.stuck]),
            code="nothing_to_do",
            hint="Pick a later plan from the history.",
        )
    risks = [RiskReason(Risk.MEDIUM, f"Takes back: {plan.draft.summary}")]
    risks += [
        RiskReason(Risk.HIGH, f"{path} was changed since{_by(path, later)}, and that change would be lost.")
        for path in conflicts
    ]
    risks += data.risks
    notes = cannot_undo(edits)
    notes += [*data.stuck, *data.notes]
    notes += [f"Conflict: {path} was edited after that plan; look at its diff." for path in conflicts]
    actions, verifications = containers_back(edits, stacks, read)
    return Draft(
        operation="rollback",
        summary=f"Roll back: {plan.draft.summary}",
        edits=(*edits, *derived),
        actions=actions,
        verification=next(iter(verifications), Verification()),
        also_verify=verifications[1:],
        moves=data.moves,
        owners=owners,
        risks=tuple(risks),
        notes=tuple(notes),
        undo="Roll back this plan in turn.",
        target=plan.draft.target,
        secrets=tuple(dict.fromkeys((*plan.draft.secrets, *secrets_of(edits)))),
    )


def cannot_undo(edits: Sequence[FileEdit]) -> list[str]:
    """What putting these files back does not bring back, a sentence each."""
    notes = ["Data in volumes and folders stays as it is: what the services wrote meanwhile is not taken back."]
    secret = [e.path for e in edits if e.secret]
    if secret:
        notes.append(
            f"Values set since in {', '.join(secret)} are put back too; a password that a service keeps in its own "
            "data, or that was changed at its provider, does not change with the file."
        )
    tags = sorted(
        {
            str(body["image"])
            for e in edits
            # By its end alone: an included or extended file may have any name.
            if e.path.endswith((".yaml", ".yml"))
            for name, body in services_in(e.after).items()
            if isinstance(body, dict)
            and body != services_in(e.before).get(name)
            and body.get("image")
            and "@sha256:" not in str(body["image"])
        }
    )
    if tags:
        notes.append(
            f"{', '.join(tags[:8])}: a tag may name another image by now than it did then, and one that left its "
            "registry cannot be pulled."
        )
    return notes


def _by(path: str, later: Sequence[Plan]) -> str:
    """Which later apply wrote the file last."""
    names = [p.draft.summary for p in later if any(e.path == path for e in (*p.draft.edits, *p.draft.adopts))]
    return f" by '{names[-1]}'" if names else " by hand"
