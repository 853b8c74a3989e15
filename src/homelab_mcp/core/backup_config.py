"""What a lab's backup is set to: ``backup.yaml`` in the folder of the stack that makes the backups."""

from __future__ import annotations

import json
import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from homelab_mcp.core.misfit import misfits
from homelab_mcp.core.secret_files import BACKUP_FILE
from homelab_mcp.model.errors import InvalidInput

CONFIG_FILE = BACKUP_FILE
PASSWORD = "RESTIC_PASSWORD"  # noqa: S105 - a variable's name
PLACE = "HOMELAB_REPOSITORY"
"""What tells the script of backups one local folder from another: restic is told ``/repository`` for each."""
NOTED = "HOMELAB_REPOSITORY_NOTED"
"""Under which other name this very folder was noted, by a container that had not been told the place."""
ENGINE_LABEL = "homelab.backup"
"""On the container that runs restic; its value is ``engine``."""

_CRON = re.compile(r"[0-9*/,-]+( [0-9*/,-]+){4}")
# A space may be within: disks and rclone's remotes are named so.
_REPOSITORY = re.compile(r"(/|/[^\x00-\x1f\x7f:]*[^\s:]|(sftp|s3|rclone|rest|b2|azure):(?! )[^\x00-\x1f\x7f]*\S)")
_CREDENTIALS = re.compile(r"://[^/@]*:[^/@]+@")

_ITEM = r"(?:\\.|[^\\\]-])"
CLASS = rf"\[(?:\^|(?!\^))(?:{_ITEM}(?:-{_ITEM})?)+\]"
"""A class of signs in a pattern, as a regular expression: ``[`` (``^``) signs or ranges of them ``]``."""
_STEP = re.compile(rf"(?:{CLASS}|\\.|[^\[\\])*")

SECRETS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "b2": ("B2_ACCOUNT_ID", "B2_ACCOUNT_KEY"),
    "azure": ("AZURE_ACCOUNT_NAME", "AZURE_ACCOUNT_KEY"),
    "rest": ("RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD"),
}
"""Variables that restic reads for a kind of repository (restic documentation, "Preparing a new repository")."""

OPTIONAL = {"s3": ("AWS_DEFAULT_REGION",)}
"""Variables that some of a kind want: a store like Garage or Wasabi refuses what is signed for another region."""

FOLDERS = {"sftp": ("ssh", "/keys/ssh"), "rclone": ("rclone", "/root/.config/rclone")}
"""Kind -> the stack's folder into which a person puts keys, and where its container finds it."""

CA = ("ca", "/keys/ca", ("s3", "rest", "rclone"))
"""The stack's folder into which a person puts the certificate of their own authority, where its container finds it,
and the kinds of repositories that are reached by TLS and may be at home."""


def is_pattern(text: str) -> bool:
    """Whether restic takes that as a pattern: it refuses a whole backup for one that is none.

    Source: Go's ``path/filepath``, ``Match``, which is asked for each step of the path by itself.
    """
    return all(_STEP.fullmatch(step) for step in text.split("/"))


class Keep(BaseModel):
    """How many snapshots stay, as ``restic forget`` counts them; 0: none for that reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    last: Annotated[int, Field(ge=0, le=1000)] = 3
    daily: Annotated[int, Field(ge=0, le=1000)] = 7
    weekly: Annotated[int, Field(ge=0, le=1000)] = 4
    monthly: Annotated[int, Field(ge=0, le=1000)] = 6
    yearly: Annotated[int, Field(ge=0, le=1000)] = 0

    @property
    def arguments(self) -> str:
        """The options of ``restic forget``."""
        return " ".join(f"--keep-{name} {count}" for name, count in self.model_dump().items() if count)


class BackupConfig(BaseModel):
    """Where backups go, when, how long they stay, and what is left out. No secret belongs here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Annotated[str, Field(max_length=300)]
    schedule: Annotated[str, Field(max_length=80)] = "15 3 * * *"
    keep: Keep = Keep()
    exclude: tuple[Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,300}$")], ...] = Field(default=(), max_length=100)
    skip: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_.-]+/[A-Za-z0-9_.-]+$")], ...] = Field(
        default=(), max_length=100, description="stack/service whose folders are left out."
    )

    @field_validator("repository")
    @classmethod
    def _known(cls, value: str) -> str:
        if not _REPOSITORY.fullmatch(value):
            raise ValueError(
                "neither an absolute folder nor sftp:, s3:, rclone:, rest:, b2: or azure: (others: by rclone)"
            )
        if _CREDENTIALS.search(value):
            raise ValueError("holds a password; it goes into the stack's .env instead")
        return value

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str) -> str:
        if not _CRON.fullmatch(value):
            raise ValueError("not five cron fields such as '15 3 * * *'")
        return value

    @property
    def kind(self) -> str:
        """local, or the word before the colon."""
        return "local" if self.repository.startswith("/") else self.repository.partition(":")[0]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Variables of the stack's ``.env`` that a person sets."""
        return SECRETS.get(self.kind, ())

    @property
    def optional(self) -> tuple[str, ...]:
        """Variables of the stack's ``.env`` that a person may set."""
        return OPTIONAL.get(self.kind, ())

    @property
    def environment(self) -> dict[str, str]:
        """What a container that uses the repository gets besides its address, each filled in from ``.env``."""
        names = (PASSWORD, *self.secrets)
        return {**{n: f"${{{n}}}" for n in names}, **{n: f"${{{n}:-}}" for n in self.optional}}

    @property
    def inside(self) -> str:
        """The repository as restic is told, in its container."""
        return "/repository" if self.kind == "local" else self.repository


def parse_config(text: str) -> BackupConfig:
    """The settings of that text. Raises InvalidInput (``bad_backup_config``), YamlRefused.

    A pattern that is none passes: only restic's next run fails for it, and what is in the repository can be restored.
    """
    from homelab_mcp.core.yaml12 import load

    return _fitting(load(text))


def check_config(data: object) -> BackupConfig:
    """The settings of plain data that somebody asks for. Raises InvalidInput (``bad_backup_config``)."""
    config = _fitting(data)
    if wrong := next((one for one in config.exclude if not is_pattern(one)), ""):
        raise InvalidInput(
            f"The backup's settings do not fit: exclude: {wrong[:60]!r} is no pattern that restic takes.",
            code="bad_backup_config",
            hint="Look at its [ ], and ask again.",
        )
    return config


def _fitting(data: object) -> BackupConfig:
    try:
        return BackupConfig.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(
            f"The backup's settings do not fit: {misfits(error, most=5)}.",
            code="bad_backup_config",
            hint="Correct it and ask again.",
        ) from None


def config_text(config: BackupConfig) -> str:
    """``backup.yaml``; JSON values are YAML too, and quote what needs it."""
    lines = [
        "# How this lab is backed up. Change it with configure_backup, or here; the next plan writes what follows.",
        f"repository: {json.dumps(config.repository)}",
        f"schedule: {json.dumps(config.schedule)}",
        f"keep: {json.dumps(config.keep.model_dump())}",
    ]
    if config.exclude:
        lines += ["exclude:", *(f"  - {json.dumps(e)}" for e in config.exclude)]
    if config.skip:
        lines += ["skip:", *(f"  - {json.dumps(s)}" for s in config.skip)]
    return "\n".join(lines) + "\n"
