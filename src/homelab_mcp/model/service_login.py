"""How a call of a service's API says who it is from: a key of the stack's ``.env``, or a log-in that comes first."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

VARIABLE = r"^[A-Z][A-Z0-9_]{0,62}$"
HEADER = r"^[A-Za-z][A-Za-z0-9-]{0,60}$"
_PATH = r"^(/([A-Za-z0-9._~:-]+|\{[a-z][a-z0-9_]*\}))+/?$"

Path = Annotated[str, Field(pattern=_PATH, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Credential(_Part):
    """A value of the stack's ``.env``; ``how`` says where a person finds it. ``default``: for names of users only."""

    variable: Annotated[str, Field(pattern=VARIABLE)]
    how: Annotated[str, Field(min_length=3, max_length=240)]
    default: str = ""


class Ticket(_Part):
    """What a service hands out after the log-in, and wants to see in the form of every write.

    Args:
        path: where it is read; the whole answer is the ticket.
        field: its field in the form.
    """

    path: Path
    field: Annotated[str, Field(pattern=r"^[A-Za-z_]+$")]


class Session(_Part):
    """A log-in that comes before each call: what is posted, and what of the answer goes along from then on.

    Args:
        path: where the log-in is posted.
        encoding: how its fields are written.
        user_field: the user's field; "" where there is no user.
        password_field: the password's field.
        cookie: the prefix of the cookie that comes back, sent as it is.
        json_path: or the place in the answer that holds a token.
        line: or the word before ``=`` in the line of a plain text that holds it.
        header: the header that the token is sent in, behind ``prefix``.
        ticket: a second step, before writes alone.
        out: posted or deleted at the end, so that no session is left.
    """

    path: Path
    encoding: Literal["json", "form"] = "json"
    user_field: str = ""
    password_field: str
    cookie: str = ""
    json_path: str = ""
    line: Annotated[str, Field(pattern=r"^[A-Za-z_]*$")] = ""
    header: Annotated[str, Field(pattern=HEADER)] = "Authorization"
    prefix: str = ""
    ticket: Ticket | None = None
    out: Literal["", "DELETE", "POST"] = ""
    out_path: str = ""

    @model_validator(mode="after")
    def _one(self) -> Session:
        if sum(map(bool, (self.cookie, self.json_path, self.line))) != 1:
            raise ValueError("a session is either a cookie or a token in the answer")
        return self


class Auth(_Part):
    """How a call says who it is from.

    ``name`` is the header or the query's word that carries the key; ``prefix`` and ``suffix`` stand around it, and
    ``user_name`` is the query's word for the user. ``retry_header``: an
    answer of 409 with it is a request to ask again with that header (Transmission), and did nothing.
    """

    kind: Literal["none", "header", "query", "basic", "session"]
    name: str = ""
    prefix: str = ""
    suffix: str = ""
    user_name: Annotated[str, Field(pattern=r"^[A-Za-z_]*$")] = ""
    key: Credential | None = None
    user: Credential | None = None
    session: Session | None = None
    retry_header: str = ""
    optional: bool = Field(default=False, description="Calls go without it where the variable is not set.")

    @model_validator(mode="after")
    def _whole(self) -> Auth:
        if self.kind != "none" and self.key is None:
            raise ValueError("say which variable holds the key")
        if self.kind == "header" and not re.match(HEADER, self.name):
            raise ValueError("say which header carries the key")
        if self.kind == "query" and not re.match(r"^[A-Za-z_][A-Za-z0-9_]*$", self.name):
            raise ValueError("say which word of the query carries the key")
        if (self.kind == "session") != (self.session is not None):
            raise ValueError("a session's log-in is described under 'session'")
        if self.kind == "basic" and self.user is None:
            raise ValueError("basic needs a user")
        return self
