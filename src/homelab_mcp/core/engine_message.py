"""What Compose says of a file, made fit for a finding: one sentence, no values of an env file, and a place."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from homelab_mcp.core.compose_model import ComposeFile
from homelab_mcp.core.redact import MASK, env_pairs, safe
from homelab_mcp.core.yaml12 import Mark, Path

LONGEST = 300
_LINE = re.compile(r"\bline (\d+)\b")
_DOTTED = re.compile(r"\b(services|networks|volumes|secrets|configs)((?:\.[^\s.:'\"\[\]]+|\[[^\]\s]+\])+)")
_SERVICE = re.compile(r"\bservice \"?([A-Za-z0-9._-]+)\"?")
_UNKNOWN_KEY = re.compile(r"additional propert(?:ies|y) '?([^'\s,]+)", re.IGNORECASE)
_FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/:'\"]+/)+")
_LEAD = re.compile(r"^(?:validating|failed to parse|parsing) [^\s:]+: ")
_PIECES = re.compile(r"[^\s:/,@;=?&]+")
_WORDS = re.compile(r"[A-Za-z0-9_+.$!%*#~^-]+")


def sentence(said: str, texts: Iterable[str], env_texts: Iterable[str]) -> str:
    """Compose's complaint in one line without folders of this machine.

    Args:
        said: what it printed.
        texts: the compose files' texts; what stands in them may be told.
        env_texts: the env files that counted; of their values nothing is told, whatever its name.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    known = " ".join(texts)
    values = [value for text in env_texts for _, value in env_pairs(text) if value]
    told = _LEAD.sub("", _FOLDERS.sub("", safe(" ".join(lines[-3:]), values)))
    pieces = {piece for value in values for piece in (value, *_PIECES.findall(value), *_WORDS.findall(value))}
    hidden = {piece for piece in pieces if not re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", known)}
    for piece in sorted(hidden, key=len, reverse=True):
        told = re.sub(rf"(?<![\w-]){re.escape(piece)}(?![\w-])", MASK, told)
    told = told[:LONGEST].rstrip(".") or "no reason given"
    return f"{told}."


def place(said: str, models: Sequence[ComposeFile]) -> tuple[str, Mark, str]:
    """The file and place that the complaint points at, and the service.

    Args:
        said: what Compose printed.
        models: the stack's files, the main one first; not empty.

    Returns:
        The main file's line 1 where Compose names no place.
    """
    main = models[0].file
    line = _LINE.search(said)
    if line:
        named = next((m.file for m in models if f"/{posixpath.basename(m.file)}: " in said), main)
        return named, Mark(int(line[1]), 1), ""
    steps: list[str] = []
    if dotted := _DOTTED.search(said):
        steps = [dotted[1], *filter(None, re.split(r"[.\[\]]", dotted[2]))]
        if unknown := _UNKNOWN_KEY.search(said):
            steps.append(unknown[1])
    elif service := _SERVICE.search(said):
        steps = ["services", service[1]]
    model, path = max(((m, _walk(m, steps)) for m in models), key=lambda found: len(found[1]))
    if not path:
        return main, Mark(1, 1), ""
    return model.file, model.mark(path, key=isinstance(path[-1], str) and len(path) < 3), _service(path)


def _service(path: Path) -> str:
    return str(path[1]) if len(path) > 1 and path[0] == "services" else ""


def _walk(model: ComposeFile, steps: list[str]) -> Path:
    """As much of the dotted path as the file has; a key may hold dots itself."""
    path: Path = ()
    node: object = model.raw
    at = 0
    while at < len(steps):
        if isinstance(node, dict):
            end = next((e for e in range(len(steps), at, -1) if ".".join(steps[at:e]) in node), 0)
            if not end:
                break
            key: str | int = ".".join(steps[at:end])
            node, at = node[key], end
        elif isinstance(node, list) and steps[at].isdigit() and int(steps[at]) < len(node):
            index = int(steps[at])
            key = index
            node, at = node[index], at + 1
        else:
            break
        path = (*path, key)
    return path
