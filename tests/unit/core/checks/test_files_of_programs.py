"""Rules over the files that a lab's programs read, where a case takes more than the corpus can hold."""

from __future__ import annotations

from collections.abc import Mapping

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.model.finding import Finding, Severity

CONFIGURATION = """access_control: {default_policy: one_factor}
authentication_backend: {file: {path: /config/users.yml}}
session: {cookies: [{domain: example.org, authelia_url: 'https://auth.example.org'}]}
storage: {encryption_key: %s, local: {path: /config/db.sqlite3}}
notifier: {filesystem: {filename: /config/sent.txt}}
"""
AUTHELIA = "services:\n  authelia:\n    image: authelia/authelia:4.39.4\n    volumes: ['./config:/config']\n"


def found(texts: Mapping[str, str], rule: str) -> list[Finding]:
    """What a rule says of a lab: each ``compose.yaml`` is a stack, all else are files beside."""

    def names(folder: str) -> list[str] | None:
        below = [t.removeprefix(f"{folder}/").partition("/") for t in texts if t.startswith(f"{folder}/")]
        return sorted({name + slash for name, slash, _ in below}) or None

    stacks = [
        LintStack(file.rpartition("/")[0], file, text, {}, None, (), texts.get, names)
        for file, text in texts.items()
        if file.endswith("/compose.yaml")
    ]
    return [f for f in lint(stacks) if f.rule == rule]


def test_each_authelia_is_judged_by_its_own_variables() -> None:
    by_variable = f"{AUTHELIA}    environment: {{AUTHELIA_STORAGE_ENCRYPTION_KEY: '${{KEY:-x}}'}}\n"
    lab = {
        "auth/compose.yaml": AUTHELIA,
        "auth/config/configuration.yml": CONFIGURATION % "'a key of more than twenty characters'",
        "auth-test/compose.yaml": by_variable,
        "auth-test/config/configuration.yml": CONFIGURATION % "short",
    }
    assert found(lab, "HL332") == []
    lab["auth-test/compose.yaml"] = AUTHELIA
    told = found(lab, "HL332")
    assert [(f.file, f.line, f.severity) for f in told] == [
        ("auth-test/config/configuration.yml", 4, Severity.ERROR),
    ]


def test_two_authelias_of_one_stack_are_told_apart_by_their_files() -> None:
    second = AUTHELIA.partition("\n")[2].replace("authelia:\n", "second:\n", 1).replace("./config", "./other")
    lab = {
        "auth/compose.yaml": AUTHELIA + second,
        "auth/config/configuration.yml": CONFIGURATION % "'a key of more than twenty characters'",
        "auth/other/configuration.yml": CONFIGURATION % "short",
    }
    assert [f.file for f in found(lab, "HL332")] == ["auth/other/configuration.yml"]
