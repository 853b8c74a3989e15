"""MCP prompts: what a person picks from their client's menu; and words that complete their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument
from mcp_types import Completion, CompletionArgument

from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Lab, PromptText
from homelab_mcp.tools.shape import in_thread
from homelab_mcp.tools.toolsets import TOOLSETS

MOST_COMPLETIONS = 100
"""What MCP allows in one answer."""

_TOOLS = frozenset(name for names in TOOLSETS.values() for name in names)


def register(server: MCPServer[Any], lab: Lab) -> None:
    """Add every prompt of the lab to the server, and completion for prompts and resources."""
    offered = {tool.name for tool in server._tool_manager.list_tools()}
    for prompt in lab.prompts:
        server.add_prompt(
            Prompt(
                name=prompt.name,
                title=prompt.title,
                description=prompt.description,
                arguments=[
                    PromptArgument(
                        name=name,
                        description=f"May be left out: {prompt.defaults[name]}." if name in prompt.defaults else None,
                        required=name not in prompt.defaults,
                    )
                    for name in prompt.arguments
                ],
                fn=_renderer(prompt, missing(prompt.text, offered)),
                context_kwarg=None,
            )
        )

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(ref: Any, argument: CompletionArgument, context: Any) -> Completion:
        of = getattr(ref, "name", "") or str(getattr(ref, "uri", ""))
        try:
            words = await in_thread(_words, lab, argument.name, of)
        except HomelabError:
            words = []
        return matching(words, argument.value)


def missing(text: str, offered: Collection[str]) -> tuple[str, ...]:
    """Tools that a text names in backticks and a server does not offer, in the text's order."""
    named = dict.fromkeys(re.findall(r"`(\w+)`", text))
    return tuple(name for name in named if name in _TOOLS and name not in offered)


def matching(words: Collection[str], typed: str) -> Completion:
    """What begins with what was typed, then what holds it, up to the protocol's limit."""
    typed = typed.casefold()
    found = [w for w in words if w.casefold().startswith(typed)]
    found += [w for w in words if typed in w.casefold() and w not in found]
    return Completion(values=found[:MOST_COMPLETIONS], total=len(found), has_more=len(found) > MOST_COMPLETIONS)


def _words(lab: Lab, argument: str, of: str) -> list[str]:
    """What an argument of a prompt or a resource template may be. Raises HomelabError."""
    from homelab_mcp.queries import pages

    sources: Mapping[str, Callable[[], list[str]]] = {
        "stack": lambda: pages.stack_names(lab),
        "service": lambda: pages.service_names(lab),
        "other": lambda: pages.service_names(lab),
        "new_service": lambda: [record.id for record in lab.catalog.records()],
        "name": lambda: sorted(lab.docs),
        "plan_id": lambda: [plan.id for plan, _ in lab.plans.list(MOST_COMPLETIONS, outline=True)],
    }
    # The catalog's template and the prompt to add a service mean services that are not there yet.
    new = of == "add-service" or of.startswith("homelab://catalog/")
    key = "new_service" if argument == "service" and new else argument
    return sources[key]() if key in sources else []


def _renderer(prompt: PromptText, lacking: tuple[str, ...]) -> Any:
    def render(**values: str) -> str:
        text = prompt.text
        for name in prompt.arguments:
            # Plain replacement: what a person typed must not be read as a template.
            given = values.get(name, "").strip()[:200]
            text = text.replace("{" + name + "}", given or prompt.defaults.get(name, ""))
        if lacking:
            text += (
                f"\n\nThis server does not offer {', '.join(lacking)}: where one is needed, say so (`homelab-mcp serve "
                "--toolsets all` offers every tool there is) instead of working around it."
            )
        return text

    return render
