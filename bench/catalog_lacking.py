"""What catalog entries say nothing of: failure lines of their own, least memory, figures for Prometheus, a widget.

Run: ``script/catalog-departures --lacking [--homepage REPOSITORY] [KIND...]``. KIND is ``failures``, ``memory``,
``metrics`` or ``widget``; all where none is named. An entry may lack a thing rightly: a program without figures has no
``metrics``, and one whose makers name no memory no ``minimum_memory``. So the list is of places to look, and with
``--homepage`` (a git directory of gethomepage/homepage) ``widget`` lists only entries that Homepage has a widget for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.git_folders import git
from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.adapters.failure_files import load_signatures
from homelab_mcp.core.catalog import fold
from homelab_mcp.core.diagnosis.known_lines import counts_for
from homelab_mcp.core.homepage_widgets import KINDS
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.diagnosis import Signature

ALL = ("failures", "memory", "metrics", "widget")
_WIDGETS = "docs/widgets/services/"


def lacking(definition: ServiceDefinition, signatures: Iterable[Signature]) -> tuple[str, ...]:
    """The kinds that an entry says nothing of; a signature counts that names its main container's image."""
    image = definition.container.image
    named = f"{image.repository}:{image.tag}"
    said = {
        "failures": bool(definition.failures) or any(s.images and counts_for(s, named) for s in signatures),
        "memory": definition.minimum_memory is not None,
        "metrics": definition.metrics is not None,
        "widget": bool(definition.homepage and definition.homepage.widget) or definition.id in KINDS,
    }
    return tuple(kind for kind in ALL if not said[kind])


def widget_names(homepage: Path) -> frozenset[str]:
    """The services that Homepage documents a widget for, folded as the catalog folds names; none for another folder."""
    listed = git(homepage, "ls-tree", "-r", "--name-only", "HEAD", "--", _WIDGETS).splitlines()
    return frozenset(fold(Path(name).stem) for name in listed if name.endswith(".md"))


def has_widget(definition: ServiceDefinition, widgets: frozenset[str]) -> bool:
    """Whether one of the entry's names is one of Homepage's."""
    return any(fold(name) in widgets for name in (definition.id, definition.name, *definition.aliases))


def main(arguments: Sequence[str]) -> int:
    """Print the entries by kind, and how many say each thing."""
    parser = argparse.ArgumentParser(prog="script/catalog-departures --lacking", description=__doc__)
    parser.add_argument("--homepage", type=Path, help="a git directory of gethomepage/homepage")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(ALL))
    given = parser.parse_args(arguments)
    if unknown := set(given.kinds) - set(ALL):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    signatures = load_signatures()
    definitions = packaged_definitions()
    found = {definition.id: lacking(definition, signatures) for definition in definitions}
    widgets = widget_names(given.homepage) if given.homepage else None
    for kind in given.kinds or ALL:
        without = [d for d in definitions if kind in found[d.id]]
        narrowed = widgets if kind == "widget" else None
        listed = without if narrowed is None else [d for d in without if has_widget(d, narrowed)]
        print(f"{kind}: {len(definitions) - len(without)} of {len(definitions)} entries say it. To look at:")
        print("  " + (", ".join(d.id for d in listed) or "none"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
