"""The values of variables that a request brings: which it may, and how the person who approves sees them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core.redact import MASK, is_public_name, is_secret_name
from homelab_mcp.core.redact_shapes import has_token, looks_random
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Draft, Requester, Risk, RiskReason
from homelab_mcp.ports import Lab

_LONGEST_SHOWN = 600


class GeneratedValue(str):
    """A random value made here; whoever asked has not seen it."""

    __slots__ = ()


def with_values(draft: Draft, values: Mapping[str, str | None], requester: Requester) -> Draft:
    """The draft with the values that a model chose among its reasons, where the person who approves sees them.

    Values of an ``.env`` are hidden otherwise; but what a model chose is no secret from it, and may well be the harm.

    Raises:
        InvalidInput: a value with a backtick, which would end the host name in a Traefik rule.
    """
    if requester.via != "mcp":
        return draft
    chosen = {n: v for n, v in values.items() if v is not None and not isinstance(v, GeneratedValue)}
    if not chosen:
        return draft
    if any("`" in value for value in chosen.values()):
        raise InvalidInput(
            "A value holds a backtick, which would break out of a Traefik rule.",
            hint="Give the value without it, or let the person run `homelab-mcp env set STACK NAME`.",
            code="bad_value",
        )
    # A name that says setting has a value that people must see; any other long random word passed as one by mistake.
    odd = [n for n, v in chosen.items() if has_token(v) or (looks_random(v) and not is_public_name(n))]
    odd += [n for n, v in chosen.items() if n not in odd and v and is_secret_name(n) and not is_public_name(n)]
    # As JSON in ASCII: on one line, and with nothing invisible.
    shown = ", ".join(f"{name}={MASK if name in odd else json.dumps(value)}" for name, value in chosen.items())
    if len(shown) > _LONGEST_SHOWN:
        shown = f"{shown[:_LONGEST_SHOWN]}… ({len(shown) - _LONGEST_SHOWN} more characters)"
    risks = [RiskReason(Risk.MEDIUM, f"Sets {shown}.")]
    if odd:
        told = (
            f"{', '.join(odd)} looks like a secret and came through a model, which may have kept it: change it later."
        )
        risks.insert(0, RiskReason(Risk.MEDIUM, told))
    hidden = tuple(chosen[n] for n in odd)
    return replace(draft, risks=(*risks, *draft.risks), secrets=(*draft.secrets, *hidden))


def env_changes(
    lab: Lab, values: dict[str, str], generate: Sequence[str], unset: Sequence[str], *, from_model: bool
) -> dict[str, str | None]:
    """One mapping for ``propose_set_env`` from what is to be set, generated and unset.

    Raises:
        InvalidInput: a name stands in two of them, nothing is asked, or (``from_model``) a value that looks like a
            secret came through a model (code ``secret_in_argument``).
    """
    names = [*values, *generate, *unset]
    if not names:
        raise InvalidInput("No variable was named.", hint="Give values, generate or unset.", code="nothing_to_do")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InvalidInput(f"{', '.join(twice)} is asked for twice.", hint="Name each variable once.")
    if from_model:
        secret = sorted(n for n, value in values.items() if value and is_secret_name(n))
        if secret:
            raise InvalidInput(
                f"{', '.join(secret)} looks like a secret, and secrets must not pass through a model.",
                hint="Use generate for a new random value, or let the person run `homelab-mcp env set STACK NAME`.",
                code="secret_in_argument",
            )
    made = {name: GeneratedValue(lab.secrets.make("alnum", 32)) for name in generate}
    return {**values, **made, **dict.fromkeys(unset)}
