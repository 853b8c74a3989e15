"""Host, Origin and X-Forwarded-*: what is believed."""

from typing import Any

import pytest

from homelab_mcp.http.addresses import Names, headers_of, peer_of
from homelab_mcp.http.settings import HttpSettings
from homelab_mcp.model.errors import InvalidInput

LOCAL = HttpSettings("127.0.0.1", 8765)
NAMED = HttpSettings("0.0.0.0", 8765, allow_hosts=("mcp.example.org", "lab:8443"))
PROXIED = HttpSettings("127.0.0.1", 8765, behind_proxy=("172.18.0.0/16", "fd00::5"))


def request(
    *headers: tuple[str, str], client: str = "10.0.0.9", scheme: str = "http", server: str = "192.168.1.5"
) -> Any:
    return {
        "type": "http",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers],
        "client": (client, 50000),
        "server": (server, 8765),
        "scheme": scheme,
    }


def answers(settings: HttpSettings, *hosts: str, **scope: Any) -> bool:
    asked = request(*(("Host", host) for host in hosts), **scope)
    headers = headers_of(asked)
    peer = peer_of(asked, headers, settings.proxies)
    return Names(settings).host(headers.get(b"host", []), peer, asked["server"]) is not None


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_loopback_goes_by_its_own_names(host: str) -> None:
    assert answers(LOCAL, host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1",
        "127.0.0.1:80",
        "localhost.evil.example:8765",
        "127.0.0.1:8765.evil.example",
        "127.0.0.1:8765@evil.example",
        "evil.example#127.0.0.1:8765",
        "127.0.0.1:8765,evil.example",
        "user@127.0.0.1:8765",
        "127.1:8765",
        "2130706433:8765",
        "",
        " 127.0.0.1:8765",
        "127.0.0.1:8765\t",
        "localhost.:8765",
        "lOcalhost\u00e9:8765",
    ],
)
def test_and_by_no_other(host: str) -> None:
    assert not answers(LOCAL, host)


def test_no_host_and_two_hosts_are_no_name() -> None:
    assert not answers(LOCAL)
    assert not answers(LOCAL, "127.0.0.1:8765", "127.0.0.1:8765")


def test_names_that_were_given() -> None:
    assert answers(NAMED, "mcp.example.org")
    assert answers(NAMED, "MCP.example.org:9443")
    assert answers(NAMED, "lab:8443")
    assert not answers(NAMED, "lab:8444")
    assert not answers(NAMED, "lab")
    assert not answers(NAMED, "x.mcp.example.org")
    assert answers(NAMED, "127.0.0.1:8765"), "health checks within a container"


def test_everywhere_goes_by_the_address_a_connection_came_in_on_but_by_no_name_for_it() -> None:
    assert answers(NAMED, "192.168.1.5:8765")
    assert answers(NAMED, "192.168.1.5:8765", server="::ffff:192.168.1.5")
    assert not answers(NAMED, "192.168.1.6:8765")
    assert not answers(NAMED, "rebound.evil.example:8765")
    assert not answers(HttpSettings("192.168.1.5", 8765), "192.168.1.5:8766")


def test_a_default_port_may_be_left_out() -> None:
    assert answers(HttpSettings("192.168.1.5", 80), "192.168.1.5")
    assert answers(HttpSettings("192.168.1.5", 443), "192.168.1.5", scheme="https")
    assert not answers(HttpSettings("192.168.1.5", 443), "192.168.1.5")


@pytest.mark.parametrize("name", ["http://mcp.example.org", "a b", "*", "", "x:y", "x:"])
def test_allow_host_takes_names(name: str) -> None:
    with pytest.raises(InvalidInput):
        Names(HttpSettings("127.0.0.1", 8765, allow_hosts=(name,)))


def origin(value: str, *, host: str = "127.0.0.1:8765", scheme: str = "http") -> bool:
    asked = request(("Host", host), ("Origin", value), scheme=scheme)
    headers = headers_of(asked)
    return Names(LOCAL).origin(headers[b"origin"], host, peer_of(asked, headers, ()))


def test_a_page_of_this_server_may_call_and_no_other() -> None:
    assert origin("http://127.0.0.1:8765")
    assert origin("https://127.0.0.1:8765"), "TLS ended at a proxy that was not named"
    assert not origin("http://127.0.0.1:8765", scheme="https"), "a page that came in the clear"
    for foreign in (
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1:3000",
        "http://127.0.0.1",
        "http://localhost:8765",
        "http://127.0.0.1:8765.evil.example",
        "http://127.0.0.1:8765/",
        "file://",
        "chrome-extension://127.0.0.1:8765",
    ):
        assert not origin(foreign), foreign


def client_of(settings: HttpSettings, *forwarded: str, client: str, proto: str = "") -> tuple[str, str]:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    asked = request(*headers, *([("X-Forwarded-Proto", proto)] if proto else []), client=client)
    peer = peer_of(asked, headers_of(asked), settings.proxies)
    return peer.address, peer.scheme


def test_forwarded_headers_count_from_a_named_proxy_alone() -> None:
    assert client_of(PROXIED, "203.0.113.7", client="10.0.0.9", proto="https") == ("10.0.0.9", "http")
    assert client_of(PROXIED, "203.0.113.7", client="172.18.0.2", proto="https") == ("203.0.113.7", "https")
    assert client_of(LOCAL, "203.0.113.7", client="127.0.0.1", proto="https") == ("127.0.0.1", "http")
    assert client_of(PROXIED, "203.0.113.7", client="::ffff:172.18.0.2")[0] == "203.0.113.7"
    assert client_of(PROXIED, "2001:db8::1", client="fd00::5")[0] == "2001:db8::1"


def test_what_the_client_wrote_before_the_proxy_did_is_not_believed() -> None:
    assert client_of(PROXIED, "1.1.1.1, 203.0.113.7, 172.18.0.3", client="172.18.0.2")[0] == "203.0.113.7"
    assert client_of(PROXIED, "1.1.1.1", "203.0.113.7", client="172.18.0.2")[0] == "203.0.113.7"
    assert client_of(PROXIED, "nonsense", client="172.18.0.2")[0] == "172.18.0.2"
    assert client_of(PROXIED, "203.0.113.7", client="172.18.0.2", proto="gopher")[1] == "http"


def test_one_subscriber_is_counted_once() -> None:
    one = peer_of(request(client="2001:db8:1:2:3::4"), {}, ())
    two = peer_of(request(client="2001:db8:1:2:ffff::9"), {}, ())
    assert one.group == two.group == "2001:db8:1:2::/64"
    assert peer_of(request(client="10.0.0.9"), {}, ()).group == "10.0.0.9"
