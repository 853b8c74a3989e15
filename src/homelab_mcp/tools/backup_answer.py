"""What ``backups`` answers: of many hosts as well, each of them with what is wrong there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from homelab_mcp.tools.bounded import fitting

if TYPE_CHECKING:
    from homelab_mcp.queries.backup_everywhere import Everywhere
    from homelab_mcp.queries.backups import Report

_OF_EACH = 3
"""Backups that are listed of each other host; a host that is named has them all."""
_LISTS = ("backups", "databases", "uncovered", "others")


class BackupsOutput(BaseModel):
    """How the backup stands; ``problems`` is empty when all is well."""

    model_config = ConfigDict(extra="allow")

    problems: list[str]


def backups_output(found: Everywhere) -> BackupsOutput:
    """The answer; where there are several hosts, with shorter lists rather than without a host."""
    main = dataclasses.asdict(found.main)
    if not found.hosts:
        return BackupsOutput(**main)
    others = {name: one and _brief(one) for name, one in found.hosts.items()}

    def make(most: int) -> BackupsOutput:
        hosts = {name: one and _shorter(one, most) for name, one in others.items()}
        cut = {} if most >= longest else {"cut": "Lists are shortened to fit; host=NAME has all of one."}
        return BackupsOutput(**{**_shorter(main, most), "hosts": hosts, **cut})

    longest = max(len(one[name]) for one in (main, *others.values()) if one for name in _LISTS if name in one)
    return fitting(make, longest)


def _shorter(one: dict[str, Any], most: int) -> dict[str, Any]:
    return {name: value[:most] if name in _LISTS else value for name, value in one.items()}


def _brief(one: Report) -> dict[str, Any]:
    """Another host's: what is wrong first, and nothing that is empty."""
    found = dataclasses.asdict(dataclasses.replace(one, backups=one.backups[:_OF_EACH]))
    asked = {} if found.pop("asked") else {"asked": False}
    problems = {"problems": found.pop("problems")}
    return {**problems, **asked, **{name: value for name, value in found.items() if value or name == "total"}}
