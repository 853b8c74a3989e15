"""Reads ``requirements.lock``, and tells which of its packages the program needs to run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PROJECT = "homelab-mcp-server"
_RUNS = f"{PROJECT} (pyproject.toml)"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package.

    Args:
        marker: environment marker (PEP 508) under which it is installed; "" for always.
        hashes: SHA-256 of each file that may be installed, hex.
        needed_by: names of packages that require it, as the lock's ``# via`` says; the project's own dependencies are
            ``homelab-mcp-server (pyproject.toml)``, those of its groups have ``:GROUP`` in the brackets.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]

    @property
    def runs(self) -> bool:
        """Whether the project itself requires it, not one of its development groups."""
        return _RUNS in self.needed_by


def read_lock(text: str) -> dict[str, Pin]:
    """The lock's packages by name, in its order. Source of the form: pip's requirements file, as ``uv`` writes it.

    Raises:
        ValueError: a line that is none of a pin, its hashes and its ``via``.
    """
    pins: dict[str, Pin] = {}
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if pin := _PIN.match(line):
            name = pin["name"]
            pins[name] = Pin(name, pin["version"], pin["marker"] or "", (), ())
        elif found := _HASH.search(bare):
            pins[name] = _with(pins[name], hashes=(*pins[name].hashes, found[1]))
        elif bare.startswith("#") and name:
            who = bare.lstrip("# ").removeprefix("via").strip()
            if who:
                pins[name] = _with(pins[name], needed_by=(*pins[name].needed_by, who))
        elif bare and not bare.startswith("#"):
            raise ValueError(f"requirements.lock, line {number}: not a pin, a hash or a comment")
    return pins


def _with(pin: Pin, *, hashes: tuple[str, ...] | None = None, needed_by: tuple[str, ...] | None = None) -> Pin:
    return Pin(pin.name, pin.version, pin.marker, hashes or pin.hashes, needed_by or pin.needed_by)


def needed_to_run(pins: Mapping[str, Pin]) -> dict[str, Pin]:
    """Those without which the program does not run: what it requires, and what that requires in turn."""
    found = {name for name, pin in pins.items() if pin.runs}
    while more := {n for n, pin in pins.items() if n not in found and found & {_bare(w) for w in pin.needed_by}}:
        found |= more
    return {name: pin for name, pin in pins.items() if name in found}


def requires(pins: Mapping[str, Pin], name: str) -> list[str]:
    """What ``name`` requires of ``pins``, sorted; the project's own by ``homelab-mcp-server``."""
    if name == PROJECT:
        return sorted(n for n, pin in pins.items() if pin.runs)
    return sorted(n for n, pin in pins.items() if name in {_bare(w) for w in pin.needed_by})


def _bare(word: str) -> str:
    """A package's name without its extras."""
    return word.partition("[")[0].strip()


def as_requirements(pins: Mapping[str, Pin]) -> str:
    """A requirements file with hashes, for ``pip install --require-hashes``."""
    lines = ["# What homelab-mcp needs to run, pinned and hashed; made from requirements.lock by script/package."]
    for pin in pins.values():
        marker = f" ; {pin.marker}" if pin.marker else ""
        lines.append(
            " \\\n".join([f"{pin.name}=={pin.version}{marker}", *(f"    --hash=sha256:{h}" for h in pin.hashes)])
        )
    return "\n".join(lines) + "\n"
