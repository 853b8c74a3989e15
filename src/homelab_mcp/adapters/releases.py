"""Releases of projects over HTTP, from the hosts of their repositories, without a log-in.

docs.github.com, "REST API endpoints for releases" and "Rate limits for the REST API" (60 requests an hour for each
address without a log-in; x-ratelimit-remaining, x-ratelimit-reset); docs.gitlab.com, "Releases API"; Forgejo's API,
``/repos/{owner}/{repo}/releases``.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from homelab_mcp.adapters.releases_kept import KeptReleases
from homelab_mcp.core.release_notes import HUBS, Releases, Source, release_of
from homelab_mcp.model.errors import EngineUnavailable, NotFound

if TYPE_CHECKING:
    import httpx

ASK_SECONDS = 10.0
"""For one project, redirects and all."""

_PAGE = 50
_MOST_BYTES = 8 * 1024 * 1024
_MOST_WAYS = 3
_LONGEST_PAUSE = 3600.0
_MORE = re.compile(r'rel="?next"?')
APIS = {
    "github.com": "https://api.github.com",
    "gitlab.com": "https://gitlab.com",
    "codeberg.org": "https://codeberg.org",
}


class HttpReleases:
    """Fulfils ``ports.Releases``. One for many threads.

    Args:
        root: the lab's folder, where answers are kept for some hours.
        apis: host -> where its API is.
        seconds: for one project.
    """

    def __init__(self, root: str, *, apis: Mapping[str, str] = APIS, seconds: float = ASK_SECONDS) -> None:
        self._apis = apis
        self._seconds = seconds
        self._kept = KeptReleases(Path(root))
        self._guard = threading.Lock()
        self._made: httpx.Client | None = None

    def of(self, source: Source) -> Releases:
        """From what is kept, or one request of at most 50 releases."""
        if (kept := self._kept.get(source)) is not None:
            return kept
        if self._kept.pause(source.host) > 0:
            raise _limit(source)
        answer = self._answer(source)
        try:
            rows = json.loads(answer.content)
        except (ValueError, RecursionError):
            rows = None
        if not isinstance(rows, list):
            raise _unavailable(f"{source.host} answers as no host of releases does.")
        notes = "description" if HUBS[source.host] == "gitlab" else "body"
        found = (release_of(row.get("tag_name"), row.get(notes)) for row in rows[:_PAGE] if isinstance(row, dict))
        whole = len(rows) < _PAGE and not _MORE.search(answer.headers.get("link", ""))
        made = Releases(tuple(r for r in found if r is not None), whole)
        self._kept.put(source, made)
        return made

    def _answer(self, source: Source) -> httpx.Response:
        until = time.monotonic() + self._seconds
        address = _address(self._apis[source.host], source)
        for _ in range(_MOST_WAYS):
            answer = self._send(address, source, until)
            if answer.status_code not in (301, 302, 307, 308):
                break
            # A project that was renamed; another host is not asked, whatever this one says.
            address = _same_place(urljoin(address, answer.headers.get("location", "")), address)
        if answer.status_code in (403, 429) and (pause := _pause(answer.headers)) > 0:
            self._kept.rest(source.host, pause)
            raise _limit(source)
        if answer.status_code in (401, 403, 404, 410):
            raise NotFound(f"{source.host} shows no releases of {source.path}.", code="releases_unknown")
        if answer.status_code != 200:
            raise _unavailable(f"{source.host} answered {answer.status_code}.")
        return answer

    def _send(self, address: str, source: Source, until: float) -> httpx.Response:
        import httpx

        silent = f"{source.host} did not answer within {self._seconds:g} seconds."
        try:
            with self._client().stream("GET", address, timeout=max(until - time.monotonic(), 0.01)) as answer:
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise _unavailable(f"{source.host} sends more than it should.")
                    # A time limit of httpx is for each read: one byte at a time would go on for ever.
                    if time.monotonic() > until:
                        raise _unavailable(silent)
                headers = {k: v for k, v in answer.headers.items() if not k.lower().startswith("content-")}
                return httpx.Response(answer.status_code, headers=headers, content=bytes(body))
        except httpx.TimeoutException:
            raise _unavailable(silent) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unavailable(f"{source.host} cannot be reached ({type(error).__name__}).") from None

    def _client(self) -> httpx.Client:
        import httpx

        with self._guard:
            if self._made is None:
                self._made = httpx.Client(
                    follow_redirects=False,
                    limits=httpx.Limits(max_keepalive_connections=0),
                    headers={"User-Agent": "homelab-mcp", "Accept": "application/json"},
                )
            return self._made


def _address(base: str, source: Source) -> str:
    match HUBS[source.host]:
        case "gitlab":
            return f"{base}/api/v4/projects/{quote(source.path, safe='')}/releases?per_page={_PAGE}"
        case "forgejo":
            return f"{base}/api/v1/repos/{quote(source.path)}/releases?limit={_PAGE}"
        case _:
            return f"{base}/repos/{quote(source.path)}/releases?per_page={_PAGE}"


def _same_place(address: str, before: str) -> str:
    one, other = urlsplit(address), urlsplit(before)
    if (one.scheme, one.netloc) != (other.scheme, other.netloc):
        raise _unavailable(f"{other.netloc} points to another host.")
    return address


def _pause(headers: Mapping[str, Any]) -> float:
    """Seconds that the host asks to be left alone; 0 where it says no for another reason."""
    wait = str(headers.get("retry-after", ""))
    if wait.isascii() and wait.isdigit():
        return min(float(wait[:9]), _LONGEST_PAUSE)
    reset = str(headers.get("x-ratelimit-reset", ""))
    if str(headers.get("x-ratelimit-remaining", "")) == "0":
        left = float(reset[:12]) - time.time() if reset.isascii() and reset.isdigit() else _LONGEST_PAUSE
        return min(max(left, 1.0), _LONGEST_PAUSE)
    return 0.0


def _limit(source: Source) -> EngineUnavailable:
    return EngineUnavailable(
        f"{source.host} asks for patience: too many requests from here.",
        code="releases_limit",
        hint="Try again in an hour.",
    )


def _unavailable(message: str) -> EngineUnavailable:
    return EngineUnavailable(message, code="releases_unavailable", hint="Try later, or look at the network.")
