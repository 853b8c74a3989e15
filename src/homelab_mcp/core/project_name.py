"""Which Compose project a stack's folder is."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOP_LEVEL_NAME = re.compile(r"""^(?:name|"name"|'name')\s*:\s*(?P<value>[^#\n]*)""", re.MULTILINE)
_DROPPED = re.compile(r"[^a-z0-9_-]")
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
HASH_LABEL = "com.docker.compose.config-hash"
ONE_OFF_LABEL = "com.docker.compose.oneoff"


def is_one_off(labels: Mapping[str, str]) -> bool:
    """Whether ``docker compose run`` made the container: it has a service's labels, and is none of its containers."""
    return labels.get(ONE_OFF_LABEL, "False").lower() == "true"


def of_a_service(labels: Mapping[str, str]) -> bool:
    """Whether Compose made the container as one of a service's."""
    return PROJECT_LABEL in labels and not is_one_off(labels)


def folder_project(folder: str) -> str:
    """The project name Compose itself derives from a folder: lower case, other characters dropped.

    Source: Compose Specification, "name" top-level element; compose-go ``NormalizeProjectName``.
    """
    return _DROPPED.sub("", folder.lower()).lstrip("_-")


def written_name(compose_text: str) -> str | None:
    """The value of the file's own top-level ``name:``, None where it has none. May hold ``${VAR}``."""
    found = _TOP_LEVEL_NAME.search(compose_text)
    return found["value"].strip().strip("\"'") if found else None


def project_name(folder: str, compose_text: str) -> str:
    """The project a stack's containers belong to.

    A ``name:`` that holds a variable cannot be told from the file alone; the folder's name is given then.
    """
    written = written_name(compose_text)
    return written if written and "$" not in written else folder_project(folder)
