"""Changing one service of a compose text, and nothing else in the file.

Every step is proved before it counts: read again, the file means what it meant, with exactly this change. What is
written with anchors, aliases, merges or in flow style is changed where that touches nothing else, and refused with the
reason where it does. The spans are those of :mod:`homelab_mcp.core.yaml_put`; why this way:
docs/decisions/0002-loss-free-editing.md.

    edit = ServiceEdit(text, "jellyfin")
    edit.set("deploy.resources.limits.memory", "2G").set_entry("labels", "traefik.enable", "true")
    edit.add_item("volumes", "/mnt/media:/media:ro").add_name("networks", "media-network")
    edit.declare("networks", "media-network", {"external": True})
    new = edit.text
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from homelab_mcp.core import yaml_put
from homelab_mcp.core.compose_meaning import (
    RECORD,
    check_meaning,
    networks_used,
    read,
    record_of,
    same,
    services_of,
    tokens_of,
    volumes_used,
)
from homelab_mcp.core.text_edits import edits_between
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.errors import EditRefused, NotFound
from homelab_mcp.model.finding import TextEdit

Match = Callable[[Any], bool]
_DEFAULTS: Mapping[str, Any] = {"depends_on": {"condition": "service_started"}, "networks": {}}
"""What a name of the list form becomes in the mapping form (Compose specification, services)."""


class ServiceEdit:
    """Steps on a compose text that change one service, and what the file declares for it.

    Paths are dotted keys inside the service ("healthcheck.interval"), or tuples where a key has a dot itself. Steps
    give the edit back, so that they can be chained; one that would change nothing leaves the text as it is.

    Args:
        text: the compose file.
        service: the service's key.

    Raises:
        NotFound: the file has no such service.
        EditRefused: (of every step) the change cannot be made alone; the text is then as before that step.
        YamlRefused: the text cannot be read.
    """

    def __init__(self, text: str, service: str) -> None:
        self.first = self.text = text
        self.service = service
        self.document = read(text)
        if not isinstance(services_of(self.document).get(service), Mapping):
            raise NotFound(
                f"The compose file has no service called {service!r}.",
                hint="One that stands in an override file, or in one that is included, is changed there by hand.",
                code="service_unknown",
            )

    @property
    def data(self) -> dict[str, Any]:
        """The service as the text has it now, aliases and merges resolved."""
        return dict(self.document["services"][self.service])

    @property
    def changed(self) -> bool:
        """Whether any step changed the text."""
        return self.text != self.first

    def undo(self, file: str = "") -> tuple[TextEdit, ...]:
        """Edits that make the first text of the new one, byte for byte."""
        return edits_between(file, self.text, self.first)

    # --- any value ------------------------------------------------------------------------------------------------

    def get(self, path: str | Path) -> Any:
        """The value at a path; None where there is none."""
        return copy.deepcopy(yaml_put.at(self.document, self._full(path)))

    def set(self, path: str | Path, value: Any) -> ServiceEdit:
        """Give a key a value (scalar, list or mapping); parents that are missing are made."""
        return self.set_at(self._full(path), value)

    def remove(self, path: str | Path) -> ServiceEdit:
        """Take a key out; parents that it leaves empty go as well. One that is not there is left so."""
        return self.remove_at(self._full(path))

    def set_at(self, path: Path, value: Any) -> ServiceEdit:
        """:meth:`set` at a path from the file's top."""
        value = _plain(value)
        wanted = copy.deepcopy(self.document)
        yaml_put.set_in(wanted, path, value)
        return self._step(lambda: yaml_put.put(self.text, path, value), wanted)

    def remove_at(self, path: Path) -> ServiceEdit:
        """:meth:`remove` at a path from the file's top."""
        if not yaml_put.has(self.document, path):
            return self
        wanted = copy.deepcopy(self.document)
        yaml_put.drop_in(wanted, path)
        return self._step(lambda: yaml_put.drop(self.text, path), wanted)

    # --- labels, environment: KEY=value lists or mappings ---------------------------------------------------------

    def entries(self, field: str) -> dict[str, str | None]:
        """``labels`` or ``environment`` as texts, in whichever form they are written; None: a key without a value."""
        return dict(_entries(self.get(field)))

    def set_entry(self, field: str, key: str, value: str) -> ServiceEdit:
        """Give a label or variable a value, in the form the file has."""
        home = self.get(field)
        if not isinstance(home, list):
            return self if self._equal(home, key, value) else self.set((field, key), value)
        found = [n for n, item in enumerate(home) if _key(item) == key]
        if not found:
            return self.add_item(field, f"{key}={value}")
        return self.set((field, found[-1]), f"{key}={value}")

    def remove_entry(self, field: str, key: str) -> ServiceEdit:
        """Take a label or variable out."""
        if isinstance(self.get(field), list):
            return self.remove_items(field, lambda item: _key(item) == key)
        return self.remove((field, key))

    def _equal(self, home: Any, key: str, value: str) -> bool:
        """Whether a mapping's entry means that text already (``8080`` and ``"8080"`` are one to Compose)."""
        return isinstance(home, Mapping) and home.get(key) is not None and _text(home[key]) == value

    # --- lists: ports, volumes, devices, ... -----------------------------------------------------------------------

    def items(self, path: str | Path) -> list[Any]:
        """The items of a list; [] where there is none."""
        found = self.get(path)
        return found if isinstance(found, list) else []

    def add_item(self, path: str | Path, item: Any) -> ServiceEdit:
        """Add an item at the end of a list, which is made where it is missing; one that is there stays alone."""
        full, item = self._full(path), _plain(item)
        there = self.items(path)
        if any(same(i, item) for i in there):
            return self
        if not isinstance(self.get(path), list | None):
            raise EditRefused(f"'{yaml_put.shown(full)}' is not written as a list.", code="not_a_list")
        wanted = copy.deepcopy(self.document)
        yaml_put.set_in(wanted, full, [*there, item])
        return self._step(lambda: yaml_put.push(self.text, full, item), wanted)

    def remove_items(self, path: str | Path, match: Match) -> ServiceEdit:
        """Take out every item that matches; the last one takes its list along."""
        with self._together():
            for n in reversed([n for n, old in enumerate(self.items(path)) if match(old)]):
                self.remove_at((*self._full(path), n))
        return self

    # --- networks, depends_on: lists of names or mappings by name ---------------------------------------------------

    def names(self, field: str) -> list[str]:
        """The names under ``networks`` or ``depends_on``, in either form."""
        found = self.get(field)
        return [str(n) for n in found] if isinstance(found, (list, Mapping)) else []

    def add_name(self, field: str, name: str, detail: Mapping[str, Any] | None = None) -> ServiceEdit:
        """Add a name in the form the file has; with ``detail`` (aliases, condition) a list becomes a mapping."""
        home = self.get(field)
        if isinstance(home, Mapping):
            return self.set((field, name), dict(detail or home.get(name) or _DEFAULTS.get(field) or {}))
        if detail is None and (home or field == "networks"):
            return self.add_item(field, name)
        rest = {str(n): dict(_DEFAULTS.get(field) or {}) for n in home or ()}
        return self.set(field, {**rest, name: dict(detail or _DEFAULTS.get(field) or {})})

    def remove_name(self, field: str, name: str) -> ServiceEdit:
        """Take a name out, in either form."""
        if isinstance(self.get(field), list):
            return self.remove_items(field, lambda item: item == name)
        return self.remove((field, name))

    # --- what the file declares -----------------------------------------------------------------------------------

    def declare(self, section: str, name: str, value: Mapping[str, Any] | None) -> ServiceEdit:
        """Have ``networks`` or ``volumes`` declare a name, and note in the service that it came for it.

        A declaration that is there stays as it is. The note (``x-homelab-added``) lets a removal of the service take
        the declaration along.
        """
        present = self.document.get(section) or {}
        inherited = tokens_of(self.document)
        fresh = {f"{section}:{name}": name not in present, f"section:{section}": section not in self.document}
        with self._together():
            if name not in present:
                self.set_at((section, name), dict(value) if value is not None else None)
            for token, added in fresh.items():
                if added or token in inherited:
                    self.add_item((RECORD,), token)
        return self

    def undeclare(self, section: str, name: str) -> ServiceEdit:
        """Take a declaration out that came for this service and that nothing uses any more; others stay."""
        token = f"{section}:{name}"
        services = services_of(self.document)
        used = networks_used(services) if section == "networks" else volumes_used(services)
        if token not in record_of(self.data) or name in used:
            return self
        with self._together():
            self.remove_items((RECORD,), lambda item: item == token)
            if token not in tokens_of(self.document):
                self.remove_at((section, name))
            alone = f"section:{section}"
            if not self.document.get(section) and alone in record_of(self.data):
                self.remove_items((RECORD,), lambda item: item == alone)
                self.remove_at((section,))
        return self

    # --- proof ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Several steps as one: all of them, or none."""
        was = self.text, self.document
        try:
            yield
        except EditRefused:
            self.text, self.document = was
            raise

    def _full(self, path: str | Path) -> Path:
        return ("services", self.service, *(path.split(".") if isinstance(path, str) else path))

    def _step(self, make: Callable[[], str], wanted: dict[str, Any]) -> ServiceEdit:
        if same(self.document, wanted):
            return self
        text = make()
        try:
            check_meaning(text, wanted)
        except EditRefused as error:
            raise self._explained(error, text, wanted) from None
        self.text, self.document = text, read(text)
        return self

    def _explained(self, error: EditRefused, text: str, wanted: Mapping[str, Any]) -> EditRefused:
        """The refusal with the other services that the change would have reached, by an anchor they share."""
        if error.code == "edit_broke_file":
            return error
        after = services_of(read(text))
        expected = services_of(wanted)
        others = [n for n in after if n in expected and not same(after[n], expected[n])]
        reached = [n for n in others if n != self.service]
        if not reached:
            return error
        return EditRefused(
            f"{self.service} shares these lines by an anchor (&) with {', '.join(reached)}, which would change too.",
            code="shared_by_anchor",
            hint=f"Write out in {self.service} what it shares, or change the shared block by hand.",
            details={"services": reached},
        )


def _plain(value: Any) -> Any:
    """The value in plain lists and dicts."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _entries(home: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(home, Mapping):
        yield from ((str(k), None if v is None else _text(v)) for k, v in home.items())
    elif isinstance(home, list):
        for item in home:
            key, mark, value = str(item).partition("=")
            yield key, value if mark else None


def _key(item: Any) -> str:
    return str(item).partition("=")[0]


def _text(value: Any) -> str:
    """A scalar as Compose passes it on."""
    return str(value).lower() if isinstance(value, bool) else str(value)
