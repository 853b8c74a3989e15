"""What nobody should serve with."""

from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.cli.serve import _static_token
from homelab_mcp.http.serving import listener
from homelab_mcp.http.settings import HttpSettings
from homelab_mcp.model.errors import InvalidInput

TOKEN = "static-canary-0123456789abcdef"


def refused(kept: bool = False, **settings: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        HttpSettings(**{"host": "127.0.0.1", "port": 9, **settings}).check(kept_tokens=kept)
    assert TOKEN[:7] not in error.value.as_text()
    return error.value.code


def test_whatever_others_can_reach_needs_a_token() -> None:
    for open_to_others in (
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.168.1.5"},
        {"host": "nas.lan"},
        {"allow_hosts": ("mcp.example.org",)},
        {"behind_proxy": ("172.18.0.0/16",)},
    ):
        assert refused(**open_to_others) == "token_required"
        settings: dict[str, Any] = {"host": "127.0.0.1", "port": 9, **open_to_others}
        HttpSettings(**settings).check(kept_tokens=True)
        HttpSettings(**settings, token=TOKEN).check(kept_tokens=False)
    for here in ("127.0.0.1", "localhost", "::1"):
        HttpSettings(here, 9).check(kept_tokens=False)


def test_settings_that_mean_nothing_are_told() -> None:
    assert refused(token=TOKEN[:7]) == "weak_token"
    assert refused(behind_proxy=("traefik",), kept=True) == "bad_proxy"
    assert refused(tls_cert="a.pem") == "bad_tls"
    assert refused(tls_key="a.pem") == "bad_tls"


def test_files_of_a_certificate_that_are_none_are_told(tmp_path: Path) -> None:
    async def app(*_: object) -> None: ...

    (tmp_path / "x.pem").write_text("no certificate")
    for name in ("x.pem", "missing.pem"):
        file = str(tmp_path / name)
        with pytest.raises(InvalidInput, match="cannot be used"):
            listener(app, HttpSettings("127.0.0.1", 9, tls_cert=file, tls_key=file))


def test_an_empty_token_file_does_not_mean_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMELAB_HTTP_TOKEN", TOKEN)
    (tmp_path / "empty").write_text("\n")
    for file in ("empty", "missing"):
        with pytest.raises(InvalidInput):
            _static_token(str(tmp_path / file))


def test_the_token_is_taken_out_of_what_programs_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("HOMELAB_HTTP_TOKEN", TOKEN)
    assert _static_token("") == TOKEN
    assert "HOMELAB_HTTP_TOKEN" not in os.environ


def test_no_token_shows_where_settings_are_printed() -> None:
    assert TOKEN not in repr(HttpSettings("127.0.0.1", 9, token=TOKEN))
