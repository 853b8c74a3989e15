"""Each known line of a log: a real one that it must tell as the likeliest cause, and one like it that it must not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.failure_files import failures_folder, load_bases, load_signatures
from homelab_mcp.core.diagnosis import diagnose
from homelab_mcp.core.diagnosis.known_lines import matches
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.diagnosis import ContainerFacts, Facts, Signature
from homelab_mcp.model.observed import ContainerState

SIGNATURES = {s.id: s for s in load_signatures()}
ROWS: list[dict[str, Any]] = [
    row
    for path in sorted(failures_folder().glob("*.yaml"))
    if path.name != "built-on.yaml"
    for row in load(path.read_text(encoding="utf-8"))
]
REVIEWED = Path(__file__).parents[2] / "tools" / "__snapshots__" / "test_contract"


def image_of(signature: Signature) -> str:
    """An image that the signature counts for, as a file names it."""
    word = signature.images[0] if signature.images else "app"
    return f"ghcr.io/{word}:1.2.3"


def crashed(image: str, line: str) -> Facts:
    state = ContainerState("c1", "app", image, "restarting", "", "apps", "app", exit_code=1, restart_count=3)
    one = ContainerFacts(state, restart="always", pids=200)
    return Facts("apps", "app", image=image, containers=(one,), logs=(line,), signatures=tuple(SIGNATURES.values()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_real_line_of_it_is_told_as_the_likeliest_cause(row: dict[str, Any]) -> None:
    signature = SIGNATURES[row["id"]]
    told = diagnose(crashed(image_of(signature), row["line"]))
    assert (told[0].id, told[0].fix.what) == (signature.family, signature.fix)
    assert told[0].evidence[0].startswith("log (untrusted data): "), "a container's own words, and said to be"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_line_like_it_and_another_image_are_left_alone(row: dict[str, Any]) -> None:
    signature = SIGNATURES[row["id"]]
    assert not list(matches((signature,), image_of(signature), (row["not_line"],)))
    if signature.images:
        assert not list(matches((signature,), "docker.io/library/nothing:1", (row["line"],)))


def test_every_signature_brings_its_lines() -> None:
    assert [row["id"] for row in ROWS if not {"line", "not_line"} <= set(row)] == []


def test_a_plan_is_made_by_a_tool_with_arguments_that_it_takes() -> None:
    for one in SIGNATURES.values():
        if one.tool:
            reviewed = json.loads((REVIEWED / f"test_each_tool_is_as_reviewed[{one.tool}].json").read_text("utf-8"))
            assert set(one.arguments) <= set(reviewed["inputSchema"]["properties"]) - {"service", "stack"}, one.id


def test_a_remedy_by_a_tool_names_the_service() -> None:
    fix = diagnose(crashed("dpage/pgadmin4:9.17", "ERROR  : Failed to create the directory /var/lib/pgadmin/sessions:"))
    assert fix[0].fix.as_dict()["tool"] == "fix_permissions"
    assert fix[0].fix.as_dict()["arguments"] == {"service": "app", "stack": "apps", "owner": "5050:5050"}


@pytest.mark.parametrize(
    ("known", "image", "hit"),
    [
        ("postgres", "docker.io/library/postgres:17", True),
        ("postgres", "ghcr.io/immich-app/postgres:14-vectorchord0.4.3", True),
        ("postgres", "postgres/tool:1", False),
        ("vaultwarden/server", "ghcr.io/vaultwarden/server:1.37.1", True),
        ("vaultwarden/server", "vaultwarden/server@sha256:00", True),
        ("vaultwarden/server", "gotify/server:3.0.0", False),
        ("vaultwarden/server", "not-vaultwarden/server:1", False),
        ("vaultwarden/server", "registry.lab.test:5000/vaultwarden/server", True),
        ("linuxserver/plex", "lscr.io/linuxserver/plex:1.43", True),
        ("linuxserver/plex", "plexinc/pms-docker:1.43", False),
    ],
)
def test_an_image_is_known_by_its_last_part_or_its_end(known: str, image: str, hit: bool) -> None:
    one = Signature("x", (known,), "boom", "x", "C.", "F.", "https://lab.test")
    assert bool(list(matches((one,), image, ("boom",)))) is hit


def test_every_image_that_a_base_names_is_one_of_the_catalog_or_of_a_like_lab() -> None:
    repositories = _repositories()
    foreign = {"monica", "snipe-it", "pixelfed", "linkace"}
    for base, images in load_bases().items():
        for image in images:
            assert image in foreign or any(image in repository for repository in repositories), (base, image)


def _repositories() -> list[str]:
    found: list[str] = []
    for path in (failures_folder().parent / "catalog").glob("*/*.yaml"):
        found += re.findall(r"repository: ([^,\s}]+)", path.read_text(encoding="utf-8"))
    return found


def test_a_base_that_nobody_wrote_down_is_refused(tmp_path: Path) -> None:
    row = "- {id: a, built_on: [nothing], pattern: x, cause: C., fix: F., source: 'https://lab.test'}\n"
    (tmp_path / "a.yaml").write_text(row, encoding="utf-8")
    with pytest.raises(ValueError, match="nothing"):
        load_signatures(tmp_path)


def test_the_image_word_of_linuxservers_start_log_is_no_failure() -> None:
    lines = ("[migrations] started", "usermod: no changes", "[ls.io-init] done.")
    state = ContainerState("c1", "app", "app", "running", "", "apps", "app")
    well = Facts("apps", "app", image="lscr.io/linuxserver/sonarr:4", containers=(ContainerFacts(state),), logs=lines)
    assert not list(matches(tuple(SIGNATURES.values()), well.image, lines))
