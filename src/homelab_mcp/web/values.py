"""A variable's value as a person types it into the page; a plan like any other comes of it."""

from __future__ import annotations

from collections.abc import Mapping

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.proposals import env_changes, propose_set_env

LONGEST = 4096
NUMBERS = ("", *(str(n) for n in range(2, 9)))
"""What the names of the form's fields end in, a variable each."""


def propose_value(lab: Lab, form: Mapping[str, str]) -> Plan:
    """The plan that sets the form's variables, or makes them random values. It waits for an answer as every plan does.

    The stack need not be there yet: what its first service wants can be set before it is added.

    Raises:
        InvalidInput: no value, one that is too long, or a name or value that no ``.env`` file can hold.
    """
    given = [(form[f"name{n}"].strip(), form.get(f"value{n}", "")) for n in NUMBERS if f"name{n}" in form]
    typed = dict(given)
    if len(typed) != len(given):
        raise InvalidInput("A variable is named twice.", hint="Name each once.")
    generate = form.get("generate", "") == "yes"
    if generate and any(typed.values()):
        raise InvalidInput("There is a value, and one is to be made too.", hint="Choose one of the two.")
    if not generate and not all(typed.values()):
        raise InvalidInput("There is no value.", hint="Type one, or let a random one be made.")
    if any(len(value) > LONGEST for value in typed.values()):
        raise InvalidInput(f"The value is longer than {LONGEST} characters.", hint="Put long values into a file.")
    changes = env_changes(lab, {} if generate else typed, list(typed) if generate else [], [], from_model=False)
    return propose_set_env(lab, form.get("stack", ""), changes, Requester(via="page"))
