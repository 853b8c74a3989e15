"""The env files of a lab's stacks, as far as they can be read: the ``.env`` beside a file, and each ``env_file``."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from homelab_mcp.core import env_file
from homelab_mcp.core.checks.view import Lab, ServiceView, StackView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Mark
from homelab_mcp.model.errors import HomelabError

MOST = 100_000
"""Characters of a file that are looked at."""


@dataclass(frozen=True, slots=True)
class EnvText:
    """One file: its assignments. What they say is secret: no message may repeat it but for settings like a zone."""

    file: str
    text: str
    entries: tuple[env_file.Entry, ...]

    def mark(self, entry: env_file.Entry) -> Mark:
        """Where the value of an assignment stands."""
        line = self.text.count("\n", 0, entry.value_start) + 1
        return Mark(line, entry.value_start - self.text.rfind("\n", 0, entry.value_start))


def paths(stack: StackView) -> list[str]:
    """The ``.env`` beside the stack's file, and the files that its services name."""
    return list(dict.fromkeys([beside(stack, ".env"), *(p for s in stack.services for p in files_of(s))]))


def files_of(service: ServiceView) -> Iterator[str]:
    """The service's ``env_file``, as far as it can be read."""
    part = service.data.get("env_file")
    for item in [part] if isinstance(part, str) else part if isinstance(part, list) else ():
        name = item.get("path") if isinstance(item, dict) else item
        if isinstance(name, str) and not is_open(name):
            yield beside(service.stack, name)


def beside(stack: StackView, name: str) -> str:
    """The path of a file that the stack names, as the lab knows it."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(stack.file), name))


def read(lab: Lab, stack: StackView, path: str) -> EnvText | None:
    """The file at a path, read once; None where it is not there, cannot be seen or is none."""
    known: dict[str, EnvText | None] = lab.memo.setdefault("env texts", {})
    if path not in known:
        known[path] = _read(stack, path)
    return known[path]


def _read(stack: StackView, path: str) -> EnvText | None:
    try:
        text = stack.read(path) if stack.read else None
        if text is None or len(text) > MOST:
            return None
        return EnvText(path, text, tuple(env_file.entries(text)))
    except HomelabError:
        return None


def said_in_files(service: ServiceView) -> frozenset[str] | None:
    """Names that the service's env files set; None where one of them cannot be seen."""
    found: set[str] = set()
    for path in files_of(service):
        each = _read(service.stack, path)
        if each is None:
            return None
        found.update(entry.name for entry in each.entries)
    open_names = service.data.get("env_file") and not list(files_of(service))
    return None if open_names else frozenset(found)


def lost_dollars(lab: Lab, stack: StackView) -> Iterator[tuple[str, Mark, str]]:
    """(file, where, name) of passwords and keys with a ``$name`` in the middle that no variable known here has."""
    for path in paths(stack) if stack.read else ():
        found = read(lab, stack, path)
        known = {e.name for e in found.entries} | set(stack.env) if found else set()
        for entry in found.entries if found else ():
            names = [] if entry.quote == "'" else _DOLLAR.findall(entry.raw.replace("$$", ""))
            if found and _SECRET.search(entry.name) and any(n not in known and not n.isupper() for n in names):
                yield path, found.mark(entry), entry.name


_DOLLAR = re.compile(r"(?<=[^\s\\])\$([A-Za-z_][A-Za-z0-9_]*)")
_SECRET = re.compile(r"PASS|SECRET|TOKEN|_KEY|HASH|_PW$|_AUTH$", re.IGNORECASE)
