"""What a definition's sources say of its image's tag: the fact that every other one hangs on."""

from __future__ import annotations

import re

from homelab_mcp.model.definition import ServiceDefinition

_TAG = re.compile(r"\b(tags?|version)\b")
_OF_ANOTHER = re.compile(r"\btags?\b[^,;]*\bof\b")


def tag_sources(definition: ServiceDefinition) -> tuple[str, ...]:
    """The places that are named for the main image's tag, one text each; those for a companion's are not counted.

    Places of one source are parted by ``; ``, and each begins with a repository or a page's title.
    """
    own = [s for s in definition.sources if _TAG.search(s.facts) and not _OF_ANOTHER.search(s.facts)]
    places = [place.strip() for s in own for place in s.where.split("; ")]
    return tuple(dict.fromkeys(place for place in places if place))
