"""A secret that a model passes is warned of and masked; one that would get into git is refused or left out."""

from __future__ import annotations

import pytest

from tests.e2e.server import LabOnDisk, call, connected, data, types_the_name, words
from tests.e2e.test_secret_hunt import git_objects

RANDOM = "q7Zp-Xv93LmTt0aKcW5ueRs1"
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz012345"


@pytest.mark.timeout(90)
async def test_what_a_model_passes_is_warned_of_and_masked(lab: LabOnDisk) -> None:
    async with connected(lab) as client:
        for name, value in (("EXTRA", RANDOM), ("LINK", f"postgres://app:{RANDOM}@db/x"), ("ANY_NAME", TOKEN)):
            made = data(await call(client, "set_env", stack="utilities", values={name: value, "PLAIN": "a word"}))
            text = words(await call(client, "get_plan", plan_id=made["plan_id"]))
            assert f"{name} looks like a secret and came through a model" in text
            assert RANDOM not in text
            assert TOKEN not in text
            assert 'PLAIN=\\"a word\\"' in text, "what is no secret is shown to the person who judges it"
            assert made["risk"] != "low"
        refused = await call(client, "set_env", stack="utilities", values={"DB_PASSWORD": RANDOM})
        assert "secret_in_argument" in words(refused)
        # A file for git: whichever parameter it came by.
        reason = await call(client, "add_service", service="uptime-kuma", sso="bypass", sso_reason=f"uses {TOKEN}")
        if not reason.is_error:
            assert TOKEN not in words(reason)
            plan = data(reason)["plan_id"]
            lab.approve(plan, "--apply", code=0)
            assert TOKEN.encode() not in git_objects(lab.root)
        else:
            assert "secret_in_public_file" in words(reason)


@pytest.mark.timeout(90)
async def test_a_persons_own_secret_line_stays_out_of_git_and_the_apply_goes_on(lab: LabOnDisk) -> None:
    folder = lab.root / "tools"
    folder.mkdir()
    own = f"services:\n  mine:\n    image: docker.io/library/alpine:3.20\n    environment:\n      TOKEN: {TOKEN}\n"
    (folder / "compose.yaml").write_text(own)
    async with connected(lab, "auto", types_the_name) as client:
        made = data(await call(client, "add_service", service="uptime-kuma", stack="tools"))
        assert TOKEN not in str(made)
        await call(client, "apply_plan", plan_id=made["plan_id"])
        end = data(await call(client, "get_plan", plan_id=made["plan_id"], wait=30))
        assert end["state"] == "done", end
        assert "tools/compose.yaml was not committed: line 5 holds what looks like a secret" in str(end["evidence"])
    assert TOKEN in (folder / "compose.yaml").read_text()
    assert "uptime-kuma" in (folder / "compose.yaml").read_text()
    assert TOKEN.encode() not in git_objects(lab.root)
    back = lab.json("rollback", made["plan_id"], "--plan-only", code=3)
    assert lab.approve(back["plan_id"], "--apply")["state"] == "done"
    assert (folder / "compose.yaml").read_text() == own
    assert TOKEN.encode() not in git_objects(lab.root)
