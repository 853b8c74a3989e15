"""A compose file as Compose would see it: values with variables put in, each with its place in the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homelab_mcp.core.interpolate import InterpolationInvalid, Missing, interpolate
from homelab_mcp.core.yaml12 import Document, Mark, Path, load_nodes
from homelab_mcp.core.yaml_many import load_documents, tagged

if TYPE_CHECKING:
    from yaml.nodes import Node


class Text(str):
    """A value that held variables: the text with them put in, ``raw`` as written, ``missing`` what had no value."""

    __slots__ = ("missing", "raw")

    raw: str
    missing: tuple[Missing, ...]

    @classmethod
    def of(cls, text: str, raw: str, missing: tuple[Missing, ...]) -> Text:
        """Make one."""
        self = cls(text)
        self.raw = raw
        self.missing = missing
        return self


def raw_text(value: object) -> str:
    """The value as written, before variables were put in; "" for what is no text."""
    if type(value) is Text:
        return value.raw
    return value if isinstance(value, str) else ""


def is_open(value: object) -> bool:
    """True when a variable without a value is part of it, so that nobody can say what it will be."""
    # No class is made from Text; this is asked some thousand times a lab.
    return type(value) is Text and bool(value.missing)


def is_external(body: object) -> bool:
    """True for a network, volume, secret or config that Compose takes as it is and never makes.

    Compose 2.40 reads ``no``, ``off`` and ``n`` as false, with quotes or without, in any case.
    """
    said = body.get("external") if isinstance(body, Mapping) else None
    return said.lower() not in _NOT if isinstance(said, str) else said not in (None, False)


_NOT = frozenset({"false", "no", "off", "n", ""})


@dataclass(frozen=True, slots=True)
class MissingVariable:
    """A variable without value or default, and where it is used."""

    name: str
    required: bool
    path: Path


@dataclass(frozen=True, slots=True)
class BadInterpolation:
    """A ``$`` that Compose refuses, and where: at ``index`` of the value at the path."""

    message: str
    path: Path
    index: int = 0


class ComposeFile:
    """One compose file, or one YAML document of it.

    ``raw`` is the file's data as written, ``data`` the same with variables put in (as :class:`Text` where there were
    any). ``missing`` and ``bad`` say what could not be put in. What ``!reset`` takes away is in neither; ``tagged`` has
    the paths of that and of what ``!override`` stands before.
    """

    def __init__(self, document: Document, variables: Mapping[str, str], file: str = "") -> None:
        self.document = document
        self.file = file
        self.raw: Any = document.data
        self.tagged: tuple[Path, ...] = ()
        if "!reset" in document.text or "!override" in document.text:
            reset = tagged(document, "!reset")
            self.tagged = (*reset, *tagged(document, "!override"))
            for path in reset:
                _take_away(self.raw, path)
        self.missing: list[MissingVariable] = []
        self.bad: list[BadInterpolation] = []
        self.data: dict[Any, Any] = {}
        if isinstance(self.raw, dict):
            # Compose looks into x- fields too, and refuses a file over what it finds there.
            self.data = {key: self._put_in(value, variables, (key,)) for key, value in self.raw.items()}

    def section(self, name: str) -> dict[str, Any]:
        """A top-level mapping such as ``services``; empty where it is not there or no mapping."""
        part = self.data.get(name)
        return part if isinstance(part, dict) else {}

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Services that are mappings, by name."""
        return {str(name): body for name, body in self.section("services").items() if isinstance(body, dict)}

    def mark(self, path: Sequence[str | int], *, key: bool = False) -> Mark:
        """Where the value (or its key) at the path stands; of a missing one, its nearest parent."""
        return self.document.key_mark(path) if key else self.document.mark(path)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> tuple[str, Mark]:
        """As :meth:`mark`, with the file."""
        return self.file, self.mark(path, key=key)

    def node(self, path: Sequence[str | int]) -> Node | None:
        """What is written at the path; None where nothing is."""
        found = self.document.find(path)
        return found[1] if found else None

    def is_plain(self, path: Sequence[str | int]) -> bool:
        """True when the path leads to a scalar written without quotes."""
        return self.document.is_plain(path)

    def _put_in(self, value: Any, variables: Mapping[str, str], path: Path) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value, variables, path) if "$" in value else value
        if kind is dict:
            return {
                key: item if type(item) is str and "$" not in item else self._put_in(item, variables, (*path, key))
                for key, item in value.items()
            }
        if kind is list:
            return [
                item if type(item) is str and "$" not in item else self._put_in(item, variables, (*path, n))
                for n, item in enumerate(value)
            ]
        return value

    def _text(self, value: str, variables: Mapping[str, str], path: Path) -> str:
        try:
            result = interpolate(value, variables)
        except InterpolationInvalid as error:
            self.bad.append(BadInterpolation(error.message, path, error.index))
            return Text.of(value, value, (Missing(""),))
        self.missing.extend(MissingVariable(m.name, m.required, path) for m in result.missing)
        return Text.of(result.text, value, result.missing) if result.names else result.text


def read_compose(
    text: str, variables: Mapping[str, str], *, allow_duplicates: bool = False, file: str = ""
) -> ComposeFile:
    """A compose file's text as a model.

    Raises:
        YamlRefused: the text is not YAML, has a key twice (unless allowed), has several documents, or breaks a limit.
    """
    return ComposeFile(load_nodes(text, allow_duplicates=allow_duplicates), variables, file)


def read_composes(text: str, variables: Mapping[str, str], file: str) -> list[ComposeFile]:
    """A text's YAML documents, each as a model; Compose merges them one after the other.

    Raises:
        YamlRefused: the text is not YAML or breaks a limit.
    """
    return [ComposeFile(d, variables, file) for d in load_documents(text, allow_duplicates=True)]


def _take_away(data: Any, path: Path) -> None:
    for step in path[:-1]:
        if not isinstance(data, dict):
            return
        data = data.get(step)
    if isinstance(data, dict):
        data.pop(path[-1], None)
