"""What ``validate`` looks at: a lab, a stack inside one, or files that have nothing to do with a lab."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from homelab_mcp.bootstrap import compose_judge, disk_reader, open_lab
from homelab_mcp.cli.common import OK, console, emit
from homelab_mcp.cli.plan_flow import proposed
from homelab_mcp.core.checks import LabFacts
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.plan import Requester
from homelab_mcp.queries.lab_facts import lab_facts
from homelab_mcp.queries.validate import ValidationResult, stacks_on_disk, validate_files, validate_paths
from homelab_mcp.queries.validate_lab import check


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person named: ``paths``, or ``files`` of one stack, or neither: the lab at ``root``."""

    paths: tuple[str, ...]
    files: tuple[str, ...]
    root: str
    files_only: bool = False

    def looked_at(self) -> tuple[str, ...]:
        """The paths, the lab's root where none was named."""
        return self.paths or (self.root,)


def validated(asked: Asked, *, engine: bool = False, fixes: bool = False) -> ValidationResult:
    """The findings; a path in a lab is judged among the lab's other stacks, with its settings and facts."""
    judge = compose_judge() if engine else None
    if asked.files:
        return validate_files(asked.files, reader=disk_reader(), judge=judge, fixes=fixes)
    results = []
    for path in asked.looked_at():
        place = _place_in_lab(path)
        if place is None:
            facts = _facts_of(path, engine=engine)
            results.append(validate_paths([path], reader=disk_reader(), facts=facts, judge=judge, fixes=fixes))
        else:
            results.append(_in_lab(*place, files_only=asked.files_only, engine=engine, fixes=fixes))
    findings = dict.fromkeys(f for r in results for f in r.findings)
    return ValidationResult(
        tuple(sorted(findings, key=lambda f: (f.file, f.line, f.column, f.rule))),
        tuple(dict.fromkeys(f for r in results for f in r.files)),
        tuple(dict.fromkeys(t for r in results for t in r.could_not_run)),
    )


def fix_plan_or_diff(asked: Asked, rules: Sequence[str], *, unsafe: bool, as_json: bool, plan_only: bool) -> int:
    """In a lab: a plan with the fixes, as every change; elsewhere: the diff that would be, for a person to apply.

    Raises:
        InvalidInput: more than one path, or nothing that can be fixed.
    """
    places = [_place_in_lab(path) for path in asked.looked_at()]
    if not asked.files and places[0] is not None:
        if len(places) > 1:
            raise InvalidInput("One plan fixes one stack or the whole lab.", hint="Name one path, or none.")
        from homelab_mcp.workflow.proposals import propose_fix

        root, stack = places[0]
        lab = open_lab(root, files_only=asked.files_only)
        plan = propose_fix(lab, stack, rules, Requester(via="cli"), unsafe=unsafe)
        return proposed(lab, plan, as_json=as_json, plan_only=plan_only)
    return _diff(asked, rules, unsafe=unsafe, as_json=as_json)


def _diff(asked: Asked, rules: Sequence[str], *, unsafe: bool, as_json: bool) -> int:
    from homelab_mcp.core.checks.fix_run import fixed
    from homelab_mcp.core.diff import unified
    from homelab_mcp.model.plan import FileEdit

    trouble: list[str] = []
    stacks = stacks_on_disk(asked.files or asked.looked_at(), disk_reader(), trouble, together=bool(asked.files))
    facts = LabFacts(unseen=bool(trouble))
    done = fixed(stacks, facts=facts, rules=[r.upper() for r in rules] or None, unsafe=unsafe)
    texts = {file: text for s in stacks for file, text in ((s.file, s.text), *s.others)}
    texts |= {file: before for file, (before, _) in done.beside.items()}
    secrets = tuple(value for names in done.env.values() for value in names.values())
    edits = tuple(FileEdit(file, texts[file], text) for file, text in done.texts.items() if file in texts)
    diff = unified(edits, secrets)
    notes = [f"{file} needs: {', '.join(names)}" for file, names in done.env.items()]

    def show() -> None:
        console().print(diff, markup=False, highlight=False)
        for note in [*notes, *trouble]:
            console(error=True).print(note, markup=False)
        console(error=True).print(
            f"{len(done.fixed)} findings would be fixed. Outside of a lab nothing is written: "
            "apply the diff with `patch -p1`."
        )

    body = {
        "diff": diff,
        "fixed": [f.as_dict() for f in done.fixed],
        "env": {k: sorted(v) for k, v in done.env.items()},
    }
    emit(body, as_json, show)
    return OK


def _in_lab(root: str, stack: str, *, files_only: bool, engine: bool, fixes: bool) -> ValidationResult:
    lab = open_lab(root, files_only=files_only)
    found = check(lab, stack=stack, judge=lab.judge if engine else None, fixes=fixes)
    shown = os.path.relpath(root) if not Path(root).is_absolute() else root

    def seen(file: str) -> str:
        return os.path.normpath(os.path.join(shown, file))  # noqa: PTH118

    findings = tuple(replace(f, file=seen(f.file)) for f in found.findings)
    return ValidationResult(findings, tuple(seen(f) for f in found.files), found.not_asked)


def _facts_of(path: str, *, engine: bool) -> LabFacts:
    """What is known of a folder that is no lab: git's index; with ``engine`` this machine's networks and memory too.

    Without being asked, this machine counts for nothing: the files may be another's.
    """
    folder = path if Path(path).is_dir() else str(Path(path).parent)
    known = lab_facts(open_lab(folder, files_only=not engine))
    tracked = None if known.tracked is None else {os.path.join(folder, name) for name in known.tracked}  # noqa: PTH118
    return replace(known, tracked=tracked if Path(path).is_dir() else None)


def _place_in_lab(path: str) -> tuple[str, str] | None:
    """(the lab's root, stack or "" for all) of a path that is a lab, one of its stacks or that stack's compose file."""
    here = Path(path)
    if (here / SETTINGS_FILE).is_file():
        return path, ""
    folder = here.parent if here.is_file() else here
    above = folder.resolve().parent
    if (above / SETTINGS_FILE).is_file() and folder.is_dir():
        lab = open_lab(str(above), files_only=True)
        if folder.resolve().name in {name for name, _ in lab.files.stack_folders()}:
            root = os.path.relpath(above) if not here.is_absolute() else str(above)
            return root, folder.resolve().name
    return None
