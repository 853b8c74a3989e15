"""The service catalog: definitions read from text, found by name, searched, and published as a JSON Schema.

The definition's model and the YAML parser load on first use: every start imports this module, few need a definition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from homelab_mcp.core.catalog_index import Packed, Record, record_of
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound

if TYPE_CHECKING:
    from homelab_mcp.core.catalog_search import Index
    from homelab_mcp.model.definition import ServiceDefinition

LONGEST_QUERY = 100
SUGGESTIONS = 3
_SEPARATORS = re.compile(r"[\s_.-]+")


def fold(name: str) -> str:
    """A name as it is compared: no case, no spaces, underscores, dots or hyphens ("Uptime Kuma" is "uptimekuma")."""
    return _SEPARATORS.sub("", name.casefold())


# --- reading --------------------------------------------------------------------------------------------------------


def parse_definition(text: str, where: str) -> ServiceDefinition:
    """The definition in a YAML text.

    Args:
        text: one YAML document.
        where: what to call the text in errors, usually its file's path.

    Raises:
        InvalidInput: the text is not YAML, or not a definition (code ``bad_definition``; ``details`` has ``where``,
            ``field`` and the number of ``problems``).
    """
    from pydantic import ValidationError

    from homelab_mcp.core.yaml12 import YamlRefused, load
    from homelab_mcp.model.definition import ServiceDefinition

    try:
        data = load(text)
    except YamlRefused as error:
        raise InvalidInput(
            f"{where}: {error.message}", hint=error.hint, code=error.code, details={"where": where, **error.details}
        ) from error
    if not isinstance(data, dict):
        raise _bad(where, "(top)", "a definition is a mapping that begins with 'id:'", 1)
    try:
        return ServiceDefinition.model_validate(data)
    except ValidationError as error:
        # Only places and messages: pydantic's own text repeats the values.
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        first = problems[0]
        field = ".".join(str(step) for step in first["loc"]) or "(top)"
        raise _bad(where, field, first["msg"].removeprefix("Value error, "), len(problems)) from None


def _bad(where: str, field: str, problem: str, count: int) -> InvalidInput:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return InvalidInput(
        f"{where}: {field}: {problem}{more}.",
        hint="docs/catalog.md explains every field; catalog/definition.schema.json lets an editor check them.",
        code="bad_definition",
        details={"where": where, "field": field, "problems": count},
    )


def schema_text() -> str:
    """The definition format as a JSON Schema (draft 2020-12), as it is published in ``definition.schema.json``."""
    from homelab_mcp.model.definition import ServiceDefinition

    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= ServiceDefinition.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


# --- finding --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of matches, best first, and how many there are in all."""

    matches: tuple[Record, ...]
    total: int


