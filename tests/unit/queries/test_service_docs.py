"""A service's documentation: one text in docs/services/, the tool, the resource and the command; and current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from mcp import Client
from typer.testing import CliRunner

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.core.service_page import service_page
from homelab_mcp.server import build
from homelab_mcp.tools.search_catalog import PAGE_LIMIT

ROOT = Path(__file__).parents[3]
SERVICES = ROOT / "docs" / "services"


def test_the_pages_are_as_the_script_makes_them() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "script" / "services-doc", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "docs/services is current.\n")


def test_a_changed_page_is_told(tmp_path: Path) -> None:
    for name in ("script", "docs/services"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("src", "catalog"):
        (tmp_path / name).symlink_to(ROOT / name)
    script = tmp_path / "script" / "services-doc"
    script.write_text((ROOT / "script" / "services-doc").read_text())
    (tmp_path / "docs/services/gone.md").write_text("of a service that is no more")

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=False)

    assert run().returncode == run("--check").returncode == 0
    assert not (tmp_path / "docs/services/gone.md").exists()
    page = tmp_path / "docs/services/immich.md"
    page.write_text(page.read_text().replace("2283", "2284"))
    assert (run("--check").returncode, "first immich.md; 1 in all" in run("--check").stdout) == (1, True)


async def test_tool_resource_and_command_give_the_same_page(tmp_path: Path) -> None:
    wanted = (SERVICES / "paperless-ngx.md").read_text()
    async with Client(build(open_lab(str(tmp_path)))) as client:
        told = await client.call_tool("search_catalog", {"docs_of": "Paperless ngx"})
        read = (await client.read_resource("homelab://catalog/paperless-ngx/docs")).contents[0].text  # type: ignore[union-attr]
        lost = await client.call_tool("search_catalog", {"docs_of": "paperles"})
    assert told.structured_content is not None
    assert told.structured_content["page"] == read == wanted
    assert lost.is_error and "paperless-ngx" in str(lost.content)
    shown = CliRunner().invoke(app, ["--files-only", "--root", str(tmp_path), "catalog", "show", "paperless-ngx"])
    assert shown.stdout == wanted


def test_each_page_says_what_must_be_known_before_adding() -> None:
    for definition in packaged_definitions():
        page = service_page(definition)
        assert len(page) < PAGE_LIMIT
        wanted = [
            definition.summary,
            definition.container.image.reference,
            *(companion.image.reference for companion in definition.companions.values()),
            *(variable.name for variable in definition.variables),
            *(str(port.publish) for port in definition.container.ports if port.publish),
            *((definition.route.subdomain, definition.route.sso.why) if definition.route else ()),
            *definition.notes,
            *(source.where for source in definition.sources),
        ]
        words = " ".join(page.replace("\\|", "|").split())
        assert [each for each in wanted if " ".join(each.split()) not in words] == [], definition.id
        # A row with other cells than its table's head is shown broken.
        for block in page.split("\n\n"):
            rows = [line for line in block.splitlines() if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1, block
