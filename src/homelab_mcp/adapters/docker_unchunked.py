"""Answers of gigabytes from the local engine, without HTTP's chunks.

The engine makes a chunk of each line of a log, and taking them apart costs Python 20 s of a processor for 1 GB. Asked
in HTTP/1.0, which knows none (RFC 9112, 7.1), it sends the body as it is and closes the connection at its end. An
answer that is cut off then looks like a whole one: who reads it asks at its end whether the engine is still there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

if TYPE_CHECKING:
    from docker.api import APIClient

_BASE = "http+docker://unchunked"
_USUAL = "http+docker://"


class _Connection(UnixHTTPConnection):
    # Of http.client, which has no other way to say it.
    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        # docker-py keeps its seconds here, whatever urllib3 calls it.
        seconds: Any = self.timeout
        return _Connection(self.base_url, self.socket_path, seconds)


class _Adapter(UnixHTTPAdapter):
    def get_connection(self, url: bytes | str, proxies: Any = None) -> _Pool:
        return _Pool(_BASE, self.socket_path, self.timeout)


def base_of(client: APIClient) -> str:
    """The address at which this client is asked for such an answer; its usual one where Docker is not on a socket."""
    usual = client.adapters.get(_USUAL)
    if not isinstance(usual, UnixHTTPAdapter):
        return str(client.base_url)
    if _BASE not in client.adapters:
        client.mount(_BASE, _Adapter(f"http+unix://{usual.socket_path}", usual.timeout))
    return _BASE
