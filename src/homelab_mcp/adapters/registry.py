"""Registries over HTTP: the OCI distribution API with its anonymous bearer tokens.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md (tags, manifests),
https://distribution.github.io/distribution/spec/auth/token/ (tokens). Docker Hub counts GET of a manifest as a pull and
HEAD not (docs.docker.com, "Docker Hub pull usage and limits"), so only HEAD is sent.
"""

from __future__ import annotations

import ipaddress
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from homelab_mcp.core.image_updates import ImageName
from homelab_mcp.model.errors import EngineUnavailable, NotFound

if TYPE_CHECKING:
    import httpx

ASK_SECONDS = 10.0
_MOST_PAGES = 30
_MOST_BYTES = 8 * 1024 * 1024
_HUB = "registry-1.docker.io"
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_FIELD = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*rel="?next"?')


class HttpRegistry:
    """Fulfils ``ports.Registry``. One for many threads; a token is asked for once a repository."""

    def __init__(self, *, seconds: float = ASK_SECONDS) -> None:
        self._seconds = seconds
        self._tokens: dict[tuple[str, str], str] = {}
        self._guard = threading.Lock()
        self._made: httpx.Client | None = None

    def tags(self, image: ImageName) -> tuple[str, ...]:
        """Page by page, thirty at most."""
        address = f"{_base(image)}/tags/list?n=1000"
        found: list[str] = []
        for _ in range(_MOST_PAGES):
            answer = self._ask("GET", address, image)
            try:
                found += [str(tag) for tag in answer.json().get("tags") or ()]
            except (ValueError, AttributeError):
                raise EngineUnavailable(
                    f"{image.registry} answers as no registry does.", code="registry_unavailable", hint="Try later."
                ) from None
            following = _NEXT.search(answer.headers.get("link", ""))
            if not following:
                break
            address = _same_place(urljoin(address, following[1]), address)
        return tuple(found)

    def digest(self, image: ImageName) -> str:
        """By HEAD, with the digest in the answer's header."""
        answer = self._ask("HEAD", f"{_base(image)}/manifests/{image.tag or image.digest}", image)
        return str(answer.headers.get("docker-content-digest", ""))

    def _ask(self, method: str, address: str, image: ImageName) -> httpx.Response:
        key = (image.registry, image.repository)
        answer = self._send(method, address, image, self._tokens.get(key, ""))
        if answer.status_code == 401:
            token = self._token(answer.headers.get("www-authenticate", ""), address, image)
            self._tokens[key] = token
            answer = self._send(method, address, image, token)
        if answer.status_code == 429:
            raise EngineUnavailable(
                f"{image.registry} asks for patience: too many requests from here.",
                code="registry_limit",
                hint="Try again in some hours.",
            )
        if answer.status_code in (401, 403, 404):
            raise NotFound(
                f"{image.registry} has no {image.repository}:{image.tag}, or shows it only to who logs in.",
                code="image_unknown",
                hint="Look at the image's page.",
            )
        if answer.status_code != 200:
            raise EngineUnavailable(
                f"{image.registry} answered {answer.status_code}.", code="registry_unavailable", hint="Try later."
            )
        return answer

    def _token(self, challenge: str, address: str, image: ImageName) -> str:
        """A token for anybody, where the registry's challenge says who gives one."""
        import httpx

        fields = dict(_FIELD.findall(challenge))
        realm = fields.get("realm", "")
        if not challenge.lower().startswith("bearer ") or not _may_ask(realm, address):
            return ""
        wanted = {"scope": f"repository:{image.repository}:pull"}
        if fields.get("service"):
            wanted["service"] = fields["service"]
        try:
            answer = self._send("GET", str(httpx.URL(realm, params=wanted)), image, "")
            data = answer.json() if answer.status_code == 200 else {}
        except ValueError:
            return ""
        return str(data.get("token") or data.get("access_token") or "") if isinstance(data, dict) else ""

    def _send(self, method: str, address: str, image: ImageName, token: str) -> httpx.Response:
        import httpx

        headers = {"Accept": _ACCEPT if "/manifests/" in address else "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            with self._client().stream(method, address, headers=headers) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise EngineUnavailable(
                            f"{image.registry} sends more than it should.", code="registry_unavailable"
                        )
                return httpx.Response(answer.status_code, headers=_plain(answer.headers), content=body)
        except httpx.TimeoutException:
            raise EngineUnavailable(
                f"{image.registry} did not answer within {self._seconds:g} seconds.",
                code="registry_unavailable",
                hint="Try later, or look at the network.",
            ) from None
        except httpx.HTTPError as error:
            raise EngineUnavailable(
                f"{image.registry} cannot be reached ({type(error).__name__}).",
                code="registry_unavailable",
                hint="Look at the network and DNS.",
            ) from None

    def _client(self) -> httpx.Client:
        import httpx

        with self._guard:
            if self._made is None:
                self._made = httpx.Client(
                    timeout=self._seconds,
                    follow_redirects=True,
                    max_redirects=3,
                    # None is kept open: a lab's registries are asked once in a while.
                    limits=httpx.Limits(max_keepalive_connections=0),
                    headers={"User-Agent": "homelab-mcp"},
                )
            return self._made


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """The headers without those that speak of the body as it was sent."""
    return {k: v for k, v in headers.items() if k.lower() not in ("content-encoding", "content-length")}


def _base(image: ImageName) -> str:
    host = _HUB if image.registry == "docker.io" else image.registry
    scheme = "http" if _loopback(host) else "https"
    return f"{scheme}://{host}/v2/{image.repository}"


def _loopback(host: str) -> bool:
    """Docker too speaks plain HTTP to a registry on this machine alone."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _may_ask(realm: str, address: str) -> bool:
    """Whether a challenge may send us there: HTTPS, or this machine when the registry is on it as well."""
    parts = urlsplit(realm)
    if parts.scheme == "https" and parts.hostname:
        return True
    return parts.scheme == "http" and _loopback(parts.netloc) and _loopback(urlsplit(address).netloc)


def _same_place(address: str, before: str) -> str:
    """The next page, when it is on the same host: a token goes to nobody else."""
    one, other = urlsplit(address), urlsplit(before)
    if (one.scheme, one.netloc) != (other.scheme, other.netloc):
        raise EngineUnavailable("The registry points to another host.", code="registry_unavailable")
    return address
