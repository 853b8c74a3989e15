"""What a definition's sources say of its image's tag: the fact that every other one hangs on."""

from __future__ import annotations

import re

from homelab_mcp.model.definition import ServiceDefinition

_TAG = re.compile(r"\b(tags?|version)\b")


def tag_sources(definition: ServiceDefinition) -> tuple[str, ...]:
    """The places that are named for the main image's tag, one text each; those for a companion's are not counted.

    Places of one source are parted by ``; ``, and each begins with a repository or a page's title.
    """
    own = [s for s in definition.sources if _TAG.search(s.facts) and not _of_companion(definition, s.facts)]
    places = [place.strip() for s in own for place in s.where.split("; ")]
    return tuple(dict.fromkeys(place for place in places if place))


def _of_companion(definition: ServiceDefinition, facts: str) -> bool:
    """Whether facts are said to be a companion's: "tag, variables and folder of postgres"."""
    names = {name for key, each in definition.companions.items() for name in (key, each.image.repository)}
    words = {name.rpartition("/")[2].casefold() for name in names}
    return any(m[1].casefold() in words for m in re.finditer(r"\bof ([\w.-]+)", facts))
