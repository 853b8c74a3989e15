"""The part of a lab that lies in its folder: settings, services' files and data, and what comes with the program."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from homelab_mcp.core.catalog import Catalog
from homelab_mcp.model.diagnosis import Signature
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import PRIVATE_FOLDER, SETTINGS_FILE, LabSettings
from homelab_mcp.model.policy import POLICY_FILE
from homelab_mcp.ports import Data, Files, LogFiles, PromptText, UsageLog

if TYPE_CHECKING:
    from homelab_mcp.core.policy import Policy


class LabOnDisk:
    """A lab's folder; nothing of it needs Docker."""

    def __init__(self, root: str, *, files_only: bool = False) -> None:
        # The root itself may be a link (people keep /opt/stacks on another disk); links below it are refused.
        self.root = str(Path(root).expanduser().resolve())
        # Compose files name the folder as its owner does, who may know it by the link.
        self.roots = tuple(dict.fromkeys((self.root, os.path.normpath(Path(root).expanduser().absolute()))))
        self.files_only = files_only

    @property
    def _private(self) -> Path:
        return Path(self.root) / PRIVATE_FOLDER

    @property
    def settings(self) -> LabSettings:
        """The settings, read afresh at each call: a person may edit them at any time."""
        from homelab_mcp.core.settings import parse_settings

        text = self.files.read(SETTINGS_FILE)
        if text is None:
            raise NotFound(
                f"There is no lab at {self.root}: it has no {SETTINGS_FILE}.",
                hint=f"A person runs `homelab-mcp --root {self.root} init` once; stacks that are there stay untouched.",
                code="lab_not_initialised",
            )
        return parse_settings(text)

    @property
    def policy(self) -> Policy:
        """What ``policy.yaml`` says, read afresh at each call; quiet hours go by the lab's time zone."""
        from homelab_mcp.core.policy import DEFAULT_POLICY

        text = self.files.read(POLICY_FILE)
        if text is None:
            return DEFAULT_POLICY
        from homelab_mcp.core.policy_file import parse_policy

        return parse_policy(text, self._zone)

    @property
    def _zone(self) -> tzinfo:
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(self.settings.timezone)
        except (HomelabError, ValueError, OSError):
            return UTC

    @cached_property
    def catalog(self) -> Catalog:
        """All service definitions."""
        from homelab_mcp.adapters.catalog_files import load_catalog

        return load_catalog(self.root)

    @cached_property
    def prompts(self) -> tuple[PromptText, ...]:
        """What people pick from their client's menu."""
        from homelab_mcp.adapters.prompt_files import load_prompts

        return load_prompts()

    @cached_property
    def docs(self) -> dict[str, str]:
        """The documentation that comes with the program."""
        from homelab_mcp.adapters.prompt_files import load_docs

        return load_docs()

    @cached_property
    def signatures(self) -> tuple[Signature, ...]:
        """Known failures of services."""
        from homelab_mcp.adapters.failure_files import load_signatures

        return load_signatures()

    @cached_property
    def files(self) -> Files:
        """The lab's folder; new folders for services' data belong to the lab's PUID and PGID."""
        from homelab_mcp.adapters.files import LabFiles

        plain = LabFiles(self.root)
        text = plain.read(SETTINGS_FILE)
        if text is None:
            return plain
        from homelab_mcp.core.settings import parse_settings

        try:
            settings = parse_settings(text)
        except InvalidInput:
            # Whoever needs the settings is told what is wrong with them; files can be read all the same.
            return plain
        return LabFiles(self.root, owner=(settings.puid, settings.pgid))

    @cached_property
    def data(self) -> Data:
        """The services' data in the lab's folder."""
        from homelab_mcp.adapters.data_folders import LabData

        return LabData(self.root)

    @cached_property
    def log_files(self) -> LogFiles:
        """Log files that services write in the lab's folder."""
        from homelab_mcp.adapters.log_files import LabLogFiles

        return LabLogFiles(self.root)

    @cached_property
    def usage_log(self) -> UsageLog:
        """The samples of what services used."""
        from homelab_mcp.adapters.usage_log import JsonlUsageLog

        return JsonlUsageLog(self.root)
