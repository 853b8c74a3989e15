from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.adapters.docker_answers import LINE_LIMIT, image_facts, inspected, listed, log_lines

TIME = b"2026-01-01T00:00:00.000000000Z"


def frame(kind: int, text: bytes) -> bytes:
    body = TIME + b" " + text + b"\n"
    return bytes([kind, 0, 0, 0]) + len(body).to_bytes(4, "big") + body


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.text(st.characters(codec="ascii", exclude_characters="\r\n")))),
    st.integers(1, 50),
)
def test_frames_are_read_however_they_are_cut(written: list[tuple[int, str]], size: int) -> None:
    whole = b"".join(frame(kind, text.encode()) for kind, text in written)
    pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    expected = [(TIME.decode(), {1: "stdout", 2: "stderr"}[kind], text) for kind, text in written]
    assert list(log_lines(pieces)) == expected


def test_a_frame_that_lies_about_its_length_holds_no_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b"\x01\0\0\0\xff\xff\xff\xff" + TIME + b" "
        for _ in range(2000):
            yield b"x" * 65_536

    (line,) = log_lines(endless())
    assert len(line[2]) <= LINE_LIMIT


def test_plain_text_without_line_ends_holds_no_memory() -> None:
    lines = list(log_lines([TIME + b" start", *([b"y" * 65_536] * 500)]))
    assert len(lines) == 1
    assert len(lines[0][2]) <= LINE_LIMIT


def test_nothing_is_nothing() -> None:
    assert list(log_lines([])) == []


def test_bare_answers_are_read() -> None:
    assert listed({"Id": "1", "Names": None, "Labels": None, "Ports": None}).id == "1"
    assert inspected({"Id": "1", "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True}}).status


def test_a_list_says_what_of_the_host_a_container_was_made_with() -> None:
    mounts = [
        {"Type": "bind", "Source": "/srv/lab/media/db", "Destination": "/data"},
        {"Type": "volume", "Name": "media_cache", "Source": "/var/lib/docker/volumes/media_cache/_data"},
        {"Type": "tmpfs", "Destination": "/tmp"},
    ]
    one = listed({"Id": "1", "Mounts": mounts})
    assert one.mounts == ("/srv/lab/media/db", "media_cache")
    assert one == listed({"Id": "1"}), "a mount is no change of state"


def test_a_list_tells_what_a_container_may_only_read() -> None:
    paths = (("/logs", False), ("/data", True), ("/both", False), ("/both", True))
    mounts: list[dict[str, object]] = [{"Type": "bind", "Source": path, "RW": written} for path, written in paths]
    mounts += [{"Type": "volume", "Name": "pages", "RW": False}, {"Type": "bind", "Source": "/untold"}]
    assert listed({"Id": "1", "Mounts": mounts}).only_read == ("/logs", "pages")


def test_an_image_says_how_it_is_run() -> None:
    raw = {
        "Config": {
            "ExposedPorts": {"8080/tcp": {}, "53/udp": {}, "9000-9001/tcp": {}},
            "Volumes": {"/data": {}},
            "User": "1000:1000",
            "WorkingDir": "/app",
            "Healthcheck": {"Test": ["CMD", "true"]},
            "Env": ["PATH=/bin", "PUID=911"],
        }
    }
    facts = image_facts(raw)
    assert facts.ports == ((53, "udp"), (8080, "tcp"))
    assert (facts.volumes, facts.user, facts.workdir, facts.health) == (("/data",), "1000:1000", "/app", True)
    assert facts.variables == ("PATH", "PUID")
    assert not facts.is_root
    assert image_facts({"Config": {"Healthcheck": {"Test": ["NONE"]}}}).is_root
    assert not image_facts({"Config": {"Healthcheck": {"Test": ["NONE"]}}}).health
    assert image_facts({}).ports == ()


@pytest.mark.parametrize("mounts", [None, [], ["/a"], [None], [{}], [{"Source": None}]])
def test_odd_mounts_take_no_list_down(mounts: object) -> None:
    assert listed({"Id": "1", "Names": ["/web"], "Mounts": mounts}).mounts == ()
