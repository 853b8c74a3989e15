"""With no engine to be reached: every tool answers, reads of files work, the rest say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.server import LabOnDisk, call, connected, data, words


@pytest.fixture
def lab(tmp_path: Path) -> LabOnDisk:
    made = LabOnDisk(tmp_path / "stacks", {"DOCKER_HOST": f"unix://{tmp_path}/no-such.sock"})
    made.init("--acme-challenge", "tls")
    stack = made.root / "media"
    stack.mkdir()
    (stack / "compose.yaml").write_text(
        "services:\n  jellyfin:\n    image: jellyfin/jellyfin:10.11.0\n    restart: unless-stopped\n"
    )
    return made


@pytest.mark.timeout(60)
async def test_reads_of_files_still_work(lab: LabOnDisk) -> None:
    async with connected(lab) as client:
        assert data(await call(client, "search_catalog", query="kuma"))["total"] >= 1
        assert data(await call(client, "validate_compose", severity="info"))["ok"] is True
        status = data(await call(client, "lab_status"))
        assert [s["service"] for s in status["services"]] == ["jellyfin"]
        assert "engine_unavailable" in status["engine_error"]


@pytest.mark.timeout(60)
async def test_what_needs_the_engine_says_how_to_get_it(lab: LabOnDisk) -> None:
    async with connected(lab) as client:
        logs = await call(client, "read_logs", services=["jellyfin"])
        assert logs.is_error
        assert "engine_unavailable" in words(logs)
        assert "docker" in words(logs).lower()
        before = lab.files()
        plan = await call(client, "remove_service", service="jellyfin")
        if not plan.is_error:
            plan_id = data(plan)["plan_id"]
            done = lab.run("approve", plan_id, "--apply", "--pin-file", "-", "--json", stdin="correct-horse\n")
            assert done.returncode != 0
            assert "docker" in (done.stdout + done.stderr).lower()
        else:
            assert "engine_unavailable" in words(plan)
        assert lab.files() == before
