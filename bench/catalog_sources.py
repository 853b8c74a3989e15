"""Which catalog entries' tags rest on a single source, and what git repositories at hand say of them.

Run: ``script/catalog-sources [--look-in FOLDER] [--write] [SERVICE...]``. FOLDER holds git directories, at any depth:
clones of app stores and of the makers' repositories. A second source is a store's file that names image and tag, or
a tag of a repository that the entry names, or that its image is named after. ``--write`` puts what was found under the
entry's ``sources``. Nothing is taken from a repository but that it says so.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.catalog_upstream import doubts, unsaid
from bench.git_folders import git, repositories
from homelab_mcp.adapters.catalog_files import packaged_definitions, packaged_folder
from homelab_mcp.core.catalog_sources import tag_sources
from homelab_mcp.model.definition import ServiceDefinition

STORES = {
    "truenas/apps": r"^ix-dev/[^/]+/[^/]+/ix_values\.yaml$",
    "runtipi/runtipi-appstore": r"^apps/[^/]+/docker-compose\.json$",
    "getumbrel/umbrel-apps": r"^[^/]+/docker-compose\.yml$",
    "coollabsio/coolify": r"^templates/compose/[^/]+\.ya?ml$",
    "Dokploy/templates": r"^blueprints/[^/]+/docker-compose\.yml$",
    "bigbeartechworld/big-bear-casaos": r"^Apps/[^/]+/docker-compose\.yml$",
    "IceWhaleTech/CasaOS-AppStore": r"^Apps/[^/]+/docker-compose\.yml$",
    "1Panel-dev/appstore": r"^apps/[^/]+/[^/]+/docker-compose\.yml$",
}
"""App stores, each with the files of it that say what is run."""
_KIN = ({"bigbeartechworld/big-bear-casaos", "IceWhaleTech/CasaOS-AppStore"},)
"""Stores of one descent: of them one counts."""
_NO_MAKERS = {"gethomepage/homepage", "linuxserver/docker-documentation"}
"""Named by many entries for a widget or a page, and nobody's recipe."""
_VALUES = re.compile(r"repository: *\"?([^\s\"]+)\"?\s+tag: *\"?([^\s\"]+)")
_IMAGE = re.compile(r"\"?image\"?: *\"?([^\s\"@,]+):([^\s\"@,:/]+)")
_REGISTRIES = re.compile(r"^(docker\.io|index\.docker\.io|registry-1\.docker\.io)/(library/)?")


def plain(image: str) -> str:
    """An image's repository without Docker Hub's own name in front."""
    return _REGISTRIES.sub("", image)


def said_in_stores(found: dict[str, Path]) -> dict[tuple[str, str], list[str]]:
    """By image repository and tag: ``store path`` of each store's file that names them."""
    said: dict[tuple[str, str], list[str]] = {}
    for store, pattern in STORES.items():
        if store not in found:
            continue
        wanted = re.compile(pattern)
        paths = [p for p in git(found[store], "ls-tree", "-r", "--name-only", "HEAD").splitlines() if wanted.search(p)]
        for path in paths:
            text = git(found[store], "show", f"HEAD:{path}")
            for image, tag in {*_VALUES.findall(text), *_IMAGE.findall(text)}:
                place = path.rpartition("/")[0] if path.endswith("ix_values.yaml") else path
                said.setdefault((plain(image), tag), []).append(f"{store} {place}")
    return said


def related(definition: ServiceDefinition) -> set[str]:
    """GitHub repositories whose tags are the image's: the makers', the image's namesake, those its sources name."""
    names = {m[1].lower() for m in re.finditer(r"github\.com/([\w.-]+/[\w.-]+)", definition.links.model_dump_json())}
    names |= {w.split()[0].lower() for s in definition.sources for w in s.where.split("; ") if "/" in w.split()[0]}
    *_, owner, name = ["", *plain(definition.container.image.repository).split("/")]
    names |= {f"{owner}/{name}".lower(), f"{owner}/docker-{name}".lower()}
    names -= {store.lower() for store in STORES}
    official = "/" not in plain(definition.container.image.repository)
    return {name for name in names - _NO_MAKERS if official or not name.startswith("docker-library/")}


