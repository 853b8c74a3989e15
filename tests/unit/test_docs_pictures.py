"""The documentation's pictures: there, described, small, of nobody's machine; and the recording is drawn whole."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from testbed.docs_shots import IMAGES, LARGEST, anonymous, fits, types_the_name
from testbed.recording import COLUMNS, Piece, as_cast, as_picture, from_cast, record, without_waiting
from tests.doc_pages import ROOT, pages

MARKDOWN = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
HTML = re.compile(r"<(img|source) [^>]*>")


def shown() -> dict[str, list[tuple[str, str]]]:
    """Pictures by page: description ("" for one that another stands in for) and file."""
    found: dict[str, list[tuple[str, str]]] = {}
    for page in pages():
        text = (ROOT / page).read_text("utf-8")
        found[page] = [(match[1], match[2]) for match in MARKDOWN.finditer(text)]
        for tag in HTML.finditer(text):
            named = dict(re.findall(r'(\w+)="([^"]*)"', tag[0]))
            assert tag[1] == "source" or named.get("alt"), (page, tag[0])
            found[page].append((named.get("alt", ""), named.get("src") or named["srcset"]))
    return found


def test_every_picture_of_a_page_is_there_and_described() -> None:
    used = set()
    for page, pictures in shown().items():
        for described, file in pictures:
            path = (ROOT / page).parent / file
            assert path.is_file(), f"{page}: {file} is not there; script/docs-shots makes pictures"
            assert len(described) > 20 or "dark" in file, f"{page}: {file} needs an alt text"
            used.add(path.resolve())
    unused = {path.name for path in IMAGES.iterdir() if path.resolve() not in used} - {"demo.cast"}
    assert unused == set(), "pictures that no page shows"


@pytest.mark.parametrize("path", sorted(IMAGES.iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_and_of_the_shape_that_the_page_says(path: Path) -> None:
    fits(path)
    assert path.stat().st_size <= LARGEST
    if path.suffix == ".png":
        size = struct.unpack(">II", path.read_bytes()[16:24])
        for page, pictures in shown().items():
            if any(file.endswith(path.name) for described, file in pictures if described):
                tag = re.search(rf'<img src="[^"]*{path.name}" width="(\d+)" height="(\d+)"', (ROOT / page).read_text())
                assert tag is not None
                # Drawn smaller maybe, but in its shape.
                assert abs(int(tag[1]) / int(tag[2]) - size[0] / size[1]) < 0.005


def test_the_recording_and_its_picture_tell_the_demos_story() -> None:
    pieces = from_cast((IMAGES / "demo.cast").read_text("utf-8"))
    text = "".join(piece.text for piece in pieces)
    assert "Every step was true" in text
    assert "FAILED" not in text
    assert [p.at for p in pieces] == sorted(p.at for p in pieces)
    picture = ElementTree.fromstring((IMAGES / "demo.svg").read_text("utf-8"))
    lines = [
        "".join(line.itertext()).replace("\u00a0", " ") for line in picture.iter("{http://www.w3.org/2000/svg}text")
    ]
    story = ("the client asks the person", "it was noticed and rolled back")
    if "--no-docker" in lines[0]:
        story = ("Plan, diff, a person's yes, files and git", "removed; the stack's file is gone")
    assert [told for told in story if not any(told in line for line in lines)] == []
    assert max(map(len, lines)) <= COLUMNS
    raw = (IMAGES / "demo.svg").read_text("utf-8")
    assert re.findall(r"https?://(?!www\.w3\.org)[^\"]*?(?=\"\))", raw) == [], "it loads nothing"
    assert "<script" not in raw
    assert "@import" not in raw


def test_a_session_is_recorded_with_what_the_person_typed() -> None:
    asked: list[str] = []

    def person(screen: str) -> str:
        if screen.endswith("name? ") and not asked:
            asked.append(screen)
            return "anna\n"
        return ""

    script = 'printf "\\033[32mhello\\033[0m\\n"; printf "name? "; read name; echo "so: $name"; stty size; exit 3'
    pieces, code = record(["bash", "-c", script], {"PATH": "/usr/bin:/bin"}, person)
    text = "".join(piece.text for piece in pieces)
    assert code == 3
    assert "name? anna\r\nso: anna" in text
    again = from_cast(as_cast(without_waiting(pieces), "t"))
    assert "".join(p.text for p in again) == text
    with pytest.raises(ValueError, match="asciicast"):
        from_cast('{"version": 3}\n')


def test_a_long_line_is_broken_colours_are_kept_and_pauses_shortened() -> None:
    pieces = [Piece(0.0, "\x1b[1;31mred\x1b[0m & <b>\n"), Piece(60.0, "x" * (COLUMNS + 5) + "\n")]
    assert [p.at for p in without_waiting(pieces)] == [0.0, 1.2]
    picture = as_picture(without_waiting(pieces), "A & B")
    root = ElementTree.fromstring(picture)
    lines = ["".join(line.itertext()).replace("\u00a0", " ") for line in root.iter("{http://www.w3.org/2000/svg}text")]
    assert lines == ["red & <b>", "x" * COLUMNS, "x" * 5]
    assert '<tspan class="b e">red</tspan>' in picture
    assert picture == as_picture(without_waiting(pieces), "A & B")


def test_the_person_types_the_name_that_is_asked_for() -> None:
    assert types_the_name("\x1b[33m│ type: uptime-kuma\x1b[0m\r\n  └ your answer (empty declines): ") == "uptime-kuma\n"
    assert types_the_name("│ type: uptime-kuma\r\n") == ""
    assert anonymous("/tmp/tmpx/homelab-demo-1/stacks\r\n", "/tmp/tmpx") == "/tmp/homelab-demo-1/stacks\n"
