"""The linter and the real ``docker compose config`` agree on every compose file of this repository."""

from pathlib import Path

import pytest
import yaml

from bench.disagreements import FALSE_ERROR, MISSED, UNEXPLAINED, compare, in_folder, main, report, repository
from bench.validate import compose_binary
from homelab_mcp.adapters.compose_judge import ComposeJudge
from homelab_mcp.core.checks.asleep import ASKED_OF_THE_STARTED
from homelab_mcp.core.checks.frame import Rule, all_rules

WEB = "services:\n  web:\n    image: nginx:1.29\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_unexplained_is_left_on_the_repositorys_own_files(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """All of them with --nightly, else every seventh: Compose takes a tenth of a second for each."""
    program, subjects = compose_binary(), repository(tmp_path)
    mine = subjects if request.config.getoption("--nightly") else subjects[::7]
    result = compare(mine, ComposeJudge(program=[program] if program else None))

    assert len(subjects) > 1000
    assert result.files == len(mine)
    assert result.refused > len(mine) / 15
    assert result.of(*UNEXPLAINED) == (), report(result, everything=False)


def test_an_error_of_ours_that_compose_does_not_share_is_shown_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compose.yaml").write_text(WEB)
    assert main(["--only", str(tmp_path)]) == 0
    # A rule's word in a comment hides our error, so that Compose alone has one: a disagreement made to measure.
    hidden = "    networks: [front]  # homelab: ignore=HL020 for the test\n"
    (tmp_path / "compose.yaml").write_text(WEB + hidden)
    assert main(["--only", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert f"{MISSED}, as it is: {tmp_path}/compose.yaml" in told
    assert "undefined network" in told
    assert f"{FALSE_ERROR}: 0" in told


def test_a_fault_behind_a_missing_variable_is_compared_too(tmp_path: Path) -> None:
    hidden = "    networks: [front]  # homelab: ignore=HL020 for the test\n"
    (tmp_path / "compose.yaml").write_text(f"{WEB}    volumes: ['${{DATA}}:/data']\n{hidden}")
    found = compare(list(in_folder(tmp_path)), ComposeJudge()).of(MISSED)
    assert [d.when for d in found] == ["filled in"]


def test_files_in_folders_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "app.yml").write_text(WEB)
    (tmp_path / "a" / "values.yaml").write_text("replicas: 2\n")
    assert [s.title for s in in_folder(tmp_path)] == [str(tmp_path / "a" / "app.yml")]


@pytest.mark.parametrize("rule", [r for r in all_rules() if r.id in ASKED_OF_THE_STARTED], ids=lambda rule: rule.id)
def test_compose_takes_it_of_a_service_whose_profile_is_switched_off(tmp_path: Path, rule: Rule) -> None:
    awake = yaml.safe_load(rule.bad)
    asleep = {
        **awake,
        "services": {
            "started": {"image": "nginx:1.29"},
            **{name: {**body, "profiles": ["later"]} for name, body in awake["services"].items()},
        },
    }
    for name, made in (("awake", awake), ("asleep", asleep)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(yaml.safe_dump(made))
    program = compose_binary()
    result = compare(list(in_folder(tmp_path)), ComposeJudge(program=[program] if program else None))
    assert result.refused == 1
    assert result.of(*UNEXPLAINED) == (), report(result, everything=False)
