"""Where a forge calls after a push. Its signature is the door, and all that a call does is make a plan for a person.

Sources: GitHub's "Validating webhook deliveries" (``X-Hub-Signature-256: sha256=HEX``, HMAC-SHA256 of the raw body, a
comparison in constant time) and "Webhook events and payloads" (``ping``, ``push``, ``ref``); Gitea's and Forgejo's
webhooks (``X-Gitea-Signature``, ``X-Forgejo-Signature``: the bare HEX). No signature covers a time, so a call can be
repeated by who overheard it: it makes this machine look once more, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from homelab_mcp.http.limits import Buckets
from homelab_mcp.http.settings import GIT_HOOK, HOOKS, Limits
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.git_hook import PullPlans

logger = logging.getLogger("homelab_mcp.http")

_BARE = ("x-forgejo-signature", "x-gitea-signature")
_EVENTS = ("x-github-event", "x-forgejo-event", "x-gitea-event")


def git_hook(lab: Lab, limits: Limits, now: Callable[[], float] = time.monotonic) -> list[tuple[str, ASGIApp]]:
    """What answers below ``/hooks``, as ``serving.application`` mounts it."""
    hook = GitHook(lab, limits, now)
    routes = [Route(GIT_HOOK.removeprefix(HOOKS), hook.called, methods=["POST"])]
    return [(HOOKS, Starlette(routes=routes))]


class GitHook:
    """The address that a forge calls.

    Args:
        lab: the lab.
        limits: how many calls count.
        now: a clock that only goes forward, in seconds.
    """

    def __init__(self, lab: Lab, limits: Limits, now: Callable[[], float]) -> None:
        self._lab = lab
        self._plans = PullPlans(lab)
        self._calls = Buckets(limits.hook_rate, limits.hook_burst, now)
        self._refusals = Buckets(limits.refusal_rate, limits.refusal_burst, now)

    async def called(self, request: Request) -> Response:
        """404 without a webhook, 401 unsigned, 429 too often, 400 no push; else 200 or 202, before any work is done.

        Nothing of the lab is in the answer, and of the body only the branch counts.
        """
        address = request.client.host if request.client else ""
        secret = await run_sync(self._secret)
        if not secret:
            return _said(404, "no webhook here")
        body = await request.body()
        if not _signed(request, body, secret):
            if wait := self._refusals.take(address):
                return _wait(wait)
            logger.warning("a webhook's call from %s has no good signature", address or "a socket")
            return _said(401, "no good signature")
        event = next((v for name in _EVENTS if (v := request.headers.get(name))), "")
        if event == "ping":
            return _said(200, "pong")
        if event != "push":
            return _said(202, "ignored: no push")
        ref = _ref(body)
        if ref is None:
            return _said(400, "a push's JSON names a ref; set the content type to application/json")
        try:
            branch = (await run_sync(self._lab.remote.settings)).branch
        except HomelabError:
            branch = ""
        if ref != f"refs/heads/{branch}":
            return _said(202, "ignored: another branch")
        if wait := self._calls.take("all"):
            return _wait(wait)
        self._plans.ask()
        return _said(202, "looking")

    def _secret(self) -> str:
        """What a call is signed with; "" where none counts, as in a lab whose policy lets nobody plan."""
        try:
            return "" if self._lab.policy.settings.read_only else self._lab.hook.read()
        except HomelabError as error:
            logger.error("no webhook counts: %s", error.as_text())
            return ""


def _signed(request: Request, body: bytes, secret: str) -> bool:
    """Whether the one signature that counts is right: GitHub's where it is there, else Forgejo's, else Gitea's."""
    given = request.headers.getlist("x-hub-signature-256")
    prefix = "sha256="
    if not given:
        prefix = ""
        given = next((v for name in _BARE if (v := request.headers.getlist(name))), [])
    if len(given) != 1:
        return False
    right = prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), given[0].encode("latin-1", "replace"))


def _ref(body: bytes) -> str | None:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    ref = found.get("ref") if isinstance(found, dict) else None
    return ref if isinstance(ref, str) else None


def _said(status: int, what: str) -> Response:
    return JSONResponse({"status": what}, status, {"Cache-Control": "no-store"})


def _wait(seconds: float) -> Response:
    response = _said(429, "too many calls")
    response.headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    return response
