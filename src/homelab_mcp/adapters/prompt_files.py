"""MCP prompts from the ``prompts/`` folder: a short head of ``key: value`` lines between ``---``, then the text."""

from __future__ import annotations

from pathlib import Path

from homelab_mcp.ports import PromptText

_HERE = Path(__file__).resolve()


def prompts_folder() -> Path:
    """Where the prompts are: packaged with a wheel, else in the checkout."""
    packaged = _HERE.parents[1] / "_data" / "prompts"
    return packaged if packaged.is_dir() else _HERE.parents[3] / "prompts"


def load_prompts() -> tuple[PromptText, ...]:
    """Every prompt, by name."""
    return tuple(parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(prompts_folder().glob("*.md")))


def parse(name: str, text: str) -> PromptText:
    """One prompt file. Raises ValueError when it has no head."""
    _, head, body = text.split("---\n", 2)
    fields = dict(line.split(":", 1) for line in head.splitlines() if ":" in line)
    return PromptText(
        name=name,
        title=fields["title"].strip(),
        description=fields["description"].strip(),
        arguments=tuple(fields.get("arguments", "").replace(",", " ").split()),
        text=body.strip(),
    )
