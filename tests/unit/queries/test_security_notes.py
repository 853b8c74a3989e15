"""The security note of an update, from the registry's tags to what a client and a terminal are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client
from typer.testing import CliRunner

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.core.image_updates import ImageName
from homelab_mcp.queries.check_lab import check_lab
from homelab_mcp.queries.check_updates import ImageUpdate, check_updates
from homelab_mcp.queries.security_notes import with_security
from homelab_mcp.server import build
from homelab_mcp.workflow.init_lab import init_lab
from tests.releases_stand_in import SECRET_WORDS, Host, asker, releases_served

pytestmark = pytest.mark.unit

COMPOSE = """\
services:
  grafana: {image: 'docker.io/grafana/grafana:13.3.0'}
  later: {image: 'docker.io/grafana/grafana:13.3.2'}
  other: {image: 'docker.io/somebody/thing:1.0.0'}
  newest: {image: 'docker.io/grafana/grafana:13.4.0'}
"""


class Tags:
    """A registry that has these tags of everything."""

    def tags(self, image: ImageName) -> tuple[str, ...]:
        return ("13.3.0", "13.3.2", "13.4.0", "1.0.0", "1.1.0")

    def digest(self, image: ImageName) -> str:
        return ""


@pytest.fixture
def host() -> Iterator[Host]:
    with releases_served() as made:
        yield made


@pytest.fixture
def lab(tmp_path: Path, host: Host) -> LocalLab:
    root = tmp_path / "lab"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, "27182818")
    (root / "apps").mkdir()
    (root / "apps/compose.yaml").write_text(COMPOSE)
    made = open_lab(str(root), files_only=True)
    made.__dict__ |= {"registry": Tags(), "releases": asker(host, root)}
    return made


def notes(lab: LocalLab, *, seconds: float = 10.0) -> dict[str, ImageUpdate]:
    return {one.service: one for one in with_security(lab, check_updates(lab, "apps"), seconds=seconds)}


def test_one_projects_odd_answer_keeps_nobody_elses_from_being_told(lab: LocalLab) -> None:
    class Odd:
        def of(self, source: object) -> object:
            raise RecursionError

    lab.__dict__["releases"] = Odd()
    told = notes(lab)
    assert (told["grafana"].newest, told["grafana"].security) == ("13.4.0", "unknown")
    assert told["grafana"].security_why == "what github.com answers could not be read"


def test_an_update_says_whether_its_release_notes_mention_security(lab: LocalLab, host: Host) -> None:
    assert {one.security for one in check_updates(lab, "apps", ["grafana"])} == {""}, "a plan needs no notes"
    assert host.asked == []
    told = notes(lab)
    assert (told["grafana"].newest, told["grafana"].security) == ("13.4.0", "yes")
    assert told["grafana"].security_ids == ("CVE-2026-1111",)
    assert told["grafana"].security_link == "https://github.com/grafana/grafana/releases/tag/v13.3.1"
    assert (told["later"].security, told["later"].security_link) == ("no", "")
    assert (told["other"].security, told["other"].security_why) == (
        "unknown",
        "no entry of the catalog describes this image",
    )
    assert (told["newest"].state, told["newest"].security) == ("current", "")
    assert len(host.asked) == 1, "two services of one project are one question"


OTHER_AREAS = ["services", "routes", "certificates", "backups", "host", "drift"]


def test_a_timers_check_tells_of_security_where_the_notes_do(lab: LocalLab, host: Host) -> None:
    told = {t.what: t.message for t in check_lab(lab, skip=OTHER_AREAS, also=["updates"]).troubles}
    assert told["apps/grafana"] == (
        "13.4.0 is there (minor), it runs docker.io/grafana/grafana:13.3.0. SECURITY: its release notes mention it "
        "(CVE-2026-1111): https://github.com/grafana/grafana/releases/tag/v13.3.1"
    )
    assert told["apps/later"].endswith("it runs docker.io/grafana/grafana:13.3.2."), "notes that mention none"
    assert told["apps/other"].endswith("it runs docker.io/somebody/thing:1.0.0."), "nobody knows"
    assert not [text for text in told.values() if SECRET_WORDS in text]
    asked = len(host.asked)
    flags = [word for area in OTHER_AREAS for word in ("--skip", area)]
    words = ["--root", lab.root, "--files-only", "check", "--updates", "--no-notes", *flags]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("homelab_mcp.cli.check.lab_of", lambda _: lab)
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 1, done.output
    assert "13.4.0 is there" in done.output
    assert "SECURITY" not in done.output
    assert len(host.asked) == asked, "nobody was asked"


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("limit", "github.com asks for patience: too many requests from here."),
        ("broken", "github.com answers as no host of releases does."),
        ("slow", "github.com did not answer within 0.3 seconds"),
    ],
)
def test_what_was_not_answered_is_unknown_and_the_update_is_told_all_the_same(
    lab: LocalLab, host: Host, mood: str, why: str
) -> None:
    host.mood = mood
    told = notes(lab, seconds=0.3 if mood == "slow" else 10.0)
    assert (told["grafana"].state, told["grafana"].newest) == ("update", "13.4.0")
    assert (told["grafana"].security, told["grafana"].security_why) == ("unknown", why)


def test_a_tag_that_moved_names_no_releases() -> None:
    moved = ImageUpdate("apps", "web", "a/b:latest", "moved", changelog="https://github.com/a/b/releases")
    nowhere = ImageUpdate("apps", "web", "a/b:1.0", "update", "1.1", changelog="https://example.org/", described=True)
    lab = LocalLab("/nowhere", files_only=True)
    assert [one.security_why for one in with_security(lab, [moved, nowhere])] == [
        "a tag that moves does not say which releases it went past",
        "its entry names no repository with releases that can be asked",
    ]


async def test_a_client_gets_ids_a_word_and_a_link_and_none_of_the_notes(lab: LocalLab) -> None:
    async with Client(build(lab)) as client:
        answer = await client.call_tool("check_updates", {"stack": "apps"})
    text = str(getattr(answer.content[0], "text", ""))
    rows = {row["service"]: row for row in json.loads(text)["images"]}
    assert rows["grafana"]["security"] == "yes"
    assert rows["grafana"]["security_ids"] == ["CVE-2026-1111"]
    assert rows["later"]["security"] == "no"
    assert rows["other"]["security"] == "unknown"
    assert SECRET_WORDS[:20] not in repr(answer)


def test_a_terminal_says_it_and_asks_nobody_where_that_is_not_wanted(
    lab: LocalLab, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homelab_mcp.cli.updates.lab_of", lambda ctx: lab)
    start = ["--root", lab.root, "--files-only", "updates", "--stack", "apps"]
    without = CliRunner().invoke(app, [*start, "--no-notes"], env={"COLUMNS": "200"})
    assert (without.exit_code, host.asked) == (0, []), without.output
    assert "mention" not in without.output
    told = CliRunner().invoke(app, start, env={"COLUMNS": "200"})
    assert "its release notes mention security (CVE-2026-1111): https://github.com/grafana/" in told.output
    assert "its release notes mention no security" in told.output
    assert "is unknown: no entry of the catalog describes this image" in told.output
    assert SECRET_WORDS[:20] not in told.output
