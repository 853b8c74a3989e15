"""Services moved to another file as their author wrote them: comments, order and quotes of their lines."""

from __future__ import annotations

from collections.abc import Sequence

from homelab_mcp.core import yaml_layout
from homelab_mcp.core.compose_edit import remove_services
from homelab_mcp.core.compose_meaning import RECORD, check_meaning, read, services_of
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.yaml_emit import entry
from homelab_mcp.core.yaml_layout import Node
from homelab_mcp.core.yaml_span import style_of
from homelab_mcp.model.errors import EditRefused, HomelabError


def transplanted(source: str, target: str, after: str, services: Sequence[str]) -> str:
    """``after`` with the lines of these services as ``source`` has them.

    Args:
        source: the file they come from.
        target: the file they go to, without them.
        after: the same with them, written from data.
        services: their names.

    A service whose lines cannot stand elsewhere as they are (anchors, aliases, flow style) stays as ``after`` has it,
    and so do all where taking them out again would not give ``target``.
    """
    text = after
    for name in services:
        try:
            text = _one(source, text, name)
        except HomelabError:
            continue
    try:
        return text if (target and remove_services(text, services) == target) or not target else after
    except HomelabError:
        return after


def _one(source: str, text: str, name: str) -> str:
    bare = ServiceEdit(source, name).remove((RECORD,)).text
    old, new = yaml_layout.read(bare), yaml_layout.read(text)
    there, here = old.find("services", name), new.find("services", name)
    if there is None or here is None or there[1].kind != "mapping" or there[1].flow or _tied(there[1]):
        raise EditRefused("Its lines cannot stand elsewhere.", code="not_movable")
    first, placed = there[1].children[0][0], here[1].children[0][0]
    if first is None or placed is None:
        raise EditRefused("It has no keys.", code="not_movable")
    was, becomes = old.column(first.start), new.column(placed.start)
    style = style_of(new)
    body = bare[old.line_end(there[0].end) : old.line_end(there[1].end)].replace("\r\n", "\n").removesuffix("\n")
    lines = [_shifted(line, was, becomes) for line in body.split("\n")]
    if record := services_of(read(text))[name].get(RECORD):
        lines += entry(RECORD, record, becomes, style)
    end = new.line_end(here[1].end)
    block = style.newline.join(lines) + (style.newline if text[:end].endswith("\n") else "")
    # What stands behind the key: its colon, and a comment.
    behind = bare[there[0].end : old.line_end(there[0].end)].rstrip("\r\n") + style.newline
    moved = text[: here[0].end] + behind + block + text[end:]
    check_meaning(moved, read(text))
    return moved


def _shifted(line: str, was: int, becomes: int) -> str:
    if not line.strip():
        return line
    lead = len(line) - len(line.lstrip(" "))
    return " " * (becomes + max(lead - was, 0)) + line.lstrip(" ")


def _tied(node: Node) -> bool:
    """Whether something in it has an anchor or a tag, or is an alias: it means something in its own file only."""
    if node.kind == "alias" or node.decorated:
        return True
    return any(_tied(part) for pair in node.children for part in pair if part is not None)
