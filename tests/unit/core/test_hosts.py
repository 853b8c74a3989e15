"""hosts.yaml and the host of a stack: what is read, what is refused, and that an edit leaves the rest alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.hosts import check_name, parse_hosts, remove_host, set_host
from homelab_mcp.core.stack_host import engine_of, host_of, refuse_silent, require, with_host
from homelab_mcp.core.status_view import rows
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.hosts import DockerHost
from homelab_mcp.model.observed import StackFiles

NAS = DockerHost(address="ssh://root@nas.lan")
PI = DockerHost(address="tcp://192.168.1.30:2376", certificates=".homelab/tls/pi/client")
MINE = "# my machines\nhosts:\n  old:   # in the cellar\n    address: 'unix:///run/user/1000/docker.sock'\n"
PORT = "services:\n  web:\n    image: nginx:1.29\n    container_name: web\n    ports: ['8080:80']\n"


def test_a_file_says_its_hosts_and_none_says_none() -> None:
    found = parse_hosts(set_host(set_host(None, "nas", NAS), "pi", PI))
    assert found.hosts == {"nas": NAS, "pi": PI}
    assert (NAS.kind, PI.kind, NAS.timeout) == ("ssh", "tcp", 5.0)
    assert parse_hosts(None).hosts == parse_hosts("# none\n").hosts == {}


@pytest.mark.parametrize(
    "text",
    [
        "hosts: {local: {address: 'ssh://nas'}}",
        "hosts: {nas: {address: 'tcp://nas:2376'}}",
        "hosts: {nas: {address: 'ssh://nas', certificates: x}}",
        "hosts: {Nas: {address: 'ssh://nas'}}",
        "hosts: [nas]",
        "more: 1",
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_hosts(text)
    assert caught.value.code == "bad_hosts"
    assert "host schema" in caught.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nas.lan",
        "ssh://-oProxyCommand=id",
        "ssh://-oProxyCommand=id@nas",
        "ssh://root:secret@nas.lan",
        "ssh://nas.lan/path",
        "ssh://nas.lan?x=1",
        "ssh://nas lan",
        "ssh://nas.lan:0",
        "ssh://nas.lan:99999",
        "ssh://nas.lan\n",
        "tcp://nas.lan",
        "tcp://root@nas.lan:2376",
        "http://nas.lan:2375",
        "unix://relative.sock",
        "unix:///run/../a b",
    ],
)
def test_no_other_address_is_taken(address: str) -> None:
    with pytest.raises(ValidationError):
        DockerHost(address=address, certificates="x" if address.startswith("tcp") else "")


def test_an_entry_comes_and_goes_and_leaves_the_file_as_it_was() -> None:
    with_nas = set_host(MINE, "nas", NAS)
    assert with_nas.startswith(MINE)
    assert set(parse_hosts(with_nas).hosts) == {"old", "nas"}
    assert remove_host(with_nas, "nas") == MINE
    changed = set_host(with_nas, "nas", PI)
    assert parse_hosts(changed).hosts["nas"] == PI
    assert remove_host(changed, "nas") == MINE
    assert parse_hosts(remove_host(MINE, "old")).hosts == {}


@pytest.mark.parametrize("name", ["local", "", "Nas", "a/b", "-x", "x" * 33, "nas\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)
    with pytest.raises(InvalidInput):
        set_host(MINE, name, NAS)


def test_a_host_that_is_not_there_is_told_with_those_that_are() -> None:
    require("local", ())
    require("nas", ("nas",))
    for ask in (lambda: require("nsa", ("nas",)), lambda: remove_host(MINE, "nas"), lambda: remove_host(None, "local")):
        with pytest.raises(NotFound) as caught:
            ask()
        assert caught.value.code == "host_unknown"
        assert "local" in caught.value.hint


def test_a_stack_says_its_host_at_the_top_of_its_file() -> None:
    text = with_host(PORT, "nas")
    assert text == f"x-homelab:\n  host: nas\n\n{PORT}"
    assert host_of(text) == "nas"
    assert with_host(PORT, "local") == with_host(PORT, "") == PORT
    assert host_of(PORT) == host_of("x-homelab: [") == host_of("x-homelab: {host: 3}") == host_of("") == "local"


@pytest.mark.parametrize(
    "section",
    [
        "x-homelab: {host: nas}",
        "x-homelab:\n  host: nas",
        '"x-homelab":\n  # where\n\n  engine: swarm\n  host: "nas"  # the box',
        "x-homelab: {\n  'host': nas,\n}",
        "x-homelab: {host: nas, engine: swarm",
        "x-homelab:\n    engine: swarm\n  host: nas # not where the other is",
        "\ufeffx-homelab:\r\n  host: nas\r",
        "x-homelab: {host: attic}\nx-homelab: {host: nas}",
    ],
)
@pytest.mark.parametrize("rest", ["services:\n  a: {image: [\n", "services:\n\tb: 1\n", "a: *nobody\n", "---\na: 1\n"])
def test_a_file_with_a_mistake_in_it_is_where_its_section_says(section: str, rest: str) -> None:
    for text in (f"{section}\n{rest}", f"services:\n  first: {{}}\n{section}\n{rest}"):
        with pytest.raises(HomelabError):
            load(text)
        assert host_of(text) == "nas"
        assert (engine_of(text) == "swarm") is ("swarm" in section)


@pytest.mark.parametrize(
    "text",
    [
        "# x-homelab: {host: nas}\na: [",
        "services:\n  x-homelab: {host: nas}\n  a: [",
        "x-homelab:\nservices:\n  host: nas\n  a: [",
        "x-homelab: {ghost: nas}\na: [",
        "x-homelab: {host: [nas\na: [",
        "x-homelab: # host: nas\n  a: [",
    ],
)
def test_what_only_looks_like_it_says_no_host(text: str) -> None:
    with pytest.raises(HomelabError):
        load(text)
    assert host_of(text) == "local"


@given(st.text(max_size=60))
def test_whatever_a_file_holds_its_host_is_a_name(text: str) -> None:
    assert host_of(f"x-homelab: {text}")


def test_ports_and_names_are_taken_on_one_host_alone() -> None:
    def found(first: str, second: str) -> set[str]:
        stacks = [LintStack(n, f"{n}/compose.yaml", with_host(PORT, h), {}) for n, h in (("a", first), ("b", second))]
        return {f.rule for f in lint(stacks)} & {"HL041", "HL042"}

    assert found("nas", "nas") == found("local", "local") == {"HL041", "HL042"}
    assert found("nas", "local") == found("nas", "pi") == set()


def test_what_is_on_a_silent_host_is_not_known_rather_than_missing() -> None:
    stacks = [StackFiles(n, f"{n}/compose.yaml", with_host(PORT, h)) for n, h in (("far", "nas"), ("near", "local"))]
    far, near = rows(stacks, (), root="/lab", restarts={}, silent={"nas": "no answer"})
    assert (far.host, far.state, far.note) == ("nas", "", "host nas does not answer")
    assert (near.host, near.state, near.note) == ("", "missing", "")


def test_only_the_hosts_that_are_needed_keep_one_from_going_on() -> None:
    refuse_silent({"nas": "no answer"}, {"local", "pi"})
    with pytest.raises(EngineUnavailable) as caught:
        refuse_silent({"nas": "no answer"}, {"local", "nas"})
    assert (caught.value.code, caught.value.message) == ("host_silent", "no answer")