class Catalog:
    """Definitions by name.

    Args:
        definitions: of two with the same id the later one counts, so that a lab's own replace the packaged ones.
        problems: errors by file stem (folded) of definitions that could not be read; raised when asked for by name.
        packed: compiled definitions, before the others; each is read when it is first asked for.
        origins: of definitions that are not packaged, the path of their file in the lab.
    """

    def __init__(
        self,
        definitions: Iterable[ServiceDefinition],
        problems: dict[str, HomelabError] | None = None,
        packed: Iterable[Packed] = (),
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self._origins = dict(origins or {})
        self._texts = {one.record.id: one.text for one in packed}
        records = {one.record.id: one.record for one in packed}
        self._read: dict[str, ServiceDefinition] = {}
        for definition in definitions:
            self._read[definition.id] = definition
            records[definition.id] = record_of(definition)
        self._records = {key: records[key] for key in sorted(records)}
        self.problems = problems or {}
        # An id beats a display name, which beats an alias; among equals the first id in the alphabet keeps the name.
        self._names: dict[str, str] = {}
        for of in (_own_id, _display_name, _aliases):
            for record in self._records.values():
                for name in of(record):
                    self._names.setdefault(fold(name), record.id)

    def __len__(self) -> int:
        return len(self._records)

    def all(self) -> tuple[ServiceDefinition, ...]:
        """Every definition, sorted by id. Reads them all: :meth:`records` says the most of each without that."""
        return tuple(self._definition(key) for key in self._records)

    def records(self) -> tuple[Record, ...]:
        """What is known of every definition without reading it, sorted by id."""
        return tuple(self._records.values())

    def origin(self, key: str) -> str:
        """The file in the lab that the definition with this id is from; "" for a packaged one."""
        return self._origins.get(key, "")

    def catalog_of(self, key: str) -> str:
        """The name of the catalog of others that the definition with this id is from; "" where it is not."""
        parts = self.origin(key).split("/")
        return parts[1] if len(parts) > 2 else ""

    def packaged(self, key: str) -> ServiceDefinition | None:
        """The packaged definition with this id, also where the lab has one in its place; None where there is none."""
        from homelab_mcp.model.definition import ServiceDefinition

        return ServiceDefinition.model_validate_json(self._texts[key]) if key in self._texts else None

    def _definition(self, key: str) -> ServiceDefinition:
        if key not in self._read:
            from homelab_mcp.model.definition import ServiceDefinition

            self._read[key] = ServiceDefinition.model_validate_json(self._texts[key])
        return self._read[key]

    def get(self, name: str) -> ServiceDefinition:
        """The definition with this id, display name or alias; case, spaces, hyphens and underscores do not matter.

        Raises:
            NotFound: code ``unknown_service``; the hint names the nearest ones.
            InvalidInput: the lab's own definition of that name cannot be read.
        """
        key = fold(name)
        if key in self.problems:
            raise self.problems[key]
        if key in self._names:
            return self._definition(self._names[key])
        near = self._near(key)
        listed = f"Did you mean {' or '.join(near)}? " if near else ""
        raise NotFound(
            f"No service called {name[:80]!r} is in the catalog.",
            hint=f"{listed}Search the catalog for what it does. What nothing there does comes by its image "
            "(`add_custom_service`) or its compose text (`import_service`).",
            code="unknown_service",
            details={"nearest": near},
        )

    def _near(self, key: str) -> list[str]:
        close = get_close_matches(key[:LONGEST_QUERY], self._names, n=3 * SUGGESTIONS, cutoff=0.6)
        return list(dict.fromkeys(self._names[name] for name in close))[:SUGGESTIONS]

    def search(
        self,
        query: str = "",
        category: str | None = None,
        limit: int = 10,
        offset: int = 0,
        *,
        architecture: str = "",
        memory: int = 0,
    ) -> SearchResult:
        """Definitions that fit the query, best first; see :mod:`homelab_mcp.core.catalog_search`.

        Args:
            query: a name or words; empty fits everything.
            category: only this category.
            limit: how many at most; a page that begins at ``offset``.
            offset: how many of the best to leave out.
            architecture: only what has an image for it (``amd64``, ``arm64``, ``arm``); "" for any.
            memory: only what asks for no more MiB; 0 for any.

        Raises:
            InvalidInput: code ``unknown_category``.
        """
        wanted = _category(category)

        def fits(record: Record) -> bool:
            if wanted not in (None, record.category) or (memory and record.memory > memory):
                return False
            return not architecture or architecture in record.architectures

        found = self._index.search(query[:LONGEST_QUERY], fits)
        page = found[max(offset, 0) :][: max(limit, 0)]
        return SearchResult(tuple(page), len(found))

    @cached_property
    def _index(self) -> Index:
        from homelab_mcp.core.catalog_search import Index

        return Index(self._records.values(), fold)


def _category(name: str | None) -> str | None:
    if name is None:
        return None
    from homelab_mcp.model.definition import Category

    known: dict[str, str] = {fold(each): each for each in get_args(Category)}
    if fold(name) not in known:
        raise InvalidInput(
            f"There is no category {name[:40]!r}.",
            hint=f"Categories: {', '.join(sorted(known.values()))}.",
            code="unknown_category",
        )
    return known[fold(name)]


def _own_id(record: Record) -> Iterator[str]:
    yield record.id


def _display_name(record: Record) -> Iterator[str]:
    yield record.name


def _aliases(record: Record) -> Iterator[str]:
    yield from record.aliases
