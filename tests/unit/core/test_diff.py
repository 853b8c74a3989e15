"""The diff shows what changes, and nothing secret."""

from __future__ import annotations

from homelab_mcp.core.diff import unified
from homelab_mcp.model.plan import FileEdit


def test_an_ordinary_file_is_a_unified_diff() -> None:
    assert unified([FileEdit("m/compose.yaml", "a\nb\n", "a\nc\n")]) == (
        "--- a/m/compose.yaml\n+++ b/m/compose.yaml\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    )
    assert unified([FileEdit("m/new", None, "a\n")]).startswith("--- /dev/null\n+++ b/m/new\n")
    assert unified([FileEdit("m/old", "a\n", None)]).startswith("--- a/m/old\n+++ /dev/null\n")
    assert unified([FileEdit("same", "a", "a")]) == ""


def test_of_an_env_file_only_names_are_told_whatever_the_edit_says() -> None:
    before = "KEEP='keep-value'\nCHANGE=old-value\nDROP=drop-value\n"
    after = "KEEP='keep-value'\nCHANGE=new-value\nADD='added-value'\n"
    shown = unified([FileEdit("m/.env", before, after, secret=False)], ["added-value"])
    assert shown == ("--- a/m/.env\n+++ b/m/.env\n~ CHANGE (changed, not shown)\n- DROP\n+ ADD (secret, not shown)\n")


def test_another_secret_file_tells_its_length() -> None:
    shown = unified([FileEdit("m/users.yml", None, "a\nhunter2\n", secret=True)])
    assert shown == "--- /dev/null\n+++ b/m/users.yml\n+ (new file, 2 lines, content not shown)\n"


def test_a_value_of_the_env_is_masked_in_every_other_file_on_both_sides() -> None:
    edits = [
        FileEdit("m/.env", "OLD_PASSWORD=old-secret\n", "NEW_PASSWORD=new-secret\n", secret=True),
        FileEdit("m/compose.yaml", "x: old-secret\n", "x: new-secret\ny: \u202eevil\n"),
    ]
    shown = unified(edits)
    assert "old-secret" not in shown
    assert "new-secret" not in shown
    assert "\u202e" not in shown
    assert "+y: evil" in shown
