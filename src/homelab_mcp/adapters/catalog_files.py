"""Finds the catalog's files, the packaged ones and a lab's own, and reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import homelab_mcp
from homelab_mcp.core.catalog import Catalog, fold, parse_definition
from homelab_mcp.core.catalog_rules import catalog_findings
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import COMPOSE_NAMES

LAB_FOLDER = "catalog"
"""Folder in a lab's root with definitions of its own, ``<id>.yaml`` each."""

LARGEST_FILE = 256 * 1024


def packaged_folder() -> Path:
    """The folder with ``<category>/<id>.yaml``: inside the installed package, else beside the sources.

    Raises:
        NotFound: code ``catalog_missing``.
    """
    package = Path(homelab_mcp.__file__).parent
    # A wheel carries the catalog in _data; an editable install reads the repository's own folder.
    for folder in (package / "_data" / "catalog", package.parents[1] / "catalog"):
        if folder.is_dir():
            return folder
    raise NotFound(
        "The service catalog is not installed with the program.",
        hint="Install the package again.",
        code="catalog_missing",
    )


def packaged_definitions(folder: Path | None = None) -> list[ServiceDefinition]:
    """Every packaged definition, sorted by path.

    Raises:
        InvalidInput: one of them is not a definition.
        NotFound: code ``catalog_missing``.
    """
    folder = folder or packaged_folder()
    return [_read(path, str(path.relative_to(folder))) for path in sorted(folder.glob("*/*.yaml"))]


def load_catalog(root: str | Path | None = None) -> Catalog:
    """The packaged definitions, and over them those of the lab at ``root``.

    A lab's own definition that cannot be read does not hide the others: the catalog keeps its error and raises it
    when that service is asked for.

    Raises:
        InvalidInput: a packaged file is not a definition.
        NotFound: code ``catalog_missing``.
    """
    packaged = packaged_definitions()
    own: list[ServiceDefinition] = []
    problems: dict[str, HomelabError] = {}
    for path in _lab_files(root):
        where = f"{LAB_FOLDER}/{path.name}"
        try:
            definition = _read(path, where)
            _refuse_findings(definition, [*packaged, *own], where)
        except HomelabError as error:
            problems[fold(path.stem)] = error
        else:
            own.append(definition)
    return Catalog([*packaged, *own], problems)


def _lab_files(root: str | Path | None) -> Iterator[Path]:
    folder = Path(root) / LAB_FOLDER if root is not None else None
    if folder is None or folder.is_symlink() or not folder.is_dir():
        return
    # A stack may be called "catalog" too; its compose file is no definition.
    if any((folder / name).exists() for name in COMPOSE_NAMES):
        return
    yield from sorted(folder.glob("*.yaml"))


def _read(path: Path, where: str) -> ServiceDefinition:
    if path.is_symlink() or not path.is_file():
        raise InvalidInput(f"{where}: not a plain file.", hint="Replace the link by the file.", code="symlink_refused")
    if path.stat().st_size > LARGEST_FILE:
        raise InvalidInput(
            f"{where}: larger than {LARGEST_FILE // 1024} KiB.", hint="A definition is a page or two.", code="too_large"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{where}: not UTF-8 text.", hint="Save it as UTF-8.", code="not_text") from None
    return parse_definition(text, where)


def _refuse_findings(definition: ServiceDefinition, others: list[ServiceDefinition], where: str) -> None:
    findings = catalog_findings(definition, others)
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise InvalidInput(
            f"{where}: {findings[0].rstrip('.')}{more}.",
            hint="docs/catalog.md explains the rules.",
            code="bad_definition",
            details={"where": where, "problems": len(findings)},
        )
