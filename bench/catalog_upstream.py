"""What a catalog entry says of its image and the makers' own repositories do not: places to read again.

Run: ``script/catalog-sources --upstream --look-in FOLDER [SERVICE...]``. FOLDER holds git directories of the makers'
repositories. Each is searched at the tag of the entry's release, or at its newest commit where it has no such tag, for
the variables, ports, folders and health check that the entry names. A name that is put together by a program, or that
its base image knows, is not found either; so each line is a question, not an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.git_folders import git
from homelab_mcp.model.definition import ServiceDefinition

_OF_THE_SYSTEM = frozenset({"TZ", "HOME", "PATH", "LANG"})
_PROGRAMS = re.compile(r"\b(curl|wget|bash|nc|python3?|node|perl)\b")
_WHOLE = r"^(docker\.io/)?(library/)?(node|python|ruby|golang|rust)(:(?!.*(slim|alpine))|$)"
_BASES = {
    "wget": rf"alpine|busybox|{_WHOLE}",
    "curl": rf"{_WHOLE}|(^|/)(php|nginx|tomcat|buildpack-deps)\b|linuxserver/baseimage|jlesage/baseimage",
    "bash": r"debian|ubuntu|bookworm|trixie|noble|slim|jammy|bullseye|aspnet|rockylinux|fedora|ubi",
    "nc": r"alpine|busybox",
    "node": r"(^|/)node\b",
    "python": r"(^|/)python\b",
    "python3": r"(^|/)python\b",
}
"""By program, the base images that have it."""
_USER = re.compile(r"(?im)^USER\s+(\S+)")
_MEMORY = re.compile(
    r"(?im)^.*(?:\d ?(?:GB|GiB|MB|MiB)\b.{0,40}\b(?:RAM|memory)|\b(?:RAM|memory)\b.{0,40}\d ?(?:GB|GiB|MB)\b).*$"
)
_ADDRESS = re.compile(r"https?://[^/\s\"']+(/[^\s\"'?]*)")


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What of one kind an entry names and none of its makers' repositories does; ``at`` says where was looked."""

    kind: str
    names: tuple[str, ...]
    at: str


def wanted(definition: ServiceDefinition) -> dict[str, set[str]]:
    """By kind, the words that the makers' repositories should have."""
    container = definition.container
    health = " ".join(container.health.test) if container.health else ""
    paths = {p.rstrip("/") for p in _ADDRESS.findall(health)} - {""}
    return {
        "variable": set(container.environment) - _OF_THE_SYSTEM,
        "port": {str(p.container) for p in container.ports},
        "folder": {v.target.rstrip("/") for v in container.volumes if v.target and v.kind not in {"host", "socket"}},
        "health check's path": {p.rpartition("/")[2] for p in paths},
        "health check's program": set(_PROGRAMS.findall(health)[:1]),
    }


def doubts(definition: ServiceDefinition, where: Path, revision: str) -> Iterator[Unsaid]:
    """What a repository says of the user that the image runs as, and of memory, where the entry says otherwise."""
    listed = git(where, "ls-tree", "-r", "--name-only", revision).splitlines()
    recipes = [git(where, "show", f"{revision}:{p}") for p in listed if "dockerfile" in p.rpartition("/")[2].lower()]
    if missing := _lacking(definition, recipes):
        yield Unsaid("health check's program in the last stage", missing, revision)
    users = [u[-1] for u in (_USER.findall(recipe) for recipe in recipes) if u]
    note, own = definition.container.user_note, [u for u in users if u.partition(":")[0] not in {"0", "root"}]
    if recipes and re.search(r"user of its own", note) and not own:
        yield Unsaid("user of its own", ("no recipe sets one",), revision)
    if own and len(own) == len(recipes) and re.search(r"^(The image runs as root|Starts as root|Root)", note):
        yield Unsaid("root", tuple(sorted(set(own))), revision)
    if not definition.minimum_memory:
        pages = [p for p in listed if re.search(r"(?i)(^|/)(readme|install|require|docker|deploy)[^/]*\.mdx?$", p)]
        said = [line for p in pages[:40] for line in _MEMORY.findall(git(where, "show", f"{revision}:{p}"))]
        if said:
            yield Unsaid("memory", tuple(line.strip()[:200] for line in said[:3]), revision)


def _lacking(definition: ServiceDefinition, recipes: list[str]) -> tuple[str, ...]:
    """The health check's program and the base images of the recipes, where none of them is seen to have it."""
    health = definition.container.health
    named = [] if health is None else _PROGRAMS.findall(" ".join(health.test))[:1]
    bases = [_last_stage(recipe, program) for recipe in recipes for program in named]
    return () if "" in bases or not bases else (*named, *sorted(set(bases)))


def _last_stage(recipe: str, program: str) -> str:
    """The base image of a recipe's last stage; "" where the stage, one it is made from, or the base has the program."""
    stages, name = dict[str, tuple[str, str]](), ""
    for part in re.split(r"(?im)^(?=FROM\s)", recipe)[1:]:
        head, _, body = part.partition("\n")
        words = [w for w in head.split() if not w.startswith("--")]
        name = words[3] if len(words) > 3 else f"stage {len(stages)}"
        stages[name] = (words[1], body)
    base, body = stages.get(name, ("no recipe", ""))
    while True:
        if re.search(rf"\b{program}\b", re.sub(r"(?im)^HEALTHCHECK.*(\n\s+CMD.*)?", "", body)):
            return ""
        if base not in stages:
            break
        base, body = stages.pop(base)
    return "" if re.search(_BASES.get(program, "$^"), base) else base


def unsaid(definition: ServiceDefinition, repositories: dict[str, tuple[Path, str]]) -> Iterator[Unsaid]:
    """The kinds with words that no repository has.

    Args:
        definition: the entry.
        repositories: by ``owner/name``, the git directory and the revision to look at.
    """
    words = wanted(definition)
    every = {word for kind in words.values() for word in kind}
    seen: set[str] = set()
    for where, revision in repositories.values():
        left = every - seen
        asked = [part for word in sorted(left) for part in ("-e", word)]
        if asked:
            lines = git(where, "grep", "-ohIF", *asked, revision).splitlines()
            seen |= left & {line.strip() for line in lines}
    at = ", ".join(f"{name} {revision}" for name, (_, revision) in repositories.items())
    for kind, names in words.items():
        if missing := tuple(sorted(names - seen)):
            yield Unsaid(kind, missing, at)
