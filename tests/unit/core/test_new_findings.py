"""What a change brings in, and what it only carries along."""

from dataclasses import replace

import pytest

from homelab_mcp.core.new_findings import brought_in, moved_services
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.observed import StackFiles

WEB = "services:\n  web:\n    image: web:1\n"
BOTH = WEB + "  other:\n    image: other:1\n"


def stack(name: str, text: str) -> StackFiles:
    return StackFiles(name, f"{name}/compose.yaml", text)


def finding(file: str, service: str = "web") -> Finding:
    return Finding("HL061", Severity.ERROR, "wrong port", f"{file}/compose.yaml", 3, 5, service)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([stack("a", BOTH)], [stack("a", BOTH.replace(WEB, "services:\n")), stack("b", WEB)]),
        # The last service of its stack: the text as a whole is elsewhere.
        ([stack("a", WEB)], [stack("b", WEB)]),
        ([stack("a", WEB), stack("c", BOTH)], [stack("b", WEB), stack("c", BOTH)]),
    ],
)
def test_a_moved_service_brings_its_old_faults_along(before: list[StackFiles], after: list[StackFiles]) -> None:
    moved = moved_services(before, after)
    if len(after) == 2 and after[1].name == "c":
        # Another stack has a service of that name too; it stays where it is.
        assert moved == {("b/compose.yaml", "web"): "a/compose.yaml"}
    assert brought_in([finding("a")], [finding("b")], moved) == ()
    twice = [finding("b"), finding("b")]
    assert brought_in([finding("a")], twice, moved) == (finding("b"),), "one more of its kind is new"


def test_a_copy_is_no_move() -> None:
    before, after = [stack("a", WEB)], [stack("a", WEB), stack("b", WEB)]
    moved = moved_services(before, after)
    assert brought_in([finding("a")], [finding("a"), finding("b")], moved) == (finding("b"),)


def test_where_in_its_file_a_fault_stands_does_not_make_it_new() -> None:
    assert brought_in([finding("a")], [replace(finding("a"), line=9)]) == ()
    assert brought_in([finding("a")], [finding("a", "other")]) == (finding("a", "other"),)
