"""Finds the catalog's files, the packaged ones and a lab's own, and reads them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import homelab_mcp
from homelab_mcp.core.catalog import Catalog, fold, parse_definition
from homelab_mcp.core.catalog_index import Packed, pack, unpack
from homelab_mcp.core.catalog_rules import catalog_findings
from homelab_mcp.model.catalog_source import CATALOG_FOLDER
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import COMPOSE_NAMES

LARGEST_FILE = 256 * 1024
_READERS = (
    "model/definition.py",
    "model/containers.py",
    "model/service_api.py",
    "core/catalog_index.py",
    "core/resources.py",
)
LARGEST_CACHE = 64 * 1024 * 1024


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
    """The packaged definitions, over them those of the lab at ``root``, and beside them those of others' catalogs.

    A lab's own definition that cannot be read does not hide the others: the catalog keeps its error and raises it
    when that service is asked for.

    Raises:
        InvalidInput: a packaged file is not a definition.
        NotFound: code ``catalog_missing``.
    """
    packed = packaged_catalog()
    own, foreign = tuple(_lab_files(root)), tuple(_foreign_files(root))
    if not own and not foreign:
        return Catalog([], packed=packed)
    packaged = list(Catalog([], packed=packed).all())
    ids = {definition.id for definition in packaged}
    added: list[ServiceDefinition] = []
    problems: dict[str, HomelabError] = {}
    origins: dict[str, str] = {}
    for path in (*foreign, *own):
        where = str(path.relative_to(Path(root or "")))
        try:
            definition = _read(path, where)
            if path in foreign and definition.id in {*ids, *origins}:
                raise InvalidInput(
                    f"{where}: the catalog has a {definition.id} already, and that one counts.",
                    hint="Remove this file, or have its makers name it otherwise.",
                    code="bad_definition",
                )
            _refuse_findings(definition, [*packaged, *added], where)
        except HomelabError as error:
            # Another's file must not stand before what the lab has under that name.
            problems[fold(path.stem) if path in own else where] = error
        else:
            added.append(definition)
            origins[definition.id] = where
    return Catalog(added, problems, packed, origins)


def packaged_catalog(folder: Path | None = None, cache: Path | None = None) -> tuple[Packed, ...]:
    """The packaged definitions, compiled: from the cache where it was made from just these files, else anew.

    Args:
        folder: the catalog's; the packaged one by default.
        cache: the compiled file; the user's own by default.

    Raises:
        InvalidInput: one of the files is not a definition.
        NotFound: code ``catalog_missing``.
    """
    folder = folder or packaged_folder()
    cache = cache or cache_file()
    digest = _digest(folder)
    found = unpack(_trusted(cache), digest)
    if found is None:
        text = pack(packaged_definitions(folder), digest)
        _keep(cache, text)
        found = unpack(text, digest)
    if found is None:  # pragma: no cover - what was just packed can be unpacked
        raise RuntimeError("the catalog was compiled into what cannot be read")
    return found


def cache_file() -> Path:
    """Where the compiled catalog is kept: in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "homelab-mcp" / "catalog"


def _digest(folder: Path) -> str:
    """Of all that a compiled catalog is made from: the definitions, and the program that reads them."""
    digest = hashlib.blake2b(digest_size=32)
    package = Path(homelab_mcp.__file__).parent
    readers = (str(package / path) for path in _READERS)
    for path in (*readers, *_definition_files(folder)):
        # Plain file descriptors: at some hundred files the usual objects cost more than the reading.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            content = os.read(handle, LARGEST_FILE + 1)
        finally:
            os.close(handle)
        digest.update(f"{path[path.rfind('/') :]} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _definition_files(folder: Path) -> Iterator[str]:
    """As ``sorted(folder.glob("*/*.yaml"))``, at a fifth of its cost."""
    for category in sorted(entry.path for entry in os.scandir(folder) if entry.is_dir()):
        yield from sorted(entry.path for entry in os.scandir(category) if entry.name.endswith(".yaml"))


def _trusted(cache: Path) -> str:
    """The cache's text; "" unless it is a plain file that only its owner, and this user is that, can write."""
    try:
        with cache.open("rb") as file:
            seen = os.fstat(file.fileno())
            plain = stat.S_ISREG(seen.st_mode) and not cache.is_symlink()
            if not plain or seen.st_uid != os.getuid() or seen.st_mode & 0o022 or seen.st_size > LARGEST_CACHE:
                return ""
            return file.read().decode()
    except (OSError, UnicodeDecodeError):
        return ""


def _keep(cache: Path, text: str) -> None:
    """Write the cache whole or not at all. Where it cannot be written, the next start compiles again."""
    with contextlib.suppress(OSError, RuntimeError):
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache.parent, prefix=".catalog-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(cache)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _foreign_files(root: str | Path | None) -> Iterator[Path]:
    """Files of catalogs of others: a folder each, below the lab's own catalog."""
    folder = Path(root) / CATALOG_FOLDER if root is not None else None
    if folder is None or folder.is_symlink() or not folder.is_dir():
        return
    for catalog in sorted(folder.iterdir()):
        if catalog.is_dir() and not catalog.is_symlink():
            yield from sorted(catalog.glob("*.yaml"))


def _lab_files(root: str | Path | None) -> Iterator[Path]:
    folder = Path(root) / CATALOG_FOLDER if root is not None else None
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
