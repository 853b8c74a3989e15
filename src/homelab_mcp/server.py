"""The MCP server: tools over stdio or Streamable HTTP, for 2025-11-25 and 2026-07-28 clients alike."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, GetPromptResult, InputRequiredResult, ListToolsResult

from homelab_mcp import __version__
from homelab_mcp.bootstrap import mask_output
from homelab_mcp.core.policy import DEFAULT_POLICY, Policy
from homelab_mcp.core.redact import clean
from homelab_mcp.http.settings import approvals_address
from homelab_mcp.model.errors import HomelabError, LabLocked, VaultLocked
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.token import Scope, Token
from homelab_mcp.opening import handover
from homelab_mcp.ports import Lab
from homelab_mcp.tools.access import READ_REFUSED, may_call, require, token_in, token_of
from homelab_mcp.tools.ask_person import PersonPage
from homelab_mcp.tools.host_argument import HostArgument
from homelab_mcp.tools.instructions import instructions
from homelab_mcp.tools.masking import Masking
from homelab_mcp.tools.plan_app import PlanApp, extension, plan_tools
from homelab_mcp.tools.registry import register_all
from homelab_mcp.tools.shape import no_such_tool, own_words
from homelab_mcp.tools.toolsets import ALL_WORD
from homelab_mcp.tools.watching import serve_subscriptions

if TYPE_CHECKING:
    from mcp.server.lowlevel.helper_types import ReadResourceContents
    from pydantic import AnyUrl

    from homelab_mcp.http.serving import Mounted
    from homelab_mcp.http.settings import HttpSettings
    from homelab_mcp.opening.front import Opening

SAMPLE_SECONDS = 300.0
"""How often a server that runs measures what services use."""

KEEP_PLANS_SECONDS = 90 * 86_400.0
"""Plans that ended are kept this long for history and roll-back; they hold what ``.env`` files were."""


class HomelabServer(MCPServer[Any]):
    """The SDK's server, with each tool's scope enforced, and its words for what fails replaced by ours."""

    token_needed: Callable[[], bool] = staticmethod(lambda: False)
    """Whether a call without a token is refused; over stdio none has one."""
    hosts: HostArgument
    """What gives tools their ``host`` where the lab has several Docker hosts."""
    person: PersonPage | None = None
    """Where a person can be sent for a secret; None where no approval page is known."""

    def teach(self, text: str) -> None:
        """Set the instructions that clients get when they connect, once it is known what is offered."""
        self._lowlevel_server.instructions = text

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool.

        Raises:
            ToolError: the client's token does not let it, there is no such tool, the arguments do not fit, or the
                tool failed; in our words alone, each with a way out and a code.
            UrlElicitationRequiredError: a person has to type a secret on a page first.
        """
        token = token_of(context) if context else None
        if token is not None:
            require(name, token)
        elif self.token_needed():
            raise ToolError(
                "This call came without a token. A person makes one with `homelab-mcp token create` and gives it to "
                "the client. [token_required]"
            )
        tool = self._tool_manager.get_tool(name)
        if tool is None:
            raise no_such_tool(name, [one.name for one in self._tool_manager.list_tools()])
        around = context or Context(mcp_server=self, subscriptions=self._subscriptions)
        try:
            run = await self.hosts.bound(tool, arguments, around)
            return await (self.person.call(run, context) if self.person and context else run())
        except ToolError as error:
            raise own_words(error, name) from error.__cause__

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """A prompt, filled in.

        Raises:
            MCPError: there is no such prompt, or an argument is missing (invalid params).
        """
        try:
            return await super().get_prompt(name, arguments, context)
        except ValueError as error:
            # The SDK logs this as a fault of the server with its traceback; it is a slip of the caller.
            raise MCPError(code=INVALID_PARAMS, message=clean(str(error))[:200]) from error

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """A resource's contents.

        Raises:
            ResourceError: the client's token does not let it read.
        """
        self._may_read(token_of(context) if context else None)
        return await super().read_resource(uri, context)

    def _may_read(self, token: Token | None) -> None:
        if (token is None and self.token_needed()) or (token is not None and Scope.READ not in token.scopes):
            raise ResourceError(READ_REFUSED)

    def watch(self) -> None:
        """Let clients subscribe to resources; each is checked when it asks, and what is read for all is not told."""

        async def read(uri: str) -> bytes:
            found = await MCPServer.read_resource(self, uri)
            if isinstance(found, InputRequiredResult):
                return b""
            return b"".join(c.content if isinstance(c.content, bytes) else c.content.encode() for c in found)

        def allow(ctx: Any) -> None:
            try:
                self._may_read(token_in(ctx.request))
            except ResourceError as error:
                raise MCPError(code=INVALID_PARAMS, message=str(error)) from error

        serve_subscriptions(self, read, allow)

    async def _handle_list_tools(self, ctx: Any, params: Any) -> ListToolsResult:
        """Leave out what the client's token does not let it call, and name ``host``; the order stays."""
        listed, token = await super()._handle_list_tools(ctx, params), token_in(ctx.request)
        if token is not None:
            listed.tools = [tool for tool in listed.tools if may_call(tool.name, token.scopes)]
        listed.tools = await self.hosts.shown(listed.tools)
        return listed


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers: which toolsets (none named: the default choice), and whether only tools that read."""

    toolsets: tuple[str, ...] = (ALL_WORD,)
    read_only: bool = False


def build(lab: Lab, *, offer: Offer = Offer(), approvals: str = "") -> HomelabServer:
    """The server for one lab; ``approvals`` is where a browser finds the approval page, if that is known.

    Raises:
        InvalidInput: a toolset that is none.
    """
    read_only = offer.read_only or _policy_of(lab).settings.read_only
    server = HomelabServer(
        "homelab-mcp",
        title="Homelab",
        version=__version__,
        log_level="WARNING",
        extensions=[extension()],
    )
    left_out, server.hosts = register_all(server, lab, toolsets=offer.toolsets, read_only=read_only)
    offered = [tool.name for tool in server._tool_manager.list_tools()]
    server.teach(instructions(offered, left_out, read_only=read_only))
    server.person = PersonPage(lab, approvals) if approvals else None
    server.middleware.extend((Masking(lab), PlanApp(plan_tools(server._tool_manager.list_tools()), approvals)))
    server.watch()
    return server


def serve_stdio(lab: Lab, offer: Offer = Offer(), opening: Opening | None = None) -> None:
    """Serve on stdin and stdout until the client closes them; ``opening`` is what was said there before."""
    _log_to_stderr(lab)
    server = build(lab, offer=offer, approvals=approvals_address())
    _recover_in_background(lab)
    _sample_in_background(lab)
    _warn_of_policy(lab)
    try:
        anyio.run(handover.serve, server, opening)
    except* BrokenPipeError:
        # The client went away while it was being answered. What is left in the buffer goes where nobody reads it:
        # Python would write it at its end, and fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def serve_http(lab: Lab, settings: HttpSettings, *, offer: Offer = Offer(), mounts: Sequence[Mounted] = ()) -> None:
    """Serve Streamable HTTP at ``/mcp``, and ``mounts`` beside it.

    Raises:
        InvalidInput: settings that nobody should serve with, or files of a certificate that cannot be used.
    """
    from homelab_mcp.http.hook import git_hook
    from homelab_mcp.http.keyring import Keyring
    from homelab_mcp.http.serving import application, listener
    from homelab_mcp.web.app import approval_page

    _log_to_stderr(lab)
    settings.check(kept_tokens=any(not token.expired(lab.clock.now()) for token in lab.tokens.list()))
    keyring = Keyring(lab.tokens, settings.token, settings.token_scopes, always=settings.exposed)
    page = approval_page(lab, settings)
    server = build(lab, offer=offer, approvals=approvals_address(settings) if page else "")
    server.token_needed = keyring.needed
    hook = [] if offer.read_only else git_hook(lab, settings.limits)
    listening = listener(application(server, settings, keyring, [*page, *hook, *mounts]), settings)
    _recover_in_background(lab)
    _sample_in_background(lab)
    _warn_of_policy(lab)
    if not keyring.needed():
        logging.getLogger("homelab_mcp").warning(
            "no token is needed: any program of this machine can plan changes (a person must still approve them); "
            "`homelab-mcp token create NAME` makes one"
        )
    print(f"homelab-mcp serves {settings.scheme}://{settings.authority}/mcp", file=sys.stderr)  # noqa: T201
    listening.run()


def _policy_of(lab: Lab) -> Policy:
    """The policy; the defaults where it cannot be read, since every plan tool then refuses and says why."""
    try:
        return lab.policy
    except HomelabError:
        return DEFAULT_POLICY


def _warn_of_policy(lab: Lab) -> None:
    log = logging.getLogger("homelab_mcp")
    try:
        for warning in lab.policy.warnings():
            log.warning(warning)
    except HomelabError as error:
        log.warning("nothing can be planned or applied: %s", error.as_text())


def _log_to_stderr(lab: Lab) -> None:
    # stdout belongs to the protocol.
    mask_output(lambda: lab.redactor, stdout=False)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def _recover_in_background(lab: Lab) -> None:
    """A crash may have left an apply open; the look must not delay the first answer, and is repeated."""

    def look() -> None:
        from homelab_mcp.queries.private_state import loose_state
        from homelab_mcp.workflow.assembly import recovery
        from homelab_mcp.workflow.upkeep import empty_trash, empty_trash_elsewhere, upkeep

        try:
            if lab.files.read(SETTINGS_FILE) is not None:
                machine = recovery(lab)
                if machine.needed():
                    machine.recover()
                upkeep(lab)
                empty_trash(lab)
                if not lab.files_only:
                    empty_trash_elsewhere(lab)
                for trouble in loose_state(lab):
                    logging.getLogger("homelab_mcp").warning("%s", trouble)
                lab.plans.purge(lab.clock.now() - KEEP_PLANS_SECONDS)
        except LabLocked:
            return  # an apply is at work, so nothing was left open
        except VaultLocked as error:
            logging.getLogger("homelab_mcp").warning("%s", error.as_text())
        except Exception:
            logging.getLogger("homelab_mcp").exception("recovery after a crash failed; run `homelab-mcp recover`")

    def work() -> None:
        look()
        if not lab.files_only:
            from homelab_mcp.workflow.assembly import recovery
            from homelab_mcp.workflow.keep_right import keep_right

            keep_right(lambda: recovery(lab), lab.engine, time.sleep)

    threading.Thread(target=work, name="recovery", daemon=True).start()


def _sample_in_background(lab: Lab) -> None:
    """Keep a short record of what services use, so that growth can be told; whoever samples last wins the wait."""
    if lab.files_only:
        return

    def work() -> None:
        from homelab_mcp.queries.resource_usage import keep_sampling

        keep_sampling(lab, SAMPLE_SECONDS, time.sleep)

    threading.Thread(target=work, name="usage", daemon=True).start()
