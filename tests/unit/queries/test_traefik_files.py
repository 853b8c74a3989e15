"""Traefik's files on the disk: of a folder of stacks, and of a lab with what a plan would change."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.adapters.paths_reader import PathsReader
from homelab_mcp.core.checks import lint
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.lab_stacks import lint_stacks
from homelab_mcp.queries.validate import validate_paths

PROXY = "services:\n  traefik:\n    image: traefik:v3.6.2\n    volumes: ['./conf:/etc/traefik:ro']\n"
STATIC = "entryPoints: {web: {address: ':80'}}\nproviders: {file: {directory: /etc/traefik/dyn}}\n"
WEB = """\
services:
  web:
    image: nginx:1.29
    labels:
      traefik.http.routers.web.rule: Host(`web.example.org`)
      traefik.http.routers.web.middlewares: zip@file
"""
ZIP = "http: {middlewares: {zip: {compress: {}}}}\n"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    files = {"proxy/compose.yaml": PROXY, "proxy/conf/traefik.yml": STATIC, "web/compose.yaml": WEB}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "proxy/conf/dyn/more").mkdir(parents=True)
    (tmp_path / "proxy/conf/dyn/more/headers.yml").write_text("http: {middlewares: {safe: {compress: {}}}}\n")
    return tmp_path


def missing(lab: Path, changed: dict[str, str | None]) -> list[str]:
    files = LabFiles(lab)
    found = lint(lint_stacks(files, read_stacks(files), changed))
    return [f.message for f in found if f.rule == "HL068"]


def test_a_folder_of_stacks_is_read_with_traefiks_files(lab: Path) -> None:
    found = validate_paths([str(lab)], reader=PathsReader()).findings
    assert [f.message for f in found if f.rule == "HL068"] == ["No file of Traefik's defines the middleware 'zip'."]
    (lab / "proxy/conf/dyn/zip.yml").write_text(ZIP)
    found = validate_paths([str(lab)], reader=PathsReader()).findings
    assert "HL068" not in {f.rule for f in found}


def test_a_lab_is_seen_as_it_would_be(lab: Path) -> None:
    assert missing(lab, {})
    assert not missing(lab, {"proxy/conf/dyn/more/zip.yml": ZIP})
    assert not missing(lab, {"proxy/conf/dyn/deep/zip.yml": ZIP})
    (lab / "proxy/conf/dyn/zip.yml").write_text(ZIP)
    assert not missing(lab, {})
    assert missing(lab, {"proxy/conf/dyn/zip.yml": None})


def test_through_a_link_nobody_looks(lab: Path) -> None:
    (lab / "proxy/conf/dyn/zip.yml").symlink_to(lab / "elsewhere.yml")
    assert not missing(lab, {})


def test_names_of_a_folder(lab: Path) -> None:
    assert LabFiles(lab).names("proxy/conf") == ["dyn/", "traefik.yml"]
    assert LabFiles(lab).names("proxy/gone") is None
    assert LabFiles(lab).names("proxy/compose.yaml") is None
    assert PathsReader().names(str(lab / "proxy/conf")) == ["dyn/", "traefik.yml"]
    assert PathsReader().names(str(lab / "gone")) is None
