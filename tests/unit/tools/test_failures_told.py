"""A model asks which services survive which failure, through `audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.queries.survival import survives
from homelab_mcp.server import Offer, build

CORE = """services:
  traefik: {image: traefik:v3.7.13, restart: unless-stopped}
"""
MEDIA = """services:
  plex:
    image: example/plex:1
    restart: always
    volumes: ["films:/films:ro"]
    labels: {traefik.enable: "true", traefik.http.routers.plex.rule: Host(`plex.lab.test`)}
  tools: {image: example/tools:1}
volumes:
  films: {driver_opts: {type: nfs, o: "addr=${NAS_ADDRESS},rw", device: ":/films"}}
"""
ATTIC = """x-homelab: {host: nas}
services:
  share: {image: example/share:1, restart: always, volumes: ["./data:/data"]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    (tmp_path / "hosts.yaml").write_text("hosts:\n  nas: {address: 'ssh://root@192.168.1.20'}\n")
    (tmp_path / "global.env").write_text("NAS_ADDRESS=192.168.1.30\n")
    for name, text in (("core", CORE), ("media", MEDIA), ("attic", ATTIC), ("odd", "a: [")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(text)
    return tmp_path


async def told(root: Path, **arguments: Any) -> dict[str, Any]:
    """Of a server as it is offered when nobody chooses, and one that only reads."""
    found = []
    for offer in (Offer(), Offer(read_only=True)):
        async with Client(build(open_lab(str(root), files_only=True), offer=offer)) as client:
            answer = await client.call_tool("audit", {"what": "failures", **arguments})
            assert not answer.is_error, answer.content
            found.append(dict(answer.structured_content or {}))
    assert found[0] == found[1]
    return found[0]


async def test_each_failure_says_who_goes_on_and_who_does_not(root: Path) -> None:
    found = await told(root)
    rows = {row["failure"]: row for row in found["findings"]}
    assert found["counts"] == {"services": 4, "failures": len(rows)}
    assert found["unseen"] == ["The files of odd cannot be read, so its services are missing here."]
    assert rows["A service's program ends"]["down"] == {"no restart policy": ["media/tools"]}
    assert "Containers were not asked" in rows["A service's program hangs"]["note"]
    assert rows["core/traefik is down"]["goes_on"] == ["attic/share", "media/tools"]
    nas, share = rows["The machine nas is lost"], rows["The file server 192.168.1.30 is lost"]
    assert nas["down"] == {"it runs there and nowhere else": ["attic/share"]}
    assert nas["data_gone"] == ["attic/share"]
    assert share["down"] == {"its /films is on it": ["media/plex"]}
    assert set(share["goes_on"]) == {"attic/share", "core/traefik", "media/tools"}
    # The command says the same.
    command = {one["failure"]: one for one in survives(open_lab(str(root), files_only=True))["failures"]}
    assert command.keys() == rows.keys()
    for name, one in command.items():
        assert one["survive"] == len(rows[name]["goes_on"]), name
        assert one["down"].keys() == {w for names in rows[name]["down"].values() for w in names}, name


async def test_one_stack_alone_and_page_by_page(root: Path) -> None:
    whole = await told(root, stack="media")
    assert whole["counts"]["services"] == 2
    for row in whole["findings"]:
        named = [*row["goes_on"], *(w for names in row["down"].values() for w in names), *row.get("data_gone", [])]
        assert named, row
        assert all(where.startswith("media/") for where in named), row
    pages: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        page = await told(root, stack="media", limit=2, offset=offset)
        pages += page["findings"]
        offset = page.get("next_offset")
    assert pages == whole["findings"]


async def test_what_another_machine_takes_down_here_is_told(root: Path) -> None:
    """Traefik is on the lab's own machine, and serves a service of nas; its file server takes one of here down."""
    labels = '{traefik.enable: "true", traefik.http.routers.page.rule: Host(`page.lab.test`)}'
    (root / "attic/compose.yaml").write_text(f"{ATTIC}  page: {{image: a:1, restart: always, labels: {labels}}}\n")
    found = await told(root, host="nas")
    assert found["counts"] == {"services": 2, "failures": len(found["findings"])}
    assert "unseen" not in found
    rows = {row["failure"]: row for row in found["findings"]}
    assert rows["core/traefik is down"]["down"] == {"its address is served by it": ["attic/page"]}
    assert list(rows["The machine of the lab is lost"]["down"].values()) == [["attic/page"]]
    assert "The file server 192.168.1.30 is lost" not in rows, "it takes nothing of nas down"
    local = await told(root, host="local")
    assert "attic/" not in str([{**row, "note": ""} for row in local["findings"]])
    assert "odd" in str(local["unseen"])
    assert "The file server 192.168.1.30 is lost" in {row["failure"] for row in local["findings"]}


async def test_a_stack_that_is_not_there_is_refused(root: Path) -> None:
    async with Client(build(open_lab(str(root), files_only=True))) as client:
        answer = await client.call_tool("audit", {"what": "failures", "stack": "medai"})
    assert answer.is_error
    assert "Did you mean media? [not_found]" in str(answer.content)


async def test_of_many_names_the_first_are_told_and_how_many_more(root: Path) -> None:
    services = "".join(f"  s{n:03}: {{image: 'a:1', restart: always}}\n" for n in range(100))
    (root / "odd/compose.yaml").write_text(f"services:\n{services}")
    found = await told(root, stack="odd", limit=1)
    (row,) = found["findings"]
    assert row["goes_on"] == [*(f"odd/s{n:03}" for n in range(30)), "and 70 more"]
