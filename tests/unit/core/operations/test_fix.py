"""Fixes as a plan: files, recreated services, risk, and what is said."""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LintStack
from homelab_mcp.core.diff import unified
from homelab_mcp.core.operations.fix import fix
from homelab_mcp.core.operations.request import FixRequest
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Risk

WEB = """\
version: "3"
services:
  web:
    image: nginx:1.29
    restart: allways
    environment: {API_TOKEN: abcdef0123456789}
  other: {image: "busybox:1.37", restart: always}
"""


def snapshot(text: str = WEB, env: str = "", name: str = "media") -> Snapshot:
    more = StackFiles("more", "more/compose.yaml", "services:\n  x: {image: 'nginx:1.29', restart: allways}\n", "")
    return Snapshot((StackFiles(name, f"{name}/compose.yaml", text, env), more), None)


def test_safe_fixes_of_one_stack_recreate_what_changes() -> None:
    draft = fix(snapshot(), FixRequest(stack="media"))
    (edit,) = draft.edits
    assert (edit.path, edit.before, edit.secret) == ("media/compose.yaml", WEB, False)
    assert edit.after == WEB.replace('version: "3"\n', "").replace("allways", "always")
    assert [(a.kind, a.stack, a.services) for a in draft.actions] == [(ActionKind.UP, "media", ("web",))]
    assert (draft.verification.stack, draft.verification.services) == ("media", ("web",))
    assert {r.risk for r in draft.risks} == {Risk.MEDIUM}
    assert "media/compose.yaml:5 [web] HL014: Write always." in draft.notes
    assert "Left: 1 of HL054 (no safe fix is known)." in draft.notes
    assert draft.target == "media"
    assert draft.summary == "Fix 2 findings in stack media (HL014, HL015)"


def test_a_secret_goes_to_env_alone_and_nothing_is_recreated() -> None:
    before = snapshot(env="# mine\nA=1\n")
    draft = fix(before, FixRequest(stack="media", rules=("HL054",), unsafe=True))
    env, compose = draft.edits
    assert (env.path, env.before, env.mode, env.secret) == ("media/.env", "# mine\nA=1\n", 0o600, True)
    assert env.after == "# mine\nA=1\nAPI_TOKEN=abcdef0123456789\n"
    assert compose.after == WEB.replace("abcdef0123456789", "'${API_TOKEN}'")
    assert draft.actions == ()
    assert draft.secrets == ("abcdef0123456789",)
    told = " ".join(
        [draft.summary, *draft.notes, *(r.reason for r in draft.risks), unified(draft.edits, draft.secrets)]
    )
    assert "abcdef0123456789" not in told
    assert "API_TOKEN" in told


def test_a_new_env_file_is_for_its_owner_only() -> None:
    draft = fix(snapshot(), FixRequest(stack="media", rules=("HL054",), unsafe=True))
    assert (draft.edits[0].before, draft.edits[0].mode) == (None, 0o600)


def test_the_whole_lab_at_once() -> None:
    draft = fix(snapshot(name="core"), FixRequest(rules=("HL014",)))
    assert [e.path for e in draft.edits] == ["core/compose.yaml", "more/compose.yaml"]
    assert [(a.stack, a.services) for a in draft.actions] == [("core", ("web",)), ("more", ("x",))]
    assert Risk.HIGH in {r.risk for r in draft.risks}


def test_what_the_lab_switched_off_is_not_fixed() -> None:
    draft = fix(snapshot(), FixRequest(stack="media"), settings=LintSettings(ignore=("HL015",)))
    assert (draft.edits[0].after or "").startswith("version")


def test_a_key_that_compose_ignores_recreates_nobody() -> None:
    assert fix(snapshot(), FixRequest(stack="media", rules=("HL015",))).actions == ()


@pytest.mark.parametrize(
    ("request_", "kind", "code"),
    [
        (FixRequest(stack="gone"), NotFound, "stack_unknown"),
        (FixRequest(rules=("HL999",)), InvalidInput, "rule_unknown"),
        (FixRequest(rules=("HL110",)), InvalidInput, "nothing_to_do"),
        (FixRequest(stack="more", rules=("HL112",)), InvalidInput, "nothing_to_do"),
    ],
)
def test_what_cannot_be_done_is_told(request_: FixRequest, kind: type[Exception], code: str) -> None:
    with pytest.raises(kind) as caught:
        fix(snapshot(), request_)
    assert getattr(caught.value, "code", "") == code


