"""Each fix does what it says and nothing else, however the file is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.core.checks.fixes import all_fixers
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.checks.rule_repair import repaired
from homelab_mcp.core.env_file import parse
from homelab_mcp.core.text_edits import apply_edits
from homelab_mcp.core.yaml12 import load, load_nodes
from homelab_mcp.model.finding import Finding, Severity

CASES = (Path(__file__).parent / "fixes.txt").read_text().split("=== ")[1:]
FACTS = LabFacts(networks=frozenset())
ORDER = list(Severity)


def stacks_of(*texts: str, env: dict[str, str] | None = None) -> list[LintStack]:
    return [LintStack(f"s{n}", f"s{n}/compose.yaml", text, env or {}) for n, text in enumerate(texts)]


def offered(rule: str, stacks: list[LintStack]) -> list[Finding]:
    return [f for f in lint(stacks, facts=FACTS, fixes=True) if f.rule == rule and f.fix]


def applied(stacks: list[LintStack], finding: Finding) -> list[LintStack]:
    assert finding.fix
    result = []
    for s in stacks:
        text = apply_edits(s.text, [e for e in finding.fix.edits if e.file == s.file])
        added = [parse(e.text) for e in finding.fix.edits if e.file == s.file.replace("compose.yaml", ".env")]
        env = {**s.env, **{k: v for part in added for k, v in part.items()}}
        result.append(LintStack(s.name, s.file, text, env))
    return result


def fewer(rule: str, before: list[LintStack], after: list[LintStack]) -> bool:
    counts = [sum(f.rule == rule for f in lint(part, facts=FACTS)) for part in (before, after)]
    return counts[1] < counts[0]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.partition("\n")[0])
def test_a_case_comes_out_as_written(case: str) -> None:
    title, _, body = case.partition("\n")
    rule, word = title.replace(",", "").split()[:2]
    given, _, wanted = body.partition("-->\n")
    before = stacks_of(*given.split("+++\n"))
    finding = offered(rule, before)[0]
    assert finding.fix
    after = applied(before, finding)
    assert after[0].text == wanted
    assert finding.fix.safe == (word == "safe")
    assert fewer(rule, before, after)


def test_the_same_cases_with_other_line_ends_and_a_byte_order_mark() -> None:
    for case in CASES:
        title, _, body = case.partition("\n")
        given, _, wanted = ("\ufeff" + body).replace("\n", "\r\n").partition("-->\r\n")
        before = stacks_of(*given.split("+++\r\n"))
        assert applied(before, offered(title[:5], before)[0])[0].text == "\ufeff" + wanted, title


def commented(text: str) -> str:
    """A comment before each line and behind those that end a value; a blank line here and there."""
    out = []
    for n, line in enumerate(text.splitlines()):
        pad = re.match(" *", line)[0]  # type: ignore[index]
        out += [f"{pad}# note {n}\tabout 'this': {{x", f"{line}   # behind {n}"]
    return "\n".join(out) + "\n"


def wide(text: str) -> str:
    return re.sub(r"(?m)^( +)", r"\1\1", text)


def merged(text: str) -> str:
    """Every service takes a merge key in, and another one is an alias of it all."""
    return "x-extra: &extra\n  stop_grace_period: 9s\n" + re.sub(r"(?m)^(  [a-z]+:)$", r"\1\n    <<: *extra", text)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda t: t,
    "commented": commented,
    "carriage returns": lambda t: commented(t).replace("\n", "\r\n"),
    "wide": wide,
    "merged": merged,
    "byte order mark": lambda t: "\ufeff" + t,
    "no last line break": lambda t: t.removesuffix("\n"),
}
EXAMPLES = {r.id: r.bad + "\n" for r in all_rules() if r.id in all_fixers()}
FIXED = [rule for rule, bad in EXAMPLES.items() if offered(rule, stacks_of(bad))]


def test_most_rules_with_a_fixer_show_it_in_their_example() -> None:
    assert len(FIXED) >= 50


def leaves(data: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    if isinstance(data, dict) and data:
        return {k: v for key, item in data.items() for k, v in leaves(item, (*path, key)).items()}
    if isinstance(data, list) and data:
        return {k: v for n, item in enumerate(data) for k, v in leaves(item, (*path, n)).items()}
    return {path: data}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", FIXED)
def test_an_example_is_fixed_however_it_is_written(rule: str, form: str) -> None:
    before = stacks_of(FORMS[form](EXAMPLES[rule]))
    old, text = lint(before, facts=FACTS), before[0].text
    for finding in offered(rule, before):
        after = applied(before, finding)
        new = after[0].text
        assert fewer(rule, before, after)
        known = {(f.rule, f.message) for f in old}
        fresh = [
            f for f in lint(after, facts=FACTS) if (f.rule, f.message) not in known and f.severity is Severity.ERROR
        ]
        assert not fresh
        assert [c for c in re.findall(r"# note .*", text) if c not in new][2:] == []
        assert ("\r\n" in text) == ("\r\n" in new)
        assert not re.search(r"(?<!\r)\n", new) or "\r\n" not in text
        assert new.startswith("\ufeff") == text.startswith("\ufeff")
        same = set(text.splitlines()) - set(new.splitlines())
        assert len(same) <= 6, same
        a, b = (leaves(load_nodes(t, allow_duplicates=True).data) for t in (text, new))
        assert sum(a.get(k, "") != b.get(k, "") for k in {**a, **b}) <= 6


@pytest.mark.parametrize("rule", FIXED)
def test_what_is_shared_by_an_alias_is_only_fixed_for_all_or_not_at_all(rule: str) -> None:
    """The example's services once more as aliases: no fix may reach a service that has not the finding."""
    text = EXAMPLES[rule]
    found = re.search(r"(?m)^  ([a-z]+):\n", text)
    if not found:
        return
    shared = text.replace(f"  {found[1]}:\n", f"  {found[1]}: &it\n", 1)
    end = re.search(r"(?m)^(?!services:| |x-|\Z|version)", shared)
    place = end.start() if end else len(shared)
    before = stacks_of(shared[:place] + "  twin: *it\n" + shared[place:])
    for finding in offered(rule, before):
        after = applied(before, finding)
        assert load(after[0].text)["services"]["twin"] is not None


