"""setup_lab: it asks a person through their client, plans, and writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcp import Client
from mcp_types import ElicitRequestParams, ElicitResult

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.server import build
from homelab_mcp.workflow.init_lab import init_lab

TOKEN = "0ceb3c0a-aaaa-bbbb-cccc-ddddeeee0001"


async def call(root: Path, answer: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    asked: list[str] = []

    async def person(context: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content=answer) if answer else ElicitResult(action="decline")

    lab = open_lab(str(root), files_only=True)
    async with Client(build(lab), elicitation_callback=person if answer is not None else None) as client:
        found = await client.call_tool("setup_lab", arguments)
    text = found.content[0].text if found.content else ""  # type: ignore[union-attr]
    return {**(found.structured_content or {}), "error": bool(found.is_error), "asked": asked, "text": text}


async def test_without_a_lab_the_person_is_asked_and_told_what_to_run(tmp_path: Path) -> None:
    root = tmp_path / "stacks"
    filled = {"domain": "me.example.org", "dns_provider": "cloudflare", "media_dir": "/srv/a b", "puid": 1234}
    told = await call(root, filled)

    assert str(root) in told["asked"][0]
    assert "--domain me.example.org" in told["next"] and "--dns-provider cloudflare" in told["next"]
    assert "--media-dir '/srv/a b'" in told["next"]
    assert "--puid 1234" in told["next"] and "--pgid" not in told["next"]
    assert not root.exists()


async def test_a_client_that_cannot_ask_and_a_person_who_declines_get_the_bare_command(tmp_path: Path) -> None:
    assert (await call(tmp_path / "x"))["next"].endswith("init")
    assert (await call(tmp_path / "x", {}))["next"].endswith("init")
    given = await call(tmp_path / "x", settings={"domain": "a.b.org", "acme.staging": "true"})
    assert given["next"].endswith("init --domain a.b.org --staging")


async def test_in_a_lab_it_shows_what_is_there_then_plans_settings_or_the_core(tmp_path: Path) -> None:
    root = tmp_path / "stacks"
    init_lab(open_lab(str(root), files_only=True), {"domain": "me.duckdns.org"}, "27182818")
    before = (root / "homelab.yaml").read_text()

    seen = await call(root)
    assert seen["settings"]["domain"] == "me.duckdns.org" and "traefik" in seen["core_missing"]
    changed = await call(root, settings={"timezone": "Europe/Berlin", "acme.staging": "true"})
    assert changed["state"] == "pending" and "Europe/Berlin" in changed["diff"]
    refused = await call(root, core=True)
    assert refused["error"] and "DUCKDNS_TOKEN" in refused["text"]
    (root / "core").mkdir()
    (root / "core" / ".env").write_text(f"DUCKDNS_TOKEN={TOKEN}\n")
    core = await call(root, core=True, without=["sablier", "dockge"])
    assert core["summary"] == "Set up the core: duckdns, traefik, authelia, homepage"
    assert TOKEN not in core["text"]
    assert (root / "homelab.yaml").read_text() == before
    assert not (root / "core" / "compose.yaml").exists()


async def test_settings_that_guard_the_lab_are_not_changed_this_way(tmp_path: Path) -> None:
    root = tmp_path / "stacks"
    init_lab(open_lab(str(root), files_only=True), {"domain": "me.duckdns.org"}, "27182818")
    for name in ("sso_middleware", "docker_socket", "lint", "nonsense"):
        refused = await call(root, settings={name: "x"})
        assert refused["error"] and "unknown_setting" in refused["text"]
    assert (await call(root, settings={"puid": "-5"}))["error"]
