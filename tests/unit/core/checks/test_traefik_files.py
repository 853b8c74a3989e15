"""Traefik's own files: found through mounts, silenced by comments, and never a reason to raise."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Finding

PROXY = """\
services:
  traefik:
    image: traefik:v3.6.2
    volumes:
      - ./traefik.yml:/etc/traefik/traefik.yml:ro
      - ./dyn:/etc/traefik/dyn:ro
"""
STATIC = "entryPoints: {web: {address: ':80'}}\nproviders: {file: {directory: /etc/traefik/dyn}}\n"
ROUTER = "http:\n  routers:\n    web:\n      rule: Host('a.example.org')\n      service: noop@internal\n"
LABELS = """\
services:
  web:
    image: nginx:1.29
    labels:
      traefik.http.routers.web.rule: Host(`web.example.org`)
      traefik.http.routers.web.middlewares: gone@file
"""


def proxy(files: dict[str, str], text: str = PROXY) -> LintStack:
    def names(folder: str) -> list[str] | None:
        return sorted(f.removeprefix(f"{folder}/") for f in files if f.startswith(f"{folder}/")) or None

    return LintStack("p", "p/compose.yaml", text, {}, read=files.get, names=names)


def of(rule: str, found: tuple[Finding, ...]) -> list[tuple[str, int, int]]:
    return [(f.file, f.line, f.column) for f in found if f.rule == rule]


def test_a_finding_stands_in_the_file_itself() -> None:
    found = lint([proxy({"p/traefik.yml": STATIC, "p/dyn/a.yml": ROUTER})])
    assert of("HL064", found) == [("p/dyn/a.yml", 4, 13)]


def test_a_comment_in_the_file_silences_it() -> None:
    text = ROUTER.replace("      rule", "      # homelab: ignore=HL064 on purpose\n      rule")
    assert not of("HL064", lint([proxy({"p/traefik.yml": STATIC, "p/dyn/a.yml": text})]))


def test_findings_of_traefiks_files_are_told_with_traefiks_stack_only() -> None:
    stacks = [proxy({"p/traefik.yml": STATIC, "p/dyn/a.yml": ROUTER}), LintStack("w", "w/compose.yaml", LABELS, {})]
    assert of("HL064", lint(stacks, report=["p/compose.yaml"]))
    assert not of("HL064", lint(stacks, report=["w/compose.yaml"]))
    assert of("HL068", lint(stacks, report=["w/compose.yaml"])) == [("w/compose.yaml", 6, 45)]


def test_without_a_look_into_the_folder_no_name_is_called_missing() -> None:
    web = LintStack("w", "w/compose.yaml", LABELS, {})
    seen = LintStack("p", "p/compose.yaml", PROXY, {}, read={"p/traefik.yml": STATIC}.get)
    assert not of("HL068", lint([seen, web]))
    assert not of("HL068", lint([proxy({"p/traefik.yml": STATIC, "p/dyn/a.yml": "{{ x }}\n"}), web]))


def test_a_file_that_may_not_be_read_leaves_the_options_open() -> None:
    def refused(path: str) -> str | None:
        raise InvalidInput(f"{path} is outside.", code="path_refused")

    options = "    command: ['--entrypoints.web.address=:80', '--providers.docker=true']\n"
    stack = LintStack("p", "p/compose.yaml", PROXY + options, {}, read=refused)
    found = lint(
        [stack, LintStack("w", "w/compose.yaml", LABELS.replace("middlewares: gone@file", "entrypoints: x"), {})]
    )
    assert not of("HL071", found)
    assert not of("HL201", found)


WORDS = (
    "http tcp tls routers services middlewares rule service options chain a x.y entryPoints providers file directory "
    "headers loadBalancer servers url address $"
)
KEYS = st.sampled_from(["", *WORDS.split()])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), KEYS, st.text(max_size=5), st.just("http://[:²")
)
DATA = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS | st.integers(0, 3), v, max_size=4), max_leaves=15
)


@settings(max_examples=80, deadline=None)
@given(st.one_of(DATA.map(lambda d: str(yaml.safe_dump(d))), st.text(max_size=40)), st.booleans())
def test_nothing_in_a_file_of_traefiks_raises(text: str, static: bool) -> None:
    files = {"p/traefik.yml": text if static else STATIC, "p/dyn/a.yml": text, "p/dyn/b.toml": text}
    for finding in lint([proxy(files), LintStack("w", "w/compose.yaml", LABELS, {})], fixes=True):
        assert finding.line >= 1
        assert finding.column >= 1


def test_sablier_in_traefiks_files_counts_as_in_labels() -> None:
    lazy = LABELS.replace("gone@file", "lazy@file") + "      sablier.enable: 'true'\n      sablier.group: web\n"
    plugin = f"{STATIC}experimental: {{plugins: {{sablier: {{moduleName: github.com/sablierapp/sablier}}}}}}\n"
    file = (
        "http:\n  middlewares:\n    lazy:\n      plugin:\n        sablier:\n"
        "          group: {group}\n          sablierUrl: http://{host}:10000\n"
    )
    server = "  sablier:\n    image: sablierapp/sablier:1.10.1\n"

    def found(group: str, host: str, static: str) -> dict[str, tuple[str, int]]:
        files = {"p/traefik.yml": static, "p/dyn/a.yml": file.format(group=group, host=host)}
        stacks = [proxy(files), LintStack("w", "w/compose.yaml", lazy + server, {})]
        return {f.rule: (f.file, f.line) for f in lint(stacks) if f.rule in {"HL081", "HL084", "HL085", "HL087"}}

    assert found("web", "sablier", plugin) == {}
    assert found("wbe", "sablier", plugin) == {"HL081": ("w/compose.yaml", 8), "HL084": ("p/dyn/a.yml", 6)}
    assert found("web", "sabler", plugin) == {"HL087": ("p/dyn/a.yml", 7)}
    assert found("web", "sablier", STATIC) == {"HL085": ("p/dyn/a.yml", 5)}
