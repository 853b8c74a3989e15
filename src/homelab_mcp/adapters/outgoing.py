"""The lab's records behind its redactor: nothing secret gets into the journal, a plan's status, or git."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from homelab_mcp.core.redact import Redactor
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Evidence, Plan, PlanStatus
from homelab_mcp.ports import Files, History, Journal, PlanStore

MACHINE_FIELDS = frozenset(
    {
        "plan",
        "digest",
        "containers",
        "networks",
        "folders",
        "paths",
        "commit",
        "kind",
        "code",
        "approver",
        "previous",
        "proof",
        "key_name",
    }
)
"""Fields of a journal entry that the program reads back, such as what a roll-back starts again: made by it alone."""

Source = Callable[[], Redactor]
Texts = Mapping[str, tuple[str | None, int]]


class RedactedJournal:
    """A journal whose entries are masked before they are hashed and written."""

    def __init__(self, inner: Journal, redactor: Source) -> None:
        self._inner = inner
        self._redactor = redactor

    def append(self, event: str, data: Mapping[str, Any]) -> None:
        """Add one entry, masked. Raises JournalUnwritable."""
        self._inner.append(event, self._redactor().data(dict(data), MACHINE_FIELDS))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class RedactedPlans:
    """A plan store whose statuses are masked; the plans themselves are kept whole, as they are what is applied.

    Each plan that passes is learnt from: its generated values stand in no file yet.
    """

    def __init__(self, inner: PlanStore, redactor: Source, learn: Callable[[Plan], None]) -> None:
        self._inner = inner
        self._redactor = redactor
        self._learn = learn

    def add(self, plan: Plan) -> None:
        """Store a new plan."""
        self._learn(plan)
        self._inner.add(plan)

    def get(self, plan_id: str) -> Plan:
        """The plan. Raises NotFound."""
        plan = self._inner.get(plan_id)
        self._learn(plan)
        return plan

    def list(
        self, limit: int = 50, *, since: float = 0.0, outline: bool = False
    ) -> builtins.list[tuple[Plan, PlanStatus]]:
        """Newest first."""
        found = self._inner.list(limit, since=since, outline=outline)
        for plan, _ in found:
            self._learn(plan)
        return found

    def set_status(self, plan_id: str, status: PlanStatus) -> None:
        """Replace the plan's status, masked."""
        hide = self._redactor().safe
        seen = tuple(Evidence(hide(e.what), e.ok, hide(e.detail)) for e in status.evidence)
        self._inner.set_status(
            plan_id, replace(status, step=hide(status.step), error=hide(status.error), evidence=seen)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class RedactedHistory:
    """A history that commits no file with a secret in it, and no message with one.

    What the last commit holds already is let through: a refusal would take nothing back. A file in which a person
    wrote a secret since is left out and told of by :meth:`withheld`: the apply goes on, as undoing it rests on the
    plan's own record and not on git, and a lab with one such line must not stand still. A secret that the apply
    itself brings refuses it.
    """

    def __init__(self, inner: History, files: Files, redactor: Source) -> None:
        self._inner = inner
        self._files = files
        self._redactor = redactor
        self._own: dict[str, set[str]] = {}
        self._withheld: dict[str, int] = {}

    def commit(
        self,
        paths: Sequence[str],
        message: str,
        *,
        texts: Texts | None = None,
        first: tuple[Texts, str] | None = None,
        allow_empty: bool = False,
        refuse_secrets: bool = False,
    ) -> str:
        """Commit the paths that hold no new secret; the id, or "".

        Args:
            paths: relative to the lab's root.
            message: masked before it is used.
            texts: path -> (text, mode) to commit in place of what is on disk.
            first: texts and message of a commit right before; what a person wrote, so a secret in it is left out.
            allow_empty: also commit when nothing differs.
            refuse_secrets: a plan wrote these: a secret that no earlier text of a person had in them refuses all.

        Raises:
            HomelabError: such a secret (code ``secret_in_commit``), with file and line.
        """
        redactor = self._redactor()
        before: tuple[Texts, str] | None = None
        if first is not None:
            found = {
                p: state for p, state in first[0].items() if self._clean(p, state[0] or "", redactor, refuse=False)
            }
            before = (found, redactor.safe(first[1]))
        kept = []
        for path in paths:
            text = (texts[path][0] or "") if texts and path in texts else self._text(path)
            if text is not None and self._clean(path, text, redactor, refuse=refuse_secrets):
                kept.append(path)
        if not kept and not allow_empty:
            return ""
        return self._inner.commit(
            kept,
            redactor.safe(message),
            texts=None if texts is None else {p: state for p, state in texts.items() if p in kept},
            first=before,
            allow_empty=allow_empty,
        )

    def secret_line(self, path: str, before: str, after: str) -> int:
        """The first line with a secret that neither ``before`` nor git has there; 0 where ``commit`` would take it."""
        redactor = self._redactor()
        lines = redactor.secret_lines(after)
        if not lines:
            return 0
        known = {told for text in (before, self._inner.text_of(path)) for _, told in redactor.secret_lines(text)}
        return next((line for line, told in lines if told not in known), 0)

    def withheld(self) -> list[str]:
        """A sentence for each file that was left out of git, with the line; never what stands there."""
        return [
            f"{path} was not committed: line {line} holds what looks like a secret"
            for path, line in self._withheld.items()
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _text(self, path: str) -> str | None:
        """What is on disk; None for no text, or too much: what cannot be looked at is not committed."""
        try:
            return self._files.read(path) or ""
        except HomelabError:
            self._withheld[path] = 1
            return None

    def _clean(self, path: str, text: str, redactor: Redactor, *, refuse: bool) -> bool:
        lines = redactor.secret_lines(text)
        if not lines:
            return True
        before = {told for _, told in redactor.secret_lines(self._inner.text_of(path))}
        new = [(line, told) for line, told in lines if told not in before]
        if not new:
            return True
        if not refuse:
            self._own[path] = {told for _, told in new}
        strange = [line for line, told in new if told not in self._own.get(path, ())]
        if strange:
            raise HomelabError(
                f"{path} would bring a secret into git: line {strange[0]} holds what looks like one.",
                hint="Refer to it as ${NAME} and keep the value in the stack's .env.",
                code="secret_in_commit",
                details={"file": path, "line": strange[0]},
            )
        self._withheld[path] = new[0][0]
        return False
