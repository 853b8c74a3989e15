"""Every rule finds what it is for, at the right place, and is silent on the same put right."""

# ruff: noqa: E501 (one case a line reads best)

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.core.checks.frame import Rule, all_rules
from homelab_mcp.model.finding import Finding

WEB = "services:\n  web:\n    image: nginx:1.29\n"
LABELS = f"{WEB}    labels:\n"
ROUTE = "      traefik.http.routers.web.rule: Host(`web.example.org`)\n"


def no_file(path: str) -> bool:
    return False


def found(
    rule: str,
    *texts: str,
    env: dict[str, str] | None = None,
    networks: set[str] | None = None,
    facts: LabFacts | None = None,
    files: dict[str, str] | None = None,
) -> list[Finding]:
    names = [path.partition("/")[2] for path in files or ()]
    beside = ((), files.get, lambda folder: names) if files else ()
    stacks = [LintStack(f"s{n}", f"s{n}/compose.yaml", t, env or {}, no_file, *beside) for n, t in enumerate(texts)]
    return [f for f in lint(stacks, facts=facts or LabFacts(networks=networks)) if f.rule == rule]


# What a page's examples are about where it is not in the file itself.
NAS = {"nas": "192.168.1.20"}
BAD_LAB = LabFacts(networks=set(), memory=8 * 1024**3, tracked=[".env"], backup_paths=[], hosts=NAS)
GOOD_LAB = LabFacts(networks=set(), memory=8 * 1024**3, tracked=["s0/compose.yaml"], backup_paths=[], hosts=NAS)

BAD_FILES = {
    "HL320": {"s0/web.env": "MY KEY=1\n"},
    "HL325": {"s0/compose.yaml": "", "s0/docker-compose.yml": ""},
    "HL352": {"s0/html/": ""},
}
GOOD_FILES = {
    "HL320": {"s0/web.env": "MY_KEY=1\n"},
    "HL325": {"s0/compose.yaml": "", "s0/compose.override.yaml": ""},
    "HL352": {"s0/html/": ""},
}


@pytest.mark.parametrize("rule", all_rules(), ids=lambda r: r.id)
def test_a_rule_finds_its_bad_page_example_and_not_its_good_one(rule: Rule) -> None:
    hits = found(rule.id, rule.bad, facts=BAD_LAB, files=BAD_FILES.get(rule.id))
    assert hits
    assert all(f.line >= 1 and f.column >= 1 and f.message.endswith((".", "?")) for f in hits)
    assert not found(rule.id, rule.good, facts=GOOD_LAB, files=GOOD_FILES.get(rule.id))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda r: r.id)
def test_a_good_page_example_has_no_error_at_all(rule: Rule) -> None:
    findings = lint([LintStack("s", "s/compose.yaml", rule.good, {})])
    assert [f.as_line() for f in findings if f.severity == "error"] == []


