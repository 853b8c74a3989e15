"""Stacks of several files, as the commands and the lab give them to the linter."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.adapters.paths_reader import PathsReader
from homelab_mcp.core.checks import lint
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.lab_stacks import lint_stacks
from homelab_mcp.queries.validate import validate_files, validate_paths, validate_text

WEB = "services:\n  web:\n    image: nginx:1.29\n"
BAD = "services:\n  web:\n    restart: allways\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        place = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_yml", ".yml").replace(
            "_env", ".env"
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def errors(lab: Path, changed: dict[str, str | None] | None = None) -> set[tuple[str, str, int]]:
    files = LabFiles(lab)
    found = lint(lint_stacks(files, read_stacks(files), changed))
    return {(f.rule, f.file, f.line) for f in found if f.severity == "error" or f.rule in {"HL107", "HL108"}}


def test_an_override_file_counts_for_a_folder_and_not_for_a_named_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{"s__docker-compose_yml": WEB, "s__compose.override_yaml": BAD, "s__docker-compose.override_yml": "x"},
    )
    folder = validate_paths([str(tmp_path / "s")], reader=PathsReader())
    assert [(f.rule, Path(f.file).name) for f in folder.findings if f.severity == "error"] == [
        ("HL014", "compose.override.yaml")
    ]
    assert [Path(f).name for f in folder.files] == ["docker-compose.yml", "compose.override.yaml"]
    assert not validate_paths([str(tmp_path / "s" / "docker-compose.yml")], reader=PathsReader()).has_errors


def test_files_are_merged_in_the_order_given(tmp_path: Path) -> None:
    write(
        tmp_path,
        base_yaml=WEB.replace("1.29", "${TAG}"),
        bad_yaml=BAD,
        good_yaml=BAD.replace("allways", "always"),
        _env="TAG=1\n",
    )
    named = {n: str(tmp_path / f"{n}.yaml") for n in ("base", "bad", "good")}

    def run(*names: str) -> list[str]:
        result = validate_files([named[n] for n in names], reader=PathsReader())
        return [f.rule for f in result.findings if f.severity == "error" or f.rule == "HL050"]

    assert run("base", "bad") == ["HL014"]
    assert run("base", "bad", "good") == []
    assert validate_files([named["base"], str(tmp_path / "gone.yaml")], reader=PathsReader()).exit_code == 2


def test_files_outside_are_read_where_a_person_named_the_paths(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "s__compose_yaml": f"include: [../shared.yaml, ../gone.yaml]\n{WEB}",
            "shared_yaml": BAD.replace("web", "b"),
        },
    )
    result = validate_paths([str(tmp_path / "s")], reader=PathsReader())
    found = {(f.rule, Path(f.file).name, f.line) for f in result.findings if f.severity == "error"}
    assert found == {("HL012", "shared.yaml", 2), ("HL014", "shared.yaml", 3), ("HL106", "compose.yaml", 1)}


def test_a_lab_s_global_env_has_variables_for_every_stack(tmp_path: Path) -> None:
    write(tmp_path, **{"s__compose_yaml": WEB.replace("1.29", "${TAG}"), "global_env": "TAG=1\n"})
    assert "HL050" in {f.rule for f in validate_paths([str(tmp_path / "s")], reader=PathsReader()).findings}
    write(tmp_path, homelab_yaml="domain: example.org\n")
    assert "HL050" not in {f.rule for f in validate_paths([str(tmp_path / "s")], reader=PathsReader()).findings}
    files = LabFiles(tmp_path)
    assert "HL050" not in {f.rule for f in lint(lint_stacks(files, read_stacks(files)))}


def test_pasted_texts_are_merged() -> None:
    found = validate_text(WEB, others=[("over.yaml", BAD)])
    assert [(f.rule, f.file) for f in found.findings if f.severity == "error"] == [("HL014", "over.yaml")]


def test_a_lab_sees_its_override_and_included_files(tmp_path: Path) -> None:
    lab = write(
        tmp_path,
        **{
            "s__compose_yaml": f"include: [../common/base.yaml]\n{WEB}",
            "s__compose.override_yml": BAD,
            "common__base_yaml": "services:\n  b:\n    imgae: x\n",
        },
    )
    assert errors(lab) == {
        ("HL014", "s/compose.override.yml", 3),
        ("HL011", "common/base.yaml", 3),
        ("HL012", "common/base.yaml", 2),
    }


@pytest.mark.parametrize(
    "path", ["../../outside.yaml", "/etc/hostname", "../.homelab/x.yaml", "../.git/config", "link.yaml"]
)
def test_a_lab_reads_nothing_outside_nor_through_links(tmp_path: Path, path: str) -> None:
    lab = write(
        tmp_path / "lab",
        **{"s__compose_yaml": f"include: ['{path}']\n{WEB}", ".homelab__x_yaml": BAD, ".git__config": BAD},
    )
    write(tmp_path, outside_yaml=BAD)
    (lab / "s" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    assert errors(lab) - {("HL100", "s/compose.yaml", 1)} == {("HL108", "s/compose.yaml", 1)}


def test_a_lab_knows_what_is_on_its_disk_and_calls_nothing_else_missing(tmp_path: Path) -> None:
    text = (
        f"{WEB}    env_file: [here.env, gone.env, ../other/gone.env]\n    volumes:\n"
        "      - /mnt/media/x.conf:/x.conf\n      - ./gone.conf:/a.conf\n      - ./link.conf:/b.conf\n"
        f"      - {tmp_path}/s/gone.conf:/c.conf\n      - ~/d.conf:/d.conf\n"
    )
    lab = write(tmp_path, **{"s__compose_yaml": text, "s__here_env": "A=1\n"})
    (lab / "s" / "link.conf").symlink_to("/nowhere")
    found = {(r, line) for r, _, line in errors(lab) if r in {"HL106", "HL107"}}
    assert found == {("HL106", 4), ("HL107", 7), ("HL107", 9)}


def test_a_plan_s_own_files_count_as_done(tmp_path: Path) -> None:
    text = f"{WEB}    env_file: [new.env]\n    volumes: ['./conf/a.conf:/a.conf', './old.conf:/o.conf']\n"
    lab = write(tmp_path, **{"s__compose_yaml": text, "s__old.conf": "x"})
    assert {r for r, _, _ in errors(lab)} >= {"HL106", "HL107"}
    changed: dict[str, str | None] = {"s/new.env": "A=1\n", "s/conf/a.conf": "x", "s/old.conf": None}
    assert errors(lab, changed) == {("HL107", "s/compose.yaml", 5)}
