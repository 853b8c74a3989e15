"""``policy.yaml`` to a policy."""

from __future__ import annotations

from datetime import UTC, tzinfo

from pydantic import ValidationError

from homelab_mcp.core.misfit import misfits
from homelab_mcp.core.policy import DEFAULT_POLICY, Policy
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.policy import POLICY_FILE, PolicySettings


def parse_policy(text: str | None, zone: tzinfo = UTC) -> Policy:
    """The policy of this text; the defaults where there is no file or it is empty.

    Raises:
        InvalidInput: not YAML (YamlRefused), or something that is no policy (code ``bad_policy``). Nothing is planned
            or applied then: half a policy is none.
    """
    if text is None or not text.strip():
        return Policy(DEFAULT_POLICY.settings, zone)
    from homelab_mcp.core.yaml12 import load

    data = load(text)
    try:
        return Policy(PolicySettings.model_validate({} if data is None else data), zone)
    except ValidationError as error:
        raise InvalidInput(
            f"{POLICY_FILE} does not fit: {misfits(error, whole=POLICY_FILE)}.",
            hint="`homelab-mcp policy check` looks at it again, `homelab-mcp policy schema` says what it may hold.",
            code="bad_policy",
        ) from None
