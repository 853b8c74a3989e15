"""What doctor says of HTTP tokens."""

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.host import Check
from homelab_mcp.model.token import Scope
from homelab_mcp.queries.doctor import doctor


def test_it_says_whether_the_server_would_listen_without_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOMELAB_HTTP_TOKEN", raising=False)
    lab = open_lab(str(tmp_path), files_only=True)

    def said() -> Check:
        return next(check for check in doctor(lab) if check.name == "http_tokens")

    assert said().ok
    assert "would listen without a token" in said().sentence
    lab.tokens.create("laptop", (Scope.READ,), 90)
    assert said() == Check("http_tokens", True, "HTTP clients need a token: 1 in the lab.")
    lab.tokens.revoke("laptop")
    assert not said().ok
    assert "none is left" in said().sentence
    monkeypatch.setenv("HOMELAB_HTTP_TOKEN", "static-canary-0123456789")
    assert said().ok
    assert "canary" not in said().sentence
    (tmp_path / ".homelab" / "tokens.json").write_text("{")
    assert not said().ok
