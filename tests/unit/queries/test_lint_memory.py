"""Findings are given again only while nothing that they rest on has changed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Finding
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.queries import lint_memory
from homelab_mcp.queries.lint_memory import lint_remembered

TEXT = """\
include: [other.yaml]
services:
  web:
    image: nginx:1.29.3
    env_file: web.env
    volumes: ['./page.html:/usr/share/nginx/html/index.html:ro']
    mem_limit: 2g
"""
OTHER = "services: {cache: {image: 'redis:8.2.2', privileged: %s}}\n"


class Disk:
    """What lies beside the compose file."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {"other.yaml": OTHER % "false", "web.env": "A=1\n", "page.html": "<p>"}

    def read(self, path: str) -> str | None:
        if path.startswith("/"):
            raise InvalidInput("It is outside the lab.")
        return self.files.get(path.removeprefix("web/"))

    def exists(self, path: str) -> bool:
        return path.removeprefix("./") in self.files

    def names(self, folder: str) -> list[str] | None:
        return sorted(self.files) if folder in {"web", "."} else None

    def stack(self, **changed: Any) -> LintStack:
        known = {"name": "web", "file": "web/compose.yaml", "text": TEXT, "env": {"B": "2"}}
        return LintStack(**{**known, "exists": self.exists, "read": self.read, "names": self.names, **changed})


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry each time that the linter really ran."""
    ran: list[int] = []

    def counted(stacks: list[LintStack], **options: Any) -> tuple[Finding, ...]:
        ran.append(len(stacks))
        return lint(stacks, **options)

    lint_memory.forget()
    monkeypatch.setattr(lint_memory, "lint", counted)
    yield ran
    lint_memory.forget()


def judged(stack: LintStack, facts: LabFacts | None = None, settings: LintSettings | None = None) -> set[str]:
    """The rules that find something; always the same as the linter itself says now."""
    facts, settings = facts or LabFacts(), settings or LintSettings()
    found = lint_remembered([stack], facts=facts, settings=settings)
    assert found == lint([stack], facts=facts, settings=settings)
    return {f.rule for f in found}


def test_the_same_lab_is_judged_once(runs: list[int]) -> None:
    disk = Disk()
    assert judged(disk.stack()) == judged(disk.stack()) == judged(Disk().stack())
    assert runs == [1]


@pytest.mark.parametrize("what", ["included", "gone", "variables", "text", "override"])
def test_what_changed_beside_it_is_seen(runs: list[int], what: str) -> None:
    disk = Disk()
    before = judged(disk.stack())
    changed: dict[str, Any] = {}
    if what == "included":
        disk.files["other.yaml"] = OTHER % "true"
    elif what == "gone":
        del disk.files["page.html"]
    elif what == "variables":
        changed = {"env": {"B": "3"}}
    elif what == "text":
        changed = {"text": TEXT + "    privileged: true\n"}
    else:
        changed = {"others": (("web/compose.override.yaml", "services: {web: {privileged: true}}\n"),)}
    after = judged(disk.stack(**changed))
    assert len(runs) == 2
    assert (after - before) or what == "variables"


def test_other_facts_and_settings_are_other_labs(runs: list[int]) -> None:
    disk = Disk()
    small = LabFacts(memory=2**30, networks=frozenset({"front"}))
    assert judged(disk.stack(), small) - judged(disk.stack()), "a limit beyond the machine's memory"
    judged(disk.stack(), replace(small, networks=frozenset({"front", "back"})))
    judged(disk.stack(), small, LintSettings(ignore=("HL112",)))
    assert runs == [1, 1, 1, 1]
    judged(disk.stack(), small)
    assert runs == [1, 1, 1, 1]


def test_a_refusal_is_an_answer_too(runs: list[int]) -> None:
    disk = Disk()
    text = "include: [/etc/outside.yaml]\nservices: {web: {image: 'nginx:1.29.3'}}\n"
    judged(disk.stack(text=text))
    judged(disk.stack(text=text))
    assert runs == [1]


def test_only_a_few_labs_are_kept(runs: list[int]) -> None:
    disk = Disk()
    for n in range(6):
        judged(disk.stack(env={"B": str(n)}))
    judged(disk.stack(env={"B": "5"}))
    assert len(runs) == 6
    judged(disk.stack(env={"B": "0"}))
    assert len(runs) == 7
