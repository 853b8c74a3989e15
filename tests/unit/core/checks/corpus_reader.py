"""Reads files of test cases for the linter: ``seeded/*.txt``, ``corpus/HLxxx.txt`` and ``realistic/*.txt``.

A file holds several cases: ``=== title`` (in ``corpus/`` ``=== bad: title`` or ``=== good: title``), then one compose
file a stack, ``+++`` between the stacks of one lab. A case may begin with header lines:

* ``facts: networks=a,b memory=8GiB tracked=x/.env,y backup=/mnt/a`` is what is known of the lab (:class:`LabFacts`),
  as are ``pools=a=10.8.0.0/24`` (the engine's networks) and ``routes=wg0=10.6.0.0/24`` (the machine's),
  ``hosts=nas:10.0.0.2`` (other Docker hosts' private addresses) and ``devices=tv.example.org:tv`` (routed ones),
* ``env: A=1 B='x y'`` is the ``.env`` of every stack of the case,
* ``files: ./a ./b/c`` is what exists beside the compose file (and the folders on the way); without it nobody can look,
* ``expects: a/.env:1:W`` is a finding in a file that is no compose file: where, and how severe,
* ``config: refuses`` or ``config: accepts`` is what ``docker compose config`` 2.40 says of it, where that matters.

``@@@ path`` begins a further file beside the compose file above it (an override, an included file, an ``env_file``).

``#<E``, ``#<W`` or ``#<I`` at a line's end marks a finding there (``-1``: on the line above) and how severe it is; a
rule's id behind it asks for that rule. The marks are taken off before anybody else sees the text.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from homelab_mcp.core.checks import LabFacts, LintStack
from homelab_mcp.model.finding import Severity

MARK = re.compile(r" ?#<([EWI])(-1)?(?: (HL[0-9]{3}))?$")
HEADER = re.compile(r"(facts|env|files|config|expects): ?(.*)")
SEVERITIES = {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}
OVERRIDES = {f"{name}compose.override.{end}" for name in ("", "docker-") for end in ("yaml", "yml")}
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True)
class Fault:
    file: str
    line: int
    severity: Severity
    rule: str


@dataclass(frozen=True)
class Case:
    title: str
    stacks: tuple[LintStack, ...]
    faults: tuple[Fault, ...]
    facts: LabFacts = field(default_factory=LabFacts)
    files: tuple[str, ...] | None = None
    config: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Further files by path, ``s0/compose.override.yaml``."""


def read_cases(path: Path) -> list[Case]:
    """The cases of a file."""
    blocks = re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [_case(*block.partition("\n")[::2]) for block in blocks]


def _case(title: str, body: str) -> Case:
    header, body = _header(body)
    env = dict(pair.partition("=")[::2] for pair in shlex.split(header.get("env", "")))
    files = tuple(header["files"].split()) if "files" in header else None
    elsewhere = [word.rsplit(":", 2) for word in header.get("expects", "").split()]
    stacks, faults = [], [Fault(file, int(line), SEVERITIES[how], "") for file, line, how in elsewhere]
    texts: dict[str, str] = {}
    for n, part in enumerate(re.split(r"^\+\+\+\n", body, flags=re.MULTILINE)):
        split = ["compose.yaml", *re.split(r"^@@@ (.+)\n", part, flags=re.MULTILINE)]
        found: dict[str, str] = {}
        for name, marked in zip(split[::2], split[1::2], strict=True):
            found[f"s{n}/{name}"], marks = _unmarked(marked, f"s{n}/{name}")
            faults += marks
        text = found.pop(f"s{n}/compose.yaml")
        texts |= found
        there = None if files is None else _exists((*files, *split[2::2]))
        others = tuple((path, content) for path, content in found.items() if posixpath.basename(path) in OVERRIDES)
        # Without a word about files nobody can look into any.
        read = texts.get if found or files is not None else None
        beside = {f"s{n}/{_folder_or_file(f)}": "" for f in files or () if not f.startswith("/")}
        names = _names({**beside, **texts}) if found or beside else None
        stacks.append(LintStack(f"s{n}", f"s{n}/compose.yaml", text, env, there, others, read, names))
    facts = _facts(header.get("facts", ""))
    return Case(title, tuple(stacks), tuple(faults), facts, files, header.get("config", ""), texts)


def _folder_or_file(name: str) -> str:
    """What is beside a compose file; without an extension it is a folder."""
    path = posixpath.normpath(name)
    return path if "." in posixpath.basename(path) else f"{path}/"


def _names(texts: Mapping[str, str]) -> Callable[[str], list[str] | None]:
    def names(folder: str) -> list[str] | None:
        below = [path.removeprefix(f"{folder}/").partition("/") for path in texts if path.startswith(f"{folder}/")]
        return sorted({name + slash for name, slash, _ in below}) or None

    return names


def _unmarked(text: str, file: str) -> tuple[str, list[Fault]]:
    lines = text.split("\n")
    faults = []
    for i, line in enumerate(lines):
        mark = MARK.search(line)
        if mark:
            faults.append(Fault(file, i if mark[2] else i + 1, SEVERITIES[mark[1]], mark[3] or ""))
            lines[i] = MARK.sub("", line)
    return "\n".join(lines), faults


def _header(body: str) -> tuple[dict[str, str], str]:
    found: dict[str, str] = {}
    while match := HEADER.fullmatch(body.partition("\n")[0]):
        found[match[1]] = match[2]
        body = body.partition("\n")[2]
    return found, body


def _facts(text: str) -> LabFacts:
    given = dict(word.partition("=")[::2] for word in shlex.split(text))
    names = {k: [item for item in v.split(",") if item] for k, v in given.items()}
    memory = re.fullmatch(r"([0-9]+)(KiB|MiB|GiB)", given["memory"]) if "memory" in given else None
    return LabFacts(
        networks=names.get("networks"),
        memory=int(memory[1]) * UNITS[memory[2]] if memory else None,
        tracked=names.get("tracked"),
        backup_paths=names.get("backup"),
        pools={n: [s] for n, _, s in (w.partition("=") for w in names["pools"])} if "pools" in names else None,
        routes=[(s, i) for i, _, s in (w.partition("=") for w in names["routes"])] if "routes" in names else None,
        hosts=dict(n.partition(":")[::2] for n in names["hosts"]) if "hosts" in names else None,
        devices=dict(n.partition(":")[::2] for n in names["devices"]) if "devices" in names else None,
    )


def _exists(files: tuple[str, ...]) -> Callable[[str], bool]:
    there = {posixpath.normpath(f) for f in files}
    there |= {posixpath.dirname(f) for f in there}

    def exists(path: str) -> bool:
        return posixpath.normpath(path) in there | {"."}

    return exists


def write_lab(case: Case, folder: Path) -> list[Path]:
    """The case's stacks as folders with all their files; the folders."""
    folders = []
    for stack in case.stacks:
        home = folder / stack.name
        home.mkdir()
        (home / "compose.yaml").write_text(stack.text, encoding="utf-8")
        (home / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in stack.env.items()))
        for name in case.files or ():
            # What is an absolute path is somebody else's.
            if not name.startswith("/") and "." in posixpath.basename(name):
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).touch()
        folders.append(home)
    for name, text in case.texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folders
