"""Every resource and every template of a server, asked for with every word that is of use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from urllib.parse import quote

from mcp import Client
from mcp.shared.exceptions import MCPError

_PLACE = re.compile(r"\{(\??)(\w+)\}")


async def every_page(client: Client, words: Mapping[str, Sequence[str]]) -> list[tuple[str, str, bool]]:
    """Each address with what came back, and whether it was a page or a refusal.

    ``words`` are by the names of the templates' parameters; one that is not among them is an error, so that a new
    template is not left out without a word.
    """
    fixed = [str(one.uri) for one in (await client.list_resources()).resources]
    found = []
    templates = (await client.list_resource_templates()).resource_templates
    for template in (*fixed, *(one.uri_template for one in templates)):
        for address in addresses(template, words):
            try:
                page = await client.read_resource(address)
                found.append((address, page.model_dump_json() + _texts(page.contents), True))
            except MCPError as refused:
                found.append((address, str(refused.error), False))
    return found


def addresses(template: str, words: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A template filled in with each choice of words; ``{?name}`` is left out in one of them."""
    places = _PLACE.findall(template)
    for chosen in product(*([*words[name], *([""] if optional else [])] for optional, name in places)):
        address = template
        for (optional, name), word in zip(places, chosen, strict=True):
            filled = f"?{name}={quote(word, safe='')}" if optional and word else quote(word, safe="")
            address = address.replace("{" + optional + name + "}", filled)
        yield address


def _texts(contents: Sequence[object]) -> str:
    """The text as it is, too: its notation would hide what stands beside a quote."""
    return "\n".join(str(getattr(one, "text", "")) for one in contents)
