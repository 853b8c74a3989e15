"""Known failures from the ``failures/`` folder: lines of logs, what they mean and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.diagnosis import Signature

_HERE = Path(__file__).resolve()
_EXAMPLES = frozenset({"line", "not_line"})
_FIELDS = _EXAMPLES | {"id", "images", "built_on", "pattern", "family", "cause", "fix", "call", "source", "confidence"}
_BASES = "built-on.yaml"
"""Which images are built on one thing (Django, Prisma ...) and so write its lines; no signatures are in it."""


def failures_folder() -> Path:
    """Where they are: packaged with a wheel, else in the checkout."""
    packaged = _HERE.parents[1] / "_data" / "failures"
    return packaged if packaged.is_dir() else _HERE.parents[3] / "failures"


def load_signatures(folder: Path | None = None) -> tuple[Signature, ...]:
    """Every signature, by file and in its order. Raises ValueError for one that is incomplete or has a stray field."""
    folder = folder or failures_folder()
    bases = load_bases(folder)
    found: list[Signature] = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name != _BASES:
            found += [_one(path.name, row, bases) for row in load(path.read_text(encoding="utf-8"))]
    return tuple(found)


def load_bases(folder: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Each base (``django``, ``prisma`` ...) and the images that are built on it; none where the folder has no list."""
    path = (folder or failures_folder()) / _BASES
    listed = load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {str(base): tuple(str(i) for i in row["images"]) for base, row in listed.items()}


def _one(file: str, row: dict[str, Any], bases: dict[str, tuple[str, ...]]) -> Signature:
    on = tuple(str(base) for base in row.get("built_on") or ())
    stray = set(row) - _FIELDS | set(on) - set(bases)
    missing = {"id", "pattern", "cause", "fix", "source"} - set(row)
    if stray or missing:
        raise ValueError(f"{file}: {row.get('id')}: {sorted(stray | missing)}")
    call = dict(row.get("call") or {})
    return Signature(
        id=str(row["id"]),
        images=(*(str(i) for i in row.get("images") or ()), *(image for base in on for image in bases[base])),
        pattern=str(row["pattern"]),
        family=str(row.get("family") or row["id"]),
        cause=str(row["cause"]),
        fix=str(row["fix"]),
        source=str(row["source"]),
        confidence=float(row.get("confidence") or 0.9),
        tool=str(call.pop("tool", "")),
        arguments=call,
    )
