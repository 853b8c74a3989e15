"""A variable's value as a person types it into the page; a plan like any other comes of it."""

from __future__ import annotations

from collections.abc import Mapping

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.proposals import env_changes, propose_set_env

LONGEST = 4096


def propose_value(lab: Lab, form: Mapping[str, str]) -> Plan:
    """The plan that sets the form's variable, or makes it a random value. It waits for an answer as every plan does.

    Raises:
        InvalidInput: no value, one that is too long, or a name or value that no ``.env`` file can hold.
        NotFound: no such stack.
    """
    name, value, generate = form.get("name", "").strip(), form.get("value", ""), form.get("generate", "") == "yes"
    if generate and value:
        raise InvalidInput("There is a value, and one is to be made too.", hint="Choose one of the two.")
    if not generate and not value:
        raise InvalidInput("There is no value.", hint="Type one, or let a random one be made.")
    if len(value) > LONGEST:
        raise InvalidInput(f"The value is longer than {LONGEST} characters.", hint="Put long values into a file.")
    if form.get("stack", "") not in {stack for stack, _ in lab.files.stack_folders()}:
        raise InvalidInput("There is no such stack.", hint="Choose one of the list.")
    changes = env_changes(lab, {} if generate else {name: value}, [name] if generate else [], [], from_model=False)
    return propose_set_env(lab, form["stack"], changes, Requester(via="page"))
