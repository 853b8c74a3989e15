"""Compose's own word on fixed files: what was fixed reads, and what read before still does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.fix_run import Fixed, fixed
from homelab_mcp.core.checks.fixes import all_fixers
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.env_file import set_values
from homelab_mcp.model.finding import Severity

CASES = (Path(__file__).parents[1] / "unit/core/checks/fixes.txt").read_text().split("=== ")[1:]
FORMS = ("\n", "\r\n")


def compose_takes(folder: Path, text: str, env: dict[str, str]) -> str:
    folder.mkdir()
    (folder / "compose.yaml").write_bytes(text.encode())
    if env:
        (folder / ".env").write_text(set_values("", env))
    argv = ["docker", "compose", "-p", "probe", "config", "--quiet"]
    run = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=25, check=False)
    return run.stderr.strip() if run.returncode else ""


def run(text: str, *, unsafe: bool) -> tuple[str, Fixed]:
    result = fixed([LintStack("probe", "compose.yaml", text, {})], unsafe=unsafe)
    return result.texts.get("compose.yaml", text), result


def errors(text: str, env: dict[str, str]) -> int:
    return sum(f.severity is Severity.ERROR for f in lint([LintStack("probe", "compose.yaml", text, env)]))


@pytest.mark.parametrize("part", range(4))
def test_compose_takes_every_fixed_example_that_has_no_error_left(tmp_path: Path, part: int) -> None:
    texts = [r.bad + "\n" for r in all_rules() if r.id in all_fixers()]
    texts += [c.partition("\n")[2].partition("-->\n")[0].partition("+++\n")[0] for c in CASES]
    asked = 0
    for n, text in list(enumerate(texts))[part::4]:
        given = text.replace("\n", FORMS[n % 2])
        after, result = run(given, unsafe=n % 3 == 0)
        env = result.env.get(".env", {})
        if after == given or errors(after, env) or "external: true" in after:
            continue
        asked += 1
        assert compose_takes(tmp_path / str(n), after, env) == "", after
    assert asked >= 12
