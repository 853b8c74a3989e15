"""External services: what is reached through the lab's Traefik and runs elsewhere (a NAS, a router, another machine).

They are kept as data in ``homelab.yaml`` under ``external``, by name; Traefik's file, the log-in's rules and the
dashboard's entries follow from there, so that there is one truth.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ExternalName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""A group of people, as the users file and access rules name it."""

OneLine = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f`{}]*$")]

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_CERTIFICATES = re.compile(r"(-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n?)+")
_LONGEST_CA = 20_000


class ExternalRoute(BaseModel):
    """One external service.

    ``tls`` is how far its certificate is trusted, for an https address: ``verify`` by the usual authorities,
    ``ca`` by the certificates in ``ca`` (PEM), ``skip`` not at all. ``tls_name`` is the name in its certificate, where
    that is not the address's host. Web sockets need nothing: Traefik passes them on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="Where it is: http(s)://host[:port].")
    subdomain: Label | None = Field(default=None, description="Host name left of the domain; the name when unset.")
    path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~/-]{0,100})?$")] = Field(
        default="", description="Only what is at and below this path is passed on."
    )
    sso: Literal["protect", "two_factor", "bypass"] = Field(
        default="protect", description="Ask for the lab's log-in, for a second factor too, or not at all."
    )
    sso_groups: tuple[GroupName, ...] = Field(default=(), max_length=20, description="Only these groups may pass.")
    sso_reason: OneLine = Field(default="", description="Why log-in is bypassed; needed with sso: bypass.")
    tls: Literal["verify", "skip", "ca"] = "verify"
    ca: str = Field(default="", description="Certificates (PEM) that the backend's own is checked against.")
    tls_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{0,253}$")] = ""
    title: OneLine = Field(default="", description="Name on the dashboard; made from the name when unset.")
    group: OneLine = Field(default="Network", description="Group on the dashboard.")
    icon: OneLine = Field(default="", description="Icon on the dashboard.")
    description: OneLine = Field(default="", description="Line under the name on the dashboard.")

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise ValueError("not an address such as https://192.168.1.20:5001") from None
        host = (parts.hostname or "").lower()
        if parts.scheme not in {"http", "https"} or not (_HOST.fullmatch(host) or ":" in host):
            raise ValueError("not an address such as https://192.168.1.20:5001")
        if parts.username or parts.password:
            raise ValueError("a log-in does not belong into an address")
        if parts.path not in {"", "/"} or parts.query or parts.fragment or port == 0:
            raise ValueError("only scheme, host and port; Traefik ignores a path here")
        shown = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")

    @field_validator("ca")
    @classmethod
    def _certificates(cls, value: str) -> str:
        text = "\n".join(line.strip() for line in value.strip().splitlines())
        if text and (len(text) > _LONGEST_CA or not _CERTIFICATES.fullmatch(f"{text}\n")):
            raise ValueError("not certificates in PEM form (BEGIN CERTIFICATE); a private key never belongs here")
        return text

    @model_validator(mode="after")
    def _sane(self) -> ExternalRoute:
        https = self.url.startswith("https://")
        if (self.tls == "ca") != bool(self.ca):
            raise ValueError("tls: ca and the certificates in 'ca' go together")
        if not https and (self.tls != "verify" or self.tls_name):
            raise ValueError("an http address has no certificate to judge")
        if self.sso == "bypass" and not self.sso_reason.strip():
            raise ValueError("a bypass of the log-in needs 'sso_reason'")
        if self.sso == "bypass" and self.sso_groups:
            raise ValueError("without log-in nobody's groups are known: leave out sso_groups or the bypass")
        return self

    @property
    def asks(self) -> bool:
        """Whether a visitor has to log in."""
        return self.sso != "bypass"

    @property
    def host(self) -> str:
        """The backend's host, as in ``url``."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The backend's port, the scheme's own where ``url`` has none."""
        parts = urlsplit(self.url)
        return parts.port or {"http": 80, "https": 443}[parts.scheme]

    def host_name(self, name: str, domain: str) -> str:
        """The host name it is reached at through Traefik."""
        return f"{self.subdomain or name}.{domain}"

    def shown(self, name: str) -> str:
        """Its name for people."""
        return self.title or name.replace("-", " ").title()
