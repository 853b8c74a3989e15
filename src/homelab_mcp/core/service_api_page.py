"""What of a service's API may be called, as a part of its page."""

from __future__ import annotations

from homelab_mcp.model.service_api import Api, Operation


def api_lines(api: Api, service: str) -> list[str]:
    """A table of the allowed operations, how a call says who it is from, and where that is documented."""
    key = api.auth.key
    asks = f"Asks for `{key.variable}` of the stack's `.env`: {key.how}." if key else "Asks for no key."
    lines = [
        f"`homelab-mcp api {service} OPERATION` or the tool `call_service_api` ([how](../service-apis.md)).",
        f"{asks} Documented: <{api.documentation}>. Facts: {api.source}.",
        "",
        "| operation | what it does | values | |",
        "|---|---|---|---|",
    ]
    return [*lines, *(_row(one) for one in api.operations)]


def _row(one: Operation) -> str:
    values = ", ".join(f"`{name}`" for name in one.parameters) or "-"
    how = "reads"
    if one.writes:
        how = f"plan, {one.risk} risk; " + (f"`{one.undo.operation}` takes it back" if one.undo else "cannot be undone")
    cells = (f"`{one.id}`", one.summary, values, how)
    return f"| {' | '.join(c.replace('|', '&#124;') for c in cells)} |"
