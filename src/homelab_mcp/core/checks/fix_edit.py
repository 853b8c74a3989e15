"""A change of a compose text in small steps, which knows what it may touch; and what a fixer sees of a finding."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from homelab_mcp.core import yaml_span
from homelab_mcp.core.checks.alike import around
from homelab_mcp.core.checks.fix_source import Slot, Source, source_of
from homelab_mcp.core.checks.view import Entry, Lab, ServiceView, StackView
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.errors import EditRefused
from homelab_mcp.model.finding import Finding

MISSING = object()


class Edit:
    """Steps on a text. Paths are as written in the text at that step; ``touched`` are paths of the first text.

    Every step raises EditRefused where it cannot be done without touching other lines.
    """

    def __init__(self, source: Source) -> None:
        self.first = source
        self.text = source.text
        self.touched: list[Path] = []
        self.expected: list[tuple[Path, Any]] = []
        self.env: dict[str, str] = {}

    @property
    def source(self) -> Source:
        """The text as it is now."""
        found = source_of(self.text)
        if found is None:
            raise EditRefused("The text cannot be read.", code="edit_broke_file")
        return found

    def slot(self, path: Path) -> Slot:
        """What is written at the path."""
        found = self.source.at(path)
        if found is None:
            raise EditRefused("It is not written in the file itself.", code="not_written_here")
        return found

    def set(self, path: Path, value: str) -> Edit:
        """Give a scalar another text."""
        self.text = self.source.written(self.slot(path), value)
        return self._changed(path, value)

    def quote(self, path: Path) -> Edit:
        """Put a plain scalar in quotes."""
        slot = self.slot(path)
        plain = self.text[slot.value.start : slot.value.end]
        self.text = self.source.quoted(slot.value)
        return self._changed(path, plain.split()[-1] if slot.value.decorated else plain)

    def replace(self, path: Path, written: str, value: Any) -> Edit:
        """Put another YAML text in a value's place; ``value`` is what it means."""
        node = self.slot(path).value
        if node.decorated or node.kind == "alias":
            raise EditRefused("It has an anchor or is one's alias.", code="not_written_here")
        self.text = self.text[: node.start] + written + self.text[node.end :]
        return self._changed(path, value)

    def rename(self, path: Path, name: str) -> Edit:
        """Rename a key."""
        slot = self.slot(path)
        if self.source.at((*path[:-1], name)) is not None:
            raise EditRefused(f"There is a {name!r} already.", code="taken")
        self.text = self.source.keyed(slot, name)
        self.touched.append(path)
        return self._changed((*path[:-1], name), MISSING)

    def add(self, path: Path, key: str, value: Any) -> Edit:
        """Add an entry at the end of a mapping; of a service's too."""
        slot = self.slot(path) if path else None
        if slot is not None and slot.value.empty_scalar:
            self.touched.append(path)
        self.text = yaml_span.insert_entry(self.text, _keys(path), key, value)
        return self._changed((*path, key), value)

    def push(self, path: Path, value: str) -> Edit:
        """Add an item at the end of a list."""
        self.slot(path)
        self.text = yaml_span.insert_item(self.text, _keys(path), value)
        self.touched.append(path)
        return self

    def remove(self, path: Path) -> Edit:
        """Remove an entry or an item; the last one takes its list along."""
        slot, holder = self.slot(path), self.slot(path[:-1])
        if len(holder.value.children) == 1 and len(path) > 1 and holder.path[:1] != ("services",):
            return self.remove(path[:-1])
        if len(holder.value.children) == 1 and isinstance(path[-1], int):
            return self.remove(path[:-1])
        return self.remove_slot(slot)

    def remove_slot(self, slot: Slot) -> Edit:
        """Remove that entry or item, whatever stands beside it (one of two with one key, say)."""
        path = slot.path
        self.text = yaml_span.remove_child(self.text, _keys(path[:-1]), slot.index)
        self.touched.append(path[:-1] if isinstance(path[-1], int) else path)
        return self

    def declare(self, section: str, name: str, value: Any) -> Edit:
        """Add an entry to a top-level section, which is made where it is missing."""
        if self.source.at((section,)) is None:
            self.text = yaml_span.append_section(self.text, section, {name: value})
            self.touched.append((section,))
            return self
        return self.add((section,), name, value)

    def put_env(self, name: str, value: str) -> Edit:
        """Have a line in the stack's ``.env``."""
        self.env[name] = value
        return self

    def _changed(self, path: Path, value: Any) -> Edit:
        self.touched.append(path)
        if value is not MISSING:
            self.expected.append((path, value))
        return self


