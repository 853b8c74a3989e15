"""People and sessions by plans, on files: what is planned, what is written, and what nobody is shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.operations.set_sign_on import MAIL_PASSWORD
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import Plan, Requester, Risk
from homelab_mcp.queries.sign_on import last_notice, sign_on
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.plan_view import view as plan_view
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.propose_sign_on import propose_manage_user, propose_set_sign_on

ME = Requester(via="mcp")
USERS = "core/authelia/config/users_database.yml"
CONFIG = "core/authelia/config/configuration.yml"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with a log-in, made once: its hashes are slow by design."""
    root = tmp_path_factory.mktemp("made") / "lab"
    found = open_lab(str(root), files_only=True)
    init_lab(found, {"domain": "lab.test", "acme.challenge": "tls"}, "27182818")
    write(found, propose_add_service(found, "authelia", "", {}, ME))
    return root


@pytest.fixture
def lab(made: Path, tmp_path: Path) -> LocalLab:
    return open_lab(str(shutil.copytree(made, tmp_path, dirs_exist_ok=True)), files_only=True)


def write(lab: LocalLab, plan: Plan) -> None:
    """The plan's files, written without the ceremony: what an apply does is another test's business."""
    for edit in plan.draft.edits:
        lab.files.write_atomic(edit.path, edit.after or "", edit.mode)


def test_a_new_person_s_password_reaches_a_file_and_nothing_else(lab: LocalLab) -> None:
    made = propose_manage_user(lab, ME, action="add", name="bob", groups=("family",))
    assert made.waits == ".homelab/passwords/bob"
    file = Path(lab.root) / made.waits
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    password = file.read_text().strip()
    assert len(password) == 20
    told = plan_view(made.plan, lab.plans.status(made.plan.id), lab.clock.now()).model_dump_json()
    assert "+ bob (groups family)" in told
    assert "argon2" not in told
    kept = [p for p in Path(lab.root).rglob("*") if p.is_file() and p != file]
    assert [p for p in kept if password.encode() in p.read_bytes()] == []
    write(lab, made.plan)
    from argon2 import PasswordHasher

    assert PasswordHasher().verify(load(lab.files.read(USERS) or "")["users"]["bob"]["password"], password)
    assert [u.name for u in sign_on(lab).users] == ["admin", "bob"]
    assert (lab.handover.take("bob"), lab.handover.take("bob")) == (password, None)
    assert made.plan.risk is Risk.HIGH
    assert made.plan.draft.actions == ()


def test_a_refused_plan_leaves_no_password_behind(lab: LocalLab) -> None:
    with pytest.raises(InvalidInput):
        propose_manage_user(lab, ME, action="add", name="admin")
    assert lab.handover.take("admin") is None
    with pytest.raises(InvalidInput) as weak:
        propose_manage_user(lab, ME, action="reset_password", name="admin", password="short")
    assert weak.value.code == "weak_password"
    for name in ("../x", "", "a/b"):
        with pytest.raises(HomelabError):
            lab.handover.leave(name, "x")


def test_a_password_that_a_person_typed_waits_nowhere(lab: LocalLab) -> None:
    made = propose_manage_user(lab, ME, action="reset_password", name="admin", password="correct horse battery")
    assert (made.waits, lab.handover.take("admin")) == ("", None)
    whole = [p for p in Path(lab.root).rglob("*") if p.is_file()]
    assert [p for p in whole if b"correct horse" in p.read_bytes()] == []


def test_one_who_becomes_an_administrator_is_told_as_a_risk(lab: LocalLab) -> None:
    write(lab, propose_manage_user(lab, ME, action="add", name="bob").plan)
    plan = propose_manage_user(lab, ME, action="groups", name="bob", groups=("admins",)).plan
    assert "bob becomes an administrator." in plan.reasons
    plan = propose_manage_user(lab, ME, action="disable", name="bob").plan
    assert plan.draft.summary == "Disable user bob"


def test_groups_are_taken_away_only_where_that_is_said(lab: LocalLab) -> None:
    write(lab, propose_manage_user(lab, ME, action="add", name="bob", groups=("family",)).plan)
    with pytest.raises(InvalidInput) as refused:
        propose_manage_user(lab, ME, action="groups", name="bob")
    assert refused.value.code == "groups_missing"
    assert "none alone takes all away" in refused.value.hint
    plan = propose_manage_user(lab, ME, action="groups", name="bob", groups=("none",)).plan
    assert plan.draft.summary == "User bob: groups none"
    assert load(plan.draft.edits[0].after or "")["users"]["bob"]["groups"] == []


