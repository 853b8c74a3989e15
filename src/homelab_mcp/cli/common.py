"""What every command shares: the lab it works on, how it prints, and how an error ends it."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homelab_mcp.opening.kept import DEFAULT_ROOT as DEFAULT_ROOT

if TYPE_CHECKING:
    from rich.console import Console

    from homelab_mcp.ports import Lab

OK, FAILED, COULD_NOT_RUN, NEEDS_APPROVAL, ROLLED_BACK = 0, 1, 2, 3, 4

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for scripts.")]
HostOption = Annotated[str, typer.Option("--host", help="Only what is on this Docker host.")]


@dataclass
class Globals:
    """Options before the command."""

    root: str
    files_only: bool
    json_errors: bool = False
    lab: Lab | None = None


def globals_of(ctx: typer.Context) -> Globals:
    """The options given before the command."""
    found = ctx.find_object(Globals)
    if found is None:  # pragma: no cover - the callback always sets it
        raise RuntimeError("global options are missing")
    return found


def listening(text: str, example: str) -> tuple[str, int]:
    """The host (an IPv6 address without its brackets) and port of HOST:PORT. Raises InvalidInput."""
    from homelab_mcp.model.errors import InvalidInput

    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or not 0 < int(port) < 65536 or not host:
        raise InvalidInput(f"'{text}' is not HOST:PORT.", hint=f"For example: {example}")
    return host.strip("[]"), int(port)


def lab_of(ctx: typer.Context, *, protocol: bool = False) -> Lab:
    """The lab that ``--root`` (or HOMELAB_ROOT, or the default) names.

    From here on what this process prints goes through the lab's redactor; with ``protocol`` stderr alone, as stdout
    then belongs to MCP, which is masked in its answers.
    """
    from homelab_mcp.bootstrap import mask_output, open_lab

    options = globals_of(ctx)
    if options.lab is None:
        options.lab = lab = open_lab(options.root, files_only=options.files_only)
        # By names alone nothing is masked: a person at a terminal must be able to read a token that was made for them,
        # and a program the JSON.
        mask_output(lambda: lab.redactor, stdout=not protocol, named=protocol)
    return options.lab


def seen(lab: Lab, host: str, **named: Any) -> tuple[Lab, dict[str, Any]]:
    """The lab seen through that host ("" is all of it), and what is named, which must be there.

    Args:
        lab: the whole lab.
        host: from ``--host``.
        **named: ``stack``, and ``service`` or ``services``.

    Raises:
        NotFound: no such host (``host_unknown``).
        InvalidInput: something is on another host (``other_host``).
    """
    if not host:
        return lab, named
    from homelab_mcp.queries.on_host import Named, lab_on, placed

    there = lab_on(lab, host)
    services = tuple(name for name in named if name != "stack")
    return there, placed(there, Named(("stack",), services), named)


def console(*, error: bool = False) -> Console:
    """A rich console on stdout or stderr; plain where that is no terminal. Texts are shown as they are."""
    from rich.console import Console

    # What is printed has names and words of others in it, of which rich would read "[/x]" as markup and end there.
    return Console(stderr=error, highlight=False, soft_wrap=True, markup=False, emoji=False)


def emit(data: Any, as_json: bool, show: Callable[[], None]) -> None:
    """Print ``data`` as JSON, or call ``show`` for people.

    stdout itself is behind the lab's redactor from :func:`lab_of` on.
    """
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    else:
        show()


def at_terminal() -> bool:
    """Whether a person can be asked: stdin and stderr are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def who() -> str:
    """The operating-system account that runs the command, for the journal."""
    named = os.environ.get("SUDO_USER") or os.environ.get("USER")
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # In a container the number may have no name.
        return f"user {os.getuid()}"
