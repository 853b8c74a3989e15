"""Compose's own word on compose files, from the real one: kinds, places, secrets, and files that want to kill it."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.validate import compose_binary
from homelab_mcp.adapters.compose_judge import ComposeJudge
from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.judgement import Question
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.queries.engine_word import EngineWord, Kind, ask_compose, word_on

WEB = "services:\n  web:\n    image: nginx:1.29\n"
NEWEST = compose_binary()
PROGRAMS = [("docker", "compose"), *([(NEWEST,)] if NEWEST else [])]


@pytest.fixture(params=PROGRAMS, ids=["docker-compose-plugin", "newest"][: len(PROGRAMS)])
def judge(request: pytest.FixtureRequest) -> ComposeJudge:
    return ComposeJudge(program=request.param)


def write(folder: Path, text: str, env: str = "") -> LintStack:
    folder.mkdir(exist_ok=True)
    file = folder / "compose.yaml"
    file.write_text(text)
    if env:
        (folder / ".env").write_text(env)
    return LintStack(folder.name, str(file), text, parse_or_empty(env))


def word(judge: ComposeJudge, stack: LintStack, findings: tuple[Finding, ...] = ()) -> EngineWord:
    return ask_compose([stack], findings, judge=judge)


def only(said: EngineWord) -> Finding:
    assert said.not_asked == ()
    assert len(said.findings) == 1, [f.as_line() for f in said.findings]
    return said.findings[0]


def test_a_file_that_compose_takes_has_no_finding(judge: ComposeJudge, tmp_path: Path) -> None:
    said = word(judge, write(tmp_path / "web", f"{WEB}    ports: ['${{PORT}}:80']\n", "PORT=8080\n"))
    assert (said.findings, said.not_asked) == ((), ())
    assert said.version[0] in "23456789"


# text, line, part of the message
REFUSED = [
    ("services:\n  web:\n    image: x\n    imgae: y\n", 4, "imgae"),
    (f"{WEB}    cap_add: NET_ADMIN\n", 4, "cap_add"),
    (f"{WEB}    depends_on: [db]\n", 2, "undefined service"),
    (f"{WEB}    networks: [front]\n", 2, "undefined network"),
    (f"{WEB}    ports: ['${{PORT}}:80']\n    depends_on: [db]\n", 2, "undefined service"),
    (f"{WEB}    ports: ['${{PORT}}:80']\n    cap_add: NET_ADMIN\n", 5, "cap_add"),
    (f"{WEB}    environment: {{A: '${{5}}'}}\n", 4, "A"),
]


@pytest.mark.parametrize(("text", "line", "part"), REFUSED, ids=[r[2] + str(n) for n, r in enumerate(REFUSED)])
def test_what_is_wrong_whatever_the_variables_hold_is_the_files_own_fault(
    judge: ComposeJudge, tmp_path: Path, text: str, line: int, part: str
) -> None:
    finding = only(word(judge, write(tmp_path / "web", text)))
    assert (finding.rule, str(finding.severity), finding.line) == ("HL900", "error", line), finding.as_line()
    assert part in finding.message
    assert str(tmp_path) not in finding.message
    assert ("structure" in finding.message) == (part in {"imgae", "cap_add"})


# text, .env, line, part of the message
INCOMPLETE = [
    (f"{WEB}    ports: ['8080:${{PORT}}']\n    volumes: ['${{DATA}}:/data']\n", "", 4, "DATA"),
    (f"{WEB}    environment:\n      KEY: ${{KEY:?set it}}\n", "", 5, "KEY"),
    (f"{WEB}    volumes:\n      - ${{DATA}}:/data\n", "PORT=80\n", 5, "DATA"),
    (f"{WEB}    ports: ['${{PORT}}:80']\n", "PORT=hunter2hunter2\n", 1, "does not fit"),
    (f"{WEB}    env_file: missing.env\n", "", 1, "missing.env not found"),
    (f"{WEB}    privileged: ${{PRIVILEGED}}\n", "", 4, "PRIVILEGED"),
]


@pytest.mark.parametrize(("text", "env", "line", "part"), INCOMPLETE, ids=[str(n) for n in range(len(INCOMPLETE))])
def test_a_missing_or_misfit_value_is_told_from_a_wrong_file(
    judge: ComposeJudge, tmp_path: Path, text: str, env: str, line: int, part: str
) -> None:
    finding = only(word(judge, write(tmp_path / "web", text, env)))
    assert (finding.rule, finding.line) == ("HL901", line), finding.as_line()
    assert part in finding.message
    assert "hunter2" not in finding.message


SECRETS = ["hunter2hunter2", "abc", "s3:x/y,z", "12", "99999", "-q-w-", "pa$$word", "two words"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "line",
    [
        "ports: ['${SECRET}:80']",
        "volumes: [{type: bind, source: a, target: b, read_only: '${SECRET}'}]",
        "mem_limit: ${SECRET}",
        "shm_size: a${SECRET}",
        "extra_hosts: ['${SECRET}']",
        "volumes: ['a:b:${SECRET}:c']",
        "networks: ['${SECRET}']",
        "depends_on: ['${SECRET}']",
        "stop_grace_period: ${SECRET}",
    ],
)
def test_no_value_of_the_env_file_is_in_a_message(tmp_path: Path, secret: str, line: str) -> None:
    stack = write(tmp_path / "web", f"{WEB}    {line}\n", f"SECRET='{secret}'\n")
    said = ask_compose([stack], (), judge=ComposeJudge(program=PROGRAMS[-1]))
    for finding in said.findings:
        assert secret not in finding.message
        assert "hunter2" not in finding.message
    assert all(secret not in why for why in said.not_asked)


def test_the_labs_shared_variables_count_as_when_the_stack_is_started(judge: ComposeJudge, tmp_path: Path) -> None:
    (tmp_path / "global.env").write_text("DATA=./data\n")
    stack = write(tmp_path / "web", f"{WEB}    volumes: ['${{DATA}}:/data']\n", "A=1\n")
    assert only(word(judge, stack)).rule == "HL901"
    shared = ComposeJudge(tmp_path, program=judge._given)
    assert word(shared, stack).findings == ()


def test_this_processes_own_variables_do_not_count(
    judge: ComposeJudge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "of-the-shell")
    finding = only(word(judge, write(tmp_path / "web", f"{WEB}    environment: {{KEY: '${{KEY:?}}'}}\n")))
    assert finding.rule == "HL901"


def test_a_file_put_over_another_is_judged_with_it(judge: ComposeJudge, tmp_path: Path) -> None:
    stack = write(tmp_path / "web", WEB)
    over = tmp_path / "web" / "over.yaml"
    over.write_text("services:\n  web:\n    networks: [front]\n")
    both = replace(stack, others=((str(over), over.read_text()),))
    finding = only(ask_compose([both], (), judge=judge))
    assert "front" in finding.message
    assert word(judge, stack).findings == ()


def test_the_finding_is_in_the_file_that_has_the_fault(judge: ComposeJudge, tmp_path: Path) -> None:
    stack = write(tmp_path / "web", WEB)
    over = tmp_path / "web" / "over.yaml"
    over.write_text("services:\n  web:\n    imgae: x\n")
    finding = only(ask_compose([replace(stack, others=((str(over), over.read_text()),))], (), judge=judge))
    assert (finding.file, finding.line) == (str(over), 3)


def test_a_pasted_text_is_judged_without_a_file(judge: ComposeJudge, tmp_path: Path) -> None:
    pasted = LintStack("pasted", "pasted.yaml", f"{WEB}    networks: [front]\n", {})
    finding = only(ask_compose([pasted], (), judge=judge, files={"pasted.yaml": ()}))
    assert (finding.rule, finding.file) == ("HL900", "pasted.yaml")
    assert "homelab-judge" not in finding.message


def test_an_error_that_compose_does_not_share_is_a_disagreement(judge: ComposeJudge, tmp_path: Path) -> None:
    stack = write(tmp_path / "web", f"{WEB}    restart: allways\n")
    wrong = Finding("HL021", Severity.ERROR, "made up", stack.file, 3, 5, "web")
    said = word(judge, stack, (*lint([stack]), wrong))
    # What only the engine refuses (the restart policy) is no disagreement with `config`.
    finding = only(said)
    assert (finding.rule, str(finding.severity), finding.line, finding.column) == ("HL902", "info", 3, 5)
    assert "HL021" in finding.message


def test_settings_turn_its_rules_off_and_change_how_much_they_count(judge: ComposeJudge, tmp_path: Path) -> None:
    stack = write(tmp_path / "web", f"{WEB}    volumes: ['${{DATA}}:/data']\n")
    softer = ask_compose([stack], (), judge=judge, settings=LintSettings(severity={"HL901": "warning"}))
    assert str(only(softer).severity) == "warning"
    assert ask_compose([stack], (), judge=judge, settings=LintSettings(ignore=("HL901",))).findings == ()


def test_without_compose_the_sentence_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = write(tmp_path / "web", WEB)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = ask_compose([stack], (), judge=ComposeJudge())
    assert said.findings == ()
    assert len(said.not_asked) == 1
    assert "script/setup" in said.not_asked[0]


def test_many_stacks_are_asked_in_order_and_no_longer_than_allowed(judge: ComposeJudge, tmp_path: Path) -> None:
    stacks = [write(tmp_path / f"s{n:02}", WEB + "    networks: [front]\n") for n in range(12)]
    said = ask_compose(stacks, (), judge=judge)
    assert [f.file for f in said.findings] == [s.file for s in stacks]
    start = time.monotonic()
    late = ask_compose(stacks, (), judge=judge, seconds=0)
    assert time.monotonic() - start < 2
    assert len(late.not_asked) == 12
    assert "time" in late.not_asked[0]


# --- files that want to kill it ---------------------------------------------------------------------------------------


def bomb(levels: int) -> str:
    """Aliases in aliases, nine a level."""
    names = "abcdefghijklmnop"[: levels + 1]
    lines = ["x-a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, now in itertools.pairwise(names):
        lines.append(f"x-{now}: &{now} [{','.join([f'*{before}'] * 9)}]")
    return "\n".join([*lines, "services: {web: {image: x}}", ""])


def resident(group_of: str) -> tuple[int, list[int]]:
    """Bytes that programs with this word in their arguments hold now, and their process ids."""
    total, found = 0, []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if group_of in (entry / "cmdline").read_text(errors="replace"):
                found.append(int(entry.name))
                total += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            continue
    return total, found


def gone(word: str) -> bool:
    """Whether nothing is left; a program that was killed may need a moment to give its memory back."""
    end = time.monotonic() + 3
    while resident(word)[1] and time.monotonic() < end:
        time.sleep(0.05)
    return resident(word)[1] == []


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[list[int]]:
    """The most memory that programs working on this test's folder held, taken every 50 ms."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], resident(str(tmp_path))[0])

    thread = threading.Thread(target=watch)
    thread.start()
    yield peak
    over.set()
    thread.join()


