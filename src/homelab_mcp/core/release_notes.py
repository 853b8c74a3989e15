"""What a project's release notes say of security: which repository has them, what is taken from them, which count.

Notes are text of strangers. All that is taken from one is whether it speaks of security, and the ids of advisories,
each of a fixed shape; its words go no further than :func:`release_of`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from homelab_mcp.core.image_updates import numbers, shape

Answer = Literal["yes", "no", "unknown"]

HUBS = {"github.com": "github", "gitlab.com": "gitlab", "codeberg.org": "forgejo"}
"""Hosts that are asked, and whose API each speaks."""

MOST_IDS = 20
_MOST_TEXT = 200_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@/-]{0,79}")
_VERSION = re.compile(r"(?:^|[^A-Za-z0-9.])v?(\d{1,9}(?:\.\d{1,9}){0,5})", re.IGNORECASE)
_PLAIN_VERSION = re.compile(r"[vV]?\d{1,9}(?:\.\d{1,9}){0,5}")
# cve.org, "CVE ID syntax"; docs.github.com, "GHSA IDs", for the alphabet.
_IDS = re.compile(r"\bCVE-\d{4}-\d{4,7}\b|\bGHSA(?:-[23456789cfghjmpqrvwx]{4}){3}\b", re.IGNORECASE)
_HEADING = re.compile(
    r"^[ \t]{0,3}(?:#{1,6}[^\n]{0,80}\bsecurity\b|(?:[-*+][ \t]+)?(?:\*\*|__)[^\n*_]{0,60}\bsecurity\b|"
    r"[^\n]{0,40}\bsecurity\b[^\n]{0,20}\n[=-]{3,}[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_WORDS = re.compile(
    r"(?<!\bno )(?<!\bno known )(?<!\bwithout )\b(?:security[ -](?:fix|patch|release|update|advisor|issue|vulnerab|"
    r"flaw|hole|bulletin)|vulnerabilit(?:y|ies)\b)|\(security\)|\[security\](?!\()|^[ \t]*[-*+][ \t]+security[ \t]?:",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A project's repository: the host, and the path of owner and name."""

    host: str
    path: str

    @property
    def page(self) -> str:
        """Where people read its releases."""
        between = "/-" if HUBS[self.host] == "gitlab" else ""
        return f"https://{self.host}/{self.path}{between}/releases"

    def page_of(self, tag: str) -> str:
        """Where people read one release."""
        below = {"gitlab": "", "github": "tag/", "forgejo": "tag/"}[HUBS[self.host]]
        return f"{self.page}/{below}{quote(tag, safe='')}"


@dataclass(frozen=True, slots=True)
class Release:
    """What is kept of one release: its tag, whether its notes speak of security, ids in them, whether it has notes."""

    tag: str
    security: bool
    ids: tuple[str, ...] = ()
    told: bool = True


