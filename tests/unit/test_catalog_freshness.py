"""Newer tags for the catalog: Renovate's pattern sees every image, and the script writes what a registry has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.catalog_updates import entries, main, proposals
from homelab_mcp.core.catalog import parse_definition
from homelab_mcp.core.image_updates import ImageName
from homelab_mcp.model.errors import EngineUnavailable

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "catalog"
MANAGER = json.loads((ROOT / "renovate.json").read_text())["customManagers"][0]


class KnownTags:
    """A registry that has these tags and knows no other repository."""

    def __init__(self, tags: dict[str, tuple[str, ...]]) -> None:
        self._tags = tags

    def tags(self, image: ImageName) -> tuple[str, ...]:
        if image.repository not in self._tags:
            raise EngineUnavailable("The registry does not answer.", code="registry_unavailable", hint="Later.")
        return self._tags[image.repository]

    def digest(self, image: ImageName) -> str:
        raise NotImplementedError(image)


def pattern() -> re.Pattern[str]:
    """Renovate's, as Python writes named groups; it uses RE2, which knows no look-around and no back-reference."""
    (text,) = MANAGER["matchStrings"]
    assert not re.search(r"\(\?(?!<[a-zA-Z]|:)|\\[1-9]", text)
    return re.compile(re.sub(r"\(\?<([a-zA-Z]+)>", r"(?P<\1>", text))


def test_renovates_pattern_finds_each_image_of_each_entry_and_nothing_else() -> None:
    found_in = re.compile(MANAGER["managerFilePatterns"][0].strip("/"))
    seen, files = 0, sorted(path.relative_to(ROOT) for path in CATALOG.rglob("*") if path.is_file())
    assert [str(path) for path in files if not found_in.search(str(path))] == ["catalog/definition.schema.json"]
    for path, definition in entries(CATALOG):
        images = [each.image for each in (definition.container, *definition.companions.values())]
        found = [
            (m["depName"], m["currentValue"], m["currentDigest"]) for m in pattern().finditer(path.read_text("utf-8"))
        ]
        assert found == [(image.repository, image.tag, image.digest) for image in images], path
        seen += len(found)
    assert seen > 190


def test_the_pattern_takes_quoted_tags_and_digests() -> None:
    digest = "sha256:" + "a" * 64
    for text, wanted in (
        ('image: {repository: a/b, tag: "1.0"}', ("a/b", "1.0", None)),
        (f"image: {{repository: ghcr.io/a/b, tag: v1, digest: {digest}}}", ("ghcr.io/a/b", "v1", digest)),
    ):
        match = pattern().search(text)
        assert match and (match["depName"], match["currentValue"], match["currentDigest"]) == wanted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("media/immich", "communication/gotify"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text((CATALOG / f"{name}.yaml").read_text())
    return tmp_path


def registry_above(folder: Path) -> tuple[KnownTags, str]:
    """One that has a next patch, minor and major of gotify, other flavours beside them; and gotify's tag now."""
    tag = next(d.container.image.tag for p, d in entries(folder) if d.id == "gotify")
    major, minor, patch = (int(n) for n in tag.split("."))
    newer = (f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0")
    return KnownTags({"gotify/server": (tag, "latest", f"{major}.{minor}.{patch + 9}-arm", *newer)}), tag


@pytest.mark.parametrize(("most", "place"), [("patch", 2), ("minor", 1), ("major", 0)])
def test_a_newer_tag_is_no_larger_a_step_than_asked_for(folder: Path, most: str, place: int) -> None:
    registry, tag = registry_above(folder)
    (found,) = [one for one in proposals(entries(folder, ["gotify"]), registry, most) if one.new]
    old, new = ([int(n) for n in each.split(".")] for each in (tag, found.new))
    assert found.step == most and [a != b for a, b in zip(old, new, strict=True)].index(True) == place


def test_what_is_written_is_the_tag_alone_and_a_silent_registry_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, tag = registry_above(folder)
    before = {path: path.read_text() for path in folder.rglob("*.yaml")}
    assert main(["--level", "patch"], registry, folder) == 1
    assert {path: path.read_text() for path in folder.rglob("*.yaml")} == before
    assert "immich: redis was not asked: The registry does not answer." in capsys.readouterr().err
    assert main(["--level", "patch", "--write", "gotify"], registry, folder) == 0
    assert "1 newer tags written." in capsys.readouterr().out
    path = folder / "communication" / "gotify.yaml"
    changed = [(a, b) for a, b in zip(before[path].splitlines(), path.read_text().splitlines(), strict=True) if a != b]
    assert len(changed) == 1 and changed[0][0].replace(tag, "") == re.sub(r"tag: [\d.]+", "tag: ", changed[0][1])
    assert parse_definition(path.read_text(), "gotify").container.image.tag != tag


def test_only_what_passed_is_marked_and_nothing_where_the_fault_is_nobodys_alone() -> None:
    from bench.catalog_deployed import marked, passed

    found = [definition for _, definition in entries(CATALOG, ["gotify", "immich"])]
    assert passed(found, {}) == ["gotify", "immich"]
    assert passed(found, {"immich": ["unhealthy"]}) == ["gotify"]
    assert passed(found, {"taking out": ["other bytes than before"]}) == []
    text = (CATALOG / "media" / "immich.yaml").read_text().replace("level: deployed", "level: generated")
    assert parse_definition(marked(text), "immich").level == "deployed"
    assert marked(marked(text)) == marked(text)