def test_a_secret_moves_to_env_and_means_the_same() -> None:
    text = (
        'services:\n  web:\n    image: nginx:1.29\n    environment:\n      - DB_PASSWORD=it\'s a "secret"\n'
        "      - OTHER=${UNSET:-x}\n    labels: {w.key: abc$$def-0123}\n"
    )
    before = stacks_of(text)
    for rule, name, value in (("HL054", "DB_PASSWORD", 'it\'s a "secret"'), ("HL059", "WEB_KEY", "abc$def-0123")):
        found = [f for f in lint(before, fixes=True) if f.rule == rule]
        for finding in found:
            if not finding.fix:
                continue
            assert not finding.fix.safe
            after = applied(before, finding)[0]
            assert after.env[name] == value
            assert value not in after.text
            assert not any(value in s for s in (finding.fix.title, finding.message))


def test_a_variable_that_is_taken_is_not_overwritten() -> None:
    text = "services:\n  web:\n    image: nginx:1.29\n    environment: {DB_PASSWORD: hunter2hunter2}\n"
    (finding,) = offered("HL054", stacks_of(text, env={"DB_PASSWORD": "another"}))
    assert finding.fix and [e.text for e in finding.fix.edits][1] == "WEB_DB_PASSWORD=hunter2hunter2\n"
    (finding,) = offered("HL054", stacks_of(text, env={"DB_PASSWORD": "hunter2hunter2"}))
    assert finding.fix and len(finding.fix.edits) == 1


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("HL002", "services:\n  web:\n    image: nginx:1\n    image: nginx:2\n"),
        ("HL011", "services:\n  web:\n    image: nginx:1.29\n    nonsense: 1\n"),
        ("HL011", "services:\n  web:\n    image: nginx:1.29\n    imgae: nginx:1.28\n"),
        ("HL014", "services:\n  web:\n    image: nginx:1.29\n    restart: sometimes\n"),
        ("HL014", "services:\n  web:\n    image: nginx:1.29\n    restart: on-failure:x\n"),
        ("HL020", "services:\n  web:\n    image: nginx:1.29\n    networks: [frnt]\nnetworks: {front: }\n"),
        (
            "HL030",
            "services:\n  web:\n    image: nginx:1.29\n    depends_on: [db]\n  d1: {image: x}\n  d2: {image: x}\n",
        ),
        ("HL064", "services:\n  web:\n    image: nginx:1.29\n    labels: {traefik.http.routers.w.rule: '(((' }\n"),
        (
            "HL066",
            "services:\n  web:\n    image: nginx:1.29\n    labels:\n"
            "      traefik.http.routers.w.rule: Host(`photos.example.org`)\n"
            "      traefik.http.routers.w.service: album\n"
            "  ml: {image: x, labels: {traefik.http.services.album-faces.loadbalancer.server.port: '3003'}}\n",
        ),
        ("HL110", "services:\n  web:\n    image: nginx:latest\n"),
        ("HL102", "x-a: &a\n  image: nginx:1.29\nservices:\n  web: *a\n"),
        ("HL001", "services:\n\tweb:\n"),
    ],
)
def test_where_nobody_can_know_there_is_no_fix(rule: str, text: str) -> None:
    found = [f for f in lint(stacks_of(text), fixes=True) if f.rule == rule]
    assert found
    assert not [f for f in found if f.fix]


