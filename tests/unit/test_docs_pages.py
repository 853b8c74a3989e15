"""The pages of the documentation lead where they say, and each has a place in the site's navigation.

What needs the site's generator (anchors, search, the look) is in tests/e2e/test_docs_site.py; this needs none of it.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from homelab_mcp.core.checks.engine_rules import listed_rules

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site() -> ModuleType:
    """script/docs-site as a module."""
    loader = SourceFileLoader("docs_site", str(ROOT / "script" / "docs-site"))
    spec = importlib.util.spec_from_loader("docs_site", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_every_link_of_every_page_leads_to_a_file(site: ModuleType, tmp_path: Path) -> None:
    assert site.lay_out(tmp_path / "pages") == []
    home = (tmp_path / "pages" / "index.md").read_text("utf-8")
    assert "](getting-started.md)" in home
    assert "](docs/" not in home
    # What a page links to outside of docs/ comes along.
    assert (
        "](repository/tests/agents/" not in (tmp_path / "pages" / "prompts-served.md").read_text("utf-8")
        or (tmp_path / "pages" / "repository" / "tests" / "agents" / "run-stack.yaml").is_file()
    )


def test_a_link_that_leads_nowhere_is_found_and_one_in_a_listing_is_none(site: ModuleType) -> None:
    linked: set[str] = set()
    page = "[a](none.md) [b](https://example.org/x.md) [c](#there) [d](../CONTRIBUTING.md#x)\n```\n[e](gone.md)\n```\n"
    made = site.page_of("docs/policy.md", page, linked)
    assert linked == {"docs/none.md", "CONTRIBUTING.md"}
    assert "[d](repository/CONTRIBUTING.md#x)" in made
    assert "[e](gone.md)" in made


def test_the_reference_of_commands_and_policy_is_current() -> None:
    argv = [sys.executable, str(ROOT / "script" / "reference-doc"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_in_the_navigation_once() -> None:
    lines = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:\n", 1)[1].splitlines()
    named = [line.split("- ", 1)[1].rpartition(": ")[2] for line in lines if line.endswith(".md")]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    pages = {page for page in pages if not page.startswith("services/")} | {"services/README.md"}
    kept = [page for page in named if not page.startswith("repository/") and page != "index.md"]
    assert set(pages) - set(kept) == set(), "a page without a place in mkdocs.yml's nav"
    assert sorted(kept) == sorted(pages)
    assert "index.md" in named


def test_the_lock_names_no_address() -> None:
    text = (ROOT / "requirements-docs.lock").read_text("utf-8")
    assert "://" not in text
    assert "--index-url" not in text


def test_pages_name_rules_that_there_are() -> None:
    known = {rule.id for rule in listed_rules()}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        named = set(re.findall(r"\bHL\d{3}\b", path.read_text("utf-8")))
        assert named - known == set(), path.name


def test_every_prompt_that_is_served_is_told_of() -> None:
    told = (ROOT / "docs" / "asking.md").read_text("utf-8")
    for path in sorted((ROOT / "prompts").glob("*.md")):
        head = path.read_text("utf-8").split("---")[1]
        title, about = (re.findall(rf"^{name}: (.+)$", head, re.MULTILINE)[0] for name in ("title", "description"))
        assert f"| {title} | {about} |" in told, path.name
