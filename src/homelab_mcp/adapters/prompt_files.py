"""What the program brings as Markdown: MCP prompts, and its documentation.

A prompt is a short head of ``key: value`` lines between ``---``, then the text. ``arguments`` are separated by commas;
``name=words`` may be left out, and the words then stand in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from homelab_mcp.ports import PromptText

T = TypeVar("T")

_HERE = Path(__file__).resolve()


def text_folder(name: str) -> Path:
    """A folder of texts: packaged with a wheel, else in the checkout."""
    packaged = _HERE.parents[1] / "_data" / name
    return packaged if packaged.is_dir() else _HERE.parents[3] / name


def load_prompts() -> tuple[PromptText, ...]:
    """Every prompt, by name."""
    return tuple(_each("prompts", parse))


def load_docs() -> dict[str, str]:
    """Every page of the documentation by its name; without decision records, which are for contributors."""
    return dict(_each("docs", lambda name, text: (name, text)))


def _each(folder: str, read: Callable[[str, str], T]) -> Iterator[T]:
    for path in sorted(text_folder(folder).glob("*.md")):
        yield read(path.stem, path.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> PromptText:
    """One prompt file. Raises ValueError when it has no head."""
    _, head, body = text.split("---\n", 2)
    fields = dict(line.split(":", 1) for line in head.splitlines() if ":" in line)
    arguments = [argument.partition("=") for argument in fields.get("arguments", "").split(",") if argument.strip()]
    return PromptText(
        name=name,
        title=fields["title"].strip(),
        description=fields["description"].strip(),
        arguments=tuple(argument.strip() for argument, _, _ in arguments),
        text=body.strip(),
        defaults={argument.strip(): words.strip() for argument, given, words in arguments if given},
    )
