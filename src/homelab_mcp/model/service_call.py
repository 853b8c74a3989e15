"""A call of a service's API as a plan carries it: all that will be sent but the key, and what is looked at after."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """One call, sent once when its plan is applied.

    ``reach``, ``check`` and ``undo`` are JSON of this program's own making, so that what is approved is what is sent
    even where the catalog changes meanwhile.

    Args:
        stack: of the service.
        service: the compose service.
        operation: its id in the catalog entry.
        method: HTTP's.
        target: path and query, encoded.
        body: the text that is sent; "" for none.
        content_type: of the body.
        seconds: how long the answer may take.
        reach: port, host header, headers and how a call is authenticated.
        check: the read that shows the outcome, with what it must show; "" for none.
        undo: the operation that takes it back and its values; "" for none.
        no_undo: why nothing does.
        before: (place, value as JSON) of what the check showed when the plan was made.
        expect: (place, value as JSON) that it is to show after.
    """

    stack: str
    service: str
    operation: str
    method: str
    target: str
    body: str
    content_type: str
    seconds: int
    reach: str
    check: str = ""
    undo: str = ""
    no_undo: str = ""
    before: tuple[tuple[str, str], ...] = ()
    expect: tuple[tuple[str, str], ...] = ()

    @property
    def where(self) -> str:
        """``stack/service``."""
        return f"{self.stack}/{self.service}"
