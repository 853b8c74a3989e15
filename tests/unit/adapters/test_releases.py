"""Releases asked over real HTTP from a small stand-in that speaks as the three kinds of hosts do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from homelab_mcp.adapters.releases import HttpReleases
from homelab_mcp.core.release_notes import Source
from homelab_mcp.model.errors import EngineUnavailable, NotFound
from tests.releases_stand_in import SECRET_WORDS, Host, asker, releases_served

pytestmark = pytest.mark.unit


@pytest.fixture
def host() -> Iterator[Host]:
    with releases_served() as made:
        yield made


@pytest.fixture
def releases(host: Host, tmp_path: Path) -> HttpReleases:
    return asker(host, tmp_path)


WIKI = Source("github.com", "makers/wiki")


def test_each_kind_of_host_is_asked_in_its_own_way(host: Host, releases: HttpReleases) -> None:
    found = releases.of(WIKI)
    assert [(r.tag, r.security, r.ids) for r in found.found] == [
        ("v1.1.0", True, ("CVE-2026-1111",)),
        ("v1.0.0", False, ()),
    ]
    assert found.whole
    below = releases.of(Source("gitlab.com", "group/below/wiki"))
    assert ([r.security for r in below.found], below.whole) == ([True], False)
    assert releases.of(Source("codeberg.org", "makers/wiki")).found[0].ids == ("CVE-2026-1111",)
    assert not releases.of(Source("github.com", "makers/long")).whole
    assert host.asked[0] == "/repos/makers/wiki/releases?per_page=50"


def test_what_was_learnt_is_not_asked_again_by_another_process_either(
    host: Host, releases: HttpReleases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = releases.of(WIKI)
    assert releases.of(WIKI) == first
    assert asker(host, tmp_path).of(WIKI) == first
    assert len(host.asked) == 1
    kept = tmp_path / ".homelab" / "releases.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert SECRET_WORDS[:10] not in kept.read_text()
    now = time.time()
    monkeypatch.setattr("homelab_mcp.adapters.releases_kept.time.time", lambda: now + 7 * 3600)
    releases.of(WIKI)
    assert len(host.asked) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"projects": {"github.com/makers/wiki": {"at": 9e99}}}', "\x00\xff"])
def test_a_file_of_what_was_learnt_that_is_spoilt_is_made_anew(host: Host, tmp_path: Path, text: str) -> None:
    (tmp_path / ".homelab").mkdir()
    (tmp_path / ".homelab" / "releases.json").write_text(text)
    assert asker(host, tmp_path).of(WIKI).found
    assert asker(host, tmp_path).of(WIKI).found
    assert len(host.asked) == 1


def test_a_place_that_cannot_be_written_only_means_asking_again(host: Host, tmp_path: Path) -> None:
    (tmp_path / ".homelab").write_text("a file")
    assert asker(host, tmp_path).of(WIKI).found
    assert asker(host, tmp_path).of(WIKI).found
    assert len(host.asked) == 2


def test_a_renamed_project_is_followed_and_another_host_is_not(host: Host, releases: HttpReleases) -> None:
    assert releases.of(Source("github.com", "old/name")).found[0].tag == "v1.1.0"
    host.mood = "away"
    with pytest.raises(EngineUnavailable) as told:
        releases.of(WIKI)
    assert "points to another host" in told.value.message
    assert "169.254" not in told.value.as_text()


@pytest.mark.parametrize("mood", ["limit", "busy"])
def test_a_host_that_asks_for_patience_is_left_alone_by_all(host: Host, tmp_path: Path, mood: str) -> None:
    host.mood = mood
    for path in ("makers/wiki", "makers/long", "makers/other"):
        with pytest.raises(EngineUnavailable) as told:
            asker(host, tmp_path).of(Source("github.com", path))
        assert told.value.code == "releases_limit"
    assert len(host.asked) == 1
    host.mood = ""
    assert asker(host, tmp_path).of(Source("codeberg.org", "makers/wiki")).found, "another host is another matter"


@pytest.mark.parametrize(
    ("mood", "says"), [("broken", "answers as no host of releases"), ("big", "sends more than it should")]
)
def test_an_answer_that_is_none_is_told(host: Host, releases: HttpReleases, mood: str, says: str) -> None:
    host.mood = mood
    with pytest.raises(EngineUnavailable) as told:
        releases.of(WIKI)
    assert says in told.value.message


def test_a_host_that_sends_a_byte_now_and_then_is_given_up_in_time(host: Host, tmp_path: Path) -> None:
    host.mood = "slow"
    begun = time.monotonic()
    with pytest.raises(EngineUnavailable) as told:
        asker(host, tmp_path, seconds=0.5).of(WIKI)
    assert "did not answer within 0.5 seconds" in told.value.message
    assert time.monotonic() - begun < 3


def test_what_is_not_there_and_who_is_not_there_is_told(releases: HttpReleases, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as missing:
        releases.of(Source("github.com", "makers/none"))
    assert missing.value.code == "releases_unknown"
    with pytest.raises(EngineUnavailable) as silent:
        HttpReleases(str(tmp_path), apis={"github.com": "http://127.0.0.1:9"}).of(WIKI)
    assert "cannot be reached" in silent.value.message
