"""What ``policy.yaml`` may say: whose yes a plan needs, when plans rest, and what is refused outright."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

POLICY_FILE = "policy.yaml"

RiskWord = Literal["low", "medium", "high"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Accepted = Literal["client_dialog", "out_of_band"]


def _listed(value: object) -> object:
    return (value,) if value in ("client_dialog", "out_of_band") else value


Demand = Annotated[tuple[Accepted, ...] | Literal["automatic", "refuse"], BeforeValidator(_listed)]
"""Kinds of approval of which one is needed, or ``automatic`` (nobody is asked), or ``refuse`` (never applied)."""

Pattern = Annotated[str, Field(max_length=120, description="With * and ? as in file names; empty: any.")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ByRisk(_Part):
    """Whose yes a plan of each risk needs."""

    low: Demand = ("client_dialog", "out_of_band")
    medium: Demand = ("client_dialog", "out_of_band")
    high: Demand = ("out_of_band",)

    @model_validator(mode="after")
    def _nothing_empty(self) -> ByRisk:
        if () in (self.low, self.medium, self.high):
            raise ValueError("an empty list accepts nothing: write 'refuse'")
        return self


class PolicyRule(_Part):
    """What holds for plans that match; every field given must match. Of several rules all apply, the last wins."""

    operation: Pattern = Field(default="", description="add_service, remove_service, set_env, rollback, fix, ...")
    stack: Pattern = ""
    target: Pattern = Field(default="", description="The name that is typed to approve: a service or a stack.")
    client: Pattern = Field(
        default="", description="Who asked: the MCP client's name as it gives it, or cli, or token:NAME."
    )
    risk: RiskWord | None = Field(default=None, description="The plan counts as at least this risky.")
    approval: Demand | None = Field(default=None, description="Whose yes it needs, whatever its risk.")
    why: str = Field(default="", max_length=200, description="Shown with the plan.")

    @model_validator(mode="after")
    def _says_something(self) -> PolicyRule:
        if self.risk is None and self.approval is None:
            raise ValueError("a rule needs 'risk' or 'approval'")
        if self.approval == ():
            raise ValueError("an empty list accepts nothing: write 'refuse'")
        return self


class QuietHours(_Part):
    """When plans of this risk or more are not applied; ``end`` before ``start`` goes over midnight."""

    start: TimeOfDay
    end: TimeOfDay
    days: tuple[Day, ...] = Field(default=(), description="Days on which it starts; none: every day.")
    risk: RiskWord = "medium"


class PolicySettings(_Part):
    """A lab's policy. Only a person edits the file: no tool writes it."""

    approval: ByRisk = ByRisk()
    rules: tuple[PolicyRule, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    plan_minutes: Annotated[int, Field(ge=1, le=120)] = 15
    open_plans: Annotated[int, Field(ge=1, le=1000, description="Plans that may wait for an answer at once.")] = 50
    read_only: bool = Field(default=False, description="No tool that plans or applies is offered.")
