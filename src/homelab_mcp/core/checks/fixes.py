"""Fixes for findings, by rule: :func:`fix_for`, and the ``@fixer`` decorator that the modules beside it use.

A fix is offered only after it was tried on a copy of the text: read again, the data may differ in nothing but what
the fixer said it would touch (through aliases and merges too), and the Compose schema may find nothing new. Of one
that is ``safe`` a careful person would not want to hear first: the file's meaning stays, or it can only have meant
this, and what runs goes on as before or better. Each fixer's first line says which it is and why.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.checks.fix_edit import MISSING, Change, Edit, Spot
from homelab_mcp.core.checks.fix_source import Source, source_of
from homelab_mcp.core.checks.schema import problems
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.core.text_edits import edits_between
from homelab_mcp.core.yaml12 import Path, load_nodes
from homelab_mcp.model.errors import EditRefused, InvalidInput
from homelab_mcp.model.finding import Finding, Fix, TextEdit

Fixer = Callable[[Spot], Change | None]
_fixers: dict[str, Fixer] = {}
_suggestions: set[str] = set()
_of_files: set[str] = set()


def fixer(*rules: str, safe: bool = True, files: bool = False) -> Callable[[Fixer], Fixer]:
    """Declare what fixes the findings of these rules; ``safe`` is False where none of its changes ever is.

    With ``files`` it is asked about findings in Traefik's static file as well: the spot's source is then that file,
    its service Traefik. A rule that has a fixer raises ValueError.
    """

    def register(function: Fixer) -> Fixer:
        for rule in rules:
            if rule in _fixers:
                raise ValueError(f"rule {rule} has two fixers")
            _fixers[rule] = function
            if not safe:
                _suggestions.add(rule)
            if files:
                _of_files.add(rule)
        return function

    return register


@cache
def all_fixers() -> dict[str, Fixer]:
    """Rule id -> its fixer."""
    package = importlib.import_module("homelab_mcp.core.checks")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("fixes_"):
            importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_fixers.items()))


def fixable(*, unsafe: bool) -> frozenset[str]:
    """Rules that have a fixer; without ``unsafe`` only those of which a fix can be safe."""
    return frozenset(all_fixers()) - (frozenset() if unsafe else _suggestions)


def fix_word(rule: str) -> str:
    """What fix a rule has: "safe", "suggestion" or ""."""
    if rule in fixable(unsafe=False):
        return "safe"
    return "suggestion" if rule in fixable(unsafe=True) else ""


def fix_for(lab: Lab, finding: Finding) -> Fix | None:
    """The change that settles a finding, None where no edit is known to."""
    function = all_fixers().get(finding.rule)
    stack, text = next(((s, f.text) for s in lab.stacks for f in s.files if f.file == finding.file), (None, ""))
    reader = _reader(lab, finding) if stack is None else None
    if reader is not None and lab.traefik_files.static is not None:
        stack, text = reader.stack, lab.traefik_files.static.text
    source = source_of(text) if function and stack else None
    if function is None or stack is None or source is None:
        return None
    service = stack.service(finding.service) if finding.service else None
    spot = Spot(lab, stack, reader or service, finding, source)
    try:
        change = function(spot)
        if change is None:
            return None
        _check(source, change.edit, compose=reader is None)
        edits = (*edits_between(finding.file, source.text, change.edit.text), *_env_edits(spot, change.edit))
    except (EditRefused, InvalidInput):
        return None
    told = (stack.name, reader.name) if reader is not None else None
    return Fix(change.title, edits, change.safe and finding.rule not in _suggestions, told) if edits else None


def _reader(lab: Lab, finding: Finding) -> ServiceView | None:
    """Traefik, where the finding is in its static file and the rule's fixer knows such a file."""
    static = lab.traefik_files.static
    mine = static is not None and static.file == finding.file and not static.file.endswith(".toml")
    return lab.traefik if mine and finding.rule in _of_files else None


def _env_edits(spot: Spot, edit: Edit) -> Iterator[TextEdit]:
    """Lines for the ``.env``, put before its first: nobody here has its text, and what is set later wins there."""
    for name, value in edit.env.items():
        env_file.check_name(name)
        env_file.check_value(name, value)
        yield TextEdit(spot.env_file, 1, 1, 1, 1, f"{name}={env_file.quote(value)}\n")


def _check(before: Source, edit: Edit, *, compose: bool) -> None:
    """Refuse an edit that does something else than it says, or after which the text cannot be read."""
    after = load_nodes(edit.text, allow_duplicates=True).data
    allowed = {before.origin(path) or path for path in edit.touched}
    for path in _differences(before.data, after, ()):
        parts = (path[:end] for end in range(len(path) + 1))
        if not any((before.origin(part) or part) in allowed for part in parts):
            raise EditRefused("The edit would change more than it should.", code="edit_changed_more")
    for path, value in edit.expected:
        found = _at(after, path)
        if found != value or type(found) is not type(value):
            raise EditRefused("The edit would not say what it should.", code="edit_changed_more")
    if compose and {(p.path, p.message) for p in problems(after)} - _objections(before.text):
        raise EditRefused("The Compose schema would object to the edit.", code="edit_broke_file")


def _differences(old: Any, new: Any, path: Path) -> Iterator[Path]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if key in old and key in new:
                yield from _differences(old[key], new[key], (*path, key))
            else:
                yield (*path, key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for n, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _differences(a, b, (*path, n))
    elif type(old) is not type(new) or (old != new and (old == old or new == new)):
        yield path


def _at(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return data


@lru_cache(maxsize=8)
def _objections(text: str) -> frozenset[tuple[Path, str]]:
    source = source_of(text)
    return frozenset((p.path, p.message) for p in problems(source.data)) if source else frozenset()
