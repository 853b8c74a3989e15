"""Every compose file that this repository holds or makes: test cases of the linter, rule pages, generated files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from homelab_mcp.core.checks import LintStack
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.compose_edit import new_document
from homelab_mcp.core.env_file import quote
from tests.unit.core.checks.corpus_reader import read_cases
from tests.unit.core.test_generator import REAL, make_real

CASES = Path(__file__).resolve().parent.parent / "tests" / "unit" / "core" / "checks"
FOLDERS = ("seeded", "corpus", "realistic")
_SETTINGS = {"DUCKDNS_TOKEN": "duck-token-1", "VPN_SERVICE_PROVIDER": "mullvad"}


@dataclass(frozen=True)
class OwnLab:
    """Stacks that belong together; ``texts``: further files by path, ``files``: what else exists beside each stack."""

    title: str
    stacks: tuple[LintStack, ...]
    texts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Put them on disk."""
        for stack in self.stacks:
            path = folder / stack.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(stack.text, encoding="utf-8")
            if stack.env:
                (path.parent / ".env").write_text(_env(stack.env), encoding="utf-8")
        for name, text in self.texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for stack in self.stacks:
            # What lies in a folder comes before the folder, which is there then.
            for name in sorted(self.files, reverse=True):
                place = (folder / stack.file).parent / name
                # Nothing is made outside: what is said to be there with its whole path is not there for Compose.
                if place.resolve().is_relative_to(folder.resolve()) and not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.touch()


def own_files() -> Iterator[OwnLab]:
    """All of them."""
    for folder in FOLDERS:
        for file in sorted((CASES / folder).glob("*.txt")):
            for case in read_cases(file):
                yield OwnLab(f"{folder}/{file.stem} {case.title}", case.stacks, case.texts, case.files or ())
    for rule in all_rules():
        for kind, text in (("bad", rule.bad), ("good", rule.good)):
            yield OwnLab(f"{rule.id} {kind}", (LintStack("page", "page/compose.yaml", f"{text}\n", {}),))
    for name in REAL:
        made = make_real(name)
        text = new_document(made.services, networks=made.networks, urls=made.urls)
        stack = LintStack(name, f"{name}/compose.yaml", text, {**_SETTINGS, **made.env})
        yield OwnLab(f"catalog {name}", (stack,))


def _env(values: Mapping[str, str]) -> str:
    """As a person would write it: some of the cases are about variables that the product itself does not set."""
    return "".join(f"{name}={quote(value)}\n" for name, value in values.items())
