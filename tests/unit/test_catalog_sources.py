"""Second sources of tags, and what entries say that their makers do not: asked of real git repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.catalog_sources import related, released, said_in_stores, spelled
from bench.catalog_upstream import Unsaid, doubts, unsaid
from bench.git_folders import git, repositories
from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core.catalog_sources import tag_sources
from homelab_mcp.model.definition import ServiceDefinition

DEFINITIONS = {definition.id: definition for definition in packaged_definitions()}
RECIPE = """FROM node:22-alpine AS build
RUN apk add curl
FROM gcr.io/distroless/static
ENV GOTIFY_SERVER_PORT=80 GOTIFY_DEFAULTUSER_NAME=x GOTIFY_DEFAULTUSER_PASS=x
EXPOSE 8080
VOLUME /app/data
HEALTHCHECK CMD curl http://localhost/health
"""


def made(folder: Path, name: str, files: dict[str, str], tag: str = "") -> Path:
    """A git repository as a clone is kept: ``owner+name/repo``."""
    where = folder / name.replace("/", "+") / "repo"
    for path, text in files.items():
        (where / path).parent.mkdir(parents=True, exist_ok=True)
        (where / path).write_text(text)
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "x"), *((("tag", tag),) if tag else ())):
        subprocess.run(["git", *words], cwd=where, check=True, capture_output=True)
    return where / ".git"


def test_a_release_is_found_in_whatever_spelling_and_a_store_by_its_files(tmp_path: Path) -> None:
    gotify = DEFINITIONS["gotify"]
    image = gotify.container.image
    bare = image.tag.removeprefix("v")
    made(tmp_path, "gotify/server", {"README.md": "x"}, f"v{bare}")
    made(tmp_path, "truenas/apps", {"ix-dev/community/gotify/ix_values.yaml": _values(gotify), "other.yaml": "x"})
    found = repositories(tmp_path)
    assert set(found) == {"gotify/server", "truenas/apps"}
    assert said_in_stores(found) == {
        (image.repository.removeprefix("docker.io/"), image.tag): ["truenas/apps ix-dev/community/gotify"]
    }
    tags = {name: set(git(at, "tag").split()) for name, at in found.items()}
    assert list(released(gotify, tags)) == [f"gotify/server tag v{bare}"]


def _values(definition: ServiceDefinition) -> str:
    image = definition.container.image
    return f"images:\n  image:\n    repository: {image.repository}\n    tag: {image.tag}\n"


@pytest.mark.parametrize(
    ("tag", "release"),
    [
        ("1.10.1", "v1.10.1"),
        ("v0.9.3-omnibus", "v0.9.3"),
        ("9.17", "REL-9_17"),
        ("2.7", "v2.7.0"),
        ("1.2-jdk21", "1.2"),
    ],
)
def test_how_makers_spell_a_release(tag: str, release: str) -> None:
    assert release in set(spelled(tag))


def test_only_the_makers_own_repositories_count() -> None:
    assert "gotify/server" in related(DEFINITIONS["gotify"])
    assert not {"truenas/apps", "gethomepage/homepage"} & related(DEFINITIONS["gotify"])
    assert not [name for name in related(DEFINITIONS["immich"]) if name.startswith("docker-library/")]


def test_what_the_makers_do_not_say_is_asked_about(tmp_path: Path) -> None:
    gotify = DEFINITIONS["gotify"]
    where = made(tmp_path, "gotify/server", {"Dockerfile": RECIPE, "README.md": "Needs 512 MB of RAM at least.\n"})
    found = {one.kind: one.names for one in unsaid(gotify, {"gotify/server": (where, "HEAD")})}
    assert "port" not in found and "folder" not in found
    extra = gotify.container.model_copy(update={"environment": {"GOTIFY_NEW_NAME": "x", "TZ": "x"}})
    changed = gotify.model_copy(update={"container": extra, "minimum_memory": None})
    asked = list(unsaid(changed, {"gotify/server": (where, "HEAD")}))
    assert ("variable", ("GOTIFY_NEW_NAME",)) in {(one.kind, one.names) for one in asked}
    doubtful = {one.kind: one for one in doubts(changed, where, "HEAD")}
    assert doubtful["memory"] == Unsaid("memory", ("Needs 512 MB of RAM at least.",), "HEAD")
    # curl is in the stage that builds, and not in the one that is shipped.
    assert doubtful["health check's program in the last stage"].names == ("curl", "gcr.io/distroless/static")


def test_a_companions_tag_is_not_the_main_images() -> None:
    metabase = DEFINITIONS["metabase"]
    sources = [
        {"facts": "tag, variables of postgres", "where": "docker-library/official-images library/postgres"},
        {"facts": "image tag", "where": "a/b compose.yaml; c/d release 1.2"},
    ]
    one = ServiceDefinition.model_validate(metabase.model_dump() | {"sources": sources})
    assert tag_sources(one) == ("a/b compose.yaml", "c/d release 1.2")
