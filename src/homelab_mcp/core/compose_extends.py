"""``extends``: a service laid upon another, of the same file or of another one.

Source: Compose Specification, "Extend". As in Compose 2.40.3 only services of the very same document can be meant
without a file, the extended file's own ``include`` does nothing, and only what is taken from it must be right.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.compose_parts import Part, without
from homelab_mcp.core.compose_stack import Kind
from homelab_mcp.core.compose_texts import Texts, joined
from homelab_mcp.core.yaml12 import Path


@dataclass(frozen=True, slots=True)
class Where:
    """The document (or extended file) that services are looked up in."""

    file: str
    folder: str
    env: Mapping[str, str]
    services: dict[Any, Part]
    tagged: tuple[Path, ...]


class _Circle(Exception):
    """A service extends itself, and that was noted."""


class Extends:
    """Follows ``extends`` for one stack."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self._extended: dict[tuple[str, int], Where | None] = {}

    def all(self, part: Part, file: str, folder: str, env: Mapping[str, str], tagged: tuple[Path, ...]) -> Part:
        """A document with every service's ``extends`` followed, as far as it can be."""
        services = part.get("services")
        if services is None or not isinstance(services.value, dict):
            return part
        if not any(s.get("extends") for s in services.value.values()):
            return part
        where = Where(file, folder, env, dict(services.value), tagged)
        for name in list(where.services):
            with suppress(_Circle):
                self._extend(where, name, ())
        return part.like({**part.value, "services": services.like(where.services)})

    def _extend(self, where: Where, name: Any, chain: tuple[tuple[str, Any], ...]) -> Part:
        """The service with what it extends, put in its place among ``where``'s services. Raises _Circle."""
        service = where.services[name]
        extends = service.get("extends")
        if extends is None:
            return service
        if isinstance(extends.value, dict):
            named, file = extends.get("service"), extends.get("file")
        else:
            named, file = extends, None
        if named is None or not isinstance(named.value, str):
            return service
        if (where.file, name) in chain or len(chain) > self.texts.bounds.depth:
            names = ", ".join(repr(str(n)) for _, n in (*chain, (where.file, name)))
            self.texts.at(Kind.CIRCLE, named, f"These services extend each other in a circle: {names[:200]}.", name)
            raise _Circle
        base = self._base(where, name, named, file, (*chain, (where.file, name)))
        if base is None:
            return service
        inside = Part({"services": base.like({name: base})}, base.file, base.path)
        source = without(inside, where.tagged).get("services")
        base = source.get(name) if source else None
        own = {k: v for k, v in service.value.items() if k != "extends"}
        merged = service.like(own)
        if base is not None:
            merged = service.like(self.texts.merger.merge(base, merged, ("services", "x")).value)
        where.services[name] = merged
        return merged

    def _base(
        self, where: Where, name: Any, named: Part, file: Part | None, chain: tuple[tuple[str, Any], ...]
    ) -> Part | None:
        other: Where | None = where
        if file is not None and file.value is not None:
            other = self._extended_file(where, file, str(name))
        if other is None:
            return None
        if named.value not in other.services:
            if not is_open(named.value):
                home = "this file" if other is where else other.file
                self.texts.at(Kind.NO_SERVICE, named, f"There is no service {str(named.value)!r} in {home}.", name)
            return None
        return self._extend(other, named.value, chain)

    def _extended_file(self, where: Where, file: Part, name: str) -> Where | None:
        text = self.texts.path_in(file)
        if text is None:
            return None
        path = joined(where.folder, text)
        me = (path, id(where.env))
        if me in self._extended:
            return self._extended[me]
        found = self.texts.text(path, file, text, service=name)
        if found is None:
            return None
        source = self.texts.source(path, found, where.env, judged=False)
        if source.refused is not None:
            return None
        folder = posixpath.dirname(path)
        whole: Part | None = None
        tagged: tuple[Path, ...] = ()
        for document in source.documents:
            if isinstance(document.raw, dict):
                part = self.texts.parts(document, folder)
                whole = part if whole is None else self.texts.merger.merge(without(whole, document.tagged), part)
                tagged = document.tagged
        services = whole.get("services") if whole is not None else None
        inside = services.value if services is not None and isinstance(services.value, dict) else {}
        self._extended[me] = Where(path, folder, where.env, dict(inside), tagged)
        return self._extended[me]
