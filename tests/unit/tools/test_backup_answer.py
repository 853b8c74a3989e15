"""The answer on many hosts' backups fits into one result, and every host keeps what is wrong there."""

from __future__ import annotations

import pytest

from homelab_mcp.queries.backup_everywhere import Everywhere
from homelab_mcp.queries.backup_list import Backup
from homelab_mcp.queries.backups import Report
from homelab_mcp.tools.backup_answer import backups_output
from homelab_mcp.tools.bounded import RESULT_LIMIT, bounded, weight

pytestmark = pytest.mark.unit

HOSTS = [f"host-{n:02}" for n in range(12)]


def of(host: str, backups: int = 200, told: int = 20, *, asked: bool = True) -> Report:
    rows = tuple(Backup(f"{n:08x}", "2026-01-01T00:00:00Z") for n in range(backups))
    lists = tuple(f"stack-{n}/service: stack-{n}/data (a named volume of Docker)" for n in range(told))
    wrong = (f"The last run was incomplete: {host} could not read a file.", "No run has ended without a problem yet.")
    return Report("/mnt/b", "0 3 * * *", None, "", rows, backups, lists, lists, wrong, host=host, asked=asked)


def test_every_one_of_twelve_hosts_keeps_its_problems() -> None:
    main = of("local")
    everything = Everywhere(main, {name: of(name) for name in HOSTS})
    found = bounded(backups_output(everything).model_dump(mode="json", exclude_none=True))
    assert weight(found) <= RESULT_LIMIT
    assert list(found["hosts"]) == HOSTS
    for name, one in found["hosts"].items():
        assert next(iter(one)) == "problems"
        assert one["problems"] == list(of(name).problems)
        assert one["total"] == 200
        assert len(one["backups"]) <= 3
    assert found["problems"] == list(main.problems)
    assert found["backups"] and "host=NAME" in found["cut"]


def test_what_fits_is_whole_and_nothing_empty_is_said_of_others() -> None:
    gone = Report("/mnt/b", "0 3 * * *", None, "", (), 0, (), (), ("Host b does not answer.",), host="b", asked=False)
    found = backups_output(Everywhere(of("local", 9, 4), {"a": of("a", 9, 4), "b": gone, "c": None})).model_dump()
    assert len(found["backups"]) == 9
    assert "cut" not in found
    assert [b["id"] for b in found["hosts"]["a"]["backups"]] == ["00000000", "00000001", "00000002"]
    assert len(found["hosts"]["a"]["uncovered"]) == 4
    assert found["hosts"]["b"] == {
        "problems": ("Host b does not answer.",),
        "asked": False,
        "repository": "/mnt/b",
        "schedule": "0 3 * * *",
        "total": 0,
        "host": "b",
    }
    assert found["hosts"]["c"] is None
    alone = backups_output(Everywhere(of("local"), {})).model_dump()
    assert len(alone["backups"]) == 200 and "hosts" not in alone
