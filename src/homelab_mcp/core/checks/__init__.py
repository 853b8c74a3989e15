"""Lint rules over a whole lab: :func:`lint` is the way in, one module a family of rules beside it.

A new rule is one function with the ``@rule`` decorator, in a family's module or in a new one (modules here are found
by themselves).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from homelab_mcp.model.finding import Finding
from homelab_mcp.model.lab import LintSettings


@dataclass(frozen=True)
class LintStack:
    """One stack to be linted.

    Args:
        name: the stack's (folder's) name; Compose's project name unless the file gives one.
        file: the compose file's path as shown to people.
        text: its text.
        env: variables it can use (its ``.env``).
        exists: says whether a path, as written in the file, is on disk; None where nobody can look.
        others: further files of the stack, (path, text), merged over the first in this order (``-f``, override files).
        read: gives the text of a file that ``include`` or ``extends`` names, by its path beside ``file``; None where
            there is no such file. Raises HomelabError for what it may or can not read. None: nobody may read.
        names: gives what is in a folder (folders end with "/"), by its path beside ``file``; None where that cannot be
            told. None: nobody can look.
    """

    name: str
    file: str
    text: str
    env: Mapping[str, str]
    exists: Callable[[str], bool] | None = None
    others: tuple[tuple[str, str], ...] = ()
    read: Callable[[str], str | None] | None = None
    names: Callable[[str], Sequence[str] | None] | None = None


@dataclass(frozen=True, slots=True)
class LabFacts:
    """What was found out about a lab beside its compose files; None: nobody looked, so no rule may judge by it.

    Args:
        networks: names of the networks that the engine has.
        memory: the host's memory, bytes.
        tracked: files in git's index, relative to the lab's root.
        backup_paths: host folders that a backup covers; None where nobody has said.
        pools: subnets of the networks that this machine's engine has, by name.
        routes: (subnet, interface) of what this machine reaches besides those.
        hosts: the private address of each other Docker host, "" where none is known.
        devices: host names of devices outside of the lab that Traefik leads to, and which has each.
        unseen: stacks are known to be left out because nobody could read them.
    """

    networks: Collection[str] | None = None
    memory: int | None = None
    tracked: Collection[str] | None = None
    backup_paths: Sequence[str] | None = None
    pools: Mapping[str, Sequence[str]] | None = None
    routes: Sequence[tuple[str, str]] | None = None
    hosts: Mapping[str, str] | None = None
    devices: Mapping[str, str] | None = None
    unseen: bool = False


NO_FACTS = LabFacts()


def lint(
    stacks: Sequence[LintStack],
    *,
    report: Collection[str] | None = None,
    facts: LabFacts = NO_FACTS,
    settings: LintSettings | None = None,
    fixes: bool = False,
) -> tuple[Finding, ...]:
    """What is wrong in a lab, sorted by file, line, column, rule.

    Args:
        stacks: all stacks of the lab: rules look across them.
        report: files whose findings are wanted; all by default.
        facts: what is known of the lab beside its files.
        settings: rules that are off or count as something else.
        fixes: work out each finding's ``fix``, where there is one.
    """
    from homelab_mcp.core.checks.frame import run

    return run(stacks, report=report, facts=facts, settings=settings or LintSettings(), fixes=fixes)


def all_seen(stacks: Sequence[LintStack], *, facts: LabFacts = NO_FACTS) -> bool:
    """False where a part of some stack, or a label, is unknown, so that less than all is told of the others."""
    from homelab_mcp.core.checks.frame import seen

    return seen(stacks, facts)
