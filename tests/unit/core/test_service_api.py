"""No value changes where a request goes, how its path is cut, its headers, or the structure of what is sent."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.adapters.catalog_files import packaged_catalog
from homelab_mcp.core.catalog import Catalog
from homelab_mcp.core.service_answer import secret_field, shaped
from homelab_mcp.core.service_api import Rendered, needs_answer, render, resolved
from homelab_mcp.core.service_auth import (
    Keys,
    keys_of,
    log_in,
    session_of,
    signed,
    ticket_of,
    variable_of,
    with_ticket,
)
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.service_api import Api, Operation, Parameter, Reach
from homelab_mcp.model.service_http import HttpAnswer
from homelab_mcp.model.service_login import Auth, Credential, Session, Ticket

ANYTHING = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="/\\.%?#&=;:@{}\"'\r\n\x00 aé\u202e0", max_size=12),
    st.sampled_from(
        ["..", ".", "", "//evil.example/", "http://evil.example", "%2e%2e%2f", "a/../b", "1\r\nX: y", "{id}"]
    ),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)

FORM = "application/x-www-form-urlencoded"
OPERATION = Operation(
    id="x",
    summary="For tests.",
    method="POST",
    path="/api/{word}/part/{number}",
    query={"q": "@{free}", "fixed": "yes"},
    body={"name": "@{free}", "deep": [{"n": "@{number}"}], "on": "@{flag}", "list": "@{words}", "fixed": "@{unknown"},
    parameters={
        "word": Parameter(pattern=r"[^/]*", description="a word"),
        "number": Parameter(type="integer", description="a number"),
        "free": Parameter(description="anything", max_length=60),
        "flag": Parameter(type="boolean", required=False, description="a flag"),
        "words": Parameter(type="strings", required=False, description="words"),
    },
    no_undo="For tests.",
)


@given(word=ANYTHING, number=ANYTHING, free=ANYTHING, flag=ANYTHING, words=ANYTHING)
def test_no_value_leaves_its_place(word: Any, number: Any, free: Any, flag: Any, words: Any) -> None:
    try:
        made = render(OPERATION, {"word": word, "number": number, "free": free, "flag": flag, "words": words})
    except HomelabError as error:
        assert error.code == "bad_value"
        assert error.hint
        return
    stays_in_place(made, word, free)


def stays_in_place(made: Rendered, word: Any, free: Any) -> None:
    assert made.method == "POST"
    assert made.target.isascii()
    assert not set(made.target) & set(" \r\n\x00\\#")
    parts = urlsplit(made.target)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("", "", "")
    segments = parts.path.split("/")
    assert [segments[n] for n in (0, 1, 3)] == ["", "api", "part"]
    assert len(segments) == 5
    assert segments[2] not in ("", ".", "..")
    assert unquote(segments[2]) == str(word)
    assert "/" not in unquote(segments[2])
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", str(free)), ("fixed", "yes")]
    body = json.loads(made.body)
    assert list(body)[:2] == ["name", "deep"]
    assert body["name"] == str(free)
    assert body["fixed"] == "@{unknown"
    assert set(body) <= {"name", "deep", "on", "list", "fixed"}
    assert made.body.encode()


@given(
    key=st.text(max_size=40), user=st.text(max_size=10), kind=st.sampled_from(["header", "query", "basic", "session"])
)
def test_no_key_adds_a_header_or_a_word(key: str, user: str, kind: Any) -> None:
    session = Session(path="/login", user_field="u", password_field="p", cookie="SID=") if kind == "session" else None
    auth = Auth(
        kind=kind,
        name="X-Key" if kind == "header" else "apikey",
        prefix="Bearer " if kind == "header" else "",
        key=Credential(variable="A_KEY", how="on its page"),
        user=Credential(variable="A_USER", how="on its page", default="admin"),
        session=session,
    )
    reach = Reach(port=80, auth=auth)
    try:
        keys = keys_of(reach, {"A_KEY": key, "A_USER": user}, "s", "a")
    except HomelabError as error:
        assert error.code in ("api_key_missing", "api_key_unusable")
        assert len(key) < 3 or key not in error.message
        return
    ask = signed(reach, Rendered("GET", "/a?b=c"), keys, {}, 5.0)
    assert set(ask.headers) <= {"X-Key", "Authorization"}
    assert all("\r" not in v and "\n" not in v for v in ask.headers.values())
    words = parse_qsl(urlsplit(ask.target).query, keep_blank_values=True)
    assert words == ([("b", "c"), ("apikey", key)] if kind == "query" else [("b", "c")])
    if session is not None:
        posted = log_in(reach, session, keys)
        fields = json.loads(posted.body or b"")
        assert (posted.target, fields["p"], set(fields)) == ("/login", key, {"u", "p"})


@given(cookie=st.text(max_size=40))
def test_no_session_adds_a_header(cookie: str) -> None:
    session = Session(path="/login", password_field="p", cookie="SID=")
    found = session_of(session, HttpAnswer(200, {"set-cookie": cookie}))
    assert found == {} or (
        set(found) == {"Cookie"} and found["Cookie"].startswith("SID=") and found["Cookie"].isascii()
    )
    lines = Session(path="/login", password_field="p", line="Auth", prefix="GoogleLogin auth=")
    word = session_of(lines, HttpAnswer(200, {}, f"SID=x\nAuth={cookie}\n".encode())).get("Authorization", "")
    assert word == "" or (word.removeprefix("GoogleLogin auth=") in cookie and word.isascii() and word.count(" ") == 1)
    ticket = ticket_of(HttpAnswer(200, {}, cookie.encode()))
    made = with_ticket(Rendered("POST", "/x", "a=b", FORM), Ticket(path="/t", field="T"), ticket)
    assert parse_qsl(made.body, keep_blank_values=True) == [("a", "b"), ("T", ticket)]
    token = Session(path="/login", password_field="p", json_path="a.b", header="X-Sid")
    got = session_of(token, HttpAnswer(200, {}, json.dumps({"a": {"b": cookie}}).encode()))
    assert got == {} or (got["X-Sid"] == cookie and cookie.isprintable() and " " not in cookie)


def test_every_packaged_operation_can_be_asked_for_and_stays_in_place() -> None:
    asked = 0
    for definition in Catalog([], packed=packaged_catalog()).all():
        for operation in definition.api.operations if definition.api else ():
            values = {name: _example(one) for name, one in operation.parameters.items()}
            made = render(operation, values)
            asked += 1
            want, got = operation.path.split("/"), urlsplit(made.target).path.split("/")
            assert len(want) == len(got), (definition.id, operation.id)
            for template, segment in zip(want, got, strict=True):
                assert template.startswith("{") or template == segment, (definition.id, operation.id)
            if made.content_type == "application/json":
                json.loads(made.body)
    assert asked >= 250


def _example(one: Parameter) -> Any:
    """A value that a parameter takes."""
    if one.default not in (None, ""):
        return one.default
    if one.choices:
        return one.choices[0]
    if one.type == "boolean":
        return True
    if one.type in ("integer", "number"):
        return max(one.minimum or 0, 1)
    if one.type in ("strings", "integers"):
        return ["0" * 36 if one.pattern and "36" in one.pattern else "word"]
    tries = (
        "word", "0" * 36, "a" * 32, "a" * 40, "A" * 63, "2026-01-31", "2026-01-31T08:00:00Z", "/media/tv",
        "https://example.org/x", "light.kitchen", "automation.night", "scene.night", "SABnzbd_nzo_abc", "50 GB",
        "ABCDEFGH12", "feed/12", "tag:google.com,2005:reader/item/0006000000000001",
    )  # fmt: skip

    return next(t for t in tries if one.pattern is None or re.fullmatch(one.pattern, t))


def test_an_entry_cannot_promise_what_it_does_not_say() -> None:
    good: dict[str, Any] = {
        "documentation": "https://example.org",
        "source": "example/example docs",
        "auth": {"kind": "none"},
        "operations": [{"id": "get", "summary": "Gets it.", "path": "/x"}],
    }
    assert Api.model_validate(good).operations[0].writes is False

    def bad(operation: dict[str, Any], **more: Any) -> str:
        with pytest.raises(ValueError, match=r".") as caught:
            Api.model_validate({**good, **more, "operations": [{"summary": "Does it.", "path": "/x", **operation}]})
        return str(caught.value)

    text = {"description": "a word"}
    assert "no parameter" in bad({"id": "a", "path": "/x/{id}"})
    assert "no place" in bad({"id": "a", "parameters": {"id": text}})
    assert "needs a pattern" in bad({"id": "a", "path": "/x/{id}", "parameters": {"id": text}})
    assert "undo" in bad({"id": "a", "method": "POST"})
    assert "is no operation that writes" in bad({"id": "a", "method": "POST", "undo": {"operation": "b"}})
    assert "no header" in bad({"id": "a"}, headers={"Host": "evil"})
    assert "no header" in bad({"id": "a"}, headers={"X-A": "b\r\nc"})
    assert "path" in bad({"id": "a", "path": "//evil.example/x"})
    assert "path" in bad({"id": "a", "path": "/x?y=1"})
    assert ". and .." in bad({"id": "a", "path": "/x/../y"})
    assert "key" in bad({"id": "a"}, auth={"kind": "header", "name": "X-Key"})


def test_a_second_instance_has_a_key_of_its_own() -> None:
    credential = Credential(variable="SONARR_API_KEY", how="on its page")
    assert variable_of(credential, "sonarr", "sonarr") == "SONARR_API_KEY"
    assert variable_of(credential, "sonarr", "sonarr-4k") == "SONARR_4K_API_KEY"


def test_follow_ups_take_only_what_is_there() -> None:
    template = {"id": "@{answer.made.0.id}", "on": "@{before.on}", "same": "@{word}", "left": "@{absent}"}
    assert needs_answer(template)
    found = resolved(template, {"word": "w"}, answer={"made": [{"id": 7}]}, before={"on": False})
    assert found == {"id": 7, "on": False, "same": "w"}
    with pytest.raises(HomelabError):
        resolved(template, {}, answer={}, before={"on": True})
    with pytest.raises(HomelabError):
        resolved({"on": "@{before.on}"}, {"before": "x"})


def test_whole_words_say_what_is_secret() -> None:
    assert all(
        map(secret_field, ["apiKey", "api_key", "userPassword", "X-Plex-Token", "passkey", "privateKey", "secrets"])
    )
    assert not any(map(secret_field, ["author", "monkey", "ratingKey", "keywords", "compass", "shipping", "keyboard"]))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=50),
                    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
                    max_leaves=30), st.integers(1, 100), st.integers(0, 50))  # fmt: skip
def test_an_answer_of_any_shape_is_cut_to_a_page(data: Any, limit: int, offset: int) -> None:
    operation = Operation(id="get", summary="Gets it.", path="/x", items="a.b", keep=["id", "deep.name"])
    for one in (data, {"a": {"b": data}}, {"a": {"b": [data] * 30}}):
        shown = shaped(one, operation, str, limit=limit, offset=offset)
        assert len(json.dumps(shown)) < 40_000
        assert shown.keys() <= {"items", "total", "next_offset", "data"}


def test_keys_are_not_in_what_is_printed() -> None:
    reach = Reach(port=80, auth=Auth(kind="header", name="X-Key", key=Credential(variable="A_KEY", how="on its page")))
    ask = signed(reach, Rendered("GET", "/a"), Keys("hunter2hunter2"), {}, 5.0)
    assert "hunter2" not in repr(ask) + repr(Keys("hunter2hunter2"))
