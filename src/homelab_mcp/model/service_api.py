"""What of a service's own API may be called: a list in its catalog entry, and how its key travels.

Nothing outside of the list can be asked. Values come in three ways: ``{name}`` as a whole segment of the path,
``@{name}`` as a whole value of ``query``, ``body`` or ``form``, and literals. A value never becomes part of a word, so
it cannot change a host, a path's shape, a header or the structure of a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from homelab_mcp.model.service_login import HEADER, Auth, Path

WORD = r"^[a-z][a-z0-9_]{0,39}$"
_PLACE = re.compile(r"^@\{([a-z][a-z0-9_]*)\}$")
_SEGMENT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_OURS = frozenset({"host", "content-length", "connection", "transfer-encoding", "authorization", "cookie"})

Word = Annotated[str, Field(pattern=WORD)]
Risk = Literal["low", "medium", "high"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(_Part):
    """A value that the caller gives. One with a ``default``, or not ``required``, may be left out.

    ``pattern`` is for the whole text; what goes into a path has one always, since a slash in it is refused anyway.
    """

    type: Literal["string", "integer", "number", "boolean", "strings", "integers"] = "string"
    description: Annotated[str, Field(min_length=3, max_length=160)]
    required: bool = True
    default: bool | int | float | str | None = None
    pattern: str | None = None
    choices: list[str] | None = None
    minimum: int | None = None
    maximum: int | None = None
    max_length: Annotated[int, Field(ge=1, le=4000)] = 200

    @model_validator(mode="after")
    def _compiles(self) -> Parameter:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is no regular expression: {error}") from None
        return self


class Follow(_Part):
    """Another operation of the same API with its values.

    A value is a literal, ``@{name}`` (a value of this call), ``@{answer.path}`` (of this call's answer) or, in an undo,
    ``@{before.path}`` (of what the check showed before). ``expect`` names places in its answer and what must be there;
    with ``absent`` it must answer 404 or give no item.
    """

    operation: Word
    values: dict[str, Any] = {}
    expect: dict[str, Any] = {}
    absent: bool = False


class Operation(_Part):
    """One call that is allowed.

    Args:
        id: how it is asked for.
        summary: what it does, for a person.
        method: HTTP's. What is not GET is a write, unless ``reads``.
        reads: a call that changes nothing though its method is not GET (an RPC), or one that does though it is
            (``false`` with GET).
        risk: of a write.
        items: place of the list in the answer; "" where the answer is the list, or one thing.
        keep: what of each item is shown, as paths; none: all of it, cut.
        check: a read that shows what a write did.
        undo: the write that takes it back; else ``no_undo`` says why none does.
        seconds: how long an answer may take.
        source: where this one is documented, where the API's own source does not say.
    """

    id: Word
    summary: Annotated[str, Field(min_length=5, max_length=160)]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    reads: bool | None = None
    path: Path
    query: dict[str, Any] = {}
    body: Any = None
    form: dict[str, Any] = {}
    parameters: dict[Word, Parameter] = {}
    risk: Risk = "medium"
    items: str = ""
    keep: list[str] = []
    check: Follow | None = None
    undo: Follow | None = None
    no_undo: str = ""
    seconds: Annotated[int, Field(ge=1, le=120)] = 30
    source: str = ""

    @property
    def writes(self) -> bool:
        """Whether it needs a plan."""
        return not self.reads if self.reads is not None else self.method != "GET"

    def placed(self) -> set[str]:
        """Names of the parameters that have a place in the request."""
        found = set(_SEGMENT.findall(self.path))
        return found | set(places([self.query, self.body, self.form]))

    @model_validator(mode="after")
    def _wired(self) -> Operation:
        if unknown := self.placed() - set(self.parameters):
            raise ValueError(f"{self.id}: {sorted(unknown)[0]} is no parameter")
        if unused := set(self.parameters) - self.placed():
            raise ValueError(f"{self.id}: the parameter {sorted(unused)[0]} has no place in the request")
        if any(s in (".", "..") for s in self.path.split("/")):
            raise ValueError(f"{self.id}: a path has no . and .. in it")
        for name in _SEGMENT.findall(self.path):
            one = self.parameters[name]
            if one.type == "string" and not (one.pattern or one.choices):
                raise ValueError(f"{self.id}: {name} goes into the path, so it needs a pattern")
            if one.type not in ("string", "integer") or not one.required:
                raise ValueError(f"{self.id}: {name} goes into the path, so it is one required text or whole number")
        if self.writes and not (self.undo or self.no_undo):
            raise ValueError(f"{self.id}: say what takes it back (undo), or why nothing does (no_undo)")
        if not self.writes and (self.check or self.undo):
            raise ValueError(f"{self.id}: what only reads has no check and no undo")
        if self.body is not None and self.form:
            raise ValueError(f"{self.id}: a body or a form, not both")
        return self


class Api(_Part):
    """A service's API: where it answers, how a call is authenticated, and which calls are allowed.

    Args:
        documentation: its makers' page.
        source: repository and path that the operations are from.
        port: the container's; the route's where left out.
        host: what the Host header says, for programs that take only names they know; else address and port.
        headers: sent with every call; never a secret.
        failed: places in an answer of 2xx, and what stands there when the service says no all the same; with null
            anything does.
    """

    documentation: Annotated[str, Field(pattern=r"^https://")]
    source: Annotated[str, Field(min_length=5)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    host: Annotated[str, Field(pattern=r"^[a-z0-9.-]*$")] = ""
    headers: dict[str, str] = {}
    failed: dict[str, Any] = {}
    auth: Auth
    operations: list[Operation] = Field(min_length=1)

    def operation(self, name: str) -> Operation | None:
        """The operation with this id."""
        return next((one for one in self.operations if one.id == name), None)

    @model_validator(mode="after")
    def _consistent(self) -> Api:
        ids = [one.id for one in self.operations]
        if len(ids) != len(set(ids)):
            raise ValueError("an operation is there twice")
        for name, value in self.headers.items():
            if not re.match(HEADER, name) or name.lower() in _OURS or not re.match(r"^[\x20-\x7e]{1,100}$", value):
                raise ValueError(f"{name[:40]!r} is no header that can be set")
        for one in self.operations:
            for kind, follow in (("check", one.check), ("undo", one.undo)):
                if follow is not None:
                    self._follows(one, kind, follow)
        return self

    def _follows(self, one: Operation, kind: str, follow: Follow) -> None:
        other = self.operation(follow.operation)
        if other is None or other.writes != (kind == "undo"):
            raise ValueError(
                f"{one.id}.{kind}: {follow.operation} is no operation that {'writes' if kind == 'undo' else 'reads'}"
            )
        needed = {n for n, p in other.parameters.items() if p.required and p.default is None}
        if missing := needed - set(follow.values):
            raise ValueError(f"{one.id}.{kind}: {follow.operation} needs {sorted(missing)[0]}")
        if strange := set(follow.values) - set(other.parameters):
            raise ValueError(f"{one.id}.{kind}: {follow.operation} knows no {sorted(strange)[0]}")
        if wrong := set(places([follow.values, follow.expect])) - set(one.parameters):
            raise ValueError(f"{one.id}.{kind}: {sorted(wrong)[0]} is no parameter")


def place_of(value: object) -> str:
    """The parameter that a value of a template stands for; "" for a literal."""
    found = _PLACE.match(value) if isinstance(value, str) else None
    return found[1] if found else ""


def places(value: object) -> Iterator[str]:
    """Every parameter that stands somewhere in a template."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from places(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from places(one)
    elif name := place_of(value):
        yield name


class Reach(_Part):
    """How one service's API is reached, as a plan keeps it: all that is needed but the address and the key."""

    port: int
    host: str = ""
    headers: dict[str, str] = {}
    failed: dict[str, Any] = {}
    auth: Auth
    definition: str = ""


class Step(_Part):
    """A follow-up as a plan keeps it: the operation whole, and its values."""

    operation: Operation
    values: dict[str, Any] = {}
    expect: dict[str, Any] = {}
    absent: bool = False
