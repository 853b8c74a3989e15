"""Which newer image a batch takes where there are steps of several sizes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.image_updates import ImageName
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Requester
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_updates import propose_updates

CLI = Requester("cli")


class Tags:
    """A registry: tags by the last part of a name."""

    has: ClassVar = {
        "both": ("1.0.0", "1.0.1", "1.2.0", "2.0.0"),
        "large": ("1.0.0", "2.0.0"),
        "rule": ("1.0.0", "1.0.1", "1.2.0"),
        "kept": ("1.0.0", "2.0.0"),
    }

    def tags(self, image: ImageName) -> tuple[str, ...]:
        return self.has[image.repository.rpartition("/")[2]]

    def digest(self, image: ImageName) -> str:
        return ""


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    root = tmp_path / "lab"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, "27182818")
    (root / "apps").mkdir()
    (root / "apps/compose.yaml").write_text(
        "services:\n"
        "  both: {image: 'ghcr.io/somebody/both:1.0.0'}\n"
        "  large: {image: 'ghcr.io/somebody/large:1.0.0'}\n"
        "  rule: {image: 'ghcr.io/somebody/rule:1.0.0', labels: {homelab.update: patch}}\n"
        "  kept: {image: 'ghcr.io/somebody/kept:1.0.0', labels: {homelab.update: patch}}\n"
    )
    made = open_lab(str(root), files_only=True)
    made.__dict__["registry"] = Tags()
    return made


@pytest.mark.parametrize(
    ("most", "taken"),
    [
        ("patch", {"both": "1.0.1", "rule": "1.0.1"}),
        ("minor", {"both": "1.2.0", "rule": "1.0.1"}),
        ("major", {"both": "2.0.0", "large": "2.0.0", "rule": "1.0.1"}),
    ],
)
def test_each_service_goes_as_far_as_it_may(lab: LocalLab, most: str, taken: dict[str, str]) -> None:
    (edit,) = propose_updates(lab, (), CLI, most=most).draft.edits
    assert edit.after is not None
    for service in ("both", "large", "rule"):
        assert f"somebody/{service}:{taken.get(service, '1.0.0')}'" in edit.after, edit.after


def test_what_only_a_larger_step_would_change_is_named(lab: LocalLab) -> None:
    with pytest.raises(InvalidInput) as nothing:
        propose_updates(lab, ["apps/large"], CLI)
    assert "apps/large: 2.0.0 is a larger step" in nothing.value.message
    assert "level=major" in nothing.value.hint


@pytest.mark.parametrize("most", ["patch", "minor", "major"])
def test_what_its_label_holds_is_not_sent_to_ask_for_a_larger_step(lab: LocalLab, most: str) -> None:
    with pytest.raises(InvalidInput) as nothing:
        propose_updates(lab, ["apps/kept"], CLI, most=most)
    assert "apps/kept: its label homelab.update takes no more than a patch step, and 2.0.0 is larger" in (
        nothing.value.message
    )
    assert "level=" not in nothing.value.hint
    assert "SERVICE=TAG" in nothing.value.hint


def test_of_several_that_are_held_each_has_its_way_out(lab: LocalLab) -> None:
    with pytest.raises(InvalidInput) as nothing:
        propose_updates(lab, ["apps/kept", "apps/large"], CLI)
    assert nothing.value.hint == (
        "See check_updates; a larger step is taken with level=major; to go beyond a label, name the tag (SERVICE=TAG)."
    )
