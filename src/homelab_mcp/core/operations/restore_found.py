"""What the backup's script says of what it restored to the side folder, and what of that may take a place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from homelab_mcp.core.backup_jobs import Dump


@dataclass(frozen=True, slots=True)
class Lack:
    """What is here now and in no backup, as a pattern left it out.

    Args:
        path: of what was asked for, that it is in.
        pattern: as the script's list of exceptions has it.
        example: one such file or folder.
    """

    path: str
    pattern: str
    example: str

    @property
    def emptied(self) -> str:
        """The folder that comes back with nothing in it, where the pattern says so in plain words; else ""."""
        folder = self.pattern.removesuffix("/*")
        return "" if folder == self.pattern or set("*?[") & set(folder) else folder


@dataclass(frozen=True, slots=True)
class Found:
    """The script's words; paths are relative to the lab's root, dumps by their file.

    Args:
        held: what the backup holds.
        empty: of that, folders without a file in them whose place has files now.
        lacks: what is here now and the backup left out, by settings of then.
        problems: what went wrong, in sentences.
    """

    held: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    lacks: tuple[Lack, ...] = ()
    problems: tuple[str, ...] = ()

    def stays(self, dumps: Sequence[Dump], remade: Collection[str]) -> dict[str, str]:
        """Paths that must stay as they are, with why: an empty folder would take the place of a full one.

        A database's folder is empty there by purpose: it begins anew in it from its dump. So is what its service makes
        anew (``remade``: patterns).
        """
        anew = {f for d in dumps if d.file in self.held for f in d.folders}
        lacks = list(self._lacking(anew, remade))
        why = {}
        for path in self.empty:
            if not any(f == path or f.startswith(f"{path}/") for f in anew):
                by = [f"`{lack.pattern}`" for lack in lacks if lack.path == path]
                why[path] = f"the backup holds it empty{f' (left out by {by[0]})' if by else ''}"
        for lack in lacks:
            if lack.emptied and lack.path not in why:
                why[lack.path] = f"the backup holds {lack.emptied} in it empty (left out by `{lack.pattern}`)"
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


def found_of(lines: Sequence[str]) -> Found:
    """What lines of the script tell. One of a version before tells less."""

    def rest(word: str) -> list[str]:
        return [line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")]

    lacks = [parts for text in rest("LACKS") if len(parts := text.split("\t")) == 3]
    empty = rest("EMPTY")
    return Found(
        held=(*rest("FOUND"), *empty),
        empty=tuple(empty),
        lacks=tuple(Lack(path, pattern.removeprefix("/lab/"), example) for path, pattern, example in lacks),
        problems=tuple(f"Of the backup: {text}" for text in rest("PROBLEM")),
    )