# rule, line of the finding (0: none), texts
CASES: list[tuple[str, int, tuple[str, ...]]] = [
    ("HL001", 3, ("services:\n  web: [\n",)),
    ("HL001", 1, ("a: b: c\n",)),
    ("HL003", 1, ("a: &a [*a]\n",)),
    ("HL004", 0, (f"{WEB}    environment: ['SINCE=2024-01-01']\n",)),
    ("HL006", 0, (f"{WEB}    ports:\n      - 8080:80\n",)),
    ("HL010", 4, (f"{WEB}    ports: '80:80'\n",)),
    ("HL010", 5, (f"{WEB}    environment:\n      A: [1]\n",)),
    ("HL010", 0, (f"{WEB}    privileged: ${{PRIV:-true}}\n",)),
    ("HL010", 5, (f"{WEB}    depends_on:\n      web: {{condition: service_helthy}}\n",)),
    ("HL010", 1, ("",)),
    ("HL010", 1, ("- a\n",)),
    ("HL010", 0, (f"{WEB}    environment: [A=1, A=1]\n    ports: ['80:80', '80:80']\n",)),
    ("HL010", 4, (f"{WEB}    networks: [a, a]\nnetworks: {{a: {{}}}}\n",)),
    ("HL011", 4, (f"{WEB}    enviroment: {{A: 1}}\n",)),
    ("HL011", 5, (f"{WEB}    healthcheck:\n      tests: [CMD, x]\n",)),
    ("HL011", 4, (f"{WEB}volums: {{}}\n",)),
    ("HL011", 0, (f"x-mine: {{a: 1}}\n{WEB}    x-more: 1\n",)),
    ("HL011", 5, (f"{WEB}    environment:\n      1: x\n",)),
    ("HL012", 0, ("services:\n  web:\n    build: .\n",)),
    ("HL012", 0, ("services:\n  web:\n    extends: {service: other, file: other.yaml}\n",)),
    ("HL013", 0, ("services:\n  web:\n    image: ghcr.io/a/b_c/d-e.f:v1.2@sha256:" + "a" * 64 + "\n",)),
    ("HL013", 0, ("services:\n  web:\n    image: localhost:5000/a:1\n",)),
    ("HL013", 3, ("services:\n  web:\n    image: 'nginx:1 29'\n",)),
    ("HL014", 0, (f"{WEB}    restart: on-failure:3\n",)),
    ("HL016", 0, (f"{WEB}    stop_grace_period: 1m30s\n",)),
    ("HL018", 4, (f"{WEB}    volumes: ['aa:/x', 'aa:/x/']\nvolumes: {{aa: {{}}}}\n",)),
    ("HL020", 0, (f"{WEB}    networks: [default]\n",)),
    ("HL020", 0, (f"include: [more.yaml]\n{WEB}    networks: [theirs]\n",)),
    ("HL020", 6, (f"{WEB}    networks:\n      a: {{}}\n      b: {{}}\nnetworks: {{a: {{}}}}\n",)),
    ("HL021", 0, (f"{WEB}    volumes: ['./a:/a', '/b:/b', '~/c:/c', '/d']\n",)),
    ("HL021", 4, (f"{WEB}    volumes: [{{type: volume, source: d, target: /d}}]\n",)),
    ("HL030", 4, (f"{WEB}    depends_on: {{db: {{condition: service_started, required: false}}}}\n",)),
    ("HL031", 4, (f"{WEB}    depends_on: [web]\n",)),
    ("HL040", 4, (f"{WEB}    ports: ['80-82:80-81']\n",)),
    ("HL040", 4, (f"{WEB}    ports: ['80:80/tpc']\n",)),
    ("HL040", 4, (f"{WEB}    ports: ['300.1.1.1:80:80']\n",)),
    (
        "HL040",
        0,
        (f"{WEB}    ports: ['[::1]:80:80', '127.0.0.1::80', 80, '9000-9001:80', {{target: 1, published: '2-3'}}]\n",),
    ),
    ("HL041", 4, (f"{WEB}    ports: ['53:53/udp']\n", f"{WEB}    ports: ['50-60:50-60/udp']\n")),
    ("HL041", 0, (f"{WEB}    ports: ['53:53/udp']\n", f"{WEB}    ports: ['53:53/tcp']\n")),
    ("HL041", 0, (f"{WEB}    ports: ['127.0.0.1:80:80']\n", f"{WEB}    ports: ['127.0.0.2:80:80']\n")),
    ("HL041", 4, (f"{WEB}    ports: ['127.0.0.1:80:80']\n", f"{WEB}    ports: ['80:80']\n")),
    (
        "HL041",
        0,
        (
            f"{WEB}    profiles: [a]\n    ports: ['80:80']\n  two:\n    image: x:1.0\n    profiles: [b]\n    ports: ['80:80']\n",
        ),
    ),
    ("HL042", 4, (f"{WEB}    container_name: app\n", f"{WEB}    container_name: app\n")),
    ("HL052", 4, (f"{WEB}    command: echo ${{}}\n",)),
    ("HL053", 0, (f"{WEB}    volumes: ['${{DATA}}/x:/data']\n",)),
    ("HL054", 0, (f"{WEB}    environment: {{TOKEN_FILE: /run/secrets/x, PASSWORD_RESET_ENABLED: maybe}}\n",)),
    ("HL054", 4, (f"{WEB}    environment: ['API_KEY=abcdefgh']\n",)),
    ("HL055", 4, (f"{WEB}    environment: {{PGID: $PUID}}\n",)),
    ("HL055", 0, (f"{WEB}    environment: {{PGID: $PUID_OTHER}}\n",)),
    (
        "HL060",
        0,
        (f"{WEB}    ports: ['80:80']\n    labels: ['traefik.http.services.w.loadbalancer.server.port=80']\n",),
    ),
    (
        "HL060",
        5,
        (
            f"{WEB}    ports: ['8081:8080', '8388:8388']\n    labels: ['traefik.http.services.w.loadbalancer.server.port=8081']\n",
        ),
    ),
    (
        "HL060",
        5,
        (
            f"{WEB}    ports: ['9000-9005:8000-8005']\n    labels: ['traefik.http.services.w.loadbalancer.server.port=9003']\n",
        ),
    ),
    ("HL062", 5, (f"{LABELS}{ROUTE}", f"{LABELS}{ROUTE.replace('web.example', 'b.example')}")),
    (
        "HL063",
        0,
        (f"{LABELS}{ROUTE}", f"{LABELS}{ROUTE.replace('routers.web', 'routers.b').replace('`)', '`) && Path(`/x`)')}"),
    ),
    ("HL064", 5, (f"{LABELS}      traefik.http.routers.web.rule: Hosts(`a.b`)\n",)),
    ("HL064", 5, (f"{LABELS}      traefik.http.routers.web.rule: Host(`a.b`) & Path(`/x`)\n",)),
    ("HL064", 5, (f"{LABELS}      traefik.http.routers.web.rule: (Host(`a.b`)\n",)),
    ("HL064", 5, (f"{LABELS}      traefik.http.routers.web.rule: Host(`a.b)\n",)),
    (
        "HL064",
        0,
        (f"{LABELS}      traefik.http.routers.web.rule: '!Host(`a.b`) && (PathPrefix(`/x`) || Header(`A`, `b`))'\n",),
    ),
    ("HL065", 5, (f"{LABELS}      traefik.http.routers.web.entrypoint: web\n",)),
    ("HL065", 5, (f"{LABELS}      traefik.enabled: 'true'\n",)),
    ("HL065", 5, (f"{LABELS}      traefik.http.middlewares.a.redirectscheem.scheme: https\n",)),
    (
        "HL065",
        0,
        (
            f"{LABELS}      traefik.http.routers.web.tls.domains[0].main: example.org\n      Traefik.HTTP.Routers.b.EntryPoints: web\n",
        ),
    ),
    ("HL066", 0, (f"{LABELS}{ROUTE}      traefik.http.routers.web.service: api@internal\n",)),
    (
        "HL069",
        4,
        (
            f"{WEB}    networks: [b]\n    labels: ['traefik.http.routers.w.rule=Host(`a.b`)']\nnetworks: {{b: {{}}}}\n",
            "services:\n  traefik:\n    image: traefik:v3.6\n    networks: [p]\nnetworks: {p: {external: true}}\n",
        ),
    ),
    (
        "HL069",
        0,
        (
            f"{WEB}    networks: [b]\n    labels: ['traefik.http.routers.w.rule=Host(`a.b`)']\nnetworks: {{b: {{name: p, external: true}}}}\n",
            "services:\n  traefik:\n    image: traefik:v3.6\n    networks: [p]\nnetworks: {p: {external: true}}\n",
        ),
    ),
    (
        "HL080",
        0,
        (
            f"services:\n  authelia:\n    image: authelia/authelia:4.39\n{LABELS[10:]}{ROUTE}      homelab.sso: bypass\n",
        ),
    ),
    ("HL091", 4, (f"{WEB}    volumes: [{{type: bind, source: /var/run/docker.sock, target: /s}}]\n",)),
    ("HL100", 4, (f"{WEB}    build: ../other\n",)),
    ("HL100", 1, ("include: [/etc/more.yaml]\nservices: {web: {image: 'nginx:1.29'}}\n",)),
    ("HL100", 0, (f"{WEB}    build: https://example.org/repo.git\n    env_file: [{{path: sub/../web.env}}]\n",)),
    ("HL110", 0, ("services:\n  web:\n    image: nginx:latest@sha256:" + "a" * 64 + "\n",)),
    ("HL114", 0, (f"{WEB}    deploy: {{restart_policy: {{condition: any}}}}\n",)),
    (
        "HL116",
        0,
        (
            "services:\n  db:\n    image: postgres:17.2\n    volumes: ['dd:/var/lib/postgresql/data']\nvolumes: {dd: {}}\n",
        ),
    ),
]


