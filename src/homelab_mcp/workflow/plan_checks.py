"""What no draft may do, whichever operation made it: the guard's own files, stale texts, secrets in the clear."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from homelab_mcp.core.diff import is_secret, secrets_of
from homelab_mcp.core.redact_shapes import marked_lines
from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.model.lab import HOSTS_FILE, PRIVATE_FOLDER
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft
from homelab_mcp.model.policy import POLICY_FILE
from homelab_mcp.workflow.plan_facts import TELLING

_OWN_FOLDERS = frozenset({".git", PRIVATE_FOLDER})


def check_not_the_guard(draft: Draft) -> None:
    """Refuse edits of what the guard itself rests on: its policy, its records, and git's own files."""
    for edit in draft.edits:
        if edit.path.casefold() == POLICY_FILE:
            raise InvalidInput(
                f"No plan changes {POLICY_FILE}: it says whose yes plans need.",
                code="policy_protected",
                hint="A person edits it, and looks at it with `homelab-mcp policy check`.",
            )
        if edit.path.casefold() == HOSTS_FILE:
            raise InvalidInput(
                f"No plan changes {HOSTS_FILE}: it says which machines the lab commands.",
                code="hosts_protected",
                hint="A person runs `homelab-mcp host add` or `host remove`.",
            )
        if {part.casefold() for part in edit.path.split("/")} & _OWN_FOLDERS:
            raise InvalidInput(
                "No plan writes into .git or .homelab.",
                code="path_refused",
                hint="Ask for files of a stack.",
            )


def check_still_as_read(draft: Draft, snapshot: Snapshot, observed: Mapping[str, str | None]) -> None:
    """Refuse a draft made of texts that are the files' no more. Raises PlanRefused (``plan_stale``), InvalidInput."""
    paths = [e.path for e in (*draft.edits, *draft.adopts)]
    if len(set(paths)) != len(paths):
        raise InvalidInput("The draft edits one file twice.", hint="Report this: it is a fault of the operation.")
    # An empty text in a snapshot may stand for a file that is not there or not readable.
    read: dict[str, str | None] = {}
    for stack in snapshot.stacks:
        texts = (
            (stack.compose_path, stack.compose_text),
            (stack.env_path, stack.env_text),
            *stack.others,
            *stack.named,
        )
        read |= {path: text for path, text in texts if text}
    read |= {e.path: e.before for e in draft.edits} | {e.path: e.after for e in draft.adopts}
    moved = [path for path, now in observed.items() if path in read and read[path] != now]
    if moved:
        raise PlanRefused(
            f"While the plan was made, someone changed {', '.join(moved)}.",
            code="plan_stale",
            hint="Ask for the plan again.",
            details={"changed": moved},
        )


def check_no_secret_in_public(draft: Draft) -> None:
    """Refuse a known secret in a file that goes into git. Raises InvalidInput (``secret_in_public_file``)."""
    changed = (*draft.edits, *draft.adopts)
    values = {v for v in (*draft.secrets, *secrets_of(changed)) if len(v) >= TELLING}
    for edit in changed:
        if not is_secret(edit) and any(v in (edit.after or "") and v not in (edit.before or "") for v in values):
            raise InvalidInput(
                f"{edit.path} would hold a secret's value in the clear.",
                code="secret_in_public_file",
                hint="Refer to it as ${NAME} and keep the value in the stack's .env.",
            )


def check_no_marked_secret(draft: Draft) -> None:
    """Refuse what looks like a secret in a line that a plan adds to a file that goes into git."""
    for edit in draft.edits:
        if is_secret(edit) or edit.after is None:
            continue
        before = {told for _, told in marked_lines(edit.before or "")}
        line = next((line for line, told in marked_lines(edit.after) if told not in before), 0)
        if line:
            raise _secret_at(edit.path, line)


def check_no_known_secret(draft: Draft, secret_line: Callable[[str, str, str], int]) -> None:
    """Refuse now what git would refuse once all else is done: a value that some ``.env`` of the lab has as a secret.

    Args:
        draft: the plan's.
        secret_line: ``History.secret_line``.
    """
    for edit in draft.edits:
        if not is_secret(edit) and edit.after is not None:
            line = secret_line(edit.path, edit.before or "", edit.after)
            if line:
                raise _secret_at(edit.path, line)


def _secret_at(path: str, line: int) -> InvalidInput:
    return InvalidInput(
        f"{path} would hold what looks like a secret, in line {line}.",
        code="secret_in_public_file",
        hint="Refer to it as ${NAME} and keep the value in the stack's .env; a person sets it with "
        "`homelab-mcp env set STACK NAME`.",
    )
