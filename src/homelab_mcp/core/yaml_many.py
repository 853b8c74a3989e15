"""Several YAML documents in one text, and the places of Compose's own tags."""

from __future__ import annotations

from itertools import pairwise

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from homelab_mcp.core.yaml12 import DEFAULT, Document, Limits, Mark, Path, YamlRefused, load_nodes

MOST_DOCUMENTS = 50
"""More than any compose file has; each is read by itself."""


def load_documents(text: str, *, limits: Limits = DEFAULT, allow_duplicates: bool = False) -> list[Document]:
    """Every document of a text, with marks that count from the text's beginning.

    Raises:
        YamlRefused: as ``yaml12.load``; too_large for a text of more than ``MOST_DOCUMENTS``.
    """
    try:
        return [load_nodes(text, limits=limits, allow_duplicates=allow_duplicates)]
    except YamlRefused as error:
        if error.reason != "multiple_documents":
            raise
    text = text.removeprefix("\ufeff")
    lines = text.splitlines(keepends=True)
    starts = _starts(text)
    if len(starts) > MOST_DOCUMENTS:
        mark = Mark(starts[MOST_DOCUMENTS] + 1, 1)
        raise YamlRefused("too_large", f"more than {MOST_DOCUMENTS} documents in one text.", mark)
    result = []
    for first, end in pairwise([0, *starts[1:], len(lines)]):
        # Empty lines stand for the other documents, so that every place keeps its line.
        alone = "\n" * first + "".join(lines[first:end])
        result.append(load_nodes(alone, limits=limits, allow_duplicates=allow_duplicates))
    return result


def _starts(text: str) -> list[int]:
    """The lines (from 0) at which documents begin, as far as the text can be read."""
    found: list[int] = []
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                mark = event.start_mark
                found.append(mark.line if mark else 0)
                if len(found) > MOST_DOCUMENTS:
                    break
    except yaml.YAMLError:
        pass  # The document it is in says so itself.
    return found


def tagged(document: Document, tag: str) -> tuple[Path, ...]:
    """Where the document has a tag such as ``!reset``: paths through mappings, merged ones included.

    Compose removes nothing from lists, so nothing in them is named.
    """
    found: list[Path] = []

    def look(node: Node, path: Path) -> None:
        if node.tag == tag:
            found.append(path)
        elif isinstance(node, MappingNode):
            for key, value in node.value:
                if not isinstance(key, ScalarNode):
                    continue
                if key.value != "<<" or key.style:
                    look(value, (*path, key.value))
                    continue
                for part in value.value if isinstance(value, SequenceNode) else [value]:
                    look(part, path)

    if document.root is not None:
        look(document.root, ())
    return tuple(found)
