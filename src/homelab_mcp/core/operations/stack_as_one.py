"""A stack of several files as one: what Compose makes of them, written out, and each file by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from homelab_mcp.core import yaml_span
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.compose_stack import Loaded
from homelab_mcp.core.diff import is_env
from homelab_mcp.core.stack_texts import loaded, may_name_others
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.observed import StackFiles


def as_one_file(stack: StackFiles) -> StackFiles:
    """The stack as Compose sees it, written out as one file; as it is where it is one, or not all is known."""
    return written_out(stack) or stack


def services_as_one(stack: StackFiles) -> dict[str, Any]:
    """The services that Compose sees in all files of the stack; its compose file's alone where not all is known.

    Raises YamlRefused, EditRefused: the file cannot be read.
    """
    return services_of(read(as_one_file(stack).compose_text))


@lru_cache(maxsize=256)
def written_out(stack: StackFiles) -> StackFiles | None:
    """The stack as one file; None where it is one, or where it cannot be told what its files come to."""
    if not (stack.others or stack.named):
        return None
    try:
        data = merged(stack)
        text = ""
        for key, value in (data or {}).items():
            text = yaml_span.append_section(text, str(key), value)
    except HomelabError:
        return None
    made_of = tuple(path for path, _ in files_of(stack)[1:])
    return replace(stack, compose_text=text, others=(), named=(), made_of=made_of) if text else None


def why_unseen(stack: StackFiles) -> str:
    """Why it cannot be told what all of the stack's files say; "" where it can."""
    several = bool(stack.others or stack.named)
    if not several and not may_name_others(stack):
        return ""
    try:
        if (written_out(stack) if several else merged(stack)) is not None:
            return ""
        troubles = _loaded(stack).troubles
    except HomelabError as error:
        return str(error)
    if troubles:
        return troubles[0].message.replace("$$", "$")
    return "a path under `include` or `extends` has a variable, or names a file that cannot be read."


def refuse_unseen(stack: StackFiles, what: str, hint: str) -> None:
    """Raise InvalidInput (``files_unseen``) where not all of the stack's services are seen: one may use what goes."""
    if why := why_unseen(stack):
        raise InvalidInput(
            f"{what}: not all files of stack {stack.name} are seen, and a service in them may use it. Why: {why}",
            code="files_unseen",
            hint=f"Write the paths under `include` and `extends` out, without a variable. {hint}".rstrip(),
        )


def merged(stack: StackFiles) -> dict[str, Any] | None:
    """What Compose makes of the stack's files, variables as written; None where not all of it is known."""
    found = _loaded(stack)
    if found.merged is None or found.partial or found.troubles:
        return None
    # Variables are put into values alone, so keys still have their dollar signs twice.
    data: dict[str, Any] = _keys_as_written(found.merged.data)
    return data


def _loaded(stack: StackFiles) -> Loaded:
    """The stack's files merged with each dollar sign twice, so that every variable stays as it is written."""

    def kept(files: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((path, text.replace("$", "$$")) for path, text in files)

    ((_, text),) = kept([("", stack.compose_text)])
    named = dict(kept(stack.named))

    def known(path: str) -> str | None:
        # Values of env files are not asked for: no variable is filled in.
        return "" if is_env(path) else named.get(path)

    return loaded(replace(stack, compose_text=text, others=kept(stack.others)), {}, known)


def files_of(stack: StackFiles) -> tuple[tuple[str, str], ...]:
    """(path, text) of every file: its compose file, override files, and what they name."""
    return ((stack.compose_path, stack.compose_text), *stack.others, *stack.named)


def may_write(path: str) -> bool:
    """Whether a plan writes that file: not one by its path from the machine's root, or out of the lab."""
    return not path.startswith(("/", "../"))


def alone(stack: StackFiles, path: str) -> StackFiles:
    """One of its files as if the stack had no other."""
    return replace(stack, compose_path=path, compose_text=dict(files_of(stack))[path], others=(), named=())


def with_texts(stack: StackFiles, texts: Mapping[str, str]) -> StackFiles:
    """The stack with other texts of some of its files."""

    def put(files: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((path, texts.get(path, text)) for path, text in files)

    own = texts.get(stack.compose_path, stack.compose_text)
    return replace(stack, compose_text=own, others=put(stack.others), named=put(stack.named))


def services_said(text: str) -> dict[str, Any]:
    """The services of a compose text; none where it cannot be read."""
    try:
        return services_of(read(text))
    except HomelabError:
        return {}


def _keys_as_written(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k).replace("$$", "$"): _keys_as_written(v) for k, v in value.items()}
    return [_keys_as_written(v) for v in value] if isinstance(value, list) else value