def test_an_env_that_cannot_be_read_is_left_alone() -> None:
    with pytest.raises(InvalidInput):
        fix(snapshot(env="A='open\n"), FixRequest(stack="media", rules=("HL054",), unsafe=True))


PROXY = """\
services:
  traefik:
    image: traefik:v3.7.13
    volumes: ["./traefik.yml:/etc/traefik/traefik.yml:ro"]
  login:
    image: authelia/authelia:4.39.24
    labels:
      traefik.docker.allownonrunning: "true"
      traefik.http.middlewares.auth.forwardauth.address: http://login:9091/api/authz/forward-auth
      traefik.http.routers.login.rule: Host(`login.example.org`)
  web:
    image: nginx:1.29
    labels: ["traefik.http.routers.web.rule=Host(`web.example.org`)", traefik.http.routers.web.middlewares=auth@docker]
"""
STATIC = """\
# by hand
entryPoints: {web: {address: ":80"}}
providers:
  docker:
    exposedByDefault: false   # who asks
log: {level: INFO}
"""


def of_proxy(static: str, compose: str = PROXY) -> tuple[Snapshot, list[LintStack]]:
    read = {"proxy/traefik.yml": static}.get
    files = StackFiles("proxy", "proxy/compose.yaml", compose)
    return Snapshot((files,), None), [LintStack("proxy", "proxy/compose.yaml", compose, {}, read=read)]


def test_traefiks_own_file_is_edited_and_traefik_restarted() -> None:
    seen, stacks = of_proxy(STATIC)
    draft = fix(seen, FixRequest(stack="proxy", rules=("HL252",)), stacks=stacks)
    (edit,) = draft.edits
    assert (edit.path, edit.before) == ("proxy/traefik.yml", STATIC)
    assert edit.after == STATIC.replace("# who asks\n", "# who asks\n    allowEmptyServices: true\n")
    assert [(a.kind, a.services) for a in draft.actions] == [(ActionKind.RESTART, ("traefik",))]
    assert draft.verification.services == ("traefik",)
    assert any(r.risk is Risk.HIGH and "Restarts traefik" in r.reason for r in draft.risks)


def test_both_halves_of_a_fix_are_one_plan() -> None:
    seen, stacks = of_proxy(STATIC, PROXY.replace('      traefik.docker.allownonrunning: "true"\n', ""))
    draft = fix(seen, FixRequest(rules=("HL252",)), stacks=stacks)
    assert [e.path for e in draft.edits] == ["proxy/compose.yaml", "proxy/traefik.yml"]
    kinds = [(a.kind, a.services) for a in draft.actions]
    assert kinds == [(ActionKind.UP, ("login",)), (ActionKind.RESTART, ("traefik",))]
    assert draft.verification.services == ("login", "traefik")


@pytest.mark.parametrize(
    "static",
    [
        # Said on purpose; no place for one more; a file that is no YAML.
        STATIC.replace("exposedByDefault: false", "allowEmptyServices: false"),
        "providers: &p {docker: &d {network: a}}\nentryPoints: *p\n",
        "providers: [",
    ],
)
def test_a_file_that_says_otherwise_or_cannot_be_edited_is_left(static: str) -> None:
    seen, stacks = of_proxy(static)
    with pytest.raises(InvalidInput) as told:
        fix(seen, FixRequest(rules=("HL252",)), stacks=stacks)
    assert told.value.code == "nothing_to_do"


def test_a_finding_in_an_override_file_is_fixed_there() -> None:
    over = "services:\n  web:\n    restart: allways   # here\n"
    base = "services:\n  web: {image: 'nginx:1.29'}\n  other: {image: 'busybox:1.37', restart: always}\n"
    files = StackFiles("media", "media/compose.yaml", base, others=(("media/compose.override.yaml", over),))
    stacks = [LintStack("media", files.compose_path, base, {}, others=files.others)]
    draft = fix(Snapshot((files,), None), FixRequest(rules=("HL014",)), stacks=stacks)
    (edit,) = draft.edits
    assert (edit.path, edit.before) == ("media/compose.override.yaml", over)
    assert edit.after == over.replace("allways", "always")
    assert [a.services for a in draft.actions] == [("web",)]


def test_every_stack_that_a_fix_makes_anew_is_verified() -> None:
    draft = fix(snapshot(), FixRequest(rules=("HL014",)))
    assert {a.stack for a in draft.actions} == {"media", "more"}
    assert {(v.stack, v.services) for v in draft.verifications} == {("media", ("web",)), ("more", ("x",))}
