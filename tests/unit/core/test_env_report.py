"""A lab's variables: who uses which, what is wrong with them, which secrets may be made anew. No value is told."""

from __future__ import annotations

import pytest

from homelab_mcp.core.compose_meaning import read
from homelab_mcp.core.env_check import env_problems
from homelab_mcp.core.env_report import StackEnv, shared_env, stack_env
from homelab_mcp.core.operations.set_global_env import set_global_env
from homelab_mcp.core.rotation import rotation
from homelab_mcp.model.definition import Generate, Variable
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Risk

CANARY = "c4n4ry-v4lue-9137xyz"
COMPOSE = """services:
  app:
    image: app:1
    environment:
      TOKEN: ${APP_TOKEN}
      DB: postgres://u:${DB_PASSWORD:?needed}@db/x
      MODE: ${MODE:-plain}
      LOST: ${LOST}
      DATA_ENCRYPTION_KEY: ${PLAIN_SECRET:-}
      PLAIN: ${TZ}
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD}"}
  all:
    image: all:1
    env_file: [.env]
networks:
  out: {name: "${NETWORK}", external: true}
"""
ENV = f"APP_TOKEN={CANARY}\nDB_PASSWORD=\nUNUSED=1\n"


def env(text: str = ENV, compose: str = COMPOSE, shared: str = "TZ=Etc/UTC\n", name: str = "apps") -> StackEnv:
    values = dict(line.split("=", 1) for line in shared.splitlines())
    return stack_env(StackFiles(name, f"{name}/compose.yaml", compose, text), values, lambda _: None)


def test_each_variable_with_its_state_its_users_and_whether_it_is_secret() -> None:
    found = {v.name: v for v in env().variables}
    assert {n: v.state for n, v in found.items()} == {
        "APP_TOKEN": "set",
        "DB_PASSWORD": "empty",
        "UNUSED": "set",
        "MODE": "default",
        "LOST": "unset",
        "PLAIN_SECRET": "default",
        "TZ": "set",
        "NETWORK": "unset",
    }
    assert found["APP_TOKEN"].secret
    assert not found["TZ"].secret
    assert found["TZ"].source == "global"
    assert set(found["DB_PASSWORD"].used_by) == {"app", "db", "all"}
    assert found["DB_PASSWORD"].required
    assert found["NETWORK"].used_by == ("(file)",)
    assert found["UNUSED"].used_by == ("all",)


def problems(*stacks: StackEnv, shared: str = "") -> set[tuple[str, str, str, str]]:
    known = {s.stack: s for s in stacks}
    found = env_problems(shared_env(shared, known), known)
    assert CANARY not in repr([(p.text, p.fix) for p in found])
    return {(p.level, p.kind, p.stack, p.name) for p in found}


def test_what_is_wrong_is_told_without_a_value() -> None:
    no_file = COMPOSE.replace("    env_file: [.env]\n", "")
    found = problems(env(compose=no_file), shared="TZ=Etc/UTC\nNOBODY=1\nAPP_TOKEN=another-l0ng-value\n")
    assert found == {
        ("error", "empty", "apps", "DB_PASSWORD"),
        ("warning", "unset", "apps", "LOST"),
        ("warning", "unset", "apps", "NETWORK"),
        ("info", "unused", "apps", "UNUSED"),
        ("info", "unused", ".", "NOBODY"),
        ("info", "unused", ".", "APP_TOKEN"),
        ("info", "shadows", "apps", "APP_TOKEN"),
    }


@pytest.mark.parametrize(
    ("value", "kind"),
    [("changeme", "known"), ("app_token", "known"), ("abc123xyz", "weak"), ("aaaaaaaaaaaaaaaa", "weak"), (CANARY, "")],
)
def test_weak_secrets_are_told_by_kind(value: str, kind: str) -> None:
    found = problems(env(f"APP_TOKEN={value}\nDB_PASSWORD={CANARY}2\n"))
    assert {k for _, k, _, name in found if name == "APP_TOKEN"} == ({kind} if kind else set())


def test_one_secret_in_two_stacks_and_a_file_that_cannot_be_read() -> None:
    found = problems(env(), env(name="more"), env("'broken\n", name="torn"))
    assert ("warning", "shared", "apps", "APP_TOKEN") in found
    assert ("error", "malformed", "torn", "") in found


def test_a_value_that_its_definition_does_not_allow_is_malformed() -> None:
    declared = Variable(name="MODE", description="How it works.", choices=["plain", "fancy"])
    one = env("MODE=other\n")
    variables = tuple(
        type(v)(v.stack, v.name, v.state, v.source, v.secret, v.used_by, v.required, declared)
        if v.name == "MODE"
        else v
        for v in one.variables
    )
    assert ("error", "malformed", "apps", "MODE") in problems(StackEnv("apps", variables, one.values))


@pytest.mark.parametrize(
    ("name", "declared", "kind"),
    [
        ("DB_PASSWORD", None, "database"),
        ("STORE_ENCRYPTION_KEY", None, "data_key"),
        ("PLAIN_SECRET", None, "data_key"),
        ("APP_TOKEN", Variable(name="APP_TOKEN", description="From the provider.", secret=True), "outside"),
        ("ADMIN_PASSWORD", None, "first_start"),
        (
            "APP_TOKEN",
            Variable(name="APP_TOKEN", description="x", secret=True, generate=Generate(kind="hex", length=64)),
            "free",
        ),
        ("SESSION_SECRET", None, "free"),
    ],
)
def test_a_secret_is_made_anew_only_where_writing_it_is_all_it_takes(
    name: str, declared: Variable | None, kind: str
) -> None:
    found = rotation(name, read(COMPOSE), declared)
    assert found.kind == kind
    assert found.allowed is (kind in ("free", "first_start"))
    assert bool(found.steps) is not found.allowed
    assert found.generate == (declared.generate if declared else None)


def test_a_variable_of_the_whole_lab_recreates_whoever_uses_it_and_nobody_who_has_an_own_one() -> None:
    snapshot = Snapshot(
        (
            StackFiles("apps", "apps/compose.yaml", "services: {a: {image: 'a:1', environment: {TZ: '${TZ}'}}}\n", ""),
            StackFiles(
                "own", "own/compose.yaml", "services: {b: {image: 'b:1', environment: {TZ: '${TZ}'}}}\n", "TZ=x\n"
            ),
            StackFiles("none", "none/compose.yaml", "services: {c: {image: 'c:1'}}\n", ""),
        ),
        None,
    )
    draft = set_global_env(snapshot, {"TZ": "Europe/Berlin", "OLD": None}, "# kept\nTZ=Etc/UTC\nOLD=1\n")
    (edit,) = draft.edits
    assert (edit.path, edit.after, edit.secret) == ("global.env", "# kept\nTZ=Europe/Berlin\n", True)
    assert [(a.stack, a.services) for a in draft.actions] == [("apps", ("a",))]
    assert draft.risks[0].risk is Risk.HIGH
    assert any("own sets TZ itself" in n for n in draft.notes)
    with pytest.raises(InvalidInput):
        set_global_env(snapshot, {"TZ": "Etc/UTC"}, "TZ=Etc/UTC\n")