def spelled(tag: str) -> Iterator[str]:
    """How a release of this image tag may be tagged: as it is, with or without ``v``, without the image's flavour."""
    bare = re.sub(r"-(alpine|apache|omnibus|rootless|jdk\d+|java\d+|management|noble|trixie|ce\.0)\b", "", tag)
    for text in dict.fromkeys((tag, bare)):
        version = text.removeprefix("v")
        yield from (text, f"v{version}", version, f"{version}.0", f"v{version}.0", f"REL-{version.replace('.', '_')}")


def released(definition: ServiceDefinition, tags: dict[str, set[str]]) -> Iterator[str]:
    """``owner/name tag T`` for each related repository that has the release."""
    for name in sorted(related(definition)):
        if release := _release(definition, tags.get(name, set())):
            yield f"{name} tag {release}"


def _release(definition: ServiceDefinition, have: set[str]) -> str:
    """The git tag of the entry's release; "" where there is none."""
    tag = definition.container.image.tag
    exact = next((t for t in spelled(tag) if t in have), "")
    # linuxserver.io tags each build: 4.3-ls12 is a build of what its image calls 4.3.
    built = sorted(t for t in have if re.fullmatch(rf"v?{re.escape(tag)}(build[\w.-]+)?-ls\d+", t))
    return exact or (built[-1] if built else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """List, and write where asked. 0: each tag has two sources; 1: some have one."""
    parser = argparse.ArgumentParser(prog="script/catalog-sources", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--look-in", type=Path, help="a folder with git directories of stores and makers")
    parser.add_argument("--upstream", action="store_true", help="what entries name and their makers do not")
    parser.add_argument("--write", action="store_true", help="put what was found into the entries")
    parser.add_argument("service", nargs="*", help="ids; none: every entry")
    given = parser.parse_args(arguments)
    wanted = [d for d in packaged_definitions() if not given.service or d.id in given.service]
    thin = [d for d in wanted if len(tag_sources(d)) < 2]
    found = repositories(given.look_in) if given.look_in else {}
    if given.upstream:
        return _upstream(wanted, found)
    stores, tags = said_in_stores(found), {name.lower(): set(git(at, "tag").split()) for name, at in found.items()}
    proper = {name.lower(): name for name in found}
    left = 0
    for definition in thin:
        image = definition.container.image
        have = tag_sources(definition)
        also = [w for w in stores.get((plain(image.repository), image.tag), []) if _other(w, have)]
        also += [re.sub(r"^\S+", lambda m: proper[m[0]], w) for w in released(definition, tags)]
        also = [w for w in also if _other(w, have)]
        left += not also
        print(f"{definition.id}\t{image.reference}\t{'; '.join(have)}\t{'; '.join(also) or '-'}")
        if also and given.write:
            _add(packaged_folder() / definition.category / f"{definition.id}.yaml", also[:2])
    print(f"{len(thin)} of {len(wanted)} tags rest on one source; for {left} of them none was found.", file=sys.stderr)
    return 1 if left or (thin and not given.write) else 0


def _upstream(wanted: Iterable[ServiceDefinition], found: dict[str, Path]) -> int:
    proper = {name.lower(): name for name in found}
    looked, doubtful = 0, 0
    for definition in wanted:
        at = {proper[n]: found[proper[n]] for n in sorted(related(definition)) if n in proper}
        tags = {name: set(git(where, "tag").split()) for name, where in at.items()}
        chosen = {name: (where, _release(definition, tags[name]) or "HEAD") for name, where in at.items()}
        if not chosen:
            continue
        looked += 1
        questions = [*unsaid(definition, chosen), *(q for at in chosen.values() for q in doubts(definition, *at))]
        doubtful += bool(questions)
        for one in questions:
            print(f"{definition.id}\t{one.kind}\t{', '.join(one.names)}\t{one.at}", flush=True)
    print(f"{looked} entries looked at, questions about {doubtful}.", file=sys.stderr)
    return 0


def _other(where: str, have: Iterable[str]) -> bool:
    """Whether a place is independent of those already named: another repository, and no kin of one."""
    repository = where.split()[0]
    known = {w.split()[0].lower() for w in have}
    kin = next((k for k in _KIN if repository in k), {repository})
    return not {k.lower() for k in kin} & known


def _add(path: Path, places: Sequence[str]) -> None:
    """One more source at the end of the entry's list."""
    text = path.read_text("utf-8")
    line = f"  - facts: image tag\n    where: {'; '.join(places)}\n"
    changed = re.sub(r"(^sources:\n(?:[ ]{2,}.*\n)+)", lambda m: m[1] + line, text, count=1, flags=re.MULTILINE)
    path.write_text(changed, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
