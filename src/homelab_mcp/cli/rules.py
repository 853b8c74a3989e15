"""``homelab-mcp rules``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.cli.common import JsonFlag, console, emit

if TYPE_CHECKING:
    from homelab_mcp.core.checks.frame import Rule


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def rules(
        rule: Annotated[str, typer.Argument(help="One rule's id, such as HL041; none: all of them.")] = "",
        as_json: JsonFlag = False,
    ) -> None:
        """List the lint rules, or show one with its reason and examples."""
        from homelab_mcp.core.checks.engine_rules import listed_rules
        from homelab_mcp.model.errors import NotFound

        listed = [r for r in listed_rules() if not rule or r.id == rule.upper()]
        if not listed:
            raise NotFound(f"There is no rule {rule!r}.", hint="`homelab-mcp rules` lists them.")

        def show() -> None:
            if rule:
                console().print(_page(listed[0]), markup=False, highlight=False)
            for each in () if rule else listed:
                console().print(f"{each.id} {each.severity:7} {each.title}", markup=False, highlight=False)

        emit(_as_dict(listed[0]) if rule else {"rules": [_as_dict(r) for r in listed]}, as_json, show)


def _as_dict(rule: Rule) -> dict[str, Any]:
    from homelab_mcp.core.checks.fixes import fix_word

    return {
        "id": rule.id,
        "severity": str(rule.severity),
        "title": rule.title,
        "why": rule.why,
        "link": rule.link,
        "fix": fix_word(rule.id),
        "bad": rule.bad,
        "good": rule.good,
    }


def _page(rule: Rule) -> str:
    head = f"{rule.id} ({rule.severity}): {rule.title}\n\n{rule.why}\n{rule.link}"
    return (
        f"{head}\n\nBad:\n\n{rule.bad}\n\nGood:\n\n{rule.good}\n\nSilence it with  # homelab: ignore={rule.id} reason"
    )
