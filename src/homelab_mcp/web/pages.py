"""The pages: log-in, the list, one plan and its answer, history, journal."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from homelab_mcp.model.errors import (
    HomelabError,
    InvalidInput,
    JournalUnwritable,
    NotFound,
    PlanRefused,
    storage_failed,
)
from homelab_mcp.model.lab import NAME_PATTERN
from homelab_mcp.ports import Lab
from homelab_mcp.web import views
from homelab_mcp.web.guard import FORM_BYTES, SECRETS_FORM_BYTES, read_form
from homelab_mcp.web.look import BASE, Look
from homelab_mcp.web.reading import Reading
from homelab_mcp.web.sessions import LONGEST_SECONDS, Session, Sessions, Tries
from homelab_mcp.web.site import Site, client_of
from homelab_mcp.web.values import NUMBERS, propose_value
from homelab_mcp.workflow.approver_trust import ApproverTrust
from homelab_mcp.workflow.assembly import approvals
from homelab_mcp.workflow.follow import start

LONGEST_PIN = 200

logger = logging.getLogger("homelab_mcp.web")
T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]
Inner = Callable[[Request, Session], Awaitable[Response]]

_NOTHING = {"name": "", "reason": "", "wrong": ""}
_ID = re.compile(r"[0-9a-f]{32}")
_OWN_PLACE = re.compile(rf"{BASE}/(?:plans/[0-9a-f]{{32}}|history|journal|set(?:\?[A-Za-z0-9_.=&%-]{{0,600}})?)?")


class Pages:
    """All pages of one lab."""

    def __init__(self, lab: Lab, site: Site) -> None:
        self._lab = lab
        self._site = site
        self._sessions = Sessions(lab.clock)
        self._tries = Tries(lab.clock)
        self._cookie = "__Host-homelab" if site.secure else "homelab"
        self._one_pin: anyio.CapacityLimiter | None = None
        self.look = Look(lab.clock)

    def routes(self) -> list[Route]:
        """Where each page is, below the mount."""
        plan, reading = "/plans/{plan_id:str}", Reading(self._lab, self.look)
        return [
            Route("/", self._page(self._list)),
            Route("/login", self._open_page(self._login_form)),
            Route("/login", self._open_page(self._login), methods=["POST"]),
            Route("/logout", self._page(self._logout), methods=["POST"]),
            Route(plan, self._page(self._plan)),
            Route(f"{plan}/answer", self._page(self._answer), methods=["GET", "POST"]),
            Route("/history", self._page(reading.history)),
            Route("/journal", self._page(reading.journal)),
            Route("/set", self._page(self._set), methods=["GET", "POST"]),
            Route("/static/{name:str}", self._open_page(self._static)),
        ]

    # ------------------------------------------------------------ what all pages share

    async def lost(self, request: Request, _: Exception) -> Response:
        """The page for an address that is none."""
        return self.look.problem(404, "There is no such page", "Go back to the plans.")

    def _open_page(self, inner: Endpoint) -> Endpoint:
        """A page for everybody; whatever goes wrong in it becomes a page too."""

        @functools.wraps(inner)
        async def endpoint(request: Request) -> Response:
            plan_id = request.path_params.get("plan_id", "")
            back = f"{BASE}/plans/{plan_id}" if _ID.fullmatch(plan_id) else f"{BASE}/"
            try:
                return await inner(request)
            except HomelabError as error:
                return self.look.error(error, f"{BASE}/" if isinstance(error, NotFound) else back)
            except OSError as error:
                return self.look.error(storage_failed(error, "A file of the lab"), back)
            except Exception:
                # The edge: an unforeseen error's text may hold anything, so it goes to the log alone.
                reference = secrets.token_hex(4)
                logger.exception("internal error %s on the approval page", reference)
                return self.look.problem(
                    500, "homelab-mcp met an error it does not know", f"Its log has the details: reference {reference}."
                )

        return endpoint

    def _page(self, inner: Inner) -> Endpoint:
        """A page for who is logged in."""

        async def endpoint(request: Request) -> Response:
            # What a page asks for by itself is no sign that a person is there.
            by_itself = "live" in request.query_params or "auto" in request.query_params
            session = self._sessions.find(request.cookies.get(self._cookie, ""), touch=not by_itself)
            if session is not None:
                return await inner(request, session)
            if "live" in request.query_params:
                return Response("", 401)
            if request.method == "POST":
                return self.look.problem(
                    401, "You are logged out", "Nothing was recorded. Log in, look at the plan, and answer again."
                )
            url = request.url
            place = f"{url.path}?{url.query}" if url.query and url.path == f"{BASE}/set" else url.path
            after = f"?{urlencode({'next': place})}" if _OWN_PLACE.fullmatch(place) else ""
            return RedirectResponse(f"{BASE}/login{after}", 303)

        return self._open_page(endpoint)

    async def _static(self, request: Request) -> Response:
        return self.look.asset(request.path_params["name"])

    # ------------------------------------------------------------ log-in

    async def _login_form(self, request: Request) -> Response:
        return self._login_page(200, request.query_params.get("next", ""))

    def _login_page(self, status: int, place: str, wrong: str = "") -> Response:
        ready, place = self._lab.approver.exists(), place if _OWN_PLACE.fullmatch(place) else ""
        return self.look.page("login.html", status, place=place, wrong=wrong, session=None, ready=ready)

    async def _login(self, request: Request) -> Response:
        form = await read_form(request)
        place = form.get("next", "")
        peer = request.client.host if request.client else ""
        address, account = client_of(
            self._site, peer, request.headers.get("x-forwarded-for", ""), request.headers.get("remote-user", "")
        )
        if wait := self._tries.take(address):
            answer = self._login_page(429, place, f"Too many tries. Try again in {_minutes(wait)}.")
            answer.headers["Retry-After"] = str(int(wait))
            return answer
        if self._one_pin is None:
            self._one_pin = anyio.CapacityLimiter(1)  # each try takes 64 MiB
        trust = ApproverTrust(self._lab.approver, self._lab.journal)
        try:
            signer = await anyio.to_thread.run_sync(
                trust.unlock, form.get("pin", "")[:LONGEST_PIN], f"page {account}", limiter=self._one_pin
            )
        except (InvalidInput, PlanRefused) as error:
            await self._noted("page_login_refused", {"address": address, "cause": error.code})
            return self._login_page(429 if error.code == "pin_locked" else 401, place, f"{error.message} {error.hint}")
        self._tries.forgive(address)
        self._sessions.close(request.cookies.get(self._cookie, ""))
        token = self._sessions.open(signer, account)
        await self._noted("page_login", {"address": address, "who": f"page {account}"})
        answer = RedirectResponse(place if _OWN_PLACE.fullmatch(place) else f"{BASE}/", 303)
        answer.set_cookie(
            self._cookie,
            token,
            max_age=int(LONGEST_SECONDS),
            path="/",
            secure=self._site.secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _noted(self, event: str, data: dict[str, str]) -> None:
        # Who can see the page can see what is wrong with the journal; a plan is answered only when it works.
        with contextlib.suppress(JournalUnwritable):
            await anyio.to_thread.run_sync(self._lab.journal.append, event, data)

    async def _logout(self, request: Request, session: Session) -> Response:
        await self._own_form(request, session)
        self._sessions.close(request.cookies.get(self._cookie, ""))
        answer = RedirectResponse(f"{BASE}/login", 303)
        answer.delete_cookie(self._cookie, path="/", secure=self._site.secure, httponly=True, samesite="strict")
        return answer

    async def _own_form(self, request: Request, session: Session, most: int = FORM_BYTES) -> dict[str, str]:
        form = await read_form(request, most)
        if not session.own(form.get("csrf", "")):
            raise InvalidInput(
                "It was made by another page or before you logged in again.",
                code="csrf",
                hint="Nothing was recorded. Open the plan afresh and answer there.",
            )
        return form

    # ------------------------------------------------------------ plans

    async def _list(self, request: Request, session: Session) -> Response:
        template = "_list.html" if "live" in request.query_params else "list.html"
        found = await anyio.to_thread.run_sync(views.listing, self._lab)
        return self.look.page(template, found=found, session=session, here="plans")

    async def _plan(self, request: Request, session: Session) -> Response:
        plan_id = request.path_params["plan_id"]
        if "live" in request.query_params:
            plan = await anyio.to_thread.run_sync(views.standing, self._lab, plan_id)
            return self.look.page("_live.html", plan=plan, session=session, typed=_NOTHING)
        return await self._show(plan_id, session)

    async def _show(
        self, plan_id: str, session: Session, typed: dict[str, str] | None = None, status: int = 200
    ) -> Response:
        plan = await anyio.to_thread.run_sync(views.detail, self._lab, plan_id)
        return self.look.page("plan.html", status, plan=plan, session=session, typed=typed or _NOTHING, here="")

    async def _answer(self, request: Request, session: Session) -> Response:
        plan_id = request.path_params["plan_id"]
        if request.method != "POST":
            # The address that a refused answer leaves behind, opened afresh.
            return RedirectResponse(f"{BASE}/plans/{plan_id}" if _ID.fullmatch(plan_id) else f"{BASE}/", 303)
        form = await self._own_form(request, session)
        do, reason = form.get("do", ""), form.get("reason", "")
        if do not in {"ask", "approve", "approve_apply", "decline", "apply"}:
            raise InvalidInput("There is no such answer.", code="bad_form", hint="Use the page's own buttons.")
        wrong = await anyio.to_thread.run_sync(self._unfit, plan_id, form)
        if wrong:
            typed = {"name": form.get("name", ""), "reason": reason, "wrong": wrong}
            return await self._show(plan_id, session, typed, 422)
        await anyio.to_thread.run_sync(self._carry_out, plan_id, session, do, reason)
        return RedirectResponse(f"{BASE}/plans/{plan_id}", 303)

    def _unfit(self, plan_id: str, form: dict[str, str]) -> str:
        """What is missing from an answer, or "". Raises PlanRefused: plan_changed (it is to another than was shown)."""
        now = views.standing(self._lab, plan_id)
        if not secrets.compare_digest(form.get("digest", "").encode(), now["digest"].encode()):
            raise PlanRefused(
                "What is stored under its id differs from the page.",
                code="plan_changed",
                hint="Nothing was recorded. Open the plan afresh and read it again.",
            )
        if form["do"] == "ask":
            # What Enter in a field sends: somebody who typed why they decline must not have approved by that.
            return "Nothing was recorded: choose one of the buttons."
        typed = " ".join(form.get("name", "").split())
        if form["do"].startswith("approve") and now["risk"] == "high" and now["may_answer"] and typed != now["word"]:
            return f"To approve a plan of high risk, type its name: {now['word']}"
        return ""

    def _carry_out(self, plan_id: str, session: Session, do: str, reason: str) -> None:
        if do != "apply":
            approvals(self._lab).signed(
                plan_id,
                session.signer,
                who=f"page {session.account}",
                approved=do != "decline",
                reason=views.mask_of(self._lab).text(reason),
            )
        if do in {"approve_apply", "apply"}:
            start(self._lab, plan_id)

    async def _set(self, request: Request, session: Session) -> Response:
        if request.method != "POST":
            query = request.query_params
            return await self._set_form(200, session, stack=query.get("stack", ""), names=query.getlist("name"))
        form = await self._own_form(request, session, SECRETS_FORM_BYTES)
        try:
            plan = await anyio.to_thread.run_sync(propose_value, self._lab, form)
        except (InvalidInput, NotFound) as error:
            # The value is not sent back: it would stand in the page's source.
            names = [form[f"name{n}"] for n in NUMBERS if f"name{n}" in form]
            wrong = f"{error.message} {error.hint}"
            return await self._set_form(422, session, stack=form.get("stack", ""), names=names, wrong=wrong)
        return RedirectResponse(f"{BASE}/plans/{plan.id}", 303)

    async def _set_form(
        self, status: int, session: Session, *, stack: str, names: list[str], wrong: str = ""
    ) -> Response:
        stacks = [s for s, _ in await anyio.to_thread.run_sync(self._lab.files.stack_folders)]
        # One that is yet to come may want its secrets first.
        if stack not in stacks and re.fullmatch(NAME_PATTERN, stack):
            stacks.append(stack)
        fields = list(zip(NUMBERS, names or [""], strict=False))
        return self.look.page(
            "set.html", status, stacks=stacks, stack=stack, names=fields, wrong=wrong, session=session, here="set"
        )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
