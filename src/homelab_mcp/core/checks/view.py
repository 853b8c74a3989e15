"""What rules look at: the stacks of a lab, each with its files and with what these come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from homelab_mcp.core.checks.schema import SchemaProblem, is_json, problems
from homelab_mcp.core.checks.service_view import Entry, Mount, PortEntry, ServiceView
from homelab_mcp.core.compose_model import ComposeFile, is_external, read_compose
from homelab_mcp.core.once import once
from homelab_mcp.core.stack_host import engine_of, host_of
from homelab_mcp.core.yaml12 import Mark, YamlRefused

if TYPE_CHECKING:
    from yaml.nodes import Node

    from homelab_mcp.core.checks import LabFacts, LintStack
    from homelab_mcp.core.checks.config_files import ConfigFile
    from homelab_mcp.core.checks.log_in import LogIn
    from homelab_mcp.core.checks.traefik_files import TraefikFiles
    from homelab_mcp.core.checks.traefik_places import TraefikFile
    from homelab_mcp.core.compose_stack import Loaded, Merged, Trouble

__all__ = ["Entry", "FileView", "Lab", "Mount", "PortEntry", "ServiceView", "StackView"]


class FileView:
    """One text of a stack, or one YAML document of it.

    ``model`` is None when it could not be read, ``refused`` then says why. ``judged`` is False for a file of which
    Compose takes one service only (``extends``) and lets the rest be as it is.
    """

    def __init__(
        self,
        file: str,
        text: str,
        model: ComposeFile | None,
        refused: YamlRefused | None = None,
        *,
        judged: bool = True,
    ) -> None:
        self.file = file
        self.text = text
        self.model = model
        self.refused = refused
        self.judged = judged

    @once
    def schema_problems(self) -> list[SchemaProblem]:
        """What the Compose Specification's schema objects to."""
        return list(problems(self.model.raw, json=self.is_json)) if self.model and self.judged else []

    @once
    def is_json(self) -> bool:
        """True when JSON has a word for all of its data as written."""
        return self.model is not None and is_json(self.model.raw)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> tuple[str, Mark]:
        """The file, and where in it the value (or its key) at the path stands."""
        return self.file, self.model.mark(path, key=key) if self.model else Mark(1, 1)


class StackView:
    """One stack: its ``files``, and the ``model`` they come to; None when that cannot be told.

    ``file`` and ``text`` are the first file's. ``troubles`` is what is wrong between the files. ``partial`` is True
    when a part of it is unknown (an ``include`` that nobody could read, or what is no YAML), so that nothing can be
    called missing.
    """

    def __init__(self, source: LintStack) -> None:
        self.name = source.name
        self.file = source.file
        self.text = source.text
        self.env = source.env
        self.exists = source.exists
        self.read = source.read
        self.names = source.names
        self.reads = source.read is not None
        self.model: ComposeFile | Merged | None = None
        self.troubles: tuple[Trouble, ...] = ()
        self.partial = False
        self._sections: dict[str, dict[str, Any]] = {}
        self._networks: dict[str, str] = {}
        self.files = self._alone(source)
        if not self.files:
            self.files = self._together(source)
        self.services = self._services()
        self.host = host_of(source.text)
        self.engine = engine_of(source.text)

    def _services(self) -> list[ServiceView]:
        bodies = self.model.services if self.model else {}
        return [ServiceView(self, name, body) for name, body in bodies.items()]

    def _alone(self, source: LintStack) -> list[FileView]:
        """The one file of a stack that has no more; [] for another stack."""
        if source.others:
            return []
        try:
            model = read_compose(source.text, source.env, allow_duplicates=True, file=source.file)
        except YamlRefused as error:
            if error.reason == "multiple_documents":
                return []
            self.partial = True
            return [FileView(self.file, self.text, None, error)]
        data = model.data
        services = data.get("services")
        more = isinstance(services, dict) and any("extends" in s for s in services.values() if isinstance(s, dict))
        if more or data.get("include"):
            return []
        self.model = model
        return [FileView(self.file, self.text, model)]

    def _together(self, source: LintStack) -> list[FileView]:
        from homelab_mcp.core.compose_load import load_stack
        from homelab_mcp.core.compose_stack import Kind

        loaded: Loaded = load_stack([(source.file, source.text), *source.others], source.env, source.read)
        self.model = loaded.merged
        self.troubles = loaded.troubles
        self.partial = loaded.partial or self.model is None
        files = []
        for each in loaded.sources:
            if each.refused:
                files.append(FileView(each.file, each.text, None, each.refused, judged=each.judged))
            files += [FileView(each.file, each.text, d, judged=each.judged) for d in each.documents]
        for trouble in self.troubles:
            if trouble.kind is Kind.BOUNDS:
                files.append(FileView(trouble.file, "", None, YamlRefused("too_large", trouble.message, trouble.mark)))
        return files

    @property
    def project(self) -> str:
        """Compose's project name."""
        name = self.model.data.get("name") if self.model else None
        return str(name) if isinstance(name, str) and name else self.name

    @once
    def merged_problems(self) -> list[SchemaProblem]:
        """What the schema objects to in the whole that several files come to; [] for a stack of one file."""
        from homelab_mcp.core.compose_parts import as_written

        if self.model is None or isinstance(self.model, ComposeFile):
            return []
        return list(problems(as_written(self.model.data)))

    def place(self, path: Sequence[str | int], *, key: bool = False) -> tuple[str, Mark]:
        """The file, and where in it the value (or its key) at a path of the model stands."""
        return self.model.place(path, key=key) if self.model else (self.file, Mark(1, 1))

    def is_plain(self, path: Sequence[str | int]) -> bool:
        """True when the path leads to a scalar written without quotes."""
        return self.model is not None and self.model.is_plain(path)

    def node(self, path: Sequence[str | int]) -> Node | None:
        """What is written at the path; None where nothing is."""
        return self.model.node(path) if self.model else None

    def section(self, name: str) -> dict[str, Any]:
        """A top-level mapping of the model."""
        known = self._sections.get(name)
        if known is None:
            known = self._sections[name] = self.model.section(name) if self.model else {}
        return known

    def service(self, name: str) -> ServiceView | None:
        """The service of that name."""
        return self._by_name.get(name)

    @once
    def _by_name(self) -> dict[str, ServiceView]:
        return {s.name: s for s in self.services}

    def real_network(self, key: str) -> str:
        """The name the engine knows a network by."""
        known = self._networks.get(key)
        if known is None:
            known = self._networks[key] = self._real_network(key)
        return known

    def _real_network(self, key: str) -> str:
        body = self.section("networks").get(key)
        if isinstance(body, dict):
            external = body.get("external")
            if body.get("name"):
                return str(body["name"])
            if isinstance(external, dict) and external.get("name"):
                return str(external["name"])
            if is_external(body):
                return key
        return f"{self.project}_{key}"


