"""The diff of a plan as a person reads it; nothing secret is in it."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Sequence

from homelab_mcp.core.redact import clean, env_pairs, safe, secret_values
from homelab_mcp.core.users_file import USERS, described
from homelab_mcp.model.plan import FileEdit


def unified(edits: Sequence[FileEdit], secrets: Sequence[str] = ()) -> str:
    """Unified diff of all edits, three lines of context, paths relative to the lab's root.

    Of an env file only the names of what is added, changed or removed are told; of the users file who it is about; of
    another secret file only its length. Known secrets in any other file are masked, and invisible characters are
    taken out.

    Args:
        edits: the plan's edits.
        secrets: values to mask; those in the secret edits themselves are added to them.
    """
    known = [*secrets, *secrets_of(edits)]
    return "\n".join(_one(edit, known) for edit in edits if edit.before != edit.after)


def is_env(path: str) -> bool:
    """Whether the path is an env file by its name (``.env``, ``x.env``, ``.env.x``)."""
    name = posixpath.basename(path)
    return name == ".env" or name.endswith(".env") or name.startswith(".env.")


def is_secret(edit: FileEdit) -> bool:
    """Whether an edit's content must not be shown: it says so, or it is an env file."""
    return edit.secret or is_env(edit.path)


def secrets_of(edits: Sequence[FileEdit]) -> tuple[str, ...]:
    """Values in the env edits that count as secret."""
    found: list[str] = []
    for edit in edits:
        if is_env(edit.path):
            found += [*secret_values(edit.before or ""), *secret_values(edit.after or "")]
    return tuple(dict.fromkeys(found))


def _one(edit: FileEdit, secrets: Sequence[str]) -> str:
    old = f"a/{edit.path}" if edit.before is not None else "/dev/null"
    new = f"b/{edit.path}" if edit.after is not None else "/dev/null"
    if is_secret(edit):
        body = _env_names(edit, secrets) if is_env(edit.path) else _people(edit) or [_length(edit)]
        return "\n".join([f"--- {old}", f"+++ {new}", *body]) + "\n"
    before = safe(edit.before or "", secrets).splitlines()
    after = safe(edit.after or "", secrets).splitlines()
    lines = list(difflib.unified_diff(before, after, old, new, lineterm="", n=3))
    if not lines:
        lines = [f"--- {old}", f"+++ {new}", "  (only blank, invisible or masked characters differ)"]
    return "\n".join(lines) + "\n"


def _env_names(edit: FileEdit, secrets: Sequence[str]) -> list[str]:
    before, after = dict(env_pairs(edit.before or "")), dict(env_pairs(edit.after or ""))
    lines = []
    for name in [*before, *(n for n in after if n not in before)]:
        if name not in after:
            lines.append(f"- {name}")
        elif name not in before:
            lines.append(f"+ {name} ({'secret' if after[name] in secrets else 'set'}, not shown)")
        elif before[name] != after[name]:
            lines.append(f"~ {name} (changed, not shown)")
    return [clean(line) for line in lines] or ["  (comments, order or quoting only)"]


def _people(edit: FileEdit) -> list[str]:
    """Of Authelia's users file who comes, goes or changes; a text that is no such file tells nothing."""
    if posixpath.basename(edit.path) != USERS or edit.after is None:
        return []
    return [clean(line) for line in described(edit.before, edit.after)]


def _length(edit: FileEdit) -> str:
    if edit.after is None:
        return "- (deleted, content not shown)"
    count = len(edit.after.splitlines())
    word = "new file" if edit.before is None else "changed"
    return f"+ ({word}, {count} lines, content not shown)"
