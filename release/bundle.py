"""The bundle for Claude Desktop (``.mcpb``): a zip of a manifest and what ``uv`` installs from.

The bundle carries our own wheel, so it is of one piece with the release; what the wheel needs comes from PyPI in the
versions of ``requirements.lock``. Source of the form: modelcontextprotocol/mcpb MANIFEST.md, manifest version 0.4,
server type ``uv`` (the app brings ``uv`` and Python).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from release.lock import PROJECT, Pin, needed_to_run

_WHEN = (1980, 1, 1, 0, 0, 0)
"""The zip format's earliest date: the same content gives the same file."""

_START = '''\
"""Starts the server on stdin and stdout, as the manifest says."""

from homelab_mcp.cli.main import run

run()
'''


def manifest(version: str) -> dict[str, Any]:
    """What the app shows, asks its user, and starts."""
    return {
        "manifest_version": "0.4",
        "name": "homelab-mcp",
        "display_name": "Homelab",
        "version": version,
        "description": "Runs a Docker Compose homelab safely: every change is a plan that you approve.",
        "long_description": (
            "For the machine that the lab is on. Make the lab first, in a terminal: `homelab-mcp init`; it asks for "
            "the PIN by which you approve plans."
        ),
        "author": {"name": "The homelab-mcp authors"},
        "license": "Apache-2.0",
        "keywords": ["homelab", "docker", "compose", "traefik", "self-hosted"],
        "server": {
            "type": "uv",
            "entry_point": "server/main.py",
            "mcp_config": {
                "command": "uv",
                "args": [
                    *("run", "--directory", "${__dirname}", "server/main.py"),
                    *("--root", "${user_config.root}", "serve", "--toolsets", "${user_config.toolsets}"),
                ],
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "user_config": {
            "root": {
                "type": "directory",
                "title": "Folder of the lab",
                "description": "The folder with a folder for each stack.",
                "default": "/opt/stacks",
                "required": True,
            },
            "toolsets": {
                "type": "string",
                "title": "Tools",
                "description": "default, all, or some of core, ops, platform, admin with commas between.",
                "default": "default",
                "required": False,
            },
        },
        "compatibility": {"platforms": ["linux"], "runtimes": {"python": ">=3.11"}},
    }


def project(version: str, wheel: str, pins: Mapping[str, Pin]) -> str:
    """The bundle's ``pyproject.toml``: our wheel beside it, and the lock's versions of what it needs."""
    limits = [f'  "{pin.name}=={pin.version}",' for pin in needed_to_run(pins).values()]
    return "\n".join(
        [
            "[project]",
            'name = "homelab-mcp-bundle"',
            f'version = "{version}"',
            'requires-python = ">=3.11"',
            f'dependencies = ["{PROJECT}=={version}"]',
            "",
            "[tool.uv]",
            "package = false",
            "constraint-dependencies = [",
            *limits,
            "]",
            "",
            "[tool.uv.sources]",
            f'{PROJECT} = {{ path = "{wheel}" }}',
            "",
        ]
    )


def write_bundle(target: Path, wheel: Path, version: str, pins: Mapping[str, Pin]) -> None:
    """Write the bundle; files in a fixed order."""
    files = {
        "manifest.json": (json.dumps(manifest(version), indent=2) + "\n").encode(),
        "pyproject.toml": project(version, wheel.name, pins).encode(),
        "server/main.py": _START.encode(),
        wheel.name: wheel.read_bytes(),
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            bundle.writestr(entry, content)
