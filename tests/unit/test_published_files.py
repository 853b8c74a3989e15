"""Files that others read of this project: the registry's entry, the image, units, forms, workflow; and releases."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from homelab_mcp import __version__
from homelab_mcp.adapters.http_probe import traefik_place
from homelab_mcp.model.errors import InvalidInput
from release.changelog import closed, section, version_key
from release.publish import prepared

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

TEXT = {"type": "string"}
INPUT: dict[str, Any] = {
    "description": TEXT, "isRequired": {"type": "boolean"}, "isSecret": {"type": "boolean"}, "value": TEXT,
    "format": {"enum": ["string", "number", "boolean", "filepath"]}, "default": TEXT, "placeholder": TEXT,
    "choices": {"type": "array", "items": TEXT}, "name": TEXT,
    "type": {"enum": ["positional", "named"]}, "valueHint": TEXT, "isRepeated": {"type": "boolean"},
}  # fmt: skip
ARGUMENT: dict[str, Any] = {
    "type": "object", "required": ["type"], "properties": INPUT, "additionalProperties": False,
    "if": {"properties": {"type": {"const": "named"}}}, "then": {"required": ["name"]},
    "else": {"anyOf": [{"required": ["value"]}, {"required": ["valueHint"]}]},
}  # fmt: skip
SERVER: dict[str, Any] = {
    "type": "object", "required": ["name", "description", "version"], "additionalProperties": False,
    "properties": {
        "$schema": {
            "type": "string",
            "pattern": r"^https://static\.modelcontextprotocol\.io/schemas/\d{4}-\d\d-\d\d/server\.schema\.json$",
        },
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "minLength": 3, "maxLength": 200},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "maxLength": 255},
        "packages": {"type": "array", "items": {
            "type": "object", "required": ["registryType", "identifier", "transport"], "additionalProperties": False,
            "properties": {
                "registryType": TEXT, "identifier": TEXT, "runtimeHint": TEXT,
                "version": {"type": "string", "minLength": 1, "maxLength": 255, "not": {"const": "latest"}},
                "transport": {
                    "type": "object", "required": ["type"], "properties": {"type": {"enum": ["stdio"]}},
                    "additionalProperties": False,
                },
                "packageArguments": {"type": "array", "items": ARGUMENT},
                "environmentVariables": {"type": "array", "items": {
                    "type": "object", "required": ["name"], "properties": INPUT, "additionalProperties": False,
                }},
            },
        }},
    },
}  # fmt: skip
"""The form of server.json, written down by hand: no package that could be pinned here carries the registry's schema.

It stands in modelcontextprotocol/registry, docs/reference/server-json/server.schema.json and, for the next version,
draft/server.schema.json beside it. This one was compared with the draft at 13760d02, which names 2025-12-11, in
November 2026, by thousands of changed entries: whatever this one takes, that one takes. This one is narrower: only
fields that are used, a transport of stdio, and nothing unknown, which the published one lets pass.
"""


def test_the_registrys_entry_has_its_form_and_is_ours() -> None:
    entry = json.loads((ROOT / "server.json").read_text("utf-8"))
    jsonschema_rs.validate(SERVER, entry)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (package,) = entry["packages"]
    assert package["identifier"] == project["name"]
    # `uvx PACKAGE` runs the command of that name.
    assert package["identifier"] in project["scripts"]
    assert {entry["version"], package["version"]} == {__version__}
    # The registry looks for this line in the package's description, which is the README.
    assert f"mcp-name: {entry['name']} " in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("", {"description": "x" * 101}),
        ("", {"name": "homelab-mcp-server"}),
        ("", {"homepage": "https://example.org"}),
        ("packages", {"version": "latest"}),
        ("packages", {"transport": {"url": "https://example.org"}}),
        ("packages", {"packageArguments": [{"type": "positional", "description": "neither value nor hint"}]}),
        ("packages", {"packageArguments": [{"type": "named", "value": "x"}]}),
        ("packages", {"environmentVariables": [{"name": "A", "format": "path"}]}),
    ],
)
def test_an_entry_that_the_registry_would_not_take_is_seen(place: str, wrong: dict[str, Any]) -> None:
    entry = json.loads((ROOT / "server.json").read_text("utf-8"))
    (entry[place][0] if place else entry).update(wrong)
    assert not jsonschema_rs.is_valid(SERVER, entry)


def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order."""
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Dockerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_runs_as_no_root_from_pinned_packages_with_a_health_check() -> None:
    steps = dockerfile()
    words = [word for word, _ in steps]
    known = {
        "ARG",
        "FROM",
        "COPY",
        "RUN",
        "ENV",
        "VOLUME",
        "USER",
        "WORKDIR",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    assert set(words) <= known
    last = steps[max(n for n, (word, _) in enumerate(steps) if word == "FROM") :]
    said = dict(last)
    arguments = dict(rest.split("=", 1) for word, rest in steps if word == "ARG")
    assert said["USER"] == "${UID}:${GID}"
    assert arguments["UID"] == arguments["GID"] == "1000"
    assert not [
        image for name, image in arguments.items() if name.endswith("IMAGE") and not re.search(r":\d[\w.-]*$", image)
    ]
    runs = said["RUN"]
    assert "--require-hashes" in runs
    assert all("--no-cache-dir" in part for part in runs.split("&&") if "pip install" in part)
    assert "/healthz" in said["HEALTHCHECK"]
    for word in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(said[word]), list), "a shell in between would not pass signals on"
    assert not [rest for word, rest in steps if word == "COPY" and re.search(r"(^| )\.($| )", rest)], (
        "all of a checkout"
    )


