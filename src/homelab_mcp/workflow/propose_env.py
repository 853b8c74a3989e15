"""From variables to set, make anew or remove, in one stack or the whole lab, to a stored plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.env_report import GLOBAL
from homelab_mcp.core.rotation import Rotation, rotation
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import SHARED_ENV
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import check_stack, read_stacks
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import GeneratedValue, plan_of, propose_set_env, with_values


def propose_env(lab: Lab, stack: str, values: Mapping[str, str | None], requester: Requester) -> Plan:
    """A plan that sets (or, with None, unsets) variables of a stack, or with "." of ``global.env``.

    A generated value gets the form that its definition asks for. It is refused where what it would replace cannot be
    replaced by writing it alone.

    Raises:
        InvalidInput: ``rotation_guided``, with what to do instead; what ``propose_set_env`` raises.
        NotFound: no such stack.
    """
    if stack != GLOBAL:
        made = _made(lab, refuse_rotation(lab, stack, [n for n, v in values.items() if isinstance(v, GeneratedValue)]))
        return propose_set_env(lab, stack, {**values, **made}, requester)
    from homelab_mcp.core.operations.set_global_env import set_global_env

    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = set_global_env(snapshot, values, lab.files.read(SHARED_ENV))
    return plan_of(lab, with_values(draft, values, requester), snapshot, requester)


def propose_rotate(lab: Lab, stack: str, names: Sequence[str], requester: Requester) -> Plan:
    """A plan that gives these secrets new random values, in the form their definition asks for.

    Raises:
        InvalidInput: one that has no value, is no secret, or cannot be replaced so (``rotation_guided``).
        NotFound: no such stack.
    """
    found = check_stack(read_stacks(lab.files), stack)
    here = parse_or_empty(found.env_text)
    if missing := [n for n in names if not here.get(n)]:
        raise InvalidInput(
            f"{stack}/.env has no value of {missing[0]}.",
            hint="`homelab-mcp env list` shows the names.",
            code="variable_unknown",
        )
    return propose_set_env(lab, stack, _made(lab, refuse_rotation(lab, stack, names)), requester)


def refuse_rotation(lab: Lab, stack: str, names: Sequence[str]) -> dict[str, Rotation]:
    """How each of these secrets may be replaced; those that have no value yet are free.

    Raises:
        InvalidInput: ``rotation_guided``: one cannot be replaced by writing it alone.
    """
    from homelab_mcp.core.compose_meaning import read, services_of
    from homelab_mcp.core.labels import SERVICE, labels_of

    found = next((s for s in read_stacks(lab.files) if s.name == stack), None)
    if found is None or not names:
        return dict.fromkeys(names, Rotation("free"))
    compose, here = read(found.compose_text), parse_or_empty(found.env_text)
    definitions = [_definition(lab, labels_of(s).get(SERVICE, "")) for s in services_of(compose).values()]
    declared = {v.name: v for d in definitions if d for v in d.variables}
    form = {n: v.generate for n, v in declared.items()}
    kinds = {
        n: rotation(n, compose, declared.get(n)) if here.get(n) else Rotation("free", generate=form.get(n))
        for n in names
    }
    for name, how in kinds.items():
        if not how.allowed:
            raise InvalidInput(
                f"{name} cannot be replaced by a new value alone: {how.why}", hint=how.steps, code="rotation_guided"
            )
    return kinds


def _made(lab: Lab, kinds: Mapping[str, Rotation]) -> dict[str, str | None]:
    """A new random value for each."""
    made: dict[str, str | None] = {}
    for name, how in kinds.items():
        kind, length = (how.generate.kind, how.generate.length) if how.generate else ("alnum", 32)
        made[name] = GeneratedValue(lab.secrets.make(kind, length))
    return made


def _definition(lab: Lab, name: str) -> ServiceDefinition | None:
    try:
        return lab.catalog.get(name) if name else None
    except NotFound:
        return None
