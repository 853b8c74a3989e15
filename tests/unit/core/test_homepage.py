"""The start page: external entries between marks, widgets whose keys are in no label, and files of a person's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core import compose_edit
from homelab_mcp.core.derived import LabAfter
from homelab_mcp.core.derived.homepage import homepage_services
from homelab_mcp.core.homepage import missing_keys, with_external
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.set_homepage import SetHomepageRequest, set_homepage
from homelab_mcp.core.operations.set_widget import SetWidgetRequest, set_widget
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import SETTINGS, definition

NAS = ExternalRoute(url="http://192.168.1.9:5000", icon="nas.png", description="Disks")
PI = ExternalRoute(url="https://192.168.1.8", group="Home", title="Pi: hole #1", tls="skip")
OWN = "# mine\n- Home:\n    - Router:   # old\n        href: http://192.168.1.1\n"
HOMEPAGE: dict[str, Any] = {
    "image": "ghcr.io/gethomepage/homepage:v1.13.2",
    "volumes": ["./homepage/config:/app/config"],
    "networks": ["homelab-network"],
}
SONARR: dict[str, Any] = {
    "image": "x:1",
    "networks": ["homelab-network"],
    "labels": {"homelab.service": "sonarr", "homepage.group": "Media", "homepage.name": "Sonarr"},
}


def with_routes(**routes: ExternalRoute) -> LabSettings:
    return SETTINGS.model_copy(update={"external": routes})


@pytest.mark.parametrize("text", [None, "", "# note\n[]\n", OWN, OWN.rstrip("\n"), "[]\n# after\n"])
def test_external_services_are_added_and_taken_out_again(text: str | None) -> None:
    after = with_external(text, with_routes(nas=NAS, pi=PI))
    assert after is not None
    old = load(text or "") or []
    assert load(after) == [
        *old,
        {"Home": [{"Pi: hole #1": {"href": "https://pi.lab.test", "siteMonitor": "https://192.168.1.8"}}]},
        {
            "Network": [
                {
                    "Nas": {
                        "href": "https://nas.lab.test",
                        "icon": "nas.png",
                        "description": "Disks",
                        "siteMonitor": "http://192.168.1.9:5000",
                    }
                }
            ]
        },
    ]
    assert with_external(after, with_routes(nas=NAS, pi=PI)) == after
    back = with_external(after, SETTINGS)
    assert back == (text or "")


@pytest.mark.parametrize("text", ["- A: []\n- [\n", "a: 1\n", "[{A: []}]\n"])
def test_a_file_that_cannot_be_added_to_is_left_alone(text: str) -> None:
    assert with_external(text, with_routes(nas=NAS)) == text


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([OWN, "[]\n", "# x", "# x\n", "# x\n[]\n\n"]),
    st.lists(st.dictionaries(st.sampled_from(["nas", "pi", "cam"]), st.sampled_from([NAS, PI])), max_size=6),
)
def test_any_row_of_external_services_ends_where_it_began(text: str, steps: list[dict[str, ExternalRoute]]) -> None:
    now: str | None = text
    for routes in steps:
        now = with_external(now, with_routes(**routes))
        listed = sum(len(v) for group in load(now or "") or [] for v in group.values())
        assert listed == len(routes) + (1 if text == OWN else 0)
    assert with_external(now, SETTINGS) == text


def lab(*, env: str = "", homepage: dict[str, Any] | None = None, **services: dict[str, Any]) -> Snapshot:
    stacks = (
        StackFiles("dash", "dash/compose.yaml", compose_edit.add_services("", {"homepage": homepage or HOMEPAGE}), env),
        StackFiles("media", "media/compose.yaml", compose_edit.add_services("", services)),
    )
    return Snapshot(stacks, None)


def test_the_derived_file_is_the_one_beside_homepage_s_others() -> None:
    shot = lab(sonarr=SONARR)
    after = LabAfter(shot, with_routes(nas=NAS), view(shot), lambda _: None, lambda _: None, "/lab")
    (file,) = homepage_services(after)
    assert (file.path, file.restart) == ("dash/homepage/config/services.yaml", ())
    none = LabAfter(shot, SETTINGS, view(shot), lambda _: None, lambda _: None, "/lab")
    assert list(homepage_services(none)) == []


def find(name: str) -> Any:
    if name != "sonarr":
        raise NotFound(name)
    return definition(
        "sonarr",
        container={"ports": [{"container": 8989, "purpose": "web"}]},
        route={"port": 8989, "subdomain": "sonarr", "sso": {"policy": "protect", "why": "Own log-in is optional."}},
    )


def widget(shot: Snapshot, **values: Any) -> Draft:
    return set_widget(shot, SetWidgetRequest(**values), find=find)


def after(shot: Snapshot, draft: Draft) -> Snapshot:
    texts = {e.path: e.after or "" for e in draft.edits}
    return Snapshot(
        tuple(
            StackFiles(
                s.name, s.compose_path, texts.get(s.compose_path, s.compose_text), texts.get(s.env_path, s.env_text)
            )
            for s in shot.stacks
        ),
        None,
    )


def test_a_widget_s_key_is_in_homepage_s_environment_alone() -> None:
    shot = lab(sonarr=SONARR)
    with pytest.raises(InvalidInput) as refused:
        widget(shot, service="sonarr")
    assert (refused.value.code, "HOMEPAGE_VAR_SONARR_KEY" in refused.value.hint) == ("missing_input", True)
    assert refused.value.details["asks"]["names"] == ["HOMEPAGE_VAR_SONARR_KEY"]
    draft = widget(shot, service="sonarr", secrets={"key": "0123456789abcdef"})
    then = after(shot, draft)
    labels = {s.name: s.labels for s in view(then).services}["sonarr"]
    assert {k: v for k, v in labels.items() if "widget" in k} == {
        "homepage.widget.type": "sonarr",
        "homepage.widget.url": "http://sonarr:8989",
        "homepage.widget.key": "{{HOMEPAGE_VAR_SONARR_KEY}}",
    }
    assert then.stacks[0].env_text == "HOMEPAGE_VAR_SONARR_KEY=0123456789abcdef\n"
    assert "0123456789abcdef" not in then.stacks[0].compose_text + then.stacks[1].compose_text
    assert [e.secret for e in draft.edits] == [False, False, True]
    assert [(a.stack, a.services) for a in draft.actions] == [("media", ("sonarr",)), ("dash", ("homepage",))]
    assert list(missing_keys(view(then))) == []
    emptied = Snapshot((StackFiles("dash", "dash/compose.yaml", then.stacks[0].compose_text), then.stacks[1]), None)
    assert [m.variable for m in missing_keys(view(emptied))] == ["HOMEPAGE_VAR_SONARR_KEY"]
    gone = after(then, widget(then, service="media/sonarr", remove=True))
    assert gone.stacks[1].compose_text == shot.stacks[1].compose_text


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"service": "nothing"}, "service_unknown"),
        ({"service": "homepage"}, "no_widget"),
        ({"service": "sonarr", "secrets": {"token": "x"}}, "bad_value"),
        ({"service": "sonarr", "secrets": {"key": "abcdefgh"}, "fields": {"a b": "x"}}, "bad_value"),
        ({"service": "sonarr", "secrets": {"key": "abcdefgh"}, "fields": {"key": "x"}}, "bad_value"),
        ({"service": "sonarr", "remove": True}, "nothing_to_do"),
    ],
)
def test_a_widget_that_cannot_be_is_refused(values: Any, code: str) -> None:
    with pytest.raises(HomelabError) as refused:
        widget(lab(sonarr=SONARR), **values)
    assert refused.value.code == code


FILES = {
    "settings.yaml": "# looks\ntitle: Homelab   # mine\nlayout:\n  Media: {style: row}\n",
    "widgets.yaml": "# top\n- resources:\n    cpu: true\n    disk: /mnt   # mine\n- search: {provider: google}\n",
    "bookmarks.yaml": "[]\n",
}


def page(files: dict[str, str] = FILES, **values: Any) -> dict[str, str]:
    draft = set_homepage(
        lab(sonarr=SONARR), SETTINGS, SetHomepageRequest(**values), read=lambda p: files.get(p.rpartition("/")[2])
    )
    assert draft.actions == ()
    return {**files, **{e.path.rpartition("/")[2]: e.after or "" for e in draft.edits}}


def test_the_page_changes_where_it_was_asked_and_nowhere_else() -> None:
    found = page(title="Our house: #1", theme="dark")
    assert (
        found["settings.yaml"]
        == FILES["settings.yaml"].replace("title: Homelab", "title: 'Our house: #1'") + "theme: dark\n"
    )
    found = page(show=("resources", "datetime"), search="brave", place="52.52, 13.41")
    assert load(found["widgets.yaml"]) == [
        {"resources": {"cpu": True, "memory": True, "disk": "/mnt"}},
        {"search": {"provider": "brave", "target": "_blank"}},
        {"datetime": {"text_size": "xl", "format": {"dateStyle": "long", "timeStyle": "short"}}},
        {"openmeteo": {"latitude": 52.52, "longitude": 13.41, "timezone": "Etc/UTC", "units": "metric", "cache": 15}},
    ]
    assert "disk: /mnt   # mine" in found["widgets.yaml"]
    assert load(page(hide=("resources",))["widgets.yaml"]) == [{"search": {"provider": "google"}}]


def test_bookmarks_are_set_changed_and_removed() -> None:
    one = page(bookmark="Docs", href="https://example.org")
    assert load(one["bookmarks.yaml"]) == [{"Bookmarks": [{"Docs": [{"abbr": "DO", "href": "https://example.org"}]}]}]
    two = page(one, bookmark="News", href="https://example.net")
    assert [next(iter(b)) for b in load(two["bookmarks.yaml"])[0]["Bookmarks"]] == ["Docs", "News"]
    two = page(two, bookmark="Docs", href="https://example.com")
    assert load(two["bookmarks.yaml"])[0]["Bookmarks"][0]["Docs"][0]["href"] == "https://example.com"
    one = page(two, bookmark="Docs")
    assert [next(iter(b)) for b in load(one["bookmarks.yaml"])[0]["Bookmarks"]] == ["News"]
    assert not load(page(one, bookmark="News")["bookmarks.yaml"])
    with pytest.raises(InvalidInput, match="already"):
        page(bookmark="Docs")


@pytest.mark.parametrize(
    "values",
    [
        {"color": "mauve"},
        {"search": "altavista"},
        {"place": "here"},
        {"bookmark": "X", "href": "javascript:alert(1)"},
        {"href": "https://example.org"},
        {"show": ("search",), "hide": ("search",)},
        {},
    ],
)
def test_what_homepage_does_not_know_is_refused(values: Any) -> None:
    with pytest.raises(InvalidInput):
        page(**values)
