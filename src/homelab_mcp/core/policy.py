"""Policy: how much a draft can hurt, whose yes it then needs, and when it may run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.plan import ActionKind, ApprovalKind, Draft, FileEdit, Plan, Requester, Risk, RiskReason
from homelab_mcp.model.policy import POLICY_FILE, Demand, PolicyRule, PolicySettings, QuietHours

DEFAULTS = PolicySettings()
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Policy:
    """A lab's policy at work.

    Args:
        settings: what ``policy.yaml`` says.
        zone: the time zone of its quiet hours.
    """

    settings: PolicySettings = DEFAULTS
    zone: tzinfo = UTC

    @property
    def plan_life(self) -> float:
        """Seconds from making a plan to its end; an approval does not lengthen it."""
        return self.settings.plan_minutes * 60.0

    def assess(self, draft: Draft, asked_by: Requester) -> tuple[Risk, tuple[str, ...]]:
        """The draft's risk and its reasons, worst first.

        The operation's own reasons count, a floor that no operation can talk down (what the edits and actions are by
        themselves), and the policy's rules.
        """
        raised = [
            RiskReason(Risk[r.risk.upper()], r.why or f"The policy counts {_told(r)} as {r.risk} risk.")
            for r in self._rules(draft, asked_by)
            if r.risk
        ]
        found = sorted([*draft.risks, *_floor(draft), *raised], key=lambda r: -r.risk)
        return max((r.risk for r in found), default=Risk.LOW), tuple(dict.fromkeys(r.reason for r in found))

    def demand(self, plan: Plan) -> Demand:
        """Whose yes this plan needs. A rule about it wins over its risk; the last rule over earlier ones."""
        wanted: Demand = {
            Risk.LOW: self.settings.approval.low,
            Risk.MEDIUM: self.settings.approval.medium,
            Risk.HIGH: self.settings.approval.high,
        }[plan.risk]
        for rule in self._rules(plan.draft, plan.asked_by):
            if rule.approval is not None:
                wanted = rule.approval
        return wanted

    def accepts_kind(self, plan: Plan, kind: ApprovalKind) -> bool:
        """Whether this kind of approval counts for this plan."""
        wanted = self.demand(plan)
        # A plan that needs nobody's yes may be answered by anybody all the same.
        return wanted == "automatic" or (wanted != "refuse" and str(kind) in wanted)

    def required(self, plan: Plan) -> tuple[str, ...]:
        """The kinds that count, as sorted words; none where the plan is refused."""
        return tuple(sorted(str(k) for k in ApprovalKind if self.accepts_kind(plan, k)))

    def rests_until(self, risk: Risk, now: float) -> datetime | None:
        """When the quiet hours that hold ``now`` (Unix seconds) back a plan of this risk end; None outside of them."""
        here = datetime.fromtimestamp(now, self.zone)
        ends = [
            end
            for hours in self.settings.quiet_hours
            if risk >= Risk[hours.risk.upper()]
            for start, end in _spans(hours, here)
            if start <= here < end
        ]
        return max(ends, default=None)

    def warnings(self) -> tuple[str, ...]:
        """A sentence for each place where the policy asks for less than the defaults do; said at every start."""
        return tuple(_loosened(self.settings))

    def _rules(self, draft: Draft, asked_by: Requester) -> list[PolicyRule]:
        stacks = {a.stack for a in draft.actions if a.stack} | {
            e.path.partition("/")[0] for e in (*draft.edits, *draft.adopts) if "/" in e.path
        }
        return [
            r
            for r in self.settings.rules
            if _fits(r.operation, draft.operation)
            and _fits(r.target, draft.target)
            and _asked(r.client, asked_by)
            and (not r.stack or any(_fits(r.stack, s) for s in stacks))
        ]


DEFAULT_POLICY = Policy()


def _fits(pattern: str, text: str) -> bool:
    return not pattern or fnmatchcase(text.casefold(), pattern.casefold())


def _asked(pattern: str, asked_by: Requester) -> bool:
    """Whether a rule's ``client`` means whoever asked; ``token:NAME`` is no name that a client can give itself."""
    kind, separator, name = pattern.partition(":")
    if separator and kind.casefold() == "token":
        return bool(asked_by.token) and _fits(name, asked_by.token)
    return _fits(pattern, asked_by.client or asked_by.via)


def _told(rule: PolicyRule) -> str:
    parts = {"operation": rule.operation, "stack": rule.stack, "target": rule.target, "client": rule.client}
    return ", ".join(f"{k} {v}" for k, v in parts.items() if v) or "every plan"


