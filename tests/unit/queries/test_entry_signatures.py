"""What a catalog entry says of its lines counts when its service is diagnosed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import pytest

from homelab_mcp.adapters.catalog_files import load_catalog
from homelab_mcp.adapters.failure_files import load_signatures
from homelab_mcp.core.catalog import Catalog
from homelab_mcp.core.diagnosis import diagnose
from homelab_mcp.model.diagnosis import ContainerFacts, Facts
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.ports import Lab
from homelab_mcp.queries.diagnose import entry_signatures

FOLDER = 'level=warning msg="Error on folder \\"Photos\\" (abcd): folder marker missing (this indicates data loss)"'


@dataclass
class Shelf:
    """As much of a lab as the question needs: its catalog."""

    root: Path

    @cached_property
    def catalog(self) -> Catalog:
        return load_catalog(self.root)


def crashed(image: str, line: str) -> Facts:
    state = ContainerState("c1", "app", image, "restarting", "", "apps", "app", exit_code=1, restart_count=3)
    one = ContainerFacts(state, restart="always")
    return Facts("apps", "app", image=image, containers=(one,), logs=(line,), signatures=load_signatures())


def causes(root: Path, found: Facts) -> list[str]:
    lab = cast("Lab", Shelf(root))
    return [c.id for c in diagnose(replace(found, signatures=(*found.signatures, *entry_signatures(lab, found))))]


def test_a_line_that_only_the_entry_knows_is_told(tmp_path: Path) -> None:
    assert causes(tmp_path, crashed("syncthing/syncthing:2.1.3", FOLDER))[0] == "syncthing_1"
    assert "syncthing_1" not in causes(tmp_path, crashed("nginx:1.29", FOLDER))


def test_upper_and_lower_case_differ_as_on_its_page(tmp_path: Path) -> None:
    image = "lscr.io/linuxserver/duckdns:1"
    assert "duckdns_1" in causes(tmp_path, crashed(image, "Something went wrong, please check your settings: KO"))
    assert "duckdns_1" not in causes(tmp_path, crashed(image, "Your IP was updated, token accepted"))


def test_what_a_held_signature_tells_is_told_once(tmp_path: Path) -> None:
    line = "Unable to access 1337x.to, blocked by CloudFlare Protection."
    told = causes(tmp_path, crashed("lscr.io/linuxserver/prowlarr:2.5.2", line))
    assert told[0] == "refused_by_site"
    assert "prowlarr_1" not in told


@pytest.mark.parametrize("text", ["id: [", "id: syncthing\nnonsense: true\n"])
def test_an_own_entry_that_cannot_be_read_keeps_nobody_from_diagnosing(tmp_path: Path, text: str) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "syncthing.yaml").write_text(text, encoding="utf-8")
    assert causes(tmp_path, crashed("syncthing/syncthing:2.1.3", FOLDER))
