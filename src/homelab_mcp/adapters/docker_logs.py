"""A container's log as the engine gives it, and how its last lines before a moment are found."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

from homelab_mcp.adapters.docker_connection import knock
from homelab_mcp.adapters.docker_errors import translated
from homelab_mcp.core.log_lines import Ring

if TYPE_CHECKING:
    from docker.api import APIClient

LogLines: TypeAlias = Generator[tuple[str, str, str], None, None]
_CHUNK = 65_536
_SEARCHED_LINES = 262_144
_EARLIER = 8


def last_lines(read: Callable[[int], LogLines], tail: int, until: float) -> Iterator[tuple[str, str, str]]:
    """The last ``tail`` of the lines before ``until``, oldest first; ``read`` gives so many of the log's last.

    The engine counts ``tail`` from the log's very end, also when ``until`` is given, and would answer with nothing
    where all of those are later. So this asks for more and more lines, and keeps only the last ``tail`` that fit,
    within what a ``Ring`` holds. Lines of the microsecond of ``until`` count.
    """
    limit = _rfc3339(until)
    asked = tail
    first_seen: str | None = None
    while True:
        kept = Ring(tail)
        first: str | None = None
        with closing(read(asked)) as lines:
            for line in lines:
                first = first or line[0]
                if line[0] > limit:
                    break
                kept.append(line)
        # The same first line for a longer request means that there is nothing earlier.
        found = kept.lines()
        enough = len(found) == tail or kept.dropped
        if enough or first is None or first == first_seen or asked >= _SEARCHED_LINES:
            yield from found
            return
        first_seen = first
        asked *= _EARLIER


def request(
    place: str, tail: str, since: float | None, until: float | None, seconds: float, *, whole: bool
) -> Callable[[APIClient], Any]:
    """Asks ``GET /PLACE/logs`` with times; each piece of the answer may take ``seconds``.

    ``place`` is ``containers/ID`` or ``tasks/ID``; ``whole`` says that the answer may be gigabytes.
    """
    from docker.errors import create_api_error_from_http_exception
    from requests.exceptions import HTTPError

    from homelab_mcp.adapters.docker_unchunked import base_of

    # docker-py's own logs() drops the name of the stream.
    params = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": tail}
    params |= {name: f"{when:.9f}" for name, when in (("since", since), ("until", until)) if when is not None}

    def ask(client: APIClient) -> Any:
        base = base_of(client) if whole else client.base_url
        url = f"{base}/v{client.api_version}/{place}/logs"
        answer = client.get(url, params=params, stream=True, timeout=seconds)
        try:
            answer.raise_for_status()
        except HTTPError as error:
            create_api_error_from_http_exception(error)
        return answer

    return ask


def pieces(answer: Any, address: str, asks_after: float | None = None) -> Iterator[bytes]:
    """The answer's body. Raises EngineUnavailable, EngineFailed where it breaks off.

    With ``asks_after`` the engine has so many seconds to show at the end that it is still there: a body without
    chunks that ends early looks like a whole one.
    """
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield from answer.raw.stream(_CHUNK, decode_content=False)
        if asks_after is not None:
            knock(address, asks_after)
    except (OSError, RequestException, HTTPError) as error:
        raise translated(error, address) from error


def _rfc3339(when: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "999Z"
