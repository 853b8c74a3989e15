"""Check a lab's compose files, or pasted text, with the linter."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.ports import Judge, Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.lab_facts import lab_facts, lint_settings
from homelab_mcp.queries.lab_stacks import lint_stacks
from homelab_mcp.queries.on_host import in_view

_ORDER = list(Severity)
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Checked:
    """Findings of at least the asked severity, worst first; ``counts`` counts all of them by severity.

    ``not_asked`` says about which stacks Compose gave no word, and why; ``files`` are the compose files looked at.
    """

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    not_asked: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def check(
    lab: Lab,
    *,
    stack: str = "",
    content: str | Sequence[str] = (),
    severity: str = "info",
    judge: Judge | None = None,
    fixes: bool = False,
) -> Checked:
    """Lint the lab (or one stack of it, or one host's, seen among the others), or ``content`` alone.

    Args:
        lab: the lab.
        stack: only its findings; or those of a file or folder, by its path inside the lab.
        content: a compose text, or several that are merged in this order (``docker compose -f a -f b``). No file is
            read for it: what it includes or extends elsewhere stays unknown.
        severity: the least that is shown.
        judge: Compose, where its own word is wanted too.
        fixes: work out each finding's fix, where there is one.

    Raises:
        NotFound: no such stack or file.
        InvalidInput: a path out of the lab.
    """
    settings = lint_settings(lab)
    asked: dict[str, Sequence[str]] = {}
    texts = [content] if isinstance(content, str) else list(content)
    if any(texts):
        (file, text), *others = [(f"pasted{n or ''}.yaml", t) for n, t in enumerate(texts)]
        pasted = LintStack(name="pasted", file=file, text=text, env={}, others=tuple(others))
        findings = lint([pasted], settings=settings, fixes=fixes)
        mine, asked = [pasted], {file: ()}
    else:
        # A host's stacks among the others: what they name may be elsewhere.
        seen = in_view(lab)
        there = read_stacks(lab.whole.files)
        place = _place(lab, stack, [s.name for s in there])
        if place.endswith(_YAML) and not any(place in _paths(s) for s in there):
            there = _with_file(lab, there, place)
        stacks = lint_stacks(lab.files, there)
        found = lint(stacks, facts=lab_facts(lab), settings=settings, fixes=fixes)
        # What a stack includes lies in its folder too.
        findings = tuple(f for f in found if not place or f.file == place or f.file.startswith(f"{place}/"))
        findings = tuple(f for f in findings if seen(f.file))
        mine = [s for s in stacks if not place or place in (s.name, *_files(s)) or place.startswith(f"{s.name}/")]
        mine = [s for s in mine if seen(s.name)]
        asked = {s.file: [posixpath.join(lab.root, file) for file in _files(s)] for s in mine}
    not_asked: tuple[str, ...] = ()
    if judge is not None:
        from homelab_mcp.core.checks.rules_security import reaches_outside
        from homelab_mcp.core.checks.view import StackView
        from homelab_mcp.queries.engine_word import ask_compose

        # Compose reads what a file names, and its refusals quote it: nothing of the host beyond the stack is asked for.
        kept = [s for s in mine if not reaches_outside(StackView(s))]
        word = ask_compose(kept, findings, judge=judge, files=asked, settings=settings)
        findings, not_asked = (*findings, *word.findings), word.not_asked
        not_asked += tuple(
            f"Compose was not asked about {s.file}: it names files outside the stack's folder (HL100)."
            for s in mine
            if s not in kept
        )
    counts = {str(s): sum(f.severity is s for f in findings) for s in Severity}
    least = _ORDER.index(Severity(severity))
    shown = sorted((f for f in findings if _ORDER.index(f.severity) <= least), key=lambda f: _ORDER.index(f.severity))
    return Checked(
        findings=tuple(shown), counts=counts, not_asked=not_asked, files=tuple(f for s in mine for f in _files(s))
    )


def _place(lab: Lab, asked: str, stacks: Sequence[str]) -> str:
    """The path, from the lab's root, of what is asked for: a stack's folder, or a file or folder of the lab.

    Raises:
        NotFound: there is neither.
        InvalidInput: it is outside the lab.
    """
    place = posixpath.normpath(asked) if asked else ""
    if place in ("", ".") or place in stacks:
        return "" if place == "." else place
    if posixpath.isabs(place):
        place = posixpath.relpath(place, lab.root)
    hidden = any(part.startswith(".") for part in place.split("/") if part != "..")
    known = place.endswith(_YAML) or place.partition("/")[0] in stacks
    if known and not hidden and lab.files.mode(place) is not None:
        return place
    raise NotFound(
        f"There is no stack '{asked}', and no compose file at this path.",
        hint=f"Stacks: {', '.join(stacks) or 'none yet'}.",
    )


def _paths(stack: StackFiles) -> list[str]:
    """The compose files that the stack has, by Compose's own rules."""
    return [stack.compose_path, *(path for path, _ in (*stack.others, *stack.named))]


def _with_file(lab: Lab, stacks: Sequence[StackFiles], place: str) -> tuple[StackFiles, ...]:
    """The stacks with a file that none of them has: it stands for its folder's stack, among the others."""
    folder = posixpath.dirname(place) or "."
    own = StackFiles(folder, place, lab.files.read(place) or "", lab.files.read(f"{folder}/.env") or "")
    return (*(s for s in stacks if s.name != folder), own)


def _files(stack: LintStack) -> list[str]:
    return [stack.file, *(file for file, _ in stack.others)]
