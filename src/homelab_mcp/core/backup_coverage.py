"""Which of a lab's data its configured backup holds, as its files say: no clock, no Docker, no repository.

What a run came to and when is another question, which the backup's container answers; a page that told it would be
wrong the day after. Patterns mean what restic takes them for (its documentation, "Excluding files").
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from homelab_mcp.core.backup_config import CLASS, BackupConfig, is_pattern, parse_config
from homelab_mcp.core.backup_jobs import Find, Jobs, config_path, engines_of, jobs_of
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import LOCAL

_UNHEARD = re.compile(r"[$\\\n]")
"""Patterns with these are not given to restic (see ``backup_jobs.excludes_text``)."""
_SIGN = re.compile(rf"{CLASS}|.")
_RANGE = re.compile("(.)(?:-(.))?")
_SIGNS = {"*": "[^/]*", "?": "[^/]"}
_STEPS = "(?:[^/]+/)*"
_ANY = f"{_STEPS}/"
_CONTENT = re.compile(r"(?:(?:^|/)\*\*)*(?:^|/)\*{1,2}$")
"""What ends a pattern of everything in a folder: ``/*``, or ``/**`` at any depth."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is told above the services, and for each (``stack/service``) whether its data is in the backup."""

    told: str
    services: Mapping[str, str] = field(default_factory=dict)


def coverage_of(
    view: LabView,
    host_paths: tuple[str, ...],
    find: Find,
    read: Callable[[str], str | None],
    *,
    root: Root = "",
) -> Coverage:
    """What the lab's backup covers.

    Args:
        view: the lab.
        host_paths: folders of the host that are backed up as well.
        find: a definition by id, or None.
        read: the text of a file of the lab, or None.
        root: the lab's on its machine, by which an absolute path is known for one of the lab.
    """
    engines = engines_of(view)
    if not engines:
        return Coverage("No backup is set up: `homelab-mcp backup configure` plans one.")
    told, words = list[str](), dict[str, str]()
    if LOCAL not in engines:
        told.append("Of this machine no backup is set up: `homelab-mcp backup configure` plans one.")
    for host, engine in engines.items():
        of = "Backed up" if host == LOCAL else f"On host {host} backed up"
        path = config_path(engine.stack)
        try:
            text = read(path)
            config = parse_config(text) if text is not None else None
        except HomelabError:
            config = None
        if config is None:
            where = "the backup" if host == LOCAL else f"the backup of {host}"
            told.append(f"What {where} covers is not known: {path} cannot be read.")
            continue
        jobs = jobs_of(view, config, engine.stack, find, host_paths, root=root)
        # The first of them also tells of hosts that make none.
        first = host == next(iter(engines))
        mine = (s for s in view.services if s.host == host or (first and s.host not in engines))
        words |= {s.where: _words(s, engine, config, jobs) for s in mine}
        everywhere = [p for p in config.exclude if p.startswith("*") and not _UNHEARD.search(p)]
        but = f", everywhere but for {', '.join(f'`{p}`' for p in everywhere)}" if everywhere else ""
        told.append(f"{of} by {engine.where}, {config.schedule} (five cron fields, the lab's time zone){but}.")
    if words:
        told.append("When a run last held is no part of this page: `homelab-mcp backups` tells.")
    return Coverage(" ".join(told), words)


def _words(one: Known, engine: Known, config: BackupConfig, jobs: Jobs) -> str:
    if one.stack == engine.stack:
        return "the backup itself"
    lacking = [f"not `{what}` ({why})" if what else why for where, what, why in jobs.uncovered if where == one.where]
    held, caches = list[str](), list[str]()
    if one.where not in config.skip:
        held += [f"as a {d.kind} dump" for d in jobs.dumps if f"{d.stack}/{d.service}" == one.where]
        for folder in dict.fromkeys(f for f, stack, name in jobs.owners if (stack, name) == (one.stack, one.name)):
            dump = next((d for d in jobs.dumps if any(_within(folder, f) for f in d.folders)), None)
            whole, parts = _said_of(f"/lab/{folder}", folder, config)
            if dump is not None:
                # Its dump stands for it, whatever is left out of the files.
                held.append("" if f"{dump.stack}/{dump.service}" == one.where else f"as the dump of {dump.service}")
            elif whole:
                lacking.append(whole)
            elif any(left_out(f"/lab/{folder}", p) == "whole" for p in jobs.excludes):
                caches.append(f"`{folder}` is left out, as it can be made anew")
            else:
                held.append("")
                lacking += parts
        for path in (p for where, p in jobs.reached if where == one.where):
            # The container has it by the machine's own name.
            whole, parts = _said_of(path, path, config)
            held += [] if whole else [""]
            lacking += [whole] if whole else parts
    if (one.stack, one.name) in {(stack, name) for stack, name, _ in jobs.saves} and held:
        held.append("after a SAVE")
    if not (held or lacking or caches):
        return ""
    sure = ("in part" if lacking else "yes") if held else ("no" if lacking else "not needed")
    details = "; ".join(dict.fromkeys(w for w in (*held, *lacking, *caches) if w))
    return f"{sure}: {details}" if details else sure


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _said_of(path: str, name: str, config: BackupConfig) -> tuple[str, list[str]]:
    """What the settings leave out of a folder: a sentence for all of it, or else one for each part."""
    by = [(p, how) for p in config.exclude if (how := left_out(path, p))]
    whole = next((p for p, how in by if how == "whole"), "")
    parts = [f"not `{p}` (left out in backup.yaml)" for p, _ in by]
    return (f"not `{name}` (left out by `{whole}` in backup.yaml)" if whole else ""), parts


def left_out(path: str, pattern: str) -> str:
    """What a pattern takes out of a folder, as the backup's container has it: "whole", "part", or ""."""
    if _UNHEARD.search(pattern) or not is_pattern(pattern):
        return ""
    anywhere = pattern.startswith("*")
    pattern = posixpath.normpath(pattern if anywhere or pattern.startswith("/") else f"/lab/{pattern}")
    # All that is in a folder is the whole of it.
    for whole in (pattern, _CONTENT.sub("", pattern)):
        steps = "/".join(_step(step) for step in whole.split("/")).replace(_ANY, _STEPS)
        if re.match(f"{'(?:.*/)?' if anywhere else ''}{steps}(?:/|$)", path):
            return "whole"
    return "part" if not anywhere and _goes_below(pattern.split("/"), path.split("/")) else ""


def _goes_below(steps: Sequence[str], path: Sequence[str]) -> bool:
    """Whether a pattern that begins at the root names something in a folder."""
    for step, name in zip(steps, path, strict=False):
        if step == "**":
            return True
        if not re.fullmatch(_step(step), name):
            return False
    return len(steps) > len(path)


def _step(step: str) -> str:
    """One step of a path as a regular expression; ``*`` does not cross a slash, ``**`` stands for any steps."""
    if step == "**":
        return _STEPS
    return "".join(_SIGNS.get(s) or (_class(s) if len(s) > 1 else re.escape(s)) for s in _SIGN.findall(step))


def _class(sign: str) -> str:
    """A class of signs; a range from a later sign to an earlier one has none in it, and is no fault to restic."""
    inner, negated = (sign[2:-1], "^") if sign.startswith("[^") else (sign[1:-1], "")
    pairs = [(low, high or low) for low, high in _RANGE.findall(inner)]
    kept = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in pairs if low <= high)
    return f"[{negated}{kept}]" if kept else "[^/]" if negated else "(?!)"
