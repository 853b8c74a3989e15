"""What a check of a lab is asked about: a stack, a file or a folder by its path inside the lab."""

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.queries.validate_lab import Checked, check

TEXT = "services:\n  {name}:\n    image: nginx:1.29.3\n    container_name: {name}\n    ports: ['{port}:80']\n"


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    files = {
        "homelab.yaml": "domain: example.org\n",
        "media/compose.yaml": "include: [parts/more.yaml]\n" + TEXT.format(name="web", port=8080),
        "media/parts/more.yaml": TEXT.format(name="more", port="80a"),
        "media/compose.old.yaml": TEXT.format(name="web", port="nothing"),
        "media/config/app.conf": "x",
        "tools/compose.yaml": TEXT.format(name="tool", port=8081),
        "drafts/new/compose.yaml": TEXT.format(name="new", port=8081),
        "drafts/new/.env": "A=1\n",
        ".homelab/compose.yaml": TEXT.format(name="hidden", port=1),
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return LocalLab(str(tmp_path), files_only=True)


def errors(found: Checked) -> set[tuple[str, int]]:
    return {(f.file, f.line) for f in found.findings if f.severity == "error"}


def test_a_stack_and_its_files(lab: LocalLab) -> None:
    bad_part = {("media/parts/more.yaml", 5)}
    assert errors(check(lab)) == errors(check(lab, stack="media")) == errors(check(lab, stack="media/")) == bad_part
    assert errors(check(lab, stack="media/compose.yaml")) == set()
    assert errors(check(lab, stack="media/parts/more.yaml")) == errors(check(lab, stack="media/parts")) == bad_part
    assert errors(check(lab, stack=f"{lab.root}/media/parts/more.yaml")) == bad_part


def test_a_file_that_no_stack_has_is_seen_among_the_others(lab: LocalLab) -> None:
    assert errors(check(lab, stack="media/compose.old.yaml")) == {("media/compose.old.yaml", 5)}
    clash = check(lab, stack="drafts/new/compose.yaml")
    assert errors(clash) == {("drafts/new/compose.yaml", 5)}, "tools has that port"
    assert clash.files == ("drafts/new/compose.yaml",)


@pytest.mark.parametrize(
    "place", ["medai", "media/nothing.yaml", ".homelab/compose.yaml", "elsewhere/config", "drafts"]
)
def test_what_is_not_there_is_told_with_what_is(lab: LocalLab, place: str) -> None:
    with pytest.raises(NotFound) as error:
        check(lab, stack=place)
    assert "media, tools" in error.value.hint


@pytest.mark.parametrize("place", ["../x.yaml", "/etc/x.yaml", "media/../../x.yaml"])
def test_nothing_outside_the_lab_is_looked_at(lab: LocalLab, place: str) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        check(lab, stack=place)