@pytest.mark.parametrize(
    ("rule", "version", "meant"),
    [
        ("Host('a.b')", 0, "Host(`a.b`)"),
        ("Host(\u201ca.b\u201d)", 0, "Host(`a.b`)"),
        ("Host(`a.b`) and !Path(`/x`)", 0, "Host(`a.b`) && !Path(`/x`)"),
        ("Host(`a.b`) | Host(`c.d`)", 0, "Host(`a.b`) || Host(`c.d`)"),
        ("Host:a.b", 0, "Host(`a.b`)"),
        ("Host(`a.b`", 0, "Host(`a.b`)"),
        ("Host(`https://a.b/`)", 0, "Host(`a.b`)"),
        ("Headers(`X-A`, `1`)", 3, "Header(`X-A`, `1`)"),
        ("Host(`a`,`b`)", 3, "Host(`a`) || Host(`b`)"),
        ("Nonsense(`a`)", 3, ""),
        ("Host(`a b`)", 3, ""),
        ("", 3, ""),
        ("Host(`a.b`)) || Path(`/x`)", 3, ""),
    ],
)
def test_a_traefik_rule_is_put_right_or_left(rule: str, version: int, meant: str) -> None:
    assert repaired(rule, version) == meant


def test_every_fixer_says_how_safe_it_is_and_belongs_to_a_rule() -> None:
    ids = {r.id for r in all_rules()}
    for rule, function in all_fixers().items():
        assert rule in ids
        assert re.match(r"(?:Safe|Unsafe)\b", function.__doc__ or ""), rule


@pytest.mark.parametrize(
    ("more", "safe"),
    [
        ("scale: 1", True),
        ("deploy: {replicas: 2}", True),
        ("scale: 0", False),
        ("scale: '0'", False),
        ("scale: '${N:-0}'", False),
        ("scale: '${N}'", False),
        ("deploy: {replicas: 0}", False),
    ],
)
def test_what_runs_only_when_somebody_starts_it_is_not_started_for_ever_unasked(more: str, safe: bool) -> None:
    text = f"services:\n  db:\n    image: nginx:1.29\n    ports: ['80:80']\n    {more}\n"
    (finding,) = offered("HL114", stacks_of(text))
    assert finding.fix and finding.fix.safe is safe


@pytest.mark.parametrize(
    ("written", "meant", "safe"),
    [
        ("auht", "auth", True),
        ("limit", "limits", True),
        ("chain_auth", "chain-auth", True),
        ("auth", "auth-x", False),
        ("lan-only", "lan-only2", False),
        ("admin-auth", "admins-auth-x", False),
    ],
)
def test_another_middleware_is_not_taken_for_a_slip(written: str, meant: str, safe: bool) -> None:
    text = (
        "services:\n  traefik: {image: 'traefik:v3.6.1'}\n  web:\n    image: nginx:1.29\n    labels:\n"
        f"      traefik.http.middlewares.{meant}.basicauth.users: x\n"
        f"      traefik.http.routers.web.middlewares: {written}\n"
    )
    (finding,) = offered("HL068", stacks_of(text))
    assert finding.fix and finding.fix.safe is safe


@pytest.mark.parametrize(
    ("image", "more", "stays"),
    [
        ("postgres:17.5", "", True),
        ("postgres:17.5", "command: [postgres, -c, shared_buffers=1GB]", True),
        ("mariadb:11.8", "command: --transaction-isolation=READ-COMMITTED --log-bin=binlog", True),
        ("redis:8.2", "command: [docker-entrypoint.sh, redis-server, --appendonly, 'yes']", True),
        ("redis:8.2", "command: [sh, -c, 'exec redis-server --requirepass \"$$PW\"']", True),
        ("redis:8.2", "command: /etc/redis/redis.conf", True),
        ("mariadb:11.8", "entrypoint: [sh, -c, 'mariadb-dump -h db --all-databases > /b/x.sql']", False),
        ("mongo:8.0", "entrypoint: mongosh --host db --eval 'rs.initiate()'", False),
        ("postgres:17.5", "command: [pg_dumpall, -h, db]", False),
        ("redis:8.2", "command: redis-cli -h cache FLUSHALL", False),
        ("influxdb:2.7", "command: influx setup", False),
        ("mongo:8.0", "command: mongoimport --host db /seed/a.json", False),
        ("postgres:17.5", "command: [bash, /seed/fill.sh]", False),
        ("postgres:17.5", "command: [sh, -c, 'psql -h postgres -f /seed/postgres.sql']", False),
    ],
)
def test_a_databases_tool_is_a_job_and_never_started_again_by_itself(image: str, more: str, stays: bool) -> None:
    (finding,) = offered("HL114", stacks_of(f"services:\n  db:\n    image: {image}\n    {more}\n"))
    assert finding.fix and finding.fix.safe is stays