def test_the_units_hold_before_systemd(tmp_path: Path) -> None:
    units = sorted((DEPLOY / "systemd").iterdir())
    assert [unit.name for unit in units] == ["homelab-check.service", "homelab-check.timer", "homelab-mcp.service"]
    for unit in units:
        text = unit.read_text("utf-8")
        # What a reader is to change, made to fit this machine.
        text = text.replace("/opt/homelab-mcp/bin/homelab-mcp", shutil.which("true") or "").replace(
            "=homelab\n", "=root\n"
        )
        (tmp_path / unit.name).write_text(text, "utf-8")
        parsed = re.findall(r"^(?:\[\w+\]|#.*|[A-Z]\w+=\S.*|)$", text, re.MULTILINE)
        assert len(parsed) >= len(text.splitlines())
    if verify := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [verify, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        *(
            ("vendor.github-workflows", f".github/workflows/{name}.yml")
            for name in ("ci", "nightly", "catalog-updates")
        ),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/bug.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/service.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
    ],
)
def test_forms_and_workflow_are_as_published(schema: str, file: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(ROOT / file)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    if file == ".github/workflows/ci.yml":
        jobs = yaml.safe_load((ROOT / file).read_text("utf-8"))["jobs"]
        assert {"run": "script/test"} in jobs["test"]["steps"]


def test_a_release_closes_the_changelog_and_says_its_version_everywhere() -> None:
    files = prepared(ROOT, "9.0.0", "2030-01-02")
    assert "\n## Unreleased\n\n## 9.0.0 - 2030-01-02\n" in files["CHANGELOG.md"]
    assert section(files["CHANGELOG.md"], "9.0.0") == section((ROOT / "CHANGELOG.md").read_text("utf-8"), "Unreleased")
    assert files["src/homelab_mcp/__init__.py"].endswith('__version__ = "9.0.0"\n')
    entry = json.loads(files["server.json"])
    assert (entry["version"], entry["packages"][0]["version"]) == ("9.0.0", "9.0.0")
    assert "HOMELAB_MCP_VERSION=9.0.0\n" in files["deploy/env.example"]
    with pytest.raises(ValueError, match="not newer"):
        prepared(ROOT, "0.0.9", "2030-01-02")
    with pytest.raises(ValueError, match="nothing under Unreleased"):
        closed("# Changelog\n\n## Unreleased\n\n## 1.0.0 - 2029-01-01\n- x\n", "1.0.1", "2030-01-02")
    with pytest.raises(ValueError, match="a section of"):
        closed("## Unreleased\n- x\n## 1.0.0 - 2029-01-01\n- x\n", "1.0.0", "2030-01-02")


def test_versions_are_ordered_with_a_prerelease_before_its_release() -> None:
    rising = ["0.1.0", "0.2.0a1", "0.2.0b1", "0.2.0rc1", "0.2.0rc2", "0.2.0", "0.10.0", "1.0.0"]
    assert sorted(rising, key=version_key) == rising
    for bad in ("1", "1.0", "v1.0.0", "01.0.0", "1.0.0-rc.1", "1.0.0.dev1"):
        with pytest.raises(ValueError, match="no version"):
            version_key(bad)


def test_where_traefik_is_reached_from_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOMELAB_TRAEFIK", raising=False)
    assert traefik_place("0.0.0.0", 8443) == ("127.0.0.1", 8443)
    assert traefik_place("192.168.1.2", 443) == ("192.168.1.2", 443)
    for given, place in (("traefik:443", ("traefik", 443)), ("[fd00::1]:8443", ("fd00::1", 8443))):
        monkeypatch.setenv("HOMELAB_TRAEFIK", given)
        assert traefik_place("0.0.0.0", 1) == place
    for bad in ("traefik", "traefik:0", "traefik:70000", "https://traefik:443", "a b:443"):
        monkeypatch.setenv("HOMELAB_TRAEFIK", bad)
        with pytest.raises(InvalidInput, match="HOST:PORT"):
            traefik_place("0.0.0.0", 443)
