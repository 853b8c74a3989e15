"""A lab's variables, without their values."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from homelab_mcp.core.env_check import env_problems
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.env_report import GLOBAL, EnvVariable, StackEnv, shared_env, stack_env
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.lab import SHARED_ENV
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import check_stack, read_stacks
from homelab_mcp.queries.on_host import in_view


def get_env(lab: Lab, stack: str = "", *, check: bool = False) -> dict[str, Any]:
    """What variables there are, and with ``check`` what is wrong with them. No value is in the answer.

    Args:
        lab: the lab.
        stack: one stack's variables; "." those of ``global.env``; "" an overview of every stack.
        check: also ``problems``, and their number by level.

    Raises:
        NotFound: no such stack.
    """
    # Who uses the variables of all stacks is asked of all of them.
    shared, stacks = env_of(lab.whole)
    seen = in_view(lab)
    if stack and stack != GLOBAL:
        check_stack(read_stacks(lab.files), stack)
    told: dict[str, Any] = {}
    if stack:
        one = shared if stack == GLOBAL else stacks[stack]
        told["variables"] = [_row(v) for v in one.variables]
        if one.problem:
            told["problem"] = one.problem
    else:
        told["stacks"] = [_overview(one) for one in (shared, *stacks.values()) if seen(one.stack)]
    if check:
        found = [p for p in env_problems(shared, stacks) if stack in ("", p.stack) or f" {stack}/" in p.text]
        here = [name for name, _ in lab.files.stack_folders()]
        found = [p for p in found if stack or seen(p.stack) or any(f" {name}/" in p.text for name in here)]
        told["counts"] = dict(Counter(p.level for p in found))
        told["problems"] = [{k: v for k, v in asdict(p).items() if v} for p in found]
    return told


def env_of(lab: Lab) -> tuple[StackEnv, dict[str, StackEnv]]:
    """The shared variables and each stack's."""
    text = lab.files.read(SHARED_ENV) or ""
    values = parse_or_empty(text)

    def find(name: str) -> ServiceDefinition | None:
        try:
            return lab.catalog.get(name) if name else None
        except NotFound:
            return None

    stacks = {s.name: stack_env(s, values, find) for s in read_stacks(lab.files)}
    return shared_env(text, stacks), stacks


def _row(one: EnvVariable) -> dict[str, Any]:
    row: dict[str, Any] = {"name": one.name, "state": one.state}
    if one.source == "global" and one.stack != GLOBAL:
        row["source"] = "global"
    if one.secret:
        row["secret"] = True
    if one.required and one.state != "set":
        row["required"] = True
    if one.declared and one.declared.description:
        row["what"] = one.declared.description[:120]
    row["used_by"] = list(one.used_by)[:10]
    return row


def _overview(one: StackEnv) -> dict[str, Any]:
    counts = Counter(v.state for v in one.variables)
    row: dict[str, Any] = {"stack": one.stack, **{s: counts[s] for s in ("set", "default") if counts[s]}}
    for state in ("empty", "unset"):
        if names := [v.name for v in one.variables if v.state == state]:
            row[state] = names[:10]
    if one.problem:
        row["problem"] = one.problem
    return row
