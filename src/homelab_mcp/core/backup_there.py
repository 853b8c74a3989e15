"""How the files of a backup come to another Docker host.

They come within a compose file, for no file of the lab is on that host's disk.

Compose puts a config with ``content`` into the container itself when it makes it, whichever host that is on (Compose
2.23.1 and newer; Compose Specification, "configs"). A ``file`` would be looked for on the host's own disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from homelab_mcp.core.brought_files import FILES, FILES_LABEL, HEAD
from homelab_mcp.core.references import literal
from homelab_mcp.core.yaml_emit import scalar
from homelab_mcp.model.lab import OVERRIDE_NAMES

_FOLDER = "/backup"


def override_path(stack: str) -> str:
    """The file that Compose reads beside the stack's own."""
    return f"{stack}/{OVERRIDE_NAMES[0]}"


def brought_text(service: str, files: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """An override file which brings the service its files and variables.

    Args:
        service: the service that makes backups.
        files: name in its folder ``/backup`` -> text.
        environment: variables that it gets besides.
    """
    lines = [HEAD + "services:", f"  {service}:"]
    # Compose makes a container anew when its service says something else, and does not look into a config's content.
    digest = hashlib.sha256("\0".join(f"{n}\0{t}" for n, t in files.items()).encode()).hexdigest()[:16]
    marks = {**environment, FILES: f"sha256-{digest}"}
    lines += ["    environment:", *(f"      {k}: {scalar(literal(v))}" for k, v in marks.items())]
    lines += ["    labels:", f"      {FILES_LABEL}: sha256-{digest}"]
    lines.append("    configs:")
    for name in files:
        lines += [f"      - source: {_key(name)}", f"        target: {_FOLDER}/{name}"]
    lines.append("configs:")
    for name, text in files.items():
        lines += [f"  {_key(name)}:", *_content(literal(text))]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name.replace(".", "_")


def _content(text: str) -> list[str]:
    """As lines where YAML keeps each as it is, else as one quoted string."""
    body = text.removesuffix("\n")
    # A line of blanks, or blanks before the first line, would not come out as they went in.
    odd = not text.endswith("\n") or body[:1] in ("", " ", "\n") or any(line.isspace() for line in body.split("\n"))
    if odd or body.endswith("\n") or any(not (c.isprintable() or c == "\n") for c in body):
        return [f"    content: {scalar(text)}"]
    return ["    content: |", *(f"      {line}" if line else "" for line in body.split("\n"))]
