import time

import pytest

from homelab_mcp.core.log_lines import (
    LogLine,
    Place,
    before,
    collapsed,
    masked,
    matcher,
    page,
    parse_cursor,
    parse_time,
    place_of,
    rendered,
    seconds_of,
)
from homelab_mcp.core.redact import safe
from homelab_mcp.model.errors import InvalidInput


def line(second: int, text: str = "x", service: str = "web", stream: str = "stdout") -> LogLine:
    return LogLine(f"2026-01-01T00:00:{second:02}.000000000Z", service, stream, text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 400.0), ("2h", -6200.0), (" 30 s ", 970.0), ("1970-01-01T00:01:00Z", 60.0), ("1970-01-01T00:01:00", 60.0)],
)
def test_times_are_relative_or_absolute(text: str, seconds: float) -> None:
    assert parse_time(text, 1000.0) == seconds


def test_no_time_is_none() -> None:
    assert parse_time(" ", 0) is None


@pytest.mark.parametrize("text", ["yesterday", "10", "-5m", "99999999h", "2026-13-01", "10m; rm"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_time(text, 0)
    assert error.value.code == "bad_time"


def test_seconds_keep_microseconds() -> None:
    assert seconds_of("1970-01-01T00:00:01.123456789Z") == pytest.approx(1.123456)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*)(.*)(.*)(.*)(.*)x$", "(a?){30}a{30}$"])
def test_patterns_that_blow_up_python_are_quick(pattern: str) -> None:
    matches = matcher(pattern)
    start = time.process_time()
    for _ in range(100):
        matches("a" * 4000 + "b")
    assert time.process_time() - start < 2


def test_patterns_search_anywhere_and_can_ignore_case() -> None:
    assert matcher("(?i)err(or)?")("an ERROR here")
    assert not matcher("^err")("an err")
    assert matcher("")("anything")


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\1", "a{1000}{1000}", "x" * 201])
def test_patterns_that_cannot_be_bounded_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput) as error:
        matcher(pattern)
    assert error.value.code == "bad_pattern"


def test_cursors_come_back_as_they_went() -> None:
    place = Place("2026-01-01T00:00:01.000000000Z", 3)
    assert parse_cursor(place.as_cursor()) == place
    assert parse_cursor("") is None


@pytest.mark.parametrize("text", ["x", "0", "2026-01-01T00:00:01Z~1", "2026-01-01T00:00:01.000000000Z~-1"])
def test_foreign_cursors_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_cursor(text)


def test_repeats_are_counted_per_service() -> None:
    lines = [line(1), line(2), line(3, service="db"), line(4)]
    assert [(one[0].service, count) for one, count in collapsed(lines)] == [("web", 2), ("db", 1), ("web", 1)]
    assert rendered(lines[:1], 2) == "2026-01-01T00:00:01.000Z web x (x2)"


def test_long_lines_are_cut_and_say_so() -> None:
    assert rendered([line(1, "y" * 1500)], 1).endswith("y… (+500)")


def test_a_page_keeps_the_newest_lines() -> None:
    lines = [line(n, f"text {n}") for n in range(10)]
    texts, covered = page(lines, 100)
    assert covered == len(texts) == 2
    assert texts[-1].endswith("text 9")
    assert sum(len(t.encode()) + 1 for t in texts) <= 100
    assert page(lines, 1)[1] == 1


def read_back(lines: list[LogLine], max_bytes: int) -> list[str]:
    place: Place | None = None
    pages: list[list[str]] = []
    for _ in range(100):
        left = before(lines, place)
        texts, covered = page(left, max_bytes)
        if not texts:
            return [text for one in reversed(pages) for text in one]
        pages.append(texts)
        place = place_of(left, covered, place, "")
    raise AssertionError("pages without an end")


def test_pages_give_every_line_once_also_within_one_moment() -> None:
    lines = [line(n // 7, f"text {n}") for n in range(50)]
    assert [text.rsplit(" ", 1)[1] for text in read_back(lines, 150)] == [str(n) for n in range(50)]


def test_the_cursor_stays_where_a_busy_services_lines_begin() -> None:
    lines = [line(1, service="quiet"), line(5, "a"), line(6, "b")]
    place = place_of(lines, 3, None, line(5).time)
    assert place == Place(line(5).time, 1)


def test_masking_sees_lines_together_and_keeps_them_apart() -> None:
    key = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQ", "-----END PRIVATE KEY-----"]
    lines = [line(n, text) for n, text in enumerate(["first", *key, "password=", "hunter22hunter", "Bearer", "last"])]
    shown = masked(lines, lambda text: safe(text, ["hunter22hunter"]), "0123456789abcdef")
    texts = [one.text for _, one in shown]
    assert "MIIEvQIBADANBgkqhkiG9w0BAQ" not in "".join(texts)
    assert texts[0] == "first"
    assert texts[-4:] == ["password=", "[redacted]", "Bearer", "last"]
    assert [one.time for _, one in shown][-1] == line(7).time


def test_masking_takes_control_characters_and_line_ends_out() -> None:
    ((_, shown),) = masked([line(1, "a\x1b[31mred\x1b[0m\u202eb\nc\x00")], safe, "0123456789abcdef")
    assert shown.text == "aredb c"


def test_half_a_secret_at_the_cut_is_not_shown() -> None:
    ((_, shown),) = masked(
        [line(1, "\x1b[0m" * 998 + " secret-canary-value")], lambda t: safe(t, ["secret-canary-value"]), "ab"
    )
    assert "secret" not in shown.text