def test_without_watching_authelia_is_restarted(lab: LocalLab) -> None:
    from homelab_mcp.core.operations.manage_user import ManageUserRequest, manage_user
    from homelab_mcp.model.observed import Snapshot
    from homelab_mcp.queries.find import read_stacks

    config = (lab.files.read(CONFIG) or "").replace("watch: true", "watch: false")
    lab.files.write_atomic(CONFIG, config, 0o644)
    request = ManageUserRequest(action="add", name="bob")
    draft = manage_user(
        Snapshot(read_stacks(lab.files), None), lab.settings, request, read=lab.files.read, password_hash="h"
    )
    assert [(a.kind, a.services) for a in draft.actions] == [("restart", ("authelia",))]
    assert draft.verification.services == ("authelia",)


def test_session_times_change_in_the_file_and_nowhere_else(lab: LocalLab) -> None:
    before = lab.files.read(CONFIG) or ""
    plan = propose_set_sign_on(lab, ME, inactivity="30 minutes", remember_me="1M")
    (edit,) = plan.draft.edits
    assert edit.after == before.replace('"1 hour"', '"30 minutes"').replace('"1 month"', '"1M"')
    older = before.replace(
        "authelia_url: https://auth.lab.test", "authelia_url: https://auth.lab.test\n      inactivity: 5m"
    )
    lab.files.write_atomic(CONFIG, older, 0o644)
    (edit,) = propose_set_sign_on(lab, ME, inactivity="9m").draft.edits
    assert load(edit.after or "")["session"]["cookies"][0]["inactivity"] == "9m"
    assert load(edit.after or "")["session"]["inactivity"] == "1 hour"


def test_mail_takes_the_place_of_the_file_and_its_password_stays_in_env(lab: LocalLab) -> None:
    mail = {"notify": "smtp", "mail_address": "submissions://smtp.lab.test:465", "mail_sender": "Lab <a@lab.test>"}
    with pytest.raises(InvalidInput) as refused:
        propose_set_sign_on(lab, ME, **mail, mail_username="me")
    assert (refused.value.code, MAIL_PASSWORD in refused.value.hint) == ("missing_input", True)
    assert refused.value.details["asks"] == {"stack": "core", "names": [MAIL_PASSWORD]}
    env = lab.files.read("core/.env") or ""
    lab.files.write_atomic("core/.env", f"{env}{MAIL_PASSWORD}=hunter2hunter2\n", 0o600)
    plan = propose_set_sign_on(lab, ME, **mail, mail_username="me")
    write(lab, plan)
    config = load(lab.files.read(CONFIG) or "")
    assert config["notifier"] == {
        "smtp": {"address": "submissions://smtp.lab.test:465", "sender": "Lab <a@lab.test>", "username": "me"}
    }
    compose = load(lab.files.read("core/compose.yaml") or "")
    assert compose["services"]["authelia"]["environment"][MAIL_PASSWORD] == f"${{{MAIL_PASSWORD}}}"
    assert sign_on(lab).notices == "mail"
    with pytest.raises(HomelabError, match="mail"):
        last_notice(lab)
    write(lab, propose_set_sign_on(lab, ME, notify="file"))
    assert sign_on(lab).notices == "core/authelia/config/notification.txt"


@pytest.mark.parametrize(
    "values",
    [
        {"inactivity": "soon"},
        {"expiration": "1 hour\nsecret: x"},
        {"mail_sender": "x@y.z"},
        {"notify": "smtp"},
        {"notify": "smtp", "mail_address": "http://x", "mail_sender": "x@y.z"},
        {"notify": "smtp", "mail_address": "smtp://x", "mail_sender": "x\n@y.z"},
        {"notify": "pigeon"},
        {},
    ],
)
def test_what_authelia_would_refuse_is_refused_here(lab: LocalLab, values: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        propose_set_sign_on(lab, ME, **values)


def test_the_newest_notice_is_read_from_authelia_s_file(lab: LocalLab) -> None:
    with pytest.raises(HomelabError) as none:
        last_notice(lab)
    assert none.value.code == "no_notice"
    lab.files.write_atomic("core/authelia/config/notification.txt", "Code: ABCD1234\n", 0o600)
    assert last_notice(lab) == "Code: ABCD1234\n"
    found = sign_on(lab)
    assert (found.portal, found.rules_follow, found.sessions_last) == ("core/authelia", True, True)