def test_the_bounded_reader_keeps_a_bomb_from_compose(judge: ComposeJudge, tmp_path: Path) -> None:
    stack = write(tmp_path / "bomb", bomb(6))
    judge.version()
    start = time.monotonic()
    said = word(judge, stack)
    assert time.monotonic() - start < 1
    assert said.findings == ()
    assert "aliases would expand" in said.not_asked[0]


@pytest.mark.parametrize("text", [bomb(6), bomb(10).ljust(446, "#")], ids=["7 levels", "446 bytes"])
def test_a_bomb_that_got_past_the_reader_ends_within_its_limits_and_leaves_nothing(
    judge: ComposeJudge, tmp_path: Path, watched: list[int], text: str
) -> None:
    assert len(text) <= 446
    stack = write(tmp_path / "bomb", text)
    start = time.monotonic()
    said = word_on(judge, Question((stack.file,), "bomb", text), (), start + 60)
    assert time.monotonic() - start < 14
    assert said.kind is Kind.COSTLY
    assert 0 < watched[0] < 900 * 1024**2
    assert gone(str(tmp_path))


def test_a_program_that_is_deaf_and_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    deaf.write_text("#!/bin/sh\ntrap '' TERM INT\n(trap '' TERM INT; sleep 60) &\nwhile :; do sleep 1; done\n")
    deaf.chmod(0o755)
    judge = ComposeJudge(program=[str(deaf)], seconds=1)
    start = time.monotonic()
    answer = judge.ask(Question((str(tmp_path / "compose.yaml"),), "s", WEB), seconds=1)
    assert answer.costly
    assert time.monotonic() - start < 5
    assert gone(str(deaf))