@pytest.mark.parametrize(("rule", "line", "texts"), CASES)
def test_cases(rule: str, line: int, texts: tuple[str, ...]) -> None:
    hits = found(rule, *texts)
    if line:
        assert line in [f.line for f in hits]
    else:
        assert [f.as_line() for f in hits] == []


def test_a_health_check_of_odd_things_is_told_and_does_not_raise() -> None:
    text = f"{WEB}    healthcheck: {{test: [{{CMD: curl}}, [a]]}}\n"
    assert found("HL137", text)


def test_did_you_mean() -> None:
    assert "Did you mean 'environment'?" in found("HL011", f"{WEB}    enviroment: {{}}\n")[0].message
    assert "Did you mean 'routers'?" in found("HL065", f"{LABELS}      traefik.http.router.a.rule: x\n")[0].message


def test_a_secret_is_never_shown() -> None:
    text = f"{WEB}    environment:\n      DB_PASSWORD: canary-5f1d\n      OTHER_TOKEN: [canary-77]\n    restart: [canary-9]\n"
    findings = lint([LintStack("s", "c.yaml", text, {"X": "canary-env"})])
    assert findings
    assert not [f for f in findings if "canary" in f.message]


def test_a_clash_across_stacks_is_told_at_both_places() -> None:
    hits = found("HL041", f"{WEB}    ports: ['80:80']\n", f"{WEB}    ports: ['80:81']\n")
    assert [f.file for f in hits] == ["s0/compose.yaml", "s1/compose.yaml"]
    assert "s1/compose.yaml" in hits[0].message


