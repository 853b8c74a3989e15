"""Take another's catalog into the lab, at one commit, and take it out again.

Its definitions become files below ``catalog/<name>/``: they are seen in the plan, kept in the lab's git, and read
without a network from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from homelab_mcp.core import settings_edit
from homelab_mcp.core.catalog import fold, parse_definition
from homelab_mcp.core.catalog_rules import catalog_findings
from homelab_mcp.model.catalog_source import CATALOG_FOLDER, CatalogSource
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.plan import Draft, FileEdit, Risk, RiskReason

_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is taken of another's files: text by id; and what is left out, with the reason."""

    texts: Mapping[str, str]
    left_out: tuple[str, ...]


def chosen(texts: Mapping[str, str], known: Iterable[ServiceDefinition]) -> Chosen:
    """The files that are definitions, hold every rule, and take no name that the catalog has.

    Args:
        texts: of each file, by its path in the repository.
        known: the definitions that the lab has without this catalog.
    """
    others, taken, left_out = list(known), dict[str, str](), []
    ids = {fold(each.id) for each in others}
    for path, text in sorted(texts.items()):
        try:
            definition = parse_definition(text, path)
        except HomelabError as error:
            left_out.append(error.message)
            continue
        if fold(definition.id) in ids:
            left_out.append(f"{path}: the catalog has a {definition.id} already, and that one stays.")
        elif findings := catalog_findings(definition, others):
            left_out.append(f"{path}: {findings[0]}")
        else:
            others.append(definition)
            ids.add(fold(definition.id))
            taken[definition.id] = text
    return Chosen(taken, tuple(left_out))


def add_catalog(
    name: str,
    source: CatalogSource,
    found: Chosen,
    *,
    read: Callable[[str], str | None],
    present: Collection[str],
) -> Draft:
    """A draft that writes another's definitions and where they are from; an older commit's are replaced.

    Args:
        name: the catalog's in this lab.
        source: the repository and commit.
        found: its files.
        read: the text of a file of the lab, or None.
        present: paths of the files of this name that are there now.

    Raises:
        NotFound: no settings file (``lab_not_initialised``).
        InvalidInput: there is nothing in it that can be used (``empty_catalog``).
        EditRefused: ``homelab.yaml`` cannot be edited alone.
    """
    settings = _settings(read)
    if not found.texts:
        first = "".join(f" {reason}" for reason in found.left_out[:3])
        raise InvalidInput(
            f"There is no definition in {source.url} at that commit that can be used.{first}",
            hint="docs/catalog.md says what a definition is; --folder says where in the repository they are.",
            code="empty_catalog",
        )
    wanted = {f"{CATALOG_FOLDER}/{name}/{key}.yaml": text for key, text in found.texts.items()}
    edits = [FileEdit(path, read(path), wanted.get(path)) for path in sorted({*wanted, *present})]
    told = (
        f"{len(wanted)} definitions of {source.url} at {source.commit[:12]} come into the catalog: this program has "
        "checked their form and not what their images do."
    )
    return Draft(
        operation="add_catalog",
        summary=f"Take catalog {name} at {source.commit[:12]}",
        edits=(FileEdit(SETTINGS_FILE, settings, settings_edit.set_catalog(settings, name, source)), *edits),
        actions=(),
        risks=(RiskReason(Risk.HIGH, told),),
        notes=(
            f"Services: {_listed(sorted(found.texts))}.",
            *(f"Left out: {each}" for each in _first(found.left_out)),
            "A server that runs knows them from its next start on.",
        ),
        undo=f"Roll this plan back, or remove catalog {name}.",
        target=name,
    )


def remove_catalog(name: str, *, read: Callable[[str], str | None], present: Collection[str]) -> Draft:
    """A draft that takes another's catalog out; what was added from it stays. Raises NotFound, EditRefused."""
    settings = _settings(read)
    edits = [FileEdit(path, read(path), None) for path in sorted(present)]
    return Draft(
        operation="remove_catalog",
        summary=f"Remove catalog {name}",
        edits=(FileEdit(SETTINGS_FILE, settings, settings_edit.remove_catalog(settings, name)), *edits),
        actions=(),
        risks=(RiskReason(Risk.LOW, f"{len(edits)} services can be added no more."),),
        notes=("Services that were added from it stay as they are.",),
        undo="Roll this plan back.",
        target=name,
    )


def _settings(read: Callable[[str], str | None]) -> str:
    text = read(SETTINGS_FILE)
    if text is None:
        raise NotFound("There are no settings yet.", hint="Run `homelab-mcp init`.", code="lab_not_initialised")
    return text


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _first(told: tuple[str, ...]) -> tuple[str, ...]:
    return told if len(told) <= _SHOWN else (*told[:_SHOWN], f"{len(told) - _SHOWN} more files.")