def _spans(hours: QuietHours, here: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The hours as they begin yesterday and today, by the wall clock of their zone."""
    start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    for day in (here.date() - timedelta(days=1), here.date()):
        if hours.days and _DAYS[day.weekday()] not in hours.days:
            continue
        last = day if end > start else day + timedelta(days=1)
        yield datetime.combine(day, start, here.tzinfo), datetime.combine(last, end, here.tzinfo)


def _loosened(settings: PolicySettings) -> Iterator[str]:
    for word, demand in (
        ("low", settings.approval.low),
        ("medium", settings.approval.medium),
        ("high", settings.approval.high),
    ):
        if demand == "automatic":
            yield f"{POLICY_FILE}: plans of {word} risk are applied without asking anybody."
        elif word == "high" and "client_dialog" in demand:
            yield f"{POLICY_FILE}: a client's dialog approves plans of high risk."
    for rule in settings.rules:
        if rule.approval == "automatic":
            yield f"{POLICY_FILE}: {_told(rule)} is applied without asking anybody."
        elif rule.approval is not None and "client_dialog" in rule.approval:
            yield f"{POLICY_FILE}: a client's dialog approves {_told(rule)}, whatever the risk."


_AROUND = (
    ({ActionKind.TRIAL}, "Runs a program beside the lab, and removes it."),
    ({ActionKind.BACKUP}, "Adds to the backups' repository, and lets go of old backups by their rule, for good."),
    ({ActionKind.NODE_JOIN}, "Lets another machine run tasks, with the secrets that they are given."),
    ({ActionKind.STANDBY_START, ActionKind.STANDBY_STOP}, "Changes which machine serves the lab's addresses."),
    ({ActionKind.STANDBY_SYNC}, "Makes containers on another host, which are not started."),
    ({ActionKind.NODE_DRAIN, ActionKind.NODE_ACTIVATE}, "Changes which machines run the Swarm's tasks."),
)
_CONTROLLED = (
    ({ActionKind.RECREATE}, "Makes containers anew from the same files; their data stays."),
    ({ActionKind.START, ActionKind.UNPAUSE}, "Starts containers that are there."),
    ({ActionKind.STOP, ActionKind.PAUSE}, "A service is away until it is started again."),
    ({ActionKind.RESTART}, "Interrupts a service for a moment."),
)


def _floor(draft: Draft) -> list[RiskReason]:
    found = []
    deleted = [e.path for e in draft.edits if e.after is None and e.before is not None]
    secret_gone = [e.path for e in draft.edits if e.path in deleted and e.secret]
    if secret_gone:
        found.append(RiskReason(Risk.HIGH, f"Deletes {', '.join(secret_gone)}, which holds secrets."))
    if any(e.path == SETTINGS_FILE and e.before is not None and _is_shared(e) for e in draft.edits):
        found.append(RiskReason(Risk.HIGH, "Changes the settings that every stack shares."))
    if deleted:
        found.append(RiskReason(Risk.MEDIUM, f"Deletes {', '.join(deleted)}."))
    elif draft.edits:
        found.append(RiskReason(Risk.MEDIUM, "Changes files of the lab."))
    if draft.adopts:
        found.append(RiskReason(Risk.MEDIUM, "Makes what was changed by hand the committed state."))
    if any(e.path == POLICY_FILE for e in draft.adopts):
        found.append(RiskReason(Risk.HIGH, f"Takes over changes of {POLICY_FILE}, which says whose yes plans need."))
    found += _data_floor(draft)
    if any(a.kind is ActionKind.REMOVE_ORPHANS for a in draft.actions):
        found.append(RiskReason(Risk.HIGH, "Removes containers that nothing brings back (volumes stay)."))
    if any(a.kind is ActionKind.REMOVE for a in draft.actions):
        found.append(RiskReason(Risk.MEDIUM, "Removes containers (volumes stay)."))
    if any(a.kind is ActionKind.UP for a in draft.actions):
        found.append(RiskReason(Risk.MEDIUM, "Starts or recreates containers."))
    kinds = {a.kind for a in draft.actions}
    if draft.call is not None:
        risk = Risk.MEDIUM if draft.call.method == "DELETE" else Risk.LOW
        found.append(RiskReason(risk, "Asks a service's own API for a change, once."))
    found += [RiskReason(Risk.MEDIUM, told) for of, told in _AROUND if kinds & of]
    found += [RiskReason(Risk.LOW, told) for of, told in _CONTROLLED if kinds & of]
    return found


def _is_shared(edit: FileEdit) -> bool:
    """Whether an edit of the settings changes more than which devices outside of the lab are routed to."""
    from homelab_mcp.core.settings import parse_settings

    try:
        before, after = (parse_settings(text or "") for text in (edit.before, edit.after))
    except InvalidInput:
        return True
    return before.model_copy(update={"external": {}}) != after.model_copy(update={"external": {}})


def _data_floor(draft: Draft) -> list[RiskReason]:
    found = []
    if draft.moves:
        found.append(RiskReason(Risk.MEDIUM, "Moves data of services to another folder."))
    if draft.drops:
        found.append(RiskReason(Risk.HIGH, "Takes certificates from Traefik's store; new ones must be got."))
    if draft.owners:
        found.append(RiskReason(Risk.MEDIUM, "Changes who owns files."))
    if any(o.whole for o in draft.owners):
        found.append(RiskReason(Risk.HIGH, "Former owners are too many to be kept, so nothing gives them back."))
    return found