def test_an_external_network_that_another_stack_or_the_engine_has_is_there() -> None:
    text = f"{WEB}    networks: [front]\nnetworks: {{front: {{external: true}}}}\n"
    assert not found("HL025", text, networks={"front"})
    assert not found("HL025", text)
    maker = f"{WEB}    networks: [front]\nnetworks: {{front: {{name: front}}}}\n"
    assert not found("HL025", text, maker, networks=set())
    # Another host's engine was not asked, and a network there is none here.
    assert not found("HL025", f"x-homelab: {{host: nas}}\n{text}", networks=set())
    assert found("HL025", text, f"x-homelab: {{host: nas}}\n{maker}", networks=set())


@pytest.mark.parametrize("name", ["host", "none", "bridge"])
@pytest.mark.parametrize("engine", ["", "x-homelab: {engine: swarm}\n"])
def test_a_network_that_every_engine_has_is_not_to_be_made(name: str, engine: str) -> None:
    text = f"{engine}{WEB}    networks: [front]\nnetworks: {{front: {{external: true, name: {name}}}}}\n"
    assert not found("HL025", text, networks=set())
    (told,) = found("HL025", text.replace(f"name: {name}", "name: default"), networks=set())
    assert "create" not in told.message


def test_variables_from_env_are_put_in_before_rules_look() -> None:
    text = f"{WEB}    ports: ['${{PORT}}:80']\n"
    assert found("HL041", text, f"{WEB}    ports: ['80:80']\n", env={"PORT": "80"})
    assert not found("HL050", text, env={"PORT": "80"})
    assert found("HL050", text)
