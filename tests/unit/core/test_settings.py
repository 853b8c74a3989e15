"""Settings refuse what would leave its line: the domain stands in Traefik rules and in .env files."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from homelab_mcp.model.lab import LabSettings


@pytest.mark.parametrize("domain", ["lab.test\n", "lab.test\n\n", "lab", "a`.test", "-a.test", "Lab.test", "lab.test."])
def test_a_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(ValidationError):
        LabSettings(domain=domain)


def test_a_domain_is_taken() -> None:
    assert LabSettings(domain="my-lab.duckdns.org").domain == "my-lab.duckdns.org"