def _keys(path: Path) -> list[str]:
    if not all(isinstance(step, str) for step in path):
        raise EditRefused("It is inside a list.", code="inside_list")
    return [str(step) for step in path]


@dataclass(frozen=True, slots=True)
class Change:
    """What a fixer proposes: a title in a few words, the edit, and whether it may be applied without asking."""

    title: str
    edit: Edit
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Spot:
    """A finding with all that a fixer needs."""

    lab: Lab
    stack: StackView
    service: ServiceView | None
    finding: Finding
    source: Source

    @property
    def edit(self) -> Edit:
        """A new edit of the file."""
        return Edit(self.source)

    @property
    def key(self) -> Slot | None:
        """The entry whose key the finding points at."""
        return self.source.key_at(self.finding.line, self.finding.column)

    @property
    def value(self) -> Slot | None:
        """The value or item that the finding points at."""
        return self.source.value_at(self.finding.line, self.finding.column)

    @property
    def item(self) -> Slot | None:
        """The item of a list that the finding points at, or at a value in it."""
        path = self.value.path if self.value else ()
        while path and not isinstance(path[-1], int):
            path = path[:-1]
        return self.source.at(path)

    @property
    def here(self) -> Path | None:
        """The path that the finding points at, by key or by value."""
        slot = self.key or self.value
        return slot.path if slot else None

    @property
    def home(self) -> Path:
        """The path of the finding's service."""
        return ("services", self.finding.service)

    @property
    def env_file(self) -> str:
        """The path of the stack's ``.env``."""
        return env_beside(self.stack.file)

    def entries(self, field: str) -> Iterator[Entry]:
        """The service's ``labels`` or ``environment`` entries that stand at the finding's place."""
        slots = {id(s) for s in (self.key, self.value) if s}
        if self.service is None:
            return
        for entry in (self.service.labels if field == "labels" else self.service.environment).values():
            slot = self.source.at((*self.home, *entry.path))
            if slot is None or id(slot) not in slots:
                continue
            # Of a stack of several files the numbers of items are those of the whole, not of this file.
            written = slot.value.text.partition("=")[0] if slot.key is None else slot.key.text
            if written == entry.key:
                yield entry


def env_beside(file: str) -> str:
    """The path of the ``.env`` that Compose reads for a file."""
    return posixpath.join(posixpath.dirname(file), ".env")


def nearest(word: str, words: Iterable[str], cutoff: float = 0.75) -> str | None:
    """The one word that another can have meant; None where there is none, or two as near."""
    lower = word.lower()
    scored = sorted(((SequenceMatcher(None, lower, w.lower()).ratio(), w) for w in around(words, word)), reverse=True)
    if not scored or scored[0][0] < cutoff or (len(scored) > 1 and scored[1][0] > scored[0][0] - 0.05):
        return None
    return scored[0][1]


def entry_edit(edit: Edit, path: Path, entry: Entry, value: str, key: str | None = None) -> Edit:
    """Give a label or variable another value (as written, variables and all) and, where asked, another key."""
    if isinstance(path[-1], int):
        return edit.set(path, f"{key or entry.key}={value}")
    if key is not None:
        return edit.rename(path, key)
    return edit.set(path, value)
