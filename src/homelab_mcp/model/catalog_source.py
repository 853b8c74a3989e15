"""Where another's catalog comes from: a git repository at one commit, kept in ``homelab.yaml`` under ``catalogs``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CATALOG_FOLDER = "catalog"
"""In a lab's root: definitions of its own, ``<id>.yaml``; another's catalog is ``<name>/<id>.yaml`` below it."""

CatalogName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]


class CatalogSource(BaseModel):
    """A catalog that another keeps.

    ``url`` is https without a name and password in it, or a folder of this machine. ``commit`` is whole: 40 digits
    name one content, a branch or tag would not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(max_length=300, pattern=r"^(https://[A-Za-z0-9.-]+(:[0-9]+)?)?/[A-Za-z0-9._~/+-]+$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$", description="All 40 digits of the commit's id.")]
    folder: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._/-]*$|^$")] = ""
    """Where in the repository the definitions are; "": its ``catalog`` folder, else its top."""
