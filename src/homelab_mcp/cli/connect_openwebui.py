"""Enters this server in an OpenWebUI, through its admin API: shown first, and then asked whether it reaches it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from homelab_mcp.bootstrap import openwebui
from homelab_mcp.cli.common import FAILED, at_terminal
from homelab_mcp.core.client_config import TOKEN_VARIABLE, with_connection, without_key
from homelab_mcp.core.diff import unified
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import FileEdit

KEY_VARIABLE = "OPENWEBUI_API_KEY"


def enter(address: str, key_file: str, entry: Mapping[str, Any], *, yes: bool) -> dict[str, Any]:
    """Put the entry among OpenWebUI's tool servers; the others stay. What it then says of it: ``tools`` or ``problem``.

    Raises:
        InvalidInput: no administrator's key was given, or nobody is here to say yes.
        HomelabError: OpenWebUI did not take it (``openwebui_failed``).
    """
    there = openwebui(address, _key(key_file))
    entry = {**entry, "key": os.environ.get(TOKEN_VARIABLE, "") if entry["auth_type"] == "bearer" else ""}
    before = there.servers()
    after, old, entry = with_connection(before, entry)
    if entry["auth_type"] == "bearer" and not entry["key"]:
        raise InvalidInput(
            f"The server asks for a token, and {TOKEN_VARIABLE} holds none to give to OpenWebUI.",
            hint="`homelab-mcp token create openwebui --scope read,plan,apply` makes one; else --no-token.",
            code="token_required",
        )
    typer.echo(unified([FileEdit(f"{address}: tool servers", _text(old) if old else None, _text(entry))], ()), err=True)
    if after != before:
        if not yes and not at_terminal():
            raise InvalidInput("Nobody is here to say yes.", hint="Add --yes, or run it in a terminal.")
        if not yes and not typer.confirm(f"Enter it in {address}?", err=True):
            raise typer.Exit(FAILED)
        there.replace(after)
    try:
        return {"tools": there.tools_of(entry), "problem": ""}
    except HomelabError as error:
        # It is entered all the same: the server may only be started later.
        return {"tools": [], "problem": f"{error.message} It connects from where it runs: the URL must lead there."}


def _text(entry: Mapping[str, Any]) -> str:
    return json.dumps(without_key(entry), indent=2) + "\n"


def _key(file: str) -> str:
    key = Path(file).expanduser().read_text("utf-8") if file else os.environ.get(KEY_VARIABLE, "")
    if not key.strip():
        raise InvalidInput(
            "OpenWebUI's admin API takes an administrator's key, and none was given.",
            hint=f"Put one (Settings, Account, API keys) into {KEY_VARIABLE} or a file for --key-file.",
            code="openwebui_key_needed",
        )
    return key.strip()
