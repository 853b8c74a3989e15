"""Plans on disk: one folder a plan, readable by the owner only, and nothing secret in it in the clear."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from homelab_mcp.adapters.plan_order import newest
from homelab_mcp.adapters.private import overwrite, private_folder, sync_folder, write_private
from homelab_mcp.adapters.vault import Vault
from homelab_mcp.core import plan_codec, plan_record
from homelab_mcp.model.errors import InvalidInput, NotFound, VaultLocked, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.model.plan import APPLY_ENDED, FINAL_STATES, Approval, Plan, PlanState, PlanStatus

_ID = re.compile(r"[0-9a-f]{32}")


class FilePlanStore:
    """Fulfils ``ports.PlanStore`` at ``.homelab/plans/<id>/``; an id is 32 hexadecimal digits.

    ``plan.json`` holds an outline in the clear and the plan sealed by the vault; ``undo.enc`` is sealed whole.
    """

    def __init__(self, root: str | Path, vault: Vault | None = None) -> None:
        self._root = Path(root).resolve()
        self._vault = vault or Vault(self._root)
        self._folder = self._root / PRIVATE_FOLDER / "plans"

    def add(self, plan: Plan) -> None:
        """Store a new plan as pending. Raises InvalidInput when the id is taken or malformed, and VaultLocked."""
        _checked(plan.id)
        self._vault.ensure()
        private_folder(self._root, "plans")
        folder = self._folder / plan.id
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            raise InvalidInput("A plan with this id exists already.") from None
        try:
            write_private(
                folder / "status.json", plan_codec.status_to_json(PlanStatus(PlanState.PENDING, updated=plan.created))
            )
            self._write_plan(plan)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        sync_folder(self._folder)

    def get(self, plan_id: str) -> Plan:
        """The plan. Raises NotFound; VaultLocked; InvalidInput (plan_corrupt) when its file was changed."""
        text = self._read(plan_id, "plan.json")
        if plan_record.is_clear(text):
            return _own(plan_codec.plan_from_json(text), plan_id)
        text, opened = self._vault.read(_place(plan_id, "plan.json"), self._folder / plan_id / "plan.json")
        return _own(plan_record.whole_from(text, opened.decode("utf-8", "surrogatepass")), plan_id)

    def outline(self, plan_id: str) -> Plan:
        """The plan without what is sealed; needs no key. Raises NotFound; InvalidInput (plan_corrupt)."""
        return _own(plan_record.outline_from(self._read(plan_id, "plan.json")), plan_id)

    def ended(self, limit: int = 50) -> list[tuple[Plan, PlanStatus]]:
        """Outlines of the plans whose apply ended last, the last first; what is not readable is left out."""

        def read(name: str) -> tuple[Plan, PlanStatus] | None:
            status = self.status(name)
            return (self.outline(name), status) if status.state in APPLY_ENDED else None

        return newest(self._dated(), read, lambda row: row[1].updated, limit)

    def _dated(self) -> list[tuple[float, str]]:
        """When each plan's folder changed last, and its id; the newest first."""
        found = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(self._folder) as names:
            for one in names:
                if _ID.fullmatch(one.name):
                    # Another process may remove it meanwhile.
                    with contextlib.suppress(FileNotFoundError):
                        found.append((one.stat().st_mtime, one.name))
        return sorted(found, reverse=True)

    def list(self, limit: int = 50, *, since: float = 0.0, outline: bool = False) -> list[tuple[Plan, PlanStatus]]:
        """The newest plans (with ``since``: touched after that Unix time) with their status.

        Those that are not readable are left out; without their key, or when asked, they are outlines.
        """

        def read(name: str) -> tuple[Plan, PlanStatus]:
            return self.outline(name) if outline else self._best(name), self.status(name)

        dated = [pair for pair in self._dated() if pair[0] >= since]
        return newest(dated, read, lambda row: row[0].created, limit)

    def status(self, plan_id: str) -> PlanStatus:
        """The plan's last status. Raises NotFound."""
        return plan_codec.status_from_json(self._read(plan_id, "status.json"))

    def set_status(self, plan_id: str, status: PlanStatus) -> None:
        """Replace the plan's status, whole or not at all."""
        write_private(self._existing(plan_id) / "status.json", plan_codec.status_to_json(status))

    @contextlib.contextmanager
    def exclusive(self, plan_id: str) -> Iterator[None]:
        """Keep other processes out while the plan's state is read and the next one written. Raises NotFound."""
        path = self._existing(plan_id) / "lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise storage_failed(error, "The plan's record") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def approval(self, plan_id: str) -> Approval | None:
        """The answer on record, or None. Raises NotFound, and InvalidInput (plan_corrupt)."""
        path = self._existing(plan_id) / "approval.json"
        return plan_codec.approval_from_json(path.read_text("utf-8")) if path.exists() else None

    def set_approval(self, approval: Approval) -> None:
        """Record an answer in place of the one before."""
        write_private(self._existing(approval.plan_id) / "approval.json", plan_codec.approval_to_json(approval))

    def consume(self, plan_id: str) -> bool:
        """Mark the plan used, on disk when this returns; True for exactly one caller, ever."""
        folder = self._existing(plan_id)
        try:
            fd = os.open(folder / "used", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return False
        try:
            os.write(fd, f"{os.getpid()}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_folder(folder)
        return True

    def used(self, plan_id: str) -> bool:
        """Whether the plan was consumed. Raises NotFound."""
        return (self._existing(plan_id) / "used").exists()

    def save_undo(self, plan_id: str, files: Mapping[str, tuple[str | None, int]]) -> None:
        """Keep, sealed, what files were before the apply: path -> (text or None, mode). Raises VaultLocked."""
        text = json.dumps({p: list(v) for p, v in files.items()})
        self._vault.write(_place(plan_id, "undo.enc"), self._existing(plan_id) / "undo.enc", text.encode())

    def load_undo(self, plan_id: str) -> dict[str, tuple[str | None, int]]:
        """What ``save_undo`` kept; empty when nothing was.

        Raises NotFound, VaultLocked, and InvalidInput (plan_corrupt).
        """
        folder = self._existing(plan_id)
        # Twice: a migration may replace the one by the other between the two looks.
        for name in ("undo.enc", "undo.json") * 2:
            try:
                return self._undo_in(plan_id, folder / name)
            except FileNotFoundError:
                continue
            except (ValueError, TypeError, AttributeError):
                raise InvalidInput(
                    "The undo record is not readable.", code="plan_corrupt", hint="Restore the files from git by hand."
                ) from None
        return {}

    def _undo_in(self, plan_id: str, path: Path) -> dict[str, tuple[str | None, int]]:
        sealed = path.suffix == ".enc"
        text = self._vault.read(_place(plan_id, path.name), path)[1].decode() if sealed else path.read_text("utf-8")
        return {str(p): (text, int(mode)) for p, (text, mode) in json.loads(text).items()}

    def migrate(self, *, count_only: bool = False) -> int:
        """Seal what an earlier version kept in the clear, and overwrite it; how many records. Raises VaultLocked.

        The caller holds the lab's lock, unless it only counts.
        """
        done = 0
        for folder in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if not _ID.fullmatch(folder.name) or folder.is_symlink():
                continue
            with contextlib.suppress(FileNotFoundError):
                done += len(_clear_records(folder)) if count_only else self._migrate(folder)
        return done

    def _migrate(self, folder: Path) -> int:
        clear = _clear_records(folder)
        for path in clear:
            if path.name == "undo.json":
                sealed = folder / "undo.enc"
                if not sealed.exists():
                    self._vault.write(_place(folder.name, sealed.name), sealed, path.read_bytes())
                overwrite(path)
                continue
            try:
                self._write_plan(plan_codec.plan_from_json(path.read_text("utf-8")))
            except InvalidInput:
                # No version can use a damaged plan, and what it holds in the clear is not to stay.
                overwrite(path)
        return len(clear)

    def _write_plan(self, plan: Plan) -> None:
        data = plan_codec.plan_to_json(plan).encode("utf-8", "surrogatepass")
        path = self._folder / plan.id / "plan.json"
        self._vault.write(_place(plan.id, "plan.json"), path, data, lambda token: plan_record.record(plan, token))

    def _best(self, plan_id: str) -> Plan:
        try:
            return self.get(plan_id)
        except VaultLocked:
            return self.outline(plan_id)

    def reserve(self, size: int) -> None:
        """Set that many bytes of the disk aside. Raises StorageFailed where there is no room for them."""
        path = private_folder(self._root) / "reserve"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
                # Random: a file system that packs its files would set nothing aside for zeros.
                file.write(os.urandom(size))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise storage_failed(error, "The room to put the lab back again") from error

    def release(self) -> None:
        """Give back what ``reserve`` set aside."""
        with contextlib.suppress(OSError):
            (self._root / PRIVATE_FOLDER / "reserve").unlink(missing_ok=True)

    def purge(self, older_than: float) -> int:
        """Remove plans whose final status is older than that Unix time; how many.

        A plan that ran out of time before anyone answered counts as final.
        """
        removed = 0
        for plan, status in self.list(limit=1_000_000, outline=True):
            lapsed = status.state in {PlanState.PENDING, PlanState.APPROVED} and plan.expires < older_than
            if status.updated < older_than and (status.state in FINAL_STATES or lapsed):
                shutil.rmtree(self._folder / plan.id, ignore_errors=True)
                removed += 1
        return removed

    def _existing(self, plan_id: str) -> Path:
        folder = self._folder / _checked(plan_id)
        if folder.is_symlink() or not (folder / "plan.json").is_file():
            raise _unknown()
        return folder

    def _read(self, plan_id: str, name: str) -> str:
        try:
            return (self._existing(plan_id) / name).read_text("utf-8")
        except FileNotFoundError:
            raise _unknown() from None


def _clear_records(folder: Path) -> list[Path]:
    found = []
    with (
        contextlib.suppress(FileNotFoundError),
        (folder / "plan.json").open(encoding="utf-8", errors="replace") as file,
    ):
        found += [folder / "plan.json"] if plan_record.is_clear(file.read(32)) else []
    return found + ([folder / "undo.json"] if (folder / "undo.json").exists() else [])


def _own(plan: Plan, plan_id: str) -> Plan:
    if plan.id != plan_id:
        raise InvalidInput("The stored plan belongs to another id.", code="plan_corrupt", hint="Ask for a new plan.")
    return plan


def _place(plan_id: str, name: str) -> str:
    return f"plans/{plan_id}/{name}"


def _checked(plan_id: str) -> str:
    if not _ID.fullmatch(plan_id):
        raise _unknown()
    return plan_id


def _unknown() -> NotFound:
    return NotFound("There is no plan with this id.", code="plan_unknown", hint="Ask for a plan first and use its id.")
