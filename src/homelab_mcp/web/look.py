"""How pages are made: the templates, what each of them knows, and the page for a problem."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import FileResponse, Response

from homelab_mcp.http.settings import APPROVALS
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Clock
from homelab_mcp.web.problems import problem_of

BASE = APPROVALS

_HERE = Path(__file__).parent
_TYPES = {"page.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Look:
    """Templates with every value escaped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        assets = b"".join((_HERE / "static" / name).read_bytes() for name in _TYPES)
        self._templates.globals.update(base=BASE, v=sha256(assets).hexdigest()[:8])

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page of that template."""
        text = self._templates.get_template(template).render(now=self._clock.now(), **values)
        return Response(text, status, media_type="text/html")

    def problem(self, status: int, title: str, todo: str, *, code: str = "", back: str = f"{BASE}/") -> Response:
        """A page that says what is wrong and what to do next."""
        return self.page("problem.html", status, title=title, todo=todo, code=code, back=back, session=None)

    def error(self, error: HomelabError, back: str) -> Response:
        """The page for an error of ours."""
        status, title, todo = problem_of(error)
        return self.problem(status, title, todo, code=error.code, back=back)

    def asset(self, name: str) -> Response:
        """A file that all pages use; pages name it by a hash of its content, so it may be kept for a day."""
        if name not in _TYPES:
            return self.problem(404, "There is no such page", "Go back to the plans.")
        day = {"Cache-Control": "public, max-age=86400"}
        return FileResponse(_HERE / "static" / name, media_type=_TYPES[name], headers=day)
