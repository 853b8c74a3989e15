from pathlib import Path

import pytest

from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.queries.find import find_service


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
