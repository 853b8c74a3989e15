"""What a person changed by hand since the last commit, and where containers differ from their files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core import fingerprint
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.checks import lint
from homelab_mcp.core.compose_meaning import read as read_compose
from homelab_mcp.core.compose_meaning import services_of
from homelab_mcp.core.diff import is_env, unified
from homelab_mcp.core.drift import (
    LAB,
    ContainerDrift,
    DriftWord,
    FileChange,
    FileWord,
    differences,
    drift_of,
    file_word,
    in_scope,
)
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.new_findings import brought_in
from homelab_mcp.core.operations.stack_as_one import services_as_one
from homelab_mcp.core.redact import safe, secret_values
from homelab_mcp.core.secret_files import ACME_STORES
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.core.stack_owner import owners
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError, InvalidInput, VaultLocked
from homelab_mcp.model.finding import Finding
from homelab_mcp.model.lab import SHARED_ENV
from homelab_mcp.model.observed import ContainerState, StackFiles
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import check_stack, read_stacks
from homelab_mcp.queries.history import applied as applied_plans
from homelab_mcp.queries.lab_facts import lab_facts, lint_settings
from homelab_mcp.queries.lab_stacks import lint_stacks
from homelab_mcp.queries.on_host import in_view

_SETTINGS_SUFFIXES = (".yml", ".yaml", ".toml")
_LARGEST_NEW = 256 * 1024


@dataclass(frozen=True, slots=True)
class Review:
    """What differs.

    Args:
        files: files that are not as committed, by path.
        findings: the linter's findings that the committed state did not have.
        containers: services whose containers are not as the files say.
        secrets: values that must not be shown with the files.
        notes: what could not be looked at, a sentence each.
    """

    files: tuple[FileChange, ...]
    findings: tuple[Finding, ...]
    containers: tuple[ContainerDrift, ...]
    secrets: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing differs."""
        return not self.files and not self.containers

    def diff(self) -> str:
        """Unified diff from the last commit to the files; of an env file only the variables' names."""
        known = [c.made for c in self.files if c.known]
        return unified(known, self.secrets)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, for the tool and the command."""
        return {
            "clean": self.clean,
            "files": [f"{c.word} {c.path}{_how(c)}" for c in self.files],
            "diff": self.diff(),
            "findings": [f.as_line() for f in self.findings],
            "containers": [safe(c.as_line(), self.secrets)[:600] for c in self.containers],
            "notes": list(self.notes),
        }


def review(lab: Lab, stack: str = "") -> Review:
    """Compare the last commit, the files and the containers, of one stack (".": the lab's own files), a host's, or all.

    Raises:
        NotFound: no such stack, neither in the files nor in the last commit.
    """
    seen, mine = in_view(lab), lab
    lab = lab.whole
    stacks = read_stacks(lab.files)
    held = lab.history.held()
    if stack and stack != LAB and not any(p.startswith(f"{stack}/") for p in held):
        check_stack(stacks, stack)
    notes: list[str] = []
    files = (*_public(lab, stacks, held, stack, notes), *_private(lab, stacks, stack, notes))
    files = tuple(c for c in files if seen(c.path))
    texts = [lab.files.read("global.env") or "", *(s.env_text for s in stacks)]
    texts += [c.before or "" for c in files if is_env(c.path)]
    secrets = tuple(dict.fromkeys(v for text in texts for v in secret_values(text)))
    containers = () if stack == LAB else container_drift(mine, read_stacks(mine.files), stack, notes)
    found = _new_findings(mine, stacks, held, files) if files else ()
    shown = tuple(f for f in found if in_scope(f.file, "" if stack == LAB else stack) and seen(f.file))
    return Review(tuple(sorted(files, key=lambda c: c.path)), shown, tuple(containers), secrets, tuple(notes))


def container_drift(
    lab: Lab, stacks: Sequence[StackFiles], stack: str, notes: list[str], *, details: bool = True
) -> tuple[ContainerDrift, ...]:
    """Where the containers of a stack ("": of all) differ from the files; what cannot be asked is noted."""
    if lab.files_only:
        notes.append("Files only: containers were not looked at.")
        return ()
    try:
        containers = lab.engine.containers()
    except (EngineUnavailable, EngineFailed) as error:
        notes.append(f"Containers were not looked at: {error.as_text()}")
        return ()
    silent = lab.engine.silent()
    notes += [f"{why} Its stacks were not compared." for why in silent.values()]
    found: list[ContainerDrift] = []
    whose = owners(stacks, lab.files.root)
    placed = [(whose(c), c) for c in containers]
    for one in stacks:
        if (not stack or one.name == stack) and not (silent and host_of(one.compose_text) in silent):
            mine = [c for place, c in placed if place == one.name]
            found += _of_stack(lab, one, mine, notes, details=details)
    found += _without_folder(lab, stacks, containers, stack)
    return tuple(found)


def _of_stack(
    lab: Lab, stack: StackFiles, containers: Sequence[ContainerState], notes: list[str], *, details: bool
) -> list[ContainerDrift]:
    try:
        declared = services_of(read_compose(stack.compose_text))
    except HomelabError:
        notes.append(f"{stack.compose_path} cannot be read, so its containers were not compared.")
        return []
    hashes: dict[str, str] | None = None
    try:
        hashes = lab.compose.hashes(stack.name)
    except HomelabError as error:
        notes.append(f"Compose does not read stack {stack.name}: {error.message}")
        declared = services_as_one(stack)
    # Services that come by include: are known to Compose alone.
    known = {**declared, **{name: {} for name in hashes or () if name not in declared}}
    wanted = [n for n in known if n in hashes] if hashes is not None else list(known)
    env = {**parse_or_empty(lab.files.read(SHARED_ENV) or ""), **parse_or_empty(stack.env_text)}
    found = drift_of(stack.name, declared=known, wanted=wanted, hashes=hashes, containers=containers, env=env)
    if details and any(d.word is DriftWord.DIFFERS for d in found):
        return _with_details(lab, stack, found, containers, hashes or {})
    return found


def _with_details(
    lab: Lab,
    stack: StackFiles,
    found: Iterable[ContainerDrift],
    containers: Sequence[ContainerState],
    hashes: Mapping[str, str],
) -> list[ContainerDrift]:
    services = lab.compose.resolved(stack.name).get("services") or {} if hashes else {}
    told = []
    for one in found:
        if one.word is DriftWord.DIFFERS:
            mine = [c for c in containers if c.service == one.service]
            wanted = hashes.get(one.service)
            off = [c for c in mine if c.image.startswith("sha256:") or (wanted and c.config_hash != wanted)]
            try:
                one = replace(one, what=differences(lab.engine.made_from(off[0].id), services.get(one.service) or {}))
            except EngineFailed:
                one = replace(one, what=("it was taken away just now",))
        told.append(one)
    return told


def _without_folder(
    lab: Lab, stacks: Sequence[StackFiles], containers: Sequence[ContainerState], stack: str
) -> list[ContainerDrift]:
    """Containers that were started from a folder of this lab which is no stack any more."""
    names = {s.name for s in stacks}
    root = lab.files.root.rstrip("/")
    found = []
    whose = owners(stacks, lab.files.root)
    for one in containers:
        folder = one.labels.get("com.docker.compose.project.working_dir", "")
        name = whose(one)
        if name not in names and posixpath.dirname(folder) == root and (not stack or stack == name):
            found.append(ContainerDrift(name, one.service, DriftWord.ORPHAN, (f"container {one.name}; no such stack",)))
    return found


def _public(
    lab: Lab, stacks: Sequence[StackFiles], held: frozenset[str], stack: str, notes: list[str]
) -> list[FileChange]:
    paths = {p for p in held if in_scope(p, stack)} | set(_candidates(lab, stacks, held, stack))
    moved = sorted(set(lab.history.dirty(sorted(paths))) - set(lab.history.ignored(sorted(paths - held))))
    before = lab.history.committed(moved)
    found = []
    for path in moved:
        try:
            after = lab.files.read(path)
        except InvalidInput as error:
            notes.append(f"{path} changed, and is not compared: {error.message}")
            continue
        if path not in held and (after is None or len(after) > _LARGEST_NEW):
            continue
        if path in held and before[path] is None:
            notes.append(f"{path} changed, and is not compared: the commit holds no text of it.")
        elif before[path] != after:
            mode = lab.files.mode(path) or 0o644
            found.append(FileChange(path, file_word(before[path], after), before[path], after, mode))
    return found


def _candidates(lab: Lab, stacks: Sequence[StackFiles], held: frozenset[str], stack: str) -> list[str]:
    """Files that a person may have added: right in the lab or a stack, and settings beside files that git holds."""
    here = {"", *(s.name for s in stacks)}
    beside = {posixpath.dirname(p) for p in held} - here
    found = []
    for folder in sorted(here | beside):
        if not in_scope(f"{folder}/_" if folder else "_", stack):
            continue
        try:
            names = lab.files.listing(folder)
        except InvalidInput:
            continue
        for path in names:
            shown = not posixpath.basename(path).startswith(".")
            if shown and (folder in here or path.endswith(_SETTINGS_SUFFIXES)):
                found.append(path)
    return found


def _private(lab: Lab, stacks: Sequence[StackFiles], stack: str, notes: list[str]) -> list[FileChange]:
    """Files that git must not hold, against the last apply that wrote or saw them.

    Stores of certificates are left out: Traefik itself writes them at each renewal.
    """
    applied = applied_plans(lab)[::-1]
    try:
        for plan in applied[:1]:
            lab.plans.get(plan.id)
    except VaultLocked as error:
        # Without the key plans are outlines, which know nothing of what was in these files.
        notes.append(f"Whether .env and other private files were changed by hand cannot be told: {error.message}")
        return []
    paths = {"global.env", *(s.env_path for s in stacks)}
    paths |= {e.path for p in applied for e in (*p.draft.edits, *p.draft.adopts) if e.secret}
    found = []
    for path in sorted(p for p in paths if in_scope(p, stack) and posixpath.basename(p) not in ACME_STORES):
        try:
            after = lab.files.read(path)
        except InvalidInput as error:
            notes.append(f"{path} cannot be read: {error.message}")
            continue
        then, text = "", None
        for plan in applied:
            mine = next((e for e in (*plan.draft.edits, *plan.draft.adopts) if e.path == path), None)
            if mine is not None:
                text = mine.after
                then = then or fingerprint.of_text(text)
                break
            then = then or plan.fingerprint.get(f"file:{path}", "")
        if not then or then == fingerprint.of_text(after):
            continue
        known = fingerprint.of_text(text) == then
        before = text if known else None
        word = file_word(before if known else "", after)
        found.append(FileChange(path, word, before, after, lab.files.mode(path) or 0o600, secret=True, known=known))
    return found


def _new_findings(
    lab: Lab, stacks: Sequence[StackFiles], held: frozenset[str], files: Sequence[FileChange]
) -> tuple[Finding, ...]:
    facts, settings = lab_facts(lab), lint_settings(lab)

    def ask(which: Sequence[StackFiles], changed: Mapping[str, str | None]) -> Sequence[Finding]:
        return lint(lint_stacks(lab.files, which, changed), facts=facts, settings=settings)

    then = {c.path: c.before for c in files if c.known}
    return brought_in(ask(as_committed(stacks, files), then), ask(stacks, {}))


def as_committed(stacks: Sequence[StackFiles], files: Iterable[FileChange]) -> tuple[StackFiles, ...]:
    """The stacks' files with these changes taken back; what an env file held is left as it is where nobody knows."""
    return stacks_after(stacks, [c.undone for c in files if c.known])


def _how(change: FileChange) -> str:
    if change.secret:
        return " since the last apply" + ("" if change.known else " (what it held then is not known)")
    return " (git does not hold it yet)" if change.word is FileWord.NEW else ""
