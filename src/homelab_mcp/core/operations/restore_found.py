"""What the backup's script says of what it restored to the side folder, and what of that may take a place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from homelab_mcp.core.backup_jobs import Dump

_LATE_HOURS = 6
"""How much older than its backup a dump may be: all dumps of a run come before the copy."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What is here now and in no backup, as a pattern left it out.

    Args:
        path: of what was asked for, that it is in.
        pattern: as the script's list of exceptions has it.
        example: one such file or folder; a folder that has files in it ends with a slash.
    """

    path: str
    pattern: str
    example: str

    @property
    def emptied(self) -> str:
        """The folder that comes back with nothing in it, or not at all, where the pattern says so in plain words."""
        folder = self.pattern.removesuffix("/*")
        if set("*?[") & set(folder):
            return ""
        if folder != self.pattern:
            return folder
        return self.example.removesuffix("/") if self.example.endswith("/") else ""


@dataclass(frozen=True, slots=True)
class Found:
    """The script's words; paths are relative to the lab's root, dumps by their file.

    Args:
        held: what the backup holds.
        empty: of that, folders without a file in them whose place has files now.
        lacks: what is here now and the backup left out, by settings of then.
        unread: paths of which the script told something that cannot be read.
        problems: what went wrong, in sentences.
        dated: a dump's file -> when it was made, in seconds since 1970.
    """

    held: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    lacks: tuple[Lack, ...] = ()
    unread: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    dated: Mapping[str, int] = field(default_factory=dict)

    def rows_of(self, dump: Dump, when: str) -> str:
        """When a dump's rows were so, in UTC; the backup's own time where that is not known."""
        made = self.dated.get(dump.file)
        return when if made is None else f"{datetime.fromtimestamp(made, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def older(self, dumps: Sequence[Dump], when: str) -> list[str]:
        """Sentences on dumps that are not of the run that made the backup.

        A run keeps the last dump of a database that does not run; a dump of its own is minutes older than the backup.
        """
        with suppress(ValueError):
            backup = datetime.fromisoformat(when).timestamp()
            old = [(d, (backup - self.dated[d.file]) / 3600) for d in dumps if d.file in self.dated]
            return [
                f"The dump of {d.service} is {_span(hours)} older than the backup that holds it: its rows are those "
                f"of {self.rows_of(d, when)}, and what else is restored is of {when}."
                for d, hours in old
                if hours > _LATE_HOURS
            ]
        return []

    def stays(self, dumps: Sequence[Dump], remade: Collection[str]) -> dict[str, str]:
        """Paths that must stay as they are, with why: an empty folder would take the place of a full one.

        A database's folder is empty there by purpose: it begins anew in it from its dump. So is what its service makes
        anew (``remade``: patterns, by the catalog of now; of a backup that knows those of then the script tells none).
        """
        anew = {f for d in dumps if d.file in self.held for f in d.folders}
        lacks = list(self._lacking(anew, remade))
        why = {}
        for path in self.empty:
            if not any(f == path or f.startswith(f"{path}/") for f in anew):
                by = [f"`{lack.pattern}`" for lack in lacks if lack.path == path]
                why[path] = f"the backup holds it empty{f' (left out by {by[0]})' if by else ''}"
        for path in self.unread:
            why.setdefault(path, "what the backup left out of it cannot be told")
        for lack in lacks:
            if lack.emptied and lack.path not in why:
                why[lack.path] = f"the backup holds nothing of {lack.emptied} in it (left out by `{lack.pattern}`)"
        return why

    def goes(self, dumps: Sequence[Dump], remade: Collection[str]) -> list[str]:
        """Sentences on what would go from its place with nothing in its stead, though its folder comes back."""
        anew = {f for d in dumps if d.file in self.held for f in d.folders}
        stays = self.stays(dumps, remade)
        told: dict[tuple[str, str], Lack] = {}
        for lack in self._lacking(anew, remade):
            if lack.path not in stays:
                told.setdefault((lack.path, lack.pattern), lack)
        return [
            f"The backup left out `{one.pattern}`: what is so in {one.path} now ({one.example}) is put aside, and "
            "nothing comes back in its place."
            for one in told.values()
        ]

    def _lacking(self, anew: Collection[str], remade: Collection[str]) -> Iterator[Lack]:
        return (lack for lack in self.lacks if lack.emptied not in anew and lack.pattern not in remade)


def _span(hours: float) -> str:
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours"


def found_of(lines: Sequence[str]) -> Found:
    """What lines of the script tell. One of a version before tells less.

    CACHE lines name what services of then made anew: nothing is lost with it.
    """

    def rest(word: str) -> list[str]:
        return [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")]

    empty = rest("EMPTY")
    held = (*rest("FOUND"), *empty)
    lacks, unread = list[Lack](), list[str]()
    for text in rest("LACKS"):
        # A file's name may have a tab in it, and so may a folder's.
        path = max((h for h in held if text.startswith(f"{h}\t")), key=len, default="")
        pattern, tab, example = text.removeprefix(f"{path}\t").partition("\t")
        if path and tab:
            lacks.append(Lack(path, pattern.removeprefix("/lab/"), example))
            continue
        # Half a line protects what it may be of, rather than nothing.
        begun = text.partition("\t")[0]
        unread += [h for h in held if h.startswith(begun) or text.startswith(h)] or held
    dated = [text.partition(" ") for text in rest("DATED")]
    return Found(
        held=held,
        empty=tuple(empty),
        lacks=tuple(lacks),
        unread=tuple(dict.fromkeys(unread)),
        problems=tuple(f"Of the backup: {text}" for text in rest("PROBLEM")),
        dated={file: int(made) for made, _, file in dated if made.isdigit()},
    )
