"""Known failures from the ``failures/`` folder: lines of logs, what they mean and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.diagnosis import Signature

_HERE = Path(__file__).resolve()
_FIELDS = frozenset({"id", "images", "pattern", "family", "cause", "fix", "source", "confidence"})


def failures_folder() -> Path:
    """Where they are: packaged with a wheel, else in the checkout."""
    packaged = _HERE.parents[1] / "_data" / "failures"
    return packaged if packaged.is_dir() else _HERE.parents[3] / "failures"


def load_signatures(folder: Path | None = None) -> tuple[Signature, ...]:
    """Every signature, by file and in its order. Raises ValueError for one that is incomplete or has a stray field."""
    found: list[Signature] = []
    for path in sorted((folder or failures_folder()).glob("*.yaml")):
        found += [_one(path.name, row) for row in load(path.read_text(encoding="utf-8"))]
    return tuple(found)


def _one(file: str, row: dict[str, Any]) -> Signature:
    stray = set(row) - _FIELDS
    missing = {"id", "pattern", "cause", "fix", "source"} - set(row)
    if stray or missing:
        raise ValueError(f"{file}: {row.get('id')}: {sorted(stray | missing)}")
    return Signature(
        id=str(row["id"]),
        images=tuple(str(i) for i in row.get("images") or ()),
        pattern=str(row["pattern"]),
        family=str(row.get("family") or row["id"]),
        cause=str(row["cause"]),
        fix=str(row["fix"]),
        source=str(row["source"]),
        confidence=float(row.get("confidence") or 0.9),
    )
