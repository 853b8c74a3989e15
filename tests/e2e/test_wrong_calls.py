"""Wrong calls over stdio, of each toolset: the answer names the fault and the way out, and nothing is planned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from homelab_mcp.bootstrap import open_lab
from tests.e2e.server import LabOnDisk, connected, words

pytestmark = pytest.mark.timeout(240)


class Wrong(NamedTuple):
    """A call that cannot be served: what its answer must name, what it must tell to do instead, and its code."""

    tool: str
    arguments: dict[str, Any]
    fault: str
    way: str
    code: str


ELSEWHERE = "`serve --toolsets all`"
CALLS: dict[str, tuple[Wrong, ...]] = {
    "core": (
        Wrong("add_service", {"service": "jelyfin"}, "No service called 'jelyfin'", "jellyfin", "unknown_service"),
        Wrong("add_service", {"app": "plex"}, "no argument 'app'", "It takes: service, stack", "invalid_arguments"),
        Wrong("update_service", {"service": "jellyfin", "volume": ["/a:/b"]}, "no argument 'volume'",
              "Did you mean volumes_add?", "invalid_arguments"),
        Wrong("update_service", {"service": "jellyfin", "limits": {"memory": "lots"}}, "memory", "512M",
              "invalid_input"),
        Wrong("set_env", {"stack": "core", "values": {"1ST": "x"}}, "values.1ST", "begin with no digit",
              "invalid_input"),
        Wrong("read_logs", {"stack": "nothere"}, "no stack 'nothere'", "Stacks: core, media", "not_found"),
        Wrong("move_service", {"service": "jellyfin", "to": "tv"}, "toolset platform", ELSEWHERE, "tool_not_offered"),
        Wrong("add_servce", {"service": "plex"}, "no tool 'add_servce'", "Did you mean add_service?", "tool_unknown"),
    ),
    "ops": (
        Wrong("fix_compose", {"rules": ["HL999"]}, "no rule HL999", "`homelab-mcp rules`", "rule_unknown"),
        Wrong("check_updates", {"services": ["jelyfin"]}, "no service 'jelyfin'", "Did you mean jellyfin?",
              "not_found"),
        Wrong("configure_backup", {"repository": "/mnt/b", "schedule": "at 3"}, "schedule: not five cron fields",
              "'15 3 * * *'", "bad_backup_config"),
        Wrong("restore_backup", {"target": "media/jellyfin"}, "no backup yet", "configure_backup", "no_backup"),
        Wrong("audit", {"what": "all"}, "what:", "'security', 'resources'", "invalid_arguments"),
        Wrong("lab_status", {}, "toolset core", ELSEWHERE, "tool_not_offered"),
    ),
    "platform": (
        Wrong("setup_lab", {"settings": {"colour": "red"}}, "'colour' is no setting", "domain, email",
              "unknown_setting"),
        Wrong("move_service", {"service": "sonar", "to": "apps"}, "no service 'sonar'", "Services: ", "not_found"),
        Wrong("external_route", {"action": "add", "name": "pi", "url": "ftp://x"}, "url: not an address",
              "http(s)://host:port", "invalid_input"),
        Wrong("fix_permissions", {"service": "jellyfin", "owner": "me"}, "'me' is no owner", "1000:1000", "bad_value"),
        Wrong("set_lazy_loading", {"service": "traefik", "state": "on"}, "core/traefik", "Leave it running",
              "lazy_refused"),
        Wrong("manage_user", {"action": "add", "name": "x"}, "toolset admin", ELSEWHERE, "tool_not_offered"),
    ),
    "admin": (
        Wrong("set_sign_on", {"service": "jellyfin"}, "no argument 'service'", "It takes: ", "invalid_arguments"),
        Wrong("set_access_policy", {"services": ["jellyfin"], "policy": "open"}, "policy:", "'bypass'",
              "invalid_arguments"),
        Wrong("manage_user", {"action": "remove", "name": "nobody"}, "called nobody", "Users: admin", "user_unknown"),
        Wrong("manage_user", {"action": "add", "name": "Big Name"}, "A user name has letters", "starts with",
              "bad_name"),
        Wrong("add_service", {"service": "plex"}, "toolset core", ELSEWHERE, "tool_not_offered"),
    ),
}  # fmt: skip

READ_ONLY = (
    Wrong("add_service", {"service": "plex"}, "only reads", "without --read-only", "read_only"),
    Wrong("apply_plan", {"plan_id": "0" * 32}, "only reads", "without --read-only", "read_only"),
    Wrong("lab_status", {"stak": "core"}, "no argument 'stak'", "Did you mean stack?", "invalid_arguments"),
    Wrong("check_vpn", {}, "toolset platform", "`serve --read-only --toolsets all`", "tool_not_offered"),
)


@pytest.fixture(scope="module")
def made(keys_of_test_labs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabOnDisk]:
    lab = LabOnDisk(tmp_path_factory.mktemp("wrong") / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    lab.init("--acme-challenge", "tls")
    for words_ in (("add", "traefik"), ("add", "authelia"), ("add", "jellyfin", "--stack", "media")):
        lab.approve(lab.json(*words_, "--plan-only", code=3)["plan_id"], "--apply")
    yield lab


@pytest.mark.parametrize("sets", [*CALLS, "read-only"])
async def test_what_is_wrong_with_a_call_is_named_with_what_to_do(
    made: LabOnDisk, sets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = (
        {"HOMELAB_READ_ONLY": "1", "HOMELAB_TOOLSETS": "core"} if sets == "read-only" else {"HOMELAB_TOOLSETS": sets}
    )
    lab = LabOnDisk(made.root, {**made.environment, **chosen})
    before, plans = lab.files(), len(open_lab(str(lab.root), files_only=True).plans.list())
    async with connected(lab) as client:
        for wrong in CALLS.get(sets, READ_ONLY):
            answer = await client.call_tool(wrong.tool, wrong.arguments)
            said = words(answer)
            assert answer.is_error, (wrong, said)
            assert wrong.fault in said, (wrong, said)
            assert wrong.way in said, (wrong, said)
            assert said.endswith(f"[{wrong.code}]"), (wrong, said)
            assert ".." not in said.replace("...", ""), said
            assert "Value error" not in said, said
    assert lab.files() == before
    assert len(open_lab(str(lab.root), files_only=True).plans.list()) == plans
