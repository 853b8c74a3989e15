"""Several compose texts as one, by Compose's rules, with every value remembering the file it came from.

Source: Compose Specification, "Merge" (and its ``!reset`` and ``!override``); where that leaves things open, compose-go
2.9.1 as Compose 2.40.3 uses it. tests/unit/core/test_compose_merge_real.py asks Compose itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from homelab_mcp.core.compose_parts import Part, by_name, items, kind, mapping_of, same_subnet, with_context
from homelab_mcp.core.compose_unique import keys_of, without_repeats
from homelab_mcp.core.yaml12 import Path


@dataclass(frozen=True, slots=True)
class Unmergeable:
    """Two values that Compose cannot make one of: the later one, and a sentence."""

    part: Part
    message: str


class TooMuch(Exception):
    """Merging would cost more than any honest stack does."""


class Merger:
    """Merges parts and keeps what could not be merged.

    Args:
        budget: values that may be touched before it gives up.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.problems: list[Unmergeable] = []

    def merge(self, base: Part, over: Part, where: Path = ()) -> Part:
        """``over`` laid upon ``base``. ``where`` is the place in the model, as the rules name it.

        Raises:
            TooMuch: the budget is used up.
        """
        special = _special(where)
        if special is not None:
            return special(self, base, over, where)
        if over.value is None:
            return base
        if isinstance(base.value, dict):
            return self.mappings(base, over, where) if isinstance(over.value, dict) else self._refuse(base, over, where)
        if isinstance(base.value, list):
            if not isinstance(over.value, list):
                return self._refuse(base, over, where)
            return self._unique(base, [*base.value, *over.value], where)
        return over

    def mappings(self, base: Part, over: Part, where: Path) -> Part:
        """Key by key."""
        self._spend(len(base.value) + len(over.value))
        result = dict(base.value)
        for key, value in over.value.items():
            result[key] = self.merge(result[key], value, (*where, key)) if key in result else value
        return base.like(result)

    def _unique(self, base: Part, all_: list[Part], where: Path) -> Part:
        self._spend(len(all_))
        keys = keys_of(where)
        return base.like(all_ if keys is None else without_repeats(all_, keys))

    def _spend(self, values: int) -> None:
        self.budget -= values
        if self.budget < 0:
            raise TooMuch

    def _refuse(self, base: Part, over: Part, where: Path) -> Part:
        name = ".".join(str(s) for s in where)
        message = f"{name!r} is {kind(over)} here and {kind(base)} in {base.file.file}: Compose cannot merge the two."
        self.problems.append(Unmergeable(over, message))
        return over

    # --- special places ---------------------------------------------------------------------------------------------

    def later(self, base: Part, over: Part, where: Path) -> Part:
        """The later one counts."""
        return over

    def pairs(self, base: Part, over: Part, where: Path) -> Part:
        """``KEY: value`` and ``KEY=value`` alike, by key."""
        first, second = mapping_of(base), mapping_of(over)
        if first is None or second is None:
            return self.sequences(base, over, where)
        self._spend(len(first.value) + len(second.value))
        # A key without a value counts too: it stands for the environment's.
        return base.like({**first.value, **second.value})

    def sequences(self, base: Part, over: Part, where: Path) -> Part:
        """One after the other, a single text being a list of one."""
        return self._unique(base, [*items(base), *items(over)], where)

    def hosts(self, base: Part, over: Part, where: Path) -> Part:
        """``extra_hosts``: what is not there already is added."""
        first = items(base)
        known = {item.value for item in first if isinstance(item.value, str)}
        return self._unique(base, [*first, *(i for i in items(over) if i.value not in known)], where)

    def named(self, base: Part, over: Part, where: Path) -> Part:
        """``networks`` and ``models``: a list of names is a mapping without values."""
        return self.mappings(by_name(base, None), by_name(over, None), where)

    def dependencies(self, base: Part, over: Part, where: Path) -> Part:
        """``depends_on``: a name in a list says that it must have started."""
        started = {"condition": "service_started", "required": True}
        return self.mappings(by_name(base, started), by_name(over, started), where)

    def build(self, base: Part, over: Part, where: Path) -> Part:
        """A text is the build's context."""
        return self.mappings(with_context(base), with_context(over), where)

    def logging(self, base: Part, over: Part, where: Path) -> Part:
        """Options are merged only under one driver."""
        if not isinstance(base.value, dict) or not isinstance(over.value, dict):
            return base if over.value is None else over
        first, second = base.get("driver"), over.get("driver")
        if first is None or second is None or first.value == second.value:
            return self.mappings(base, over, where)
        return over

    def address_pools(self, base: Part, over: Part, where: Path) -> Part:
        """``ipam.config``: entries of one subnet are merged."""
        if not isinstance(base.value, list) or not isinstance(over.value, list):
            return self._refuse(base, over, where)
        self._spend(len(base.value) * len(over.value))
        result: list[Part] = []
        for first in base.value:
            for second in over.value:
                if not same_subnet(first, second) and not any(same_subnet(known, second) for known in result):
                    result.append(second)
                    continue
                merged = self.mappings(first, second, where)
                at = next((n for n, known in enumerate(result) if same_subnet(known, merged)), None)
                if at is None:
                    result.append(merged)
                else:
                    result[at] = merged
        return base.like(result)


_Special = Callable[[Merger, Part, Part, Path], Part]
_SERVICE: dict[tuple[str, ...], _Special] = {
    ("annotations",): Merger.pairs,
    ("build",): Merger.build,
    ("build", "args"): Merger.pairs,
    ("build", "additional_contexts"): Merger.pairs,
    ("build", "extra_hosts"): Merger.hosts,
    ("build", "labels"): Merger.pairs,
    ("command",): Merger.later,
    ("depends_on",): Merger.dependencies,
    ("deploy", "labels"): Merger.pairs,
    ("dns",): Merger.sequences,
    ("dns_opt",): Merger.sequences,
    ("dns_search",): Merger.sequences,
    ("entrypoint",): Merger.later,
    ("env_file",): Merger.sequences,
    ("label_file",): Merger.sequences,
    ("environment",): Merger.pairs,
    ("extra_hosts",): Merger.hosts,
    ("healthcheck", "test"): Merger.later,
    ("labels",): Merger.pairs,
    ("logging",): Merger.logging,
    ("models",): Merger.named,
    ("networks",): Merger.named,
    ("sysctls",): Merger.pairs,
    ("tmpfs",): Merger.sequences,
    ("ulimits", "*"): Merger.later,
}
_OTHER: dict[tuple[str, ...], _Special] = {
    ("networks", "*", "ipam", "config"): Merger.address_pools,
    ("networks", "*", "labels"): Merger.pairs,
    ("volumes", "*", "labels"): Merger.pairs,
}


def _special(where: Path) -> _Special | None:
    if len(where) < 3:
        return None
    if where[0] == "services":
        inside = tuple(str(s) for s in where[2:])
        return _SERVICE.get(inside) or (_SERVICE[("ulimits", "*")] if inside[:-1] == ("ulimits",) else None)
    if where[0] in {"networks", "volumes"}:
        return _OTHER.get((str(where[0]), "*", *(str(s) for s in where[2:])))
    return None
