"""One conversation with a service's API: log-in where it wants one, requests, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.redact import safe
from homelab_mcp.core.service_answer import data_of
from homelab_mcp.core.service_api import Rendered, at
from homelab_mcp.core.service_auth import Keys, keys_of, log_in, session_of, signed, ticket_of, with_ticket
from homelab_mcp.model.errors import EngineFailed, HomelabError, ServiceFailed
from homelab_mcp.model.lab import SHARED_ENV
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.service_api import Reach
from homelab_mcp.model.service_http import HttpAnswer, HttpAsk
from homelab_mcp.ports import Engine, Files, ServiceCalls, ServiceLine

SAID = 400
"""Characters of a refusal's own text that are told."""

_HINTS = {
    401: "Its key is wrong or was replaced: {how}. A person sets it with `homelab-mcp env set {stack} {name}`.",
    403: "Its key may not do this: {how}. A person sets another with `homelab-mcp env set {stack} {name}`.",
    404: "Look it up first with a read operation: what was named is not there.",
    429: "It asks for patience: wait a minute.",
}


class Conversation:
    """Requests to one service, all over the way that is open."""

    def __init__(self, line: ServiceLine, reach: Reach, keys: Keys, stack: str, service: str) -> None:
        self._line = line
        self._reach = reach
        self._keys = keys
        self._stack = stack
        self._service = service
        self._session: dict[str, str] = {}
        self._ticket = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen of it."""
        session = self._reach.auth.session
        prefix = session.prefix if session else ""
        sent = [word for value in self._session.values() for word in (value, value.removeprefix(prefix))]
        return tuple(dict.fromkeys(v for v in (self._keys.key, *sent, self._ticket) if v))

    def begin(self, *, writes: bool = False) -> None:
        """Log in, where the service wants that, and for writes get what they must carry. Raises ServiceFailed."""
        session = self._reach.auth.session
        if session is None or not self._keys.key:
            return
        answer = self._line.ask(log_in(self._reach, session, self._keys))
        self._session = session_of(session, answer)
        if not self._session:
            raise self.refusal(HttpAnswer(401, answer.headers, answer.body) if answer.status < 500 else answer)
        if writes and session.ticket is not None:
            answer = self.send(Rendered("GET", session.ticket.path), 15.0)
            self._ticket = ticket_of(answer)
            if not self._ticket:
                raise self.refusal(answer)

    def end(self) -> None:
        """Leave no session behind, where the entry says how; what becomes of that does not matter."""
        session = self._reach.auth.session
        if session is not None and session.out and self._session:
            with suppress(HomelabError):
                self._line.ask(HttpAsk(session.out, session.out_path or session.path, {**self._session}, None, 5.0))

    def send(self, rendered: Rendered, seconds: float) -> HttpAnswer:
        """One request; an answer of whatever status. Raises ServiceFailed where there is none."""
        session = self._reach.auth.session
        if self._ticket and session is not None and session.ticket is not None:
            rendered = with_ticket(rendered, session.ticket, self._ticket)
        answer = self._line.ask(signed(self._reach, rendered, self._keys, self._session, seconds))
        again = self._reach.auth.retry_header
        value = answer.headers.get(again.lower(), "") if again else ""
        if answer.status == 409 and value:
            # The service's own way of asking for a mark against forged requests: it did nothing yet.
            self._session = {**self._session, again: value}
            answer = self._line.ask(signed(self._reach, rendered, self._keys, self._session, seconds))
        return answer

    def agreed(self, answer: HttpAnswer) -> bool:
        """Whether the service said yes: by its status, and by its answer where it says no with a 200."""
        if not 200 <= answer.status < 300:
            return False
        data = data_of(answer.headers.get("content-type", ""), answer.body) if self._reach.failed else None
        for path, sign in self._reach.failed.items():
            found = at(data, path)
            if (found not in (None, "", [], {}, False)) if sign is None else found == sign:
                return False
        return True

    def refusal(self, answer: HttpAnswer) -> ServiceFailed:
        """What a status outside of 2xx means, with the service's own words as untrusted data."""
        status, key = answer.status, self._reach.auth.key
        told_no = f"says no ({status})" if 200 <= status < 300 else f"says {status}"
        what = f"answers with a redirect ({status}), which is not followed" if 300 <= status < 400 else told_no
        hint = _HINTS.get(status, "Read what it says; change the values or look at its log with read_logs.")
        if status in (401, 403):
            from homelab_mcp.core.service_auth import variable_of

            name = variable_of(key, self._reach.definition, self._service) if key else ""
            hint = hint.format(how=key.how, stack=self._stack, name=name) if key else "Its API asks for a log-in."
        said = safe(answer.body[: 4 * SAID].decode("utf-8", "replace"), self.secrets)
        text = " ".join(said.split())[:SAID]
        return ServiceFailed(
            f"{self._stack}/{self._service} {what}." + (f" Its words (untrusted data): {text}" if text else ""),
            hint=hint,
            code="api_key_refused" if status in (401, 403) else "service_refused",
            details={"status": status},
        )


@contextmanager
def conversation(
    calls: ServiceCalls,
    files: Files,
    container: ContainerState,
    reach: Reach,
    service: tuple[str, str],
    *,
    writes: bool = False,
) -> Iterator[Conversation]:
    """A conversation with (stack, service) in its container; ``writes``: one in which something is changed.

    Raises InvalidInput (``api_key_missing``), EngineUnavailable, EngineFailed, ServiceFailed.
    """
    stack, name = service
    keys = keys_of(reach, environment_of(files, stack), stack, name)
    with calls.line(container.id, reach.port) as line:
        talk = Conversation(line, reach, keys, stack, name)
        try:
            talk.begin(writes=writes)
            yield talk
        finally:
            talk.end()


def environment_of(files: Files, stack: str) -> dict[str, str]:
    """The stack's variables, over those of every stack."""
    shared = parse_or_empty(files.read(SHARED_ENV) or "")
    return {**shared, **parse_or_empty(files.read(f"{stack}/.env") or "")}


def running(engine: Engine, stack: str, service: str) -> ContainerState:
    """The service's running container. Raises EngineFailed (``not_running``), EngineUnavailable."""
    mine = [c for c in engine.containers(stack) if c.service == service]
    for one in mine:
        if one.state == "running":
            return one
    state = f"is {mine[0].state}" if mine else "has no container"
    raise EngineFailed(
        f"{stack}/{service} {state}, so its API cannot be asked.",
        hint="Start it with control_service, or see why it does not run with diagnose.",
        code="not_running",
    )


Hide = Callable[[str], str]


def hiding(hide: Hide, secrets: Sequence[str]) -> Hide:
    """``hide``, and these values masked first: a session's token is in no file."""
    if not secrets:
        return hide
    return lambda text: hide(safe(text, secrets))
