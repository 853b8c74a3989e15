"""The texts of one stack: read through a function that is given, parsed once, counted against the stack's bounds."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from homelab_mcp.core.compose_merge import Merger, TooMuch
from homelab_mcp.core.compose_model import ComposeFile, is_open, read_composes
from homelab_mcp.core.compose_parts import Part, parts_of, weight
from homelab_mcp.core.compose_paths import rebased
from homelab_mcp.core.compose_stack import Bounds, Kind, Read, Source, Trouble
from homelab_mcp.core.yaml12 import Mark, YamlRefused
from homelab_mcp.model.errors import HomelabError


class Texts:
    """What one stack is made of.

    Args:
        read: reads what the files name; None: nobody may.
        bounds: what it may take.
        top: the stack's folder, where relative paths of the merged model begin.
    """

    def __init__(self, read: Read | None, bounds: Bounds, top: str) -> None:
        self.read = read
        self.bounds = bounds
        self.top = top
        self.sources: list[Source] = []
        self.troubles: list[Trouble] = []
        self.written = 0
        self.merger = Merger(bounds.spare)
        self._files = 0
        self._size = 0
        self._known: dict[tuple[str, int, bool], tuple[Source, Mapping[str, str]]] = {}

    def source(self, file: str, text: str, env: Mapping[str, str], *, judged: bool = True) -> Source:
        """The text as documents; the same text with the same variables is parsed once."""
        me = (file, id(env), judged)
        if me in self._known:
            return self._known[me][0]
        source = Source(file, text, judged)
        try:
            source.documents = read_composes(text, env, file)
        except YamlRefused as error:
            source.refused = error
        # The variables are kept too: another mapping may not get their id.
        self._known[me] = source, env
        self.sources.append(source)
        return source

    def trouble(self, kind: Kind, file: str, mark: Mark, message: str, service: str = "") -> None:
        """Note what is wrong."""
        self.troubles.append(Trouble(kind, file, mark, message, service))

    def parts(self, document: ComposeFile, folder: str) -> Part:
        """A document's data as parts, its relative paths (from ``folder``) as the stack's folder would write them."""
        part = parts_of(document, document.data)
        size = weight(part)
        self.written += size
        self.merger.budget += 20 * size
        return part if folder == self.top else rebased(part, folder, self.top)

    def text(self, path: str, named: Part, written: str, *, service: str = "") -> str | None:
        """The text at a path that ``named`` names; None, and why noted, where it cannot be had."""
        if self.read is None:
            self.at(Kind.UNSEEN, named, f"{written!r} was not looked at: other files cannot be read here.", service)
            return None
        self._files += 1
        if self._files > self.bounds.files:
            self.at(Kind.BOUNDS, named, f"the stack has more than {self.bounds.files} files.", service)
            raise TooMuch
        try:
            text = self.read(path)
        except HomelabError as error:
            self.at(Kind.UNSEEN, named, f"{written!r} was not looked at: {error.message}", service)
            return None
        if text is None:
            self.at(Kind.MISSING, named, f"There is no file {written!r}.", service)
            return None
        self._size += len(text)
        if self._size > self.bounds.size:
            self.at(Kind.BOUNDS, named, f"the stack's files have more than {self.bounds.size:,} characters.", service)
            raise TooMuch
        return text

    def path_in(self, named: Part) -> str | None:
        """A path of this machine, as its file has it; None for another kind and for what is not known."""
        text = named.value
        if not isinstance(text, str) or not text or is_open(text):
            return None
        if "://" in text or text.startswith(("git@", "github.com/", "~")):
            self.at(Kind.UNSEEN, named, f"{str(text)[:100]!r} was not looked at: it is somewhere else.")
            return None
        return str(text)

    def at(self, kind: Kind, part: Part, message: str, service: str = "", *, key: bool = False) -> None:
        """Note what is wrong at the place of a part, once a place."""
        file, mark = part.file.place(part.path, key=key)
        if not any((t.kind, t.file, t.mark) == (kind, file, mark) for t in self.troubles):
            self.trouble(kind, file, mark, message, service)


def joined(folder: str, path: str) -> str:
    """A path as seen from a folder."""
    return posixpath.normpath(posixpath.join(folder, path))