@dataclass(frozen=True, slots=True)
class Releases:
    """A project's newest releases; ``whole``: there are no older ones."""

    found: tuple[Release, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class SecurityNote:
    """Whether the notes from one version to another mention security; ``why`` says why that is unknown."""

    answer: Answer
    ids: tuple[str, ...] = ()
    link: str = ""
    why: str = ""


def source_of(address: str) -> Source | None:
    """The repository that an address names, at one of the hosts that are asked; None for any other."""
    parts = urlsplit(address)
    if parts.scheme != "https" or parts.netloc not in HUBS:
        return None
    names = parts.path.strip("/").split("/")
    # GitLab's projects may lie in groups of groups; what follows "-" is a page of the project.
    names = names[: names.index("-")] if "-" in names else names
    names = names if HUBS[parts.netloc] == "gitlab" else names[:2]
    if not 2 <= len(names) <= 5 or not all(_NAME.fullmatch(name) for name in names):
        return None
    return Source(parts.netloc, "/".join(names))


def changelog(upstream: str) -> str:
    """Where the makers tell what changed; the project's page where no better is known."""
    source = source_of(upstream)
    return source.page if source else upstream.rstrip("/")


def release_of(tag: object, notes: object) -> Release | None:
    """One release by what its host says of it; None where its tag is none that can be compared or linked."""
    if not isinstance(tag, str) or not _TAG.fullmatch(tag) or ".." in tag:
        return None
    text = notes[:_MOST_TEXT] if isinstance(notes, str) else ""
    ids = tuple(dict.fromkeys(_one_form(found) for found in _IDS.findall(text)))[:MOST_IDS]
    return Release(tag, bool(ids or _HEADING.search(text) or _WORDS.search(text)), ids, told=bool(text.strip()))


def _one_form(found: str) -> str:
    return found.upper() if found[:3].upper() == "CVE" else f"GHSA{found[4:].lower()}"


def security_note(source: Source, current: str, new: str, releases: Releases) -> SecurityNote:
    """What the notes after ``current`` up to ``new`` say; both are tags of the image.

    ``no`` only where the notes of every release on the way were there to be looked at, the new one's among them.
    """
    alike = _alike(releases.found, new)
    ways = [r for r in alike if _place(r.tag, current, new) == "between"]
    speaking = [r for r in ways if r.security]
    if speaking:
        ids = tuple(dict.fromkeys(i for r in speaking for i in r.ids))[:MOST_IDS]
        return SecurityNote("yes", ids, source.page_of(speaking[0].tag))
    if why := _doubt(ways, alike, current, new, whole=releases.whole):
        return SecurityNote("unknown", link=source.page, why=why)
    return SecurityNote("no", link=source.page)


def _alike(found: Sequence[Release], new: str) -> Sequence[Release]:
    """The releases that are versions of the same thing: a repository may hold charts and command lines beside it."""
    exact = [r for r in found if shape(_plain(r.tag)) == shape(_plain(new))]
    if any(numbers(r.tag) == numbers(new) for r in exact):
        return exact
    plain = [r for r in found if _PLAIN_VERSION.fullmatch(r.tag)]
    return plain if any(_same(r.tag, new) for r in plain) else found


def _doubt(ways: Sequence[Release], alike: Sequence[Release], current: str, new: str, *, whole: bool) -> str:
    """Why nothing found does not mean that there is nothing; "" where it does."""
    if not _version(new) or not _version(current):
        return "its tag names no version"
    if not any(_same(r.tag, new) for r in ways):
        if _version(current) == _version(new):
            return "the image was made anew of the same version, of which release notes say nothing"
        return f"no release there is called {new}"
    if not whole and not any(_place(r.tag, current, new) == "before" for r in alike):
        return f"the newest releases there do not go back to {current}"
    if bare := [r for r in ways if not r.told]:
        return f"release {bare[0].tag} has no notes"
    return ""


def _place(tag: str, current: str, new: str) -> Literal["before", "between", "after", ""]:
    """Where a release stands to the step; "" where it cannot be compared."""
    if shape(_plain(tag)) == shape(_plain(new)):
        mine, low, high = numbers(tag), numbers(current), numbers(new)
    else:
        mine, low, high = _version(tag), _version(current), _version(new)
    if not mine or not low or not high:
        return ""
    # An image's tag 17 stands for all of 17.x: what it has already, and what it goes up to.
    if mine[: len(low)] <= low:
        return "before"
    return "between" if mine[: len(high)] <= high else "after"


def _same(tag: str, new: str) -> bool:
    if shape(_plain(tag)) == shape(_plain(new)):
        return numbers(tag) == numbers(new)
    wanted = _version(new)
    return bool(wanted) and _version(tag)[: len(wanted)] == wanted


def _plain(tag: str) -> str:
    return tag[1:] if re.match(r"[vV]\d", tag) else tag


def _version(tag: str) -> tuple[int, ...]:
    """The numbers of the version in a tag: of ``v34.0.3-apache``, ``release-34.0.3`` and ``app@34.0.3`` alike."""
    found = _VERSION.search(tag)
    return numbers(found[1]) if found else ()


def releases_to(releases: Releases) -> dict[str, Any]:
    """As JSON-ready data, to be kept."""
    return {"whole": releases.whole, "found": [[r.tag, r.security, list(r.ids), r.told] for r in releases.found]}


def releases_from(data: Mapping[str, Any]) -> Releases | None:
    """From kept data; None where it is not as it was written."""
    try:
        found: list[Any] = [Release(tag, security, tuple(ids), told) for tag, security, ids, told in data["found"]]
    except (KeyError, TypeError, ValueError):
        return None
    sound = all(
        isinstance(r.tag, str)
        and _TAG.fullmatch(r.tag)
        and all(isinstance(i, str) and _IDS.fullmatch(i) for i in r.ids)
        and isinstance(r.security, bool)
        and isinstance(r.told, bool)
        for r in found
    )
    return Releases(tuple(found), data.get("whole") is True) if sound else None
