"""What was: the history of applies, and the journal with its verification."""

from __future__ import annotations

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from homelab_mcp.model.errors import JournalUnwritable
from homelab_mcp.ports import Lab
from homelab_mcp.web import views
from homelab_mcp.web.look import Look
from homelab_mcp.web.sessions import Session

PER_PAGE = 25


class Reading:
    """Pages that only tell."""

    def __init__(self, lab: Lab, look: Look) -> None:
        self._lab = lab
        self._look = look

    async def history(self, request: Request, session: Session) -> Response:
        """What was applied, newest first, and what was verified then."""
        page = _number(request.query_params.get("page", ""), 1)
        rows = await anyio.to_thread.run_sync(views.past, self._lab, PER_PAGE + 1, PER_PAGE * (page - 1))
        more = len(rows) > PER_PAGE
        return self._look.page(
            "history.html", rows=rows[:PER_PAGE], page=page, more=more, session=session, here="history"
        )

    async def journal(self, request: Request, session: Session) -> Response:
        """Every entry, newest first, and whether the chain of hashes holds."""
        page = _number(request.query_params.get("page", ""), 1)

        def read() -> tuple[str, int, list[dict[str, Any]]]:
            try:
                wrong, entries = self._lab.journal.verify(), self._lab.journal.entries()
            except JournalUnwritable as error:
                return f"{error.message} {error.hint}", 0, []
            end = len(entries) - PER_PAGE * (page - 1)
            return wrong, len(entries), views.journal_rows(self._lab, entries, max(0, end - PER_PAGE), max(0, end))

        wrong, count, rows = await anyio.to_thread.run_sync(read)
        return self._look.page(
            "journal.html",
            wrong=wrong,
            count=count,
            rows=rows,
            page=page,
            more=count > PER_PAGE * page,
            session=session,
            here="journal",
        )


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) else default
