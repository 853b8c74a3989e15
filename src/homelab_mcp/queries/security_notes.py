"""Whether the release notes of what is newer mention security: asked of the projects' repositories, within a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

from homelab_mcp.core.release_notes import Releases, Source, security_note, source_of
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Lab
from homelab_mcp.queries.check_updates import ImageUpdate

logger = logging.getLogger("homelab_mcp")

AT_ONCE = 8
TOTAL_SECONDS = 20.0


def with_security(lab: Lab, found: Sequence[ImageUpdate], *, seconds: float = TOTAL_SECONDS) -> tuple[ImageUpdate, ...]:
    """The same rows; those with a newer image say what their release notes mention, or why that is unknown.

    Each project is asked once. What it writes stays behind: ids, a yes or no, and a link are all that is told.

    Args:
        lab: whose catalog named the projects, and which keeps what was learnt.
        found: rows of :func:`check_updates`.
        seconds: for all projects together.
    """
    mine = ((i, one) for i, one in enumerate(found) if _open(one) and one.described)
    wanted = {i: source for i, one in mine if (source := source_of(one.changelog))}
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="releases")
    try:
        asked: dict[Source, Future[Releases]] = {s: pool.submit(lab.releases.of, s) for s in set(wanted.values())}
        wait(asked.values(), timeout=seconds)
        return tuple(
            _told(one, wanted.get(i), asked.get(wanted[i]) if i in wanted else None, seconds) if _open(one) else one
            for i, one in enumerate(found)
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _open(one: ImageUpdate) -> bool:
    return one.state in ("update", "moved")


def _told(one: ImageUpdate, source: Source | None, asked: Future[Releases] | None, seconds: float) -> ImageUpdate:
    if one.state == "moved":
        return _unknown(one, "a tag that moves does not say which releases it went past")
    if not one.described:
        return _unknown(one, "no entry of the catalog describes this image")
    if source is None or asked is None:
        return _unknown(one, "its entry names no repository with releases that can be asked")
    if not asked.done():
        return _unknown(one, f"{source.host} did not answer within {seconds:g} seconds")
    try:
        note = security_note(source, one.image.partition("@")[0].rpartition(":")[2], one.newest, asked.result())
    except HomelabError as error:
        return _unknown(one, error.message)
    except Exception:
        # One project's odd answer must not keep the others' updates from being told.
        logger.exception("the release notes of %s could not be read", source.path)
        return _unknown(one, f"what {source.host} answers could not be read")
    link = note.link if note.answer == "yes" else ""
    return replace(one, security=note.answer, security_ids=note.ids, security_link=link, security_why=note.why)


def _unknown(one: ImageUpdate, why: str) -> ImageUpdate:
    return replace(one, security="unknown", security_why=why)
