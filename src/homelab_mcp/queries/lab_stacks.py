"""A lab's stacks as the linter takes them: override files, other files they name, and what is on disk beside them."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterable, Mapping
from functools import partial

from homelab_mcp.core.checks import LintStack
from homelab_mcp.core.env_file import parse_leniently, parse_or_empty
from homelab_mcp.core.stack_texts import GLOBAL_ENV, named_paths, own_paths
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.ports import Files

SHARED_ENV = GLOBAL_ENV
"""Variables of every stack; a stack's own ``.env`` goes before it."""


def lint_stacks(
    files: Files, stacks: Iterable[StackFiles], changed: Mapping[str, str | None] | None = None
) -> list[LintStack]:
    """These stacks for ``lint``, with what they may read of the lab.

    Args:
        files: the lab's folder.
        stacks: as ``queries.find.read_stacks`` gives them, or as they would be.
        changed: files that would be written (their text) or deleted (None), by path; what is on disk otherwise.
    """
    beside = Beside(files, changed or {})
    shared = parse_leniently(beside.text(SHARED_ENV))
    return [
        LintStack(
            name=s.name,
            file=s.compose_path,
            text=s.compose_text,
            env={**shared, **parse_leniently(s.env_text)},
            exists=partial(beside.exists, s.name),
            others=s.others,
            read=beside.read,
            names=beside.names,
        )
        for s in stacks
    ]


def files_of_stack(
    files: Files, stack: StackFiles, changed: Mapping[str, str | None] | None = None
) -> dict[str, str | None]:
    """Path (from the lab's root) to text of every file of the lab that Compose reads for the stack; None: not there.

    A file that cannot be read as text, or that lies outside the lab, is left out. ``changed`` as for ``lint_stacks``.
    """
    beside = Beside(files, changed or {})
    env = {**parse_or_empty(beside.text(SHARED_ENV)), **parse_or_empty(stack.env_text)}
    asked = [*own_paths(stack.name, stack.compose_path), *named_paths(stack, env, beside.read)]
    found: dict[str, str | None] = {}
    for path in filter(None, map(beside.inside, asked)):
        if path not in found:
            with contextlib.suppress(HomelabError, OSError):
                found[path] = files.read(path)
    return found


class Beside:
    """The lab's files, as far as a compose file may name them."""

    def __init__(self, files: Files, changed: Mapping[str, str | None]) -> None:
        self._files = files
        self._changed = changed
        self._folders = {
            posixpath.dirname(path)[:end]
            for path, text in changed.items()
            if text is not None
            for end in _ends(posixpath.dirname(path))
        }

    def text(self, path: str) -> str:
        """The text; "" for a file that is not there or that cannot be read."""
        try:
            return self.read(path) or ""
        except InvalidInput:
            return ""

    def read(self, path: str) -> str | None:
        """The text of a file of the lab, None where there is none.

        Raises:
            InvalidInput: outside the lab, in its private folder, through a link, or no text.
        """
        inside = self.inside(path)
        if inside is None:
            raise InvalidInput("It is outside the lab.", code="path_refused", hint="Move it into the lab.")
        return self._changed[inside] if inside in self._changed else self._files.read(inside)

    def names(self, folder: str) -> list[str] | None:
        """What is in a folder of the lab, None for another place and where there is no such folder."""
        inside = self.inside(folder)
        if inside is None:
            return None
        try:
            found = set(self._files.names(inside) or ())
        except (HomelabError, OSError):
            return None
        for path, text in self._changed.items():
            name, _, more = path.removeprefix(f"{inside}/").partition("/")
            if path.startswith(f"{inside}/"):
                entry = f"{name}/" if more else name
                found = found - {entry} if text is None and not more else found | {entry}
        return sorted(found) or None

    def exists(self, stack: str, path: str) -> bool:
        """False only for what can be looked at (in the lab, through no link) and is not there."""
        inside = self.inside(posixpath.join(stack, path))
        if inside is None or inside == "." or inside in self._folders:
            return True
        if inside in self._changed:
            return self._changed[inside] is not None
        try:
            return self._files.mode(inside) is not None
        except (HomelabError, OSError):
            return True

    def inside(self, path: str) -> str | None:
        """The path from the lab's root; None for what is elsewhere or nobody's to read."""
        whole = posixpath.normpath(posixpath.join(self._files.root, path))
        inside = posixpath.relpath(whole, self._files.root)
        return None if inside.split("/")[0] in {"..", PRIVATE_FOLDER, ".git"} else inside


def _ends(folder: str) -> Iterable[int]:
    """Where each folder on the way ends."""
    return [n for n, letter in enumerate(folder) if letter == "/"] + [len(folder)] if folder else []
