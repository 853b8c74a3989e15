"""A stack of more than one text: further files, ``extends``, ``include`` and several documents, as Compose sees them.

Sources: Compose Specification, "Merge", "Extend", "Include"; order and corner cases as Compose 2.40.3 has them
(compose-go 2.9.1): in each document ``extends`` first, then ``!reset``, then ``include``, then the merge.

Nothing is read here: a function that is given reads, and what it may not look at makes the stack partly unknown.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from homelab_mcp.core.compose_extends import Extends
from homelab_mcp.core.compose_merge import TooMuch
from homelab_mcp.core.compose_parts import Part, plain, weight, without
from homelab_mcp.core.compose_stack import DEFAULT_BOUNDS, Bounds, Kind, Loaded, Merged, Read, Trouble
from homelab_mcp.core.compose_texts import Texts, joined
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.yaml12 import Mark
from homelab_mcp.model.errors import HomelabError


def load_stack(
    texts: Sequence[tuple[str, str]], env: Mapping[str, str], read: Read | None, bounds: Bounds = DEFAULT_BOUNDS
) -> Loaded:
    """The stack that these files make, in this order.

    Args:
        texts: (path, text); the first one's folder is where relative paths begin.
        env: variables of the stack.
        read: reads what they name; None: nobody may, so that what other files bring is unknown.
        bounds: what it may take.
    """
    parts = Texts(read, bounds, posixpath.dirname(texts[0][0]))
    loader = _Loader(parts)
    merged = None
    try:
        root = loader.model(texts, parts.top, env, ())
        if root is not None and weight(root) > bounds.spare + 10 * parts.written:
            raise TooMuch
        merged = Merged(root) if root is not None else None
    except TooMuch:
        message = "extends, include and merging would make far more of these files than is written in them."
        if not any(t.kind is Kind.BOUNDS for t in parts.troubles):
            parts.trouble(Kind.BOUNDS, texts[0][0], Mark(1, 1), message)
    troubles = [*parts.troubles, *(_unmergeable(p.part, p.message) for p in parts.merger.problems)]
    return Loaded(merged, tuple(parts.sources), tuple(troubles), loader.partial)


class _Loader:
    """Merges the texts of one stack and what they include."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.extends = Extends(texts)
        self.partial = False

    def model(
        self, texts: Sequence[tuple[str, str]], folder: str, env: Mapping[str, str], chain: tuple[str, ...]
    ) -> Part | None:
        """The merged model of these texts; None where a text could not be read as YAML.

        Args:
            texts: (path, text).
            folder: where relative paths of all of them begin.
            env: their variables.
            chain: files that include these, outermost first.
        """
        result: Part | None = None
        broken = False
        for file, text in texts:
            source = self.texts.source(file, text, env)
            broken = broken or source.refused is not None
            for document in source.documents:
                if not isinstance(document.raw, dict):
                    continue
                part = self.extends.all(self.texts.parts(document, folder), file, folder, env, document.tagged)
                included = self._include_all(part, folder, env, (*chain, file))
                result = (
                    included if result is None else self.texts.merger.merge(without(result, document.tagged), included)
                )
        self.partial = self.partial or (broken and result is not None)
        return result

    def _include_all(self, part: Part, folder: str, env: Mapping[str, str], chain: tuple[str, ...]) -> Part:
        include = part.get("include")
        if include is None or not isinstance(include.value, list):
            return part
        result, left = dict(part.value), []
        for item in include.value:
            model = self._include(item, folder, env, chain)
            if model is None:
                left.append(item)
                continue
            for section in ("services", "volumes", "networks", "secrets", "configs", "models"):
                brought = model.get(section)
                if brought is not None and isinstance(brought.value, dict):
                    result[section] = self._import(section, brought, result.get(section))
        del result["include"]
        if left:
            result["include"] = include.like(left)
            self.partial = True
        return part.like(result)

    def _import(self, section: str, brought: Part, own: Part | None) -> Part:
        if own is None or not isinstance(own.value, dict):
            return brought
        for name, value in brought.value.items():
            mine = own.value.get(name)
            if mine is not None and plain(mine) != plain(value):
                file, _ = value.file.place(value.path)
                message = f"The {section.removesuffix('s')} {name!r} is also in {file}, which is included: one must go."
                self.texts.at(Kind.CONFLICT, mine, message, str(name) if section == "services" else "", key=True)
        return own.like({**brought.value, **own.value})

    def _include(self, item: Part, folder: str, env: Mapping[str, str], chain: tuple[str, ...]) -> Part | None:
        """What an entry of ``include`` brings; None where that is not known."""
        paths = _list_of(item.get("path") if isinstance(item.value, dict) else item)
        place: Part | None = item.get("project_directory")
        texts: list[tuple[str, str]] = []
        for each in paths:
            written = self.texts.path_in(each)
            if written is None:
                return None
            path = joined(folder, written)
            if path in chain or len(chain) > self.texts.bounds.depth:
                names = ", ".join((*chain, path))
                self.texts.at(Kind.CIRCLE, each, f"These files include each other in a circle: {names[:300]}.")
                return None
            text = self.texts.text(path, each, written)
            if text is None:
                return None
            texts.append((path, text))
        if not texts:
            return None
        below = posixpath.dirname(texts[0][0])
        if place is not None and place.value:
            written = self.texts.path_in(place)
            if written is None:
                return None
            below = joined(folder, written)
        return self.model(texts, below, self._env_of(item, folder, below, env), chain)

    def _env_of(self, item: Part, folder: str, below: str, env: Mapping[str, str]) -> Mapping[str, str]:
        """The variables of an included file: the stack's, and for those it has not, its own files'."""
        found: dict[str, str] = {}
        files = _list_of(item.get("env_file"))
        for each in files:
            written = self.texts.path_in(each)
            if written is not None and written != "/dev/null":
                found |= parse_or_empty(self.texts.text(joined(folder, written), each, written) or "")
        if not files and self.texts.read is not None:
            try:
                found = parse_or_empty(self.texts.read(joined(below, ".env")) or "")
            except HomelabError:
                found = {}
        return {**found, **env} if found else env


def _unmergeable(part: Part, message: str) -> Trouble:
    file, mark = part.file.place(part.path)
    service = str(part.path[1]) if len(part.path) > 1 and part.path[0] == "services" else ""
    return Trouble(Kind.CONFLICT, file, mark, message, service)


def _list_of(part: Part | None) -> list[Part]:
    if part is None or part.value is None:
        return []
    return part.value if isinstance(part.value, list) else [part]
