"""Where catalog entries depart from what public app stores say, and a draft of an entry from what they agree on.

Run: ``python -m bench.catalog_departures FACTS [--draft IMAGE] [SERVICE...]``. FACTS is a JSON-lines file, one
image a line: ``image``, and ``ports``, ``mounts``, ``env`` as lists of [value, number of sources that say so]. It is
given by path and never part of the project. A departure is no error: it is a place to look at the image's own pages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.model.definition import ServiceDefinition

AGREED = 2
"""Sources that must say a thing before it counts."""
_IGNORED = ("/etc/localtime", "/etc/timezone", "/var/run/docker.sock")
_REGISTRIES = ("lscr.io/", "ghcr.io/", "docker.io/", "quay.io/", "library/")


def folded(image: str) -> str:
    """An image's name as facts have it: without the registry."""
    for registry in _REGISTRIES:
        image = image.removeprefix(registry)
    return image


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Facts by image."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return {folded(row["image"]): row for row in rows}


def agreed(row: dict[str, Any], kind: str) -> list[str]:
    """What enough sources say."""
    return [str(value) for value, count in row.get(kind, []) if count >= AGREED]


def departures(definition: ServiceDefinition, facts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Sentences, one a departure; none for an image that the facts do not know."""
    container = definition.container
    row = facts.get(folded(container.image.repository))
    if row is None:
        return
    ports = {str(port.container) for port in container.ports}
    for port in agreed(row, "ports"):
        if port.partition("/")[0] not in ports:
            yield f"port {port} is not in the entry"
    targets = {(volume.target or "").rstrip("/") for volume in container.volumes}
    for mount in agreed(row, "mounts"):
        if mount.rstrip("/") not in targets and mount not in _IGNORED:
            yield f"folder {mount} is not mounted"
    for name in agreed(row, "env"):
        if name not in container.environment:
            yield f"variable {name} is not set"


def draft(row: dict[str, Any]) -> str:
    """The mechanical part of an entry; all the rest is read and written by a person."""
    ports, mounts = agreed(row, "ports"), [m for m in agreed(row, "mounts") if m not in _IGNORED]
    lines = [
        f"# {row['image']}: agreed by {AGREED} or more of {', '.join(row['sources'])}",
        "level: draft",
        "container:",
    ]
    lines += [f"  image: {{repository: {row['image']}, tag: {row['tags'][0][0] if row.get('tags') else 'TAG'}}}"]
    lines += ["  ports:", *(f"    - {{container: {port.partition('/')[0]}, purpose: web}}" for port in ports)]
    lines += ["  volumes:", *(f"    - {{kind: data, target: {mount}}}" for mount in mounts)]
    lines += ["  environment:", *(f'    {name}: ""' for name in agreed(row, "env"))]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print departures, or a draft; the exit code is 2 for a wrong call."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    facts = read(Path(arguments[0]))
    if "--draft" in arguments:
        image = folded(arguments[arguments.index("--draft") + 1])
        print(draft(facts[image]) if image in facts else f"The facts do not know {image}.")
        return 0
    wanted = set(arguments[1:])
    known = 0
    for definition in packaged_definitions():
        if wanted and definition.id not in wanted:
            continue
        known += folded(definition.container.image.repository) in facts
        for departure in departures(definition, facts):
            print(f"{definition.id}: {departure}")
    print(f"{known} entries have an image that the facts know.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
