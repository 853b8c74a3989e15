"""What a person is told to do next while a CA changes, where a host's part is in trouble."""

from __future__ import annotations

from homelab_mcp.model.hosts import CaHost, CaStage
from homelab_mcp.workflow.renew_ca import _steps


def test_what_is_wrong_with_files_here_is_not_mended_at_the_host() -> None:
    assert _steps(CaHost("nas", CaStage.OLD, "Its certificate is missing."), "nas.lan") == [
        "nas: Its certificate is missing."
    ]
    (silent,) = _steps(CaHost("nas", CaStage.NARROW, "It does not answer."), "nas.lan")
    assert silent == "nas: It does not answer. Bring it back, or take it out of hosts.yaml."
    copy, why = _steps(CaHost("nas", CaStage.COPY, "It turns this machine away."), "nas.lan")
    assert copy.startswith("nas: scp -p .homelab/tls/nas/server/*.pem root@nas.lan:")
    assert why == "nas: It turns this machine away."
