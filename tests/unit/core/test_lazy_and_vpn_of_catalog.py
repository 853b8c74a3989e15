"""Every service of the catalog goes to sleep and behind the VPN, and back, or is refused with its own reason."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from homelab_mcp.adapters.catalog_files import load_catalog
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.compose_meaning import read
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.lazy_request import LazyRequest
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.core.operations.set_lazy_loading import set_lazy_loading
from homelab_mcp.core.operations.set_vpn import set_vpn
from homelab_mcp.core.operations.vpn_request import VpnRequest
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import Acme, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.test_lazy import TRAEFIK

CATALOG = load_catalog()
SETTINGS = LabSettings(domain="lab.test", email="a@lab.test", acme=Acme(challenge="tls"))
KEYS = "VPN_SERVICE_PROVIDER=nordvpn\nWIREGUARD_PRIVATE_KEY=k3y\n"
each = pytest.mark.parametrize("definition", CATALOG.all(), ids=lambda d: d.id)


@cache
def _lab_of(name: str) -> Snapshot:
    """A lab with Traefik and Sablier by hand, and this service without VPN; made of made-up values."""
    definition = CATALOG.get(name)
    env = "".join(
        f"{v.name}={'x' if not v.choices else v.choices[0]}\n"
        for v in definition.variables
        if v.required and v.default is None and not v.generate
    )
    start = Snapshot(
        (StackFiles("core", "core/compose.yaml", TRAEFIK), StackFiles("new", "new/compose.yaml", "", KEYS + env)), None
    )
    vpn = False if definition.gateway else None
    draft = add_service(
        start,
        SETTINGS,
        AddServiceRequest(service=name, stack="new", options=ServiceOptions(vpn=vpn, name=f"my-{name}")),
        find=CATALOG.get,
        secrets=lambda kind, length: "s" * length,
        argon2=lambda value: value,
        root="/lab",
        read=lambda path: None,
    )
    return after(start, draft)


def after(snapshot: Snapshot, draft: Draft) -> Snapshot:
    return replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))


@each
def test_it_sleeps_and_wakes_to_the_byte_or_says_why_not(definition: ServiceDefinition) -> None:
    lab = _lab_of(definition.id)

    def ask(snapshot: Snapshot, *, on: bool) -> Draft:
        request = LazyRequest(stack="new", service=f"my-{definition.id}", on=on)
        return set_lazy_loading(snapshot, SETTINGS, request, find=CATALOG.get, read=lambda path: None)

    if not definition.lazy.ok or definition.route is None:
        with pytest.raises(InvalidInput) as refused:
            ask(lab, on=True)
        assert refused.value.code in {"lazy_refused", "lazy_by_hand"}
        return
    asleep = after(lab, ask(lab, on=True))
    assert after(asleep, ask(asleep, on=False)) == lab


@each
def test_it_goes_behind_the_vpn_and_back_or_says_why_not(definition: ServiceDefinition) -> None:
    lab = _lab_of(definition.id)

    def ask(snapshot: Snapshot, *, on: bool) -> Draft:
        request = VpnRequest(stack="new", service=f"my-{definition.id}", on=on)
        return set_vpn(snapshot, SETTINGS, request, find=CATALOG.get, root="/lab")

    if definition.vpn.use == "no":
        with pytest.raises(InvalidInput) as refused:
            ask(lab, on=True)
        assert refused.value.code == "vpn_not_possible"
        return
    try:
        behind = after(lab, ask(lab, on=True))
    except InvalidInput as error:
        assert error.code == "vpn_port_clash", error
        return
    back = after(behind, ask(behind, on=False))
    before, now = (s.stack("new") for s in (lab, back))
    assert before is not None
    assert now is not None
    assert read(now.compose_text) == read(before.compose_text)
