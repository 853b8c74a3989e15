"""Pages of text about the lab, the catalog and the program: what MCP resources show."""

from __future__ import annotations

import json

from homelab_mcp.core.env_file import parse
from homelab_mcp.core.service_page import service_page
from homelab_mcp.core.status_view import declared
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import UNREADABLE, read_stacks

JOURNAL_ENTRIES = 50
_WAY_ON = 200
"""Bytes kept free in a part for the word on how it goes on."""


def catalog(lab: Lab) -> str:
    """Every service by category, a line each."""
    by_category: dict[str, list[str]] = {}
    for record in lab.catalog.records():
        by_category.setdefault(record.category, []).append(
            f"- `{record.id}`: {record.name}. {record.does}".rstrip(". ")
        )
    parts = [f"## {category}\n" + "\n".join(lines) for category, lines in sorted(by_category.items())]
    return "# Catalog\n\n" + "\n\n".join(parts) + "\n"


def catalog_entry(lab: Lab, service: str) -> str:
    """A definition as JSON, unset fields left out. Raises NotFound with names that are near."""
    return lab.catalog.get(service).model_dump_json(indent=1, exclude_defaults=True)


def service_documentation(lab: Lab, service: str) -> str:
    """A service's page of documentation. Raises NotFound with names that are near."""
    definition = lab.catalog.get(service)
    catalog = lab.catalog.catalog_of(definition.id)
    return service_page(definition, lab.catalog.origin(definition.id), trusted=not catalog)


def compose_file(lab: Lab, stack: str) -> str:
    """A stack's compose file with its override, secrets masked. Raises NotFound."""
    found = _stack(lab, stack)
    parts = [(found.compose_path, found.compose_text), *found.others]
    return lab.redactor.safe(
        "\n".join(f"# {path}\n{'# (not readable)' if text == UNREADABLE else text}" for path, text in parts)
    )


def variables(lab: Lab, stack: str) -> str:
    """The names in a stack's ``.env``, and whether each has a value. Raises NotFound, InvalidInput."""
    lines = [f"{name}: {'set' if value else 'empty'}" for name, value in parse(_stack(lab, stack).env_text).items()]
    return "\n".join(lines or ["(no variables)"]) + "\n"


def journal(lab: Lab) -> str:
    """The last entries, newest first, as JSON."""
    entries = lab.journal.recent()[-JOURNAL_ENTRIES:]
    return json.dumps(lab.redactor.data(entries[::-1]), indent=1, ensure_ascii=False)


def documentation(lab: Lab, name: str, part: str = "1", *, size: int) -> str:
    """A page of the documentation, or of a long one a part; at its end it says where it goes on.

    Args:
        lab: the lab.
        name: the page's.
        part: its number from 1, as the address has it.
        size: bytes of a part at most, the word on how it goes on among them.

    Raises:
        NotFound: with the pages, or the parts, that there are.
    """
    pages = lab.docs
    if name not in pages:
        raise NotFound(
            f"There is no page {name[:80]!r}.", hint=f"Pages: {', '.join(sorted(pages))}.", code="page_unknown"
        )
    # Masked before it is parted, as whatever leaves: a mask may be longer than what it stands for.
    text = lab.redactor.redact(pages[name], named=False)
    if part == "1" and len(text.encode()) <= size:
        return text
    parts = _parts(text, size - _WAY_ON)
    if part not in (str(n) for n in range(1, len(parts) + 1)):
        raise NotFound(
            f"Page {name} has no part {part[:20]!r}.", hint=f"Its parts are 1 to {len(parts)}.", code="page_unknown"
        )
    number = int(part)
    on = f"it goes on at homelab://docs/{name}/{number + 1}" if number < len(parts) else "this is its end"
    return f"{parts[number - 1]}\n… part {number} of {len(parts)}; {on}\n"


def _parts(text: str, size: int) -> list[str]:
    """The text in pieces of so many bytes, of whole lines where a line is no longer than one; nothing is left out."""
    parts, filled = [""], 0
    for line in text.splitlines(keepends=True):
        for piece in _pieces(line, size):
            heavy = len(piece.encode())
            if filled + heavy > size:
                parts.append("")
                filled = 0
            parts[-1] += piece
            filled += heavy
    return parts


def _pieces(line: str, size: int) -> list[str]:
    """The line in pieces of so many bytes at most; most lines are one."""
    if len(line.encode()) <= size:
        return [line]
    most = size // 4
    return [line[at : at + most] for at in range(0, len(line), most)]


def stack_names(lab: Lab) -> list[str]:
    """Every stack, by name."""
    return [name for name, _ in lab.files.stack_folders()]


def service_names(lab: Lab) -> list[str]:
    """Every compose service of the lab, by name; of files that can be read."""
    return sorted({service.service for stack in read_stacks(lab.files) for service in declared(stack)})


def _stack(lab: Lab, name: str) -> StackFiles:
    stacks = {stack.name: stack for stack in read_stacks(lab.files)}
    if name not in stacks:
        raise NotFound(f"There is no stack {name!r}.", hint=f"Stacks: {', '.join(stacks) or 'none'}.")
    return stacks[name]
