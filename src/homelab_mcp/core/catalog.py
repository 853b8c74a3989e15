"""The service catalog: definitions read from text, found by name, searched, and published as a JSON Schema.

The definition's model and the YAML parser load on first use: every start imports this module, few need a definition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound

if TYPE_CHECKING:
    from homelab_mcp.model.definition import ServiceDefinition

LONGEST_QUERY = 100
SUGGESTIONS = 3
_SEPARATORS = re.compile(r"[\s_.-]+")
_WORD = re.compile(r"[^\W_]+")


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

    matches: tuple[ServiceDefinition, ...]
    total: int


class Catalog:
    """Definitions by name.

    Args:
        definitions: of two with the same id the later one counts, so that a lab's own replace the packaged ones.
        problems: errors by file stem (folded) of definitions that could not be read; raised when asked for by name.
    """

    def __init__(
        self, definitions: Iterable[ServiceDefinition], problems: dict[str, HomelabError] | None = None
    ) -> None:
        by_id = {definition.id: definition for definition in definitions}
        self._definitions = {key: by_id[key] for key in sorted(by_id)}
        self.problems = problems or {}
        # An id beats a display name, which beats an alias; among equals the first id in the alphabet keeps the name.
        self._names: dict[str, str] = {}
        for of in (_own_id, _display_name, _aliases):
            for definition in self._definitions.values():
                for name in of(definition):
                    self._names.setdefault(fold(name), definition.id)

    def __len__(self) -> int:
        return len(self._definitions)

    def all(self) -> tuple[ServiceDefinition, ...]:
        """Every definition, sorted by id."""
        return tuple(self._definitions.values())

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
            return self._definitions[self._names[key]]
        near = self._near(key)
        listed = f"Did you mean {' or '.join(near)}? " if near else ""
        raise NotFound(
            f"No service called {name[:80]!r} is in the catalog.",
            hint=f"{listed}Search the catalog for what it does.",
            code="unknown_service",
            details={"nearest": near},
        )

    def _near(self, key: str) -> list[str]:
        close = get_close_matches(key[:LONGEST_QUERY], self._names, n=3 * SUGGESTIONS, cutoff=0.6)
        return list(dict.fromkeys(self._names[name] for name in close))[:SUGGESTIONS]

    def search(self, query: str = "", category: str | None = None, limit: int = 10, offset: int = 0) -> SearchResult:
        """Definitions that fit the query, best first.

        Order: id or name, alias, beginning of a name, words of the summary and category (all of them before some of
        them), and, when nothing else fits, names that are spelled alike. Equal ranks are in order of the id.

        Args:
            query: a name or words; empty fits everything.
            category: only this category.
            limit: how many at most; a page that begins at ``offset``.
            offset: how many of the best to leave out.

        Raises:
            InvalidInput: code ``unknown_category``.
        """
        among = self._of_category(category)
        text = query[:LONGEST_QUERY]
        ranked = sorted((rank, d.id) for d in among if (rank := _rank(d, text)) is not None)
        found = [key for _, key in ranked]
        if not found and text.strip():
            allowed = {definition.id for definition in among}
            found = [key for key in self._near(fold(text)) if key in allowed]
        page = found[max(offset, 0) :][: max(limit, 0)]
        return SearchResult(tuple(self._definitions[key] for key in page), len(found))

    def _of_category(self, category: str | None) -> Sequence[ServiceDefinition]:
        if category is None:
            return self.all()
        from homelab_mcp.model.definition import Category

        known = {fold(name): name for name in get_args(Category)}
        if fold(category) not in known:
            raise InvalidInput(
                f"There is no category {category[:40]!r}.",
                hint=f"Categories: {', '.join(sorted(known.values()))}.",
                code="unknown_category",
            )
        return [d for d in self.all() if d.category == known[fold(category)]]


def _own_id(definition: ServiceDefinition) -> Iterator[str]:
    yield definition.id


def _display_name(definition: ServiceDefinition) -> Iterator[str]:
    yield definition.name


def _aliases(definition: ServiceDefinition) -> Iterator[str]:
    yield from definition.aliases


_EXACT, _ALIAS, _PREFIX, _ALL_WORDS, _SOME_WORDS = range(5)


def _rank(definition: ServiceDefinition, query: str) -> tuple[int, int] | None:
    """How well a definition fits, smaller is better; None when it does not."""
    key = fold(query)
    if not key:
        return _EXACT, 0
    names = {fold(definition.id), fold(definition.name)}
    aliases = {fold(alias) for alias in definition.aliases}
    if key in names:
        return _EXACT, 0
    if key in aliases:
        return _ALIAS, 0
    if any(name.startswith(key) for name in names):
        return _PREFIX, 0
    if any(name.startswith(key) for name in aliases):
        return _PREFIX, 1
    return _rank_words(definition, _WORD.findall(query.casefold()))


def _rank_words(definition: ServiceDefinition, wanted: list[str]) -> tuple[int, int] | None:
    own = (definition.id, definition.name, *definition.aliases, definition.category, definition.stack)
    names = set(_WORD.findall(" ".join(own).casefold()))
    words = names | set(_WORD.findall(definition.summary.casefold()))
    hits = sum(_met(word, words) for word in wanted)
    if not hits:
        return None
    missed = len(wanted) - hits
    in_summary_only = hits - sum(_met(word, names) for word in wanted)
    return _SOME_WORDS if missed else _ALL_WORDS, 100 * missed + in_summary_only


def _met(word: str, words: set[str]) -> bool:
    # A short word must be met whole ("a", "tv"); a longer one may be the beginning of one ("torrent", "torrents").
    return word in words or (len(word) > 2 and any(other.startswith(word) for other in words))
