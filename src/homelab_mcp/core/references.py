"""``@{word}`` and ``${NAME}`` in a definition's texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.labels import host_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings

_WORD = re.compile(r"@\{([a-z0-9_.-]+(?:\.[A-Z][A-Z0-9_]*)?)\}")
_VARIABLE = re.compile(r"\$\$|\$\{?([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Words:
    """What ``@{word}`` stands for. ``hash_of`` gives the Argon2id hash of a variable's value."""

    service: str
    subdomain: str
    root: str
    companions: Mapping[str, str]
    settings: LabSettings
    hash_of: Callable[[str], str]

    def fill(self, text: str, *, in_file: bool = False) -> str:
        """The text with every word filled in; in a file the real domain stands where compose text has ``${DOMAIN}``.

        Raises:
            InvalidInput: a word that means nothing (code ``bad_definition``).
        """
        return _WORD.sub(lambda found: self._word(found[1], in_file), text)

    def fill_all(self, value: Any, *, in_file: bool = False) -> Any:
        """:meth:`fill` on every text inside mappings and lists."""
        if isinstance(value, str):
            return self.fill(value, in_file=in_file)
        if isinstance(value, dict):
            return {self.fill(str(k), in_file=in_file): self.fill_all(v, in_file=in_file) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill_all(v, in_file=in_file) for v in value]
        return value

    def _word(self, word: str, in_file: bool) -> str:
        host = f"{self.subdomain}.{self.settings.domain}" if in_file else host_of(self.subdomain)
        plain = {"service": self.service, "host": host, "url": f"https://{host}"}
        if word in plain:
            return plain[word]
        if word == "root":
            return self.root if in_file else literal(self.root)
        kind, _, name = word.partition(".")
        if kind == "companion" and name in self.companions:
            return self.companions[name]
        if kind == "setting" and name in LabSettings.model_fields:
            value = str(getattr(self.settings, name))
            return value if in_file else literal(value)
        if kind == "argon2" and in_file:
            return self.hash_of(name)
        raise InvalidInput(f"The definition uses '@{{{word}}}', which means nothing here.", code="bad_definition")


def literal(text: str) -> str:
    """Text that Compose leaves as it is (``$`` doubled)."""
    return text.replace("$", "$$")


def variables_in(value: Any) -> Iterator[str]:
    """Names of the ``${NAME}`` references in every text inside a value."""
    if isinstance(value, str):
        yield from (found[1] for found in _VARIABLE.finditer(value) if found[1])
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from variables_in(key)
            yield from variables_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from variables_in(item)
