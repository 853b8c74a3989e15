"""OpenWebUI's list of tool servers, through its admin API.

Source: open-webui 0.12.4, routers/configs.py: GET and POST ``/api/v1/configs/tool_servers`` (the whole list, of which
each entry may hold a key), POST ``/api/v1/configs/tool_servers/verify`` (one entry; connects and lists its tools).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from homelab_mcp.core.redact import clean
from homelab_mcp.model.errors import HomelabError

_PATH = "/api/v1/configs/tool_servers"
_LIST = "TOOL_SERVER_CONNECTIONS"
_SECONDS = 30.0


class OpenWebui:
    """One OpenWebUI.

    Args:
        address: its page's, such as ``https://chat.example.org``.
        key: an administrator's API key, or the token of an administrator's session.
    """

    def __init__(self, address: str, key: str) -> None:
        self._address = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}

    def servers(self) -> list[dict[str, Any]]:
        """Its tool servers, with their keys. Raises HomelabError (``openwebui_failed``)."""
        return self._list_of(self._ask("GET", _PATH))

    def replace(self, servers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Make these its tool servers; what it then has. Raises HomelabError (``openwebui_failed``)."""
        return self._list_of(self._ask("POST", _PATH, {_LIST: list(servers)}))

    def tools_of(self, server: Mapping[str, Any]) -> list[str]:
        """The tools that it finds at a server, by name. Raises HomelabError (``openwebui_failed``): not reached."""
        found = self._ask("POST", f"{_PATH}/verify", server)
        specs = found.get("specs") if isinstance(found, dict) else None
        return [str(spec.get("name", "")) for spec in specs or () if isinstance(spec, dict)]

    def _list_of(self, answer: Any) -> list[dict[str, Any]]:
        found = answer.get(_LIST) if isinstance(answer, dict) else None
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise _failed("answered with something that is no list of tool servers", "Is it OpenWebUI 0.6.31 or newer?")
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = httpx.request(method, f"{self._address}{path}", json=body, headers=self._headers, timeout=_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failed(
                f"cannot be reached ({type(error).__name__})", "Give its page's address with --admin."
            ) from None
        if answer.status_code in (401, 403):
            raise _failed(
                "does not take this key", "It must be an administrator's (Settings, Account), and API keys be allowed."
            )
        try:
            told = answer.json()
        except ValueError:
            raise _failed("gave no JSON", "Give the address of its page alone, without a path.") from None
        if answer.status_code != httpx.codes.OK:
            detail = told.get("detail") if isinstance(told, dict) else ""
            raise _failed(f"refused ({answer.status_code}): {clean(str(detail))[:200]}", "Its log may say more.")
        return told


def _failed(what: str, hint: str) -> HomelabError:
    return HomelabError(f"OpenWebUI {what}.", hint=hint, code="openwebui_failed")
