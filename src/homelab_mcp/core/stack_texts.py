"""Every file that Compose reads for a stack: override files, what they include and extend, and env files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from homelab_mcp.core.compose_stack import Loaded, Read
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import COMPOSE_NAMES, OVERRIDE_NAMES
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import FileEdit

GLOBAL_ENV = "global.env"
"""Variables of every stack, at the lab's root."""

_NAMING = ("include", "extends")
_OF_SERVICES = ("env_file", "label_file")


def may_name_others(stack: StackFiles) -> bool:
    """Whether its files could name further compose files; a look at the words alone."""
    return any(word in text for text in (stack.compose_text, *(t for _, t in stack.others)) for word in _NAMING)


def loaded(stack: StackFiles, env: Mapping[str, str], read: Read | None = None) -> Loaded:
    """What the stack's files come to. ``read``: reads what they name; None: what was read with the stack."""
    # Not loaded for those, the checker of one file among them, who only ask for names.
    from homelab_mcp.core.compose_load import load_stack

    known = dict(stack.named)
    return load_stack([(stack.compose_path, stack.compose_text), *stack.others], env, read or known.get)


def named_paths(stack: StackFiles, env: Mapping[str, str], read: Read) -> list[str]:
    """Every path that merging the stack asks ``read`` for, as it was asked, whether there is such a file or not."""
    asked: list[str] = []

    def noting(path: str) -> str | None:
        asked.append(path)
        return read(path)

    found = loaded(stack, env, noting)
    services = found.merged.services if found.merged is not None else {}
    for body in services.values():
        asked += (posixpath.join(stack.name, path) for key in _OF_SERVICES for path in _files_of(body.get(key)))
    return list(dict.fromkeys(asked))


def own_paths(name: str, compose_path: str) -> list[str]:
    """Files of a stack's own that Compose takes by their name, if only they are there.

    ``compose_path`` is the compose file in use; one that Compose would look for first would take its place.
    """
    base = posixpath.basename(compose_path)
    first = COMPOSE_NAMES[: COMPOSE_NAMES.index(base) + 1] if base in COMPOSE_NAMES else (base,)
    return [GLOBAL_ENV, *(f"{name}/{file}" for file in (".env", *first, *OVERRIDE_NAMES))]


def refuse_half_a_stack(stacks: Iterable[StackFiles], edits: Iterable[FileEdit]) -> None:
    """Refuse to delete a compose file that others belong to: their services would run on without any file.

    Raises InvalidInput (code ``more_files``).
    """
    gone = {e.path for e in edits if e.after is None}
    for stack in stacks:
        if stack.compose_path not in gone:
            continue
        named = stack.named if _brings_services(stack) else ()
        left = [path for path, _ in (*stack.others, *named) if path not in gone]
        if left:
            raise InvalidInput(
                f"{stack.compose_path} would be deleted, and {', '.join(left[:5])} belong to it.",
                code="more_files",
                hint="Take those services down and their files away first; or leave a service in that file.",
            )


def _brings_services(stack: StackFiles) -> bool:
    """Whether a service of the stack stands in none of its own files; those that are only extended run nowhere."""
    found = loaded(stack, {})
    alone = loaded(replace(stack, named=()), {})
    if found.merged is None or alone.merged is None or found.partial or found.troubles:
        # A path with a variable, or a file that is not known: what stands there may run.
        return True
    return not found.merged.services.keys() <= alone.merged.services.keys()


def _files_of(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        path = each.get("path") if isinstance(each, dict) else each
        if isinstance(path, str) and path:
            yield str(path)
