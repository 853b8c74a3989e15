"""Newer tags for the catalog's entries, asked of the images' registries, and written into the entries where wanted.

Run: ``script/catalog-updates [--level LEVEL] [--write] [SERVICE...]``. Nothing is pulled. A tag is newer when it has
the shape of the one in use and higher numbers, as for a lab's own updates. What is written is a change to be looked at:
lint it, deploy the entries (``tests/docker/test_catalog_shards.py --entries``), read what their makers say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from homelab_mcp.adapters.catalog_files import packaged_folder
from homelab_mcp.core.catalog import parse_definition
from homelab_mcp.core.image_updates import image_name, level, newest
from homelab_mcp.core.release_notes import changelog
from homelab_mcp.model.definition import Image, ServiceDefinition
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Registry

AT_ONCE = 8
LEVELS = ("patch", "minor", "major")


@dataclass(frozen=True)
class Proposal:
    """One image of one entry: ``new`` is the tag to go to, "" with ``why`` where the registry gave no answer."""

    path: Path
    service: str
    image: Image
    new: str
    step: str
    read: str
    why: str = ""


def entries(folder: Path, only: Sequence[str] = ()) -> Iterator[tuple[Path, ServiceDefinition]]:
    """The entries below the folder, or those with these ids."""
    for path in sorted(folder.glob("*/*.yaml")):
        if not only or path.stem in only:
            yield path, parse_definition(path.read_text("utf-8"), str(path))


def proposals(found: Iterable[tuple[Path, ServiceDefinition]], registry: Registry, most: str) -> list[Proposal]:
    """What is newer, and what could not be asked; one line an image of an entry."""
    wanted = {
        (path, definition.id, each.image): changelog(definition.links.upstream)
        for path, definition in found
        for each in (definition.container, *definition.companions.values())
        if not each.image.digest
    }

    def ask(repository: str) -> tuple[tuple[str, ...], str]:
        try:
            return registry.tags(image_name(repository)), ""
        except HomelabError as error:
            return (), error.message

    names = sorted({image.repository for _, _, image in wanted})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(names, pool.map(ask, names), strict=True))
    made = []
    for (path, service, image), read in wanted.items():
        tags, why = answers[image.repository]
        new = newest(image.tag, tags, "" if most == "major" else most)
        if new or why:
            made.append(Proposal(path, service, image, new, level(image.tag, new) if new else "", read, why))
    return made


def written(proposal: Proposal) -> str:
    """The entry's text with the new tag in place of the old one, wherever this image stands in it."""
    old, new = (f"repository: {proposal.image.repository}, tag: {tag}" for tag in (proposal.image.tag, proposal.new))
    text = proposal.path.read_text("utf-8")
    quoted = f'repository: {proposal.image.repository}, tag: "{proposal.image.tag}"'
    return text.replace(f"{old}}}", f"{new}}}").replace(
        quoted, f'repository: {proposal.image.repository}, tag: "{proposal.new}"'
    )


def main(arguments: Sequence[str] | None = None, registry: Registry | None = None, folder: Path | None = None) -> int:
    """Ask, print, and write where wanted. 0: asked; 1: a registry did not answer."""
    parser = argparse.ArgumentParser(prog="script/catalog-updates", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("service", nargs="*", help="only these entries, by id")
    parser.add_argument("--level", choices=LEVELS, default="minor", help="no larger step than this (minor)")
    parser.add_argument("--write", action="store_true", help="write the new tags into the entries")
    given = parser.parse_args(arguments)
    if registry is None:
        from homelab_mcp.adapters.registry import HttpRegistry

        registry = HttpRegistry()
    made = proposals(entries(folder or packaged_folder(), given.service), registry, given.level)
    for one in made:
        if one.why:
            print(f"{one.service}: {one.image.repository} was not asked: {one.why}", file=sys.stderr)
            continue
        if given.write:
            one.path.write_text(written(one), "utf-8")
        print(f"{one.service}: {one.image.repository} {one.image.tag} -> {one.new} ({one.step}), {one.read}")
    print(f"{sum(1 for one in made if one.new)} newer tags{' written' if given.write else ''}.")
    return 1 if any(one.why for one in made) else 0


if __name__ == "__main__":
    sys.exit(main())