class Lab:
    """All stacks, and what is known beside their files."""

    def __init__(self, stacks: list[StackView], facts: LabFacts) -> None:
        self.stacks = stacks
        self.facts = facts
        self.memo: dict[str, Any] = {}  # what readers of its labels have worked out already

    def let_go(self) -> None:
        """Drop all, as only a slow search for cycles would: nothing may be asked of it or its views afterwards."""
        for view in (*self.services, *self.stacks, self):
            vars(view).clear()

    @once
    def files(self) -> list[FileView]:
        """Every text of every stack, for rules that look at what is written and not at what it comes to."""
        return [file for stack in self.stacks for file in stack.files]

    @once
    def services(self) -> list[ServiceView]:
        """Every service of every stack."""
        return [service for stack in self.stacks for service in stack.services]

    @once
    def whole(self) -> bool:
        """False where a part of some stack is unknown: then nothing of the whole lab can be called missing."""
        partial = any(s.partial for s in self.stacks) or any(s.partial for s in self.services)
        return not (self.facts.unseen or partial)

    @once
    def labels_seen(self) -> bool:
        """False where a label of some container is unknown as well: in a part that is, or in a file of labels."""
        return self.whole and not any(s.data["label_file"] for s in self.by_key.get("label_file", ()))

    @once
    def by_key(self) -> dict[str, list[ServiceView]]:
        """Services by the keys that they have."""
        found: dict[str, list[ServiceView]] = {}
        for service in self.services:
            for key in service.data:
                found.setdefault(key, []).append(service)
        return found

    @once
    def service_keys(self) -> frozenset[str]:
        """Every key that some service has."""
        return frozenset(self.by_key)

    @once
    def hosts(self) -> dict[str, list[ServiceView]]:
        """Host name -> services of the lab that have it."""
        from homelab_mcp.core.checks.hosts import by_name

        return by_name(self)

    @once
    def log_in(self) -> LogIn:
        """Who asks for log-in."""
        from homelab_mcp.core.checks.log_in import LogIn

        return LogIn(self)

    @once
    def traefik_files(self) -> TraefikFiles:
        """What the file provider of the lab's Traefik defines."""
        from homelab_mcp.core.checks.traefik_files import TraefikFiles

        return TraefikFiles(self)

    @once
    def authelias(self) -> list[tuple[ServiceView, TraefikFile]]:
        """Each Authelia of the lab whose configuration can be read, with it."""
        from homelab_mcp.core.checks.traefik_places import configuration

        found = (
            (s, configuration(s, "/config/configuration.yml", "X_AUTHELIA_CONFIG"))
            for s in self.services
            if s.image_name == "authelia"
        )
        return [(service, file) for service, file in found if file is not None]

    @once
    def authelia_files(self) -> list[TraefikFile]:
        """The configuration of each Authelia of the lab that can be read."""
        return [file for _, file in self.authelias]

    @once
    def config_files(self) -> list[tuple[ServiceView, ConfigFile]]:
        """What well-known programs of the lab read, as far as that can be read here."""
        from homelab_mcp.core.checks.config_files import config_files

        return list(config_files(self))

    @once
    def routing(self) -> list[ServiceView]:
        """Everything that may define routes: every service, and Traefik's dynamic files."""
        return [*self.services, *self.traefik_files.services]

    @once
    def traefik(self) -> ServiceView | None:
        """The lab's Traefik, where it is one of its services."""
        return next((s for s in self.services if s.image_name == "traefik"), None)
