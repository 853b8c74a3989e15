"""Versions, and the changelog's section of one."""

from __future__ import annotations

import re

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:(a|b|rc)(0|[1-9]\d*))?")
_UNRELEASED = "## Unreleased\n"


def version_key(version: str) -> tuple[int, int, int, int, int]:
    """For comparing; a pre-release comes before its release.

    Raises:
        ValueError: not MAJOR.MINOR.PATCH, with a1, b1 or rc1 after it at most (PEP 440 and SemVer read these alike).
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is no version: MAJOR.MINOR.PATCH, or with a1, b1, rc1 at its end")
    major, minor, patch = (int(part) for part in match.groups()[:3])
    stage = {"a": 0, "b": 1, "rc": 2, None: 3}[match[4]]
    return major, minor, patch, stage, int(match[5] or 0)


def closed(changelog: str, version: str, day: str) -> str:
    """The changelog with what is unreleased as this version's section, and an empty one above it.

    Args:
        changelog: the whole file's text.
        version: the new one.
        day: the date, ``YYYY-MM-DD``.

    Raises:
        ValueError: nothing is unreleased, or the version has a section already.
    """
    if not section(changelog, "Unreleased"):
        raise ValueError("CHANGELOG.md has nothing under Unreleased")
    if section(changelog, version):
        raise ValueError(f"CHANGELOG.md has a section of {version} already")
    return changelog.replace(_UNRELEASED, f"{_UNRELEASED}\n## {version} - {day}\n", 1)


def section(changelog: str, version: str) -> str:
    """What the changelog says of one version, without its heading; "" where it says nothing."""
    found = re.search(rf"^## {re.escape(version)}(?: - [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""
