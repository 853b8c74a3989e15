from pathlib import Path

import pytest

from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.core.status_view import declared
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.queries.find import find_service, read_stacks


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    texts = {
        "media": "services:\n  sonarr: {image: a}\n  db: {image: b, container_name: Media-DB}\n",
        "books": "services:\n  db: {image: b}\n  kavita: {image: c}\n",
        "broken": "services: [\n",
    }
    for stack, text in texts.items():
        (tmp_path / stack).mkdir()
        (tmp_path / stack / "compose.yaml").write_text(text)
    return LabFiles(tmp_path)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("sonarr", ("media", "sonarr")),
        ("Sonarr", ("media", "sonarr")),
        ("media/db", ("media", "db")),
        ("media-db", ("media", "db")),
    ],
)
def test_a_word_leads_to_its_stack(files: LabFiles, word: str, found: tuple[str, str]) -> None:
    assert find_service(files, word) == found


def test_the_stack_tells_equal_names_apart(files: LabFiles) -> None:
    assert find_service(files, "db", "books") == ("books", "db")
    with pytest.raises(InvalidInput) as error:
        find_service(files, "db")
    assert error.value.code == "ambiguous_service"
    assert error.value.details["candidates"] == [["books", "db"], ["media", "db"]]


def test_a_typo_gets_the_nearest_name(files: LabFiles) -> None:
    with pytest.raises(NotFound) as error:
        find_service(files, "sonar")
    assert error.value.hint == "Did you mean sonarr?"
    with pytest.raises(NotFound) as error:
        find_service(files, "sonarr", "meda")
    assert "media" in error.value.hint
    with pytest.raises(NotFound) as error:
        find_service(files, "zzzz")
    assert "kavita" in error.value.hint


def test_a_lab_without_stacks_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no service 'x'"):
        find_service(LabFiles(tmp_path), "x")


def test_services_of_override_included_and_extended_files_are_found_and_shown_as_they_come_to(tmp_path: Path) -> None:
    texts = {
        "media/compose.yaml": "include: [more/compose.yaml]\nservices:\n"
        "  web: {image: 'web:${TAG}', extends: {file: b.yaml, service: base}}\n",
        "media/.env": "TAG=1\nHOST=web.lab.test\nPASSWORD=canary-1\n",
        "media/compose.override.yaml": "services:\n  web: {image: 'web:${TAG}-mine'}\n"
        "  extra: {image: 'x:${PASSWORD}'}\n",
        "media/more/compose.yaml": "services:\n  side: {image: side:1}\n",
        "media/b.yaml": "services:\n  base: {image: b, labels: {traefik.http.routers.w.rule: 'Host(`${HOST}`)'}}\n",
        "plain/compose.yaml": "services:\n  alone: {image: a}\n",
    }
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    files = LabFiles(tmp_path)
    for word in ("web", "extra", "side"):
        assert find_service(files, word) == ("media", word)
    stack, plain = read_stacks(files)
    seen = {d.service: (d.image, d.url) for d in declared(stack)}
    assert seen == {
        "web": ("web:1-mine", "https://web.lab.test"),
        "extra": ("x:${PASSWORD}", ""),
        "side": ("side:1", ""),
    }
    assert plain.named == ()


def test_a_stack_that_cannot_be_merged_shows_what_its_own_file_has(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media/compose.yaml").write_text(
        "include: [../../outside.yaml, gone.yaml]\nservices: {web: {image: a}}\n"
    )
    (tmp_path / "media/compose.override.yaml").write_text("services: [\n")
    (stack,) = read_stacks(LabFiles(tmp_path))
    assert [d.service for d in declared(stack)] == ["web"]
