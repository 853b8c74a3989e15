"""Every secret value of a lab, read from where secrets stand, and the one redactor made of them."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from homelab_mcp.core.diff import is_env, secrets_of
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.redact import Redactor, env_pairs, telling_values
from homelab_mcp.core.secret_files import SECRET_NAMES
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.model.plan import Plan, PlanStatus

DEPTH = 4
MOST_FOLDERS = 1_000
MOST_FILES = 500
LARGEST = 1_048_576
MOST_VALUES = 5_000
NEWEST_PLANS = 40
"""Bounds: a lab's folders may hold a media library. What is nearest the root is looked at first."""

_SKIPPED = {".git", PRIVATE_FOLDER, "node_modules"}
_KEYED = re.compile(r"\"(?:Key|PrivateKey|key)\"\s*:\s*\"([A-Za-z0-9+/=]{16,})\"")
_HASHED = re.compile(r"\$(?:argon2\w*|2[aby]|pbkdf2[\w-]*|6|5)\$[^\s'\"]{16,}")

Stamp = tuple[int, int, int]


class LabSecrets:
    """Keeps a lab's redactor as new as the files it is made of.

    A look costs one ``stat`` for each folder and secret file; they are read, and the redactor made, only when one of
    them changed. Nothing here is ever written or logged.

    Args:
        root: the lab's folder, or any folder or file whose env files count.
        environments: by container id, the variables of containers that this process met.
    """

    def __init__(
        self, root: str | Path, environments: Callable[[], Mapping[str, tuple[tuple[str, str], ...]]] | None = None
    ) -> None:
        path = Path(root)
        self._root = str(path.parent if path.is_file() else path)
        self._environments = environments
        self._guard = threading.Lock()
        self._folders: dict[str, tuple[Stamp, list[str], list[str]]] = {}
        self._files: dict[str, tuple[Stamp, frozenset[str]]] = {}
        self._containers: dict[str, frozenset[str]] = {}
        self._learnt: set[str] = set()
        self._made: Redactor | None = None
        self._plans_seen: Stamp | None = None

    def redactor(self) -> Redactor:
        """The redactor of all that is known now. Never raises: what cannot be read has no values."""
        with self._guard:
            values = set(self._learnt)
            for path in self._secret_files():
                self._look_at(path)
            # Of files that are gone by now, too: what they held may still stand in logs.
            for _, held in self._files.values():
                values |= held
            for found in self._of_containers():
                values |= found
            if len(values) > MOST_VALUES:
                values = set(sorted(values, key=len, reverse=True)[:MOST_VALUES])
            if self._made is None or self._made.values != values:
                self._made = Redactor(values)
            return self._made

    def learn(self, values: Iterable[str]) -> None:
        """Values that stand in no file yet: what a plan generated."""
        with self._guard:
            self._learnt.update(values)

    def learn_plan(self, plan: Plan) -> None:
        """The secrets of a plan that stand in no file yet; but what a model chose, the person who approves must see."""
        found = set(secrets_of(plan.draft.edits))
        if plan.draft.call is None:
            # A call's are parts of addresses that its requester chose: hidden in that plan, and in no other text.
            found.update(plan.draft.secrets)
        for edit in plan.draft.edits:
            if edit.secret and not is_env(edit.path):
                found |= _values_in(edit.path, edit.after or "")
        shown = "\n".join(plan.reasons)
        self.learn(value for value in found if json.dumps(value)[1:-1] not in shown)

    def learn_new_plans(self, folder: Path, plans: Callable[..., list[tuple[Plan, PlanStatus]]]) -> None:
        """Learn from plans that were added since the last look, by any process; at first from the newest of all.

        Args:
            folder: where each plan is a folder of its own.
            plans: lists (plan, status), newest first, as ``ports.PlanStore.list``.
        """
        try:
            stamp = _stamp(str(folder))
        except OSError:
            return
        if stamp == self._plans_seen:
            return
        since = self._plans_seen[0] / 1e9 - 1 if self._plans_seen else 0.0
        self._plans_seen = stamp
        try:
            found = plans(NEWEST_PLANS, since=since)
        except (HomelabError, OSError):
            return
        for plan, _ in found:
            self.learn_plan(plan)

    def _secret_files(self) -> list[str]:
        found: list[str] = []
        level = [self._root]
        seen = 0
        for _ in range(DEPTH):
            below: list[str] = []
            for folder in level:
                seen += 1
                if seen > MOST_FOLDERS or len(found) >= MOST_FILES:
                    return found[:MOST_FILES]
                folders, files = self._listed(folder)
                below += folders
                found += files
            level = below
        return found[:MOST_FILES]

    def _listed(self, folder: str) -> tuple[list[str], list[str]]:
        """(folders, secret files) in a folder; listed anew only when the folder changed."""
        try:
            stamp = _stamp(folder)
            known = self._folders.get(folder)
            if known and known[0] == stamp:
                return known[1], known[2]
            folders, files = [], []
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _SKIPPED:
                            folders.append(entry.path)
                    elif is_env(entry.name) or entry.name in SECRET_NAMES:
                        files.append(entry.path)
                    if len(folders) > MOST_FOLDERS:
                        break
        except OSError:
            return [], []
        self._folders[folder] = (stamp, sorted(folders), sorted(files))
        return self._folders[folder][1], self._folders[folder][2]

    def _look_at(self, path: str) -> None:
        known = self._files.get(path)
        try:
            stamp = _stamp(path)
            if known and known[0] == stamp:
                return
            text = _read(path)
        except OSError:
            return
        # Former values stay known: a container may go on printing them.
        self._files[path] = (stamp, frozenset(_values_in(path, text)) | (known[1] if known else frozenset()))

    def _of_containers(self) -> Iterable[frozenset[str]]:
        if self._environments is None:
            return ()
        for container, pairs in list(self._environments().items()):
            if container not in self._containers:
                self._containers[container] = frozenset(telling_values(pairs, named_only=True))
        return list(self._containers.values())


def _values_in(path: str, text: str) -> set[str]:
    if is_env(os.path.basename(path)):  # noqa: PTH119
        # Both readings: Compose's own, and one that gets something out of what Compose refuses.
        pairs = [*env_pairs(text), *parse_or_empty(text).items()]
        # The first line of a key alone is no secret, and stands in public certificates' tools' words as well.
        return {v for v in telling_values(pairs) if not v.startswith("-----") or "\n" in v}
    return {m[1] for m in _KEYED.finditer(text)} | {m[0] for m in _HASHED.finditer(text)}


def _stamp(path: str) -> Stamp:
    found = os.stat(path)  # noqa: PTH116
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return file.read(LARGEST).decode("utf-8", "replace")
