"""The thread that samples what services use: no failure ends it, and none floods the log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.errors import EngineUnavailable
from homelab_mcp.queries import resource_usage
from homelab_mcp.queries.resource_usage import keep_sampling


class Over(BaseException):
    """Ends the loop, which nothing else does."""


def test_a_sample_that_fails_is_followed_by_the_next_and_each_kind_of_failure_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    lab = open_lab(str(tmp_path), files_only=True)
    fails: list[Exception | None] = [
        *(KeyError("unforeseen"), EngineUnavailable("no engine"), KeyError("again")),
        *(None, OSError("no disk"), ZeroDivisionError("another"), None),
    ]
    done: list[float] = []

    def sample(_lab: object, every: float) -> bool:
        done.append(every)
        if (error := fails[len(done) - 1]) is not None:
            raise error
        return True

    def wait(seconds: float) -> None:
        assert seconds == 300.0
        if len(done) == len(fails):
            raise Over

    monkeypatch.setattr(resource_usage, "sample_when_due", sample)
    with caplog.at_level(logging.WARNING), pytest.raises(Over):
        keep_sampling(lab, 300.0, wait)
    assert len(done) == len(fails)
    told = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert told == [KeyError, ZeroDivisionError]
