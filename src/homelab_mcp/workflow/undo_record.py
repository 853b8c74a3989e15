"""What an apply starts from, as the journal keeps it, and what going back there came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Evidence


@dataclass(frozen=True, slots=True)
class Before:
    """What an apply starts from, beside the files; kept in the journal's ``apply_begin``.

    Args:
        containers: "<stack>/<service>" to the sorted [id, state] pairs of its containers, for every stack acted on.
        networks: networks that are missing and will be made.
        folders: folders that are missing and will be made, parents first.
        moves: [source, target, identity] of the data that will change place.
        certificates: main names of those that will be renewed.
        standbys: host of a standby that the plan acts on -> ``stack/service`` of what is active there.
    """

    containers: dict[str, list[list[str]]]
    networks: list[str]
    folders: list[str]
    moves: list[list[str]] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    standbys: dict[str, list[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return asdict(self)

    @staticmethod
    def of(data: Mapping[str, Any]) -> Before:
        """The record in an ``apply_begin``; missing parts are empty."""
        return Before(
            containers=dict(data.get("containers") or {}),
            networks=[str(n) for n in data.get("networks") or ()],
            folders=[str(f) for f in data.get("folders") or ()],
            moves=[[str(part) for part in m] for m in data.get("moves") or ()],
            certificates=[str(name) for name in data.get("certificates") or ()],
            standbys={str(h): [str(w) for w in found] for h, found in (data.get("standbys") or {}).items()},
        )


@dataclass(frozen=True, slots=True)
class Undone:
    """What putting back came to: ``ok`` when the lab is as before.

    ``unknown`` when Docker stayed away, so that nobody can tell how containers stand: it is for a recovery to end.
    """

    evidence: tuple[Evidence, ...]
    commit: str = ""
    unknown: bool = False

    @property
    def ok(self) -> bool:
        """Whether every part was put back."""
        return all(e.ok for e in self.evidence)


def words(error: Exception) -> str:
    """What an error says, with what Docker put out, at most 2,000 characters."""
    if isinstance(error, HomelabError):
        output = str(error.details.get("output", ""))
        return f"{error.message} {output}".strip()[:2000]
    return f"{type(error).__name__}: {error}"[:500]
