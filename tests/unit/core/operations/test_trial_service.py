"""A trial gets nothing of the host and of the lab, whatever the definition asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core import plan_codec
from homelab_mcp.core.operations.trial_service import TrialRequest, trial_service
from homelab_mcp.core.plan_record import outline_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.plan import Draft, Plan, Requester, Risk
from homelab_mcp.model.trial import TRIAL_LABEL, Trial
from tests.unit.core.operation_parts import SETTINGS, argon2, secret
from tests.unit.core.operation_parts import find as find_made

VALUES: dict[str, str] = {}
"""Of variables whose values must have a certain form."""
CATALOG = {d.id: d for d in packaged_definitions()}


def tried(settings: LabSettings = SETTINGS, find: Any = find_made, **request: Any) -> Draft:
    return trial_service(
        settings, TrialRequest(**request), find=find, secrets=secret, argon2=argon2, root="/srv/where-the-lab-is"
    )


def trial_of(draft: Draft) -> Trial:
    assert draft.trial is not None
    return draft.trial


def compose_of(draft: Draft) -> dict[str, Any]:
    found = json.loads(trial_of(draft).compose_text)
    assert isinstance(found, dict)
    return found


def test_a_service_with_its_database_runs_apart_with_throw_away_secrets() -> None:
    draft = tried(service="app")
    trial, text = trial_of(draft), compose_of(draft)
    assert (trial.main, trial.services) == ("app", ("app", "app-db"))
    assert draft.edits == ()
    assert draft.verifications == ()
    assert text["networks"]["trial"]["internal"] is True
    db = text["services"]["app-db"]
    assert db["volumes"] == [{"type": "volume", "target": "/var/lib/postgresql/data"}]
    assert db["restart"] == "no"
    assert db["deploy"]["resources"]["limits"]["pids"]
    assert "APP_DB_PASSWORD=" in trial.env_text
    assert draft.secrets
    assert all(value not in trial.compose_text for value in draft.secrets)
    assert "where-the-lab-is" not in trial.compose_text, "labels carry the lab's mark alone"


def test_no_definition_of_the_catalog_gets_anything_of_the_host() -> None:
    allowed = {
        "image", "user", "command", "entrypoint", "environment", "tmpfs", "shm_size", "healthcheck", "deploy", "init",
        "depends_on", "security_opt", "stop_grace_period", "volumes", "labels", "restart", "networks", "logging",
    }  # fmt: skip
    for one in CATALOG.values():
        plain = [v for v in one.variables if v.required and v.default is None and not v.generate and not v.secret]
        asked = {v.name: VALUES.get(v.name) or (v.choices or ["x" * 12])[0] for v in plain}
        draft = tried(find=CATALOG.__getitem__, service=one.id, environment=asked)
        for name, block in compose_of(draft)["services"].items():
            assert set(block) <= allowed, name
            assert all(set(v) == {"type", "target"} and v["type"] == "volume" for v in block["volumes"])
            assert set(block["labels"]) == {TRIAL_LABEL}
            assert block["networks"] == ["trial"]
            assert block["deploy"]["resources"]["limits"]["memory"]
        if any(v.kind in ("host", "socket") for v in one.container.volumes):
            assert any("Left out" in note for note in draft.notes)


def test_files_of_a_definition_are_found_where_its_folder_is_mounted() -> None:
    trial = trial_of(tried(find=CATALOG.__getitem__, service="prometheus"))
    (file,) = trial.files
    assert (file.path, file.uid) == ("/etc/prometheus/prometheus.yml", SETTINGS.puid)
    assert "scrape_configs:" in file.text
    assert {f.target for f in trial.folders} == {"/prometheus", "/etc/prometheus"}


def test_an_image_runs_with_words_that_nobody_expands() -> None:
    draft = tried(image="busybox:1", command="sh -c 'echo $HOME; exit 3'", environment={"A": "${B}"}, internet=True)
    block = compose_of(draft)["services"]["trial"]
    assert block["command"] == ["sh", "-c", "echo $$HOME; exit 3"]
    assert block["environment"] == {"A": "$${B}"}
    assert compose_of(draft)["networks"]["trial"]["internal"] is False
    told = " ".join(r.reason for r in draft.risks)
    assert all(r.risk is Risk.MEDIUM for r in draft.risks)
    assert "internet" in told
    assert "exit 3" in told


@pytest.mark.parametrize(
    "request_", [{}, {"service": "app", "image": "busybox:1"}, {"image": "busybox:1", "command": "echo 'open"}]
)
def test_what_cannot_be_tried_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        tried(**request_)


def test_a_stored_trial_is_the_same_and_its_outline_has_none_of_it() -> None:
    draft = tried(find=CATALOG.__getitem__, service="prometheus")
    plan = plan_codec.seal(Plan("a" * 32, draft, Risk.MEDIUM, (), (), {}, Requester("cli"), 1.0, 2.0))
    assert plan_codec.plan_from_json(plan_codec.plan_to_json(plan)) == plan
    assert outline_of(plan).draft.trial is None
