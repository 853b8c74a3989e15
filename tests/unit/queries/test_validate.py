"""Files and folders in, findings out."""

from __future__ import annotations

import time
from pathlib import Path

from homelab_mcp.adapters.paths_reader import PathsReader
from homelab_mcp.queries.validate import ValidationResult, validate_paths, validate_text

GOOD = (
    "services:\n  web:\n    image: nginx:${TAG}\n    restart: unless-stopped\n    mem_limit: 64m\n"
    "    security_opt: ['no-new-privileges:true']\n"
    "    healthcheck: {test: [CMD, 'true']}\n    logging: {driver: json-file, options: {max-size: 1m}}\n"
)


def write(folder: Path, text: str, name: str = "compose.yaml", env: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    if env is not None:
        (folder / ".env").write_text(env)
    return folder / name


def run(*paths: Path) -> ValidationResult:
    return validate_paths([str(p) for p in paths], reader=PathsReader())


def test_a_stack_folder_with_its_env(tmp_path: Path) -> None:
    file = write(tmp_path / "web", GOOD, env="TAG=1.29\n")
    result = run(tmp_path / "web")
    assert result.as_dict() == {"findings": []}
    assert result.files == (str(file),)
    assert result.exit_code == 0


def test_a_folder_of_stacks_is_one_lab(tmp_path: Path) -> None:
    text = "services:\n  a:\n    image: x:1.0\n    ports: ['80:80']\n"
    write(tmp_path / "one", text)
    write(tmp_path / "two", text, "docker-compose.yml")
    write(tmp_path / ".hidden", text)
    (tmp_path / "notes").mkdir()
    result = run(tmp_path)
    assert [f.rule for f in result.findings if f.severity == "error"] == ["HL041", "HL041"]
    assert result.exit_code == 1


def test_what_a_stack_that_cannot_be_read_may_define_is_not_missing(tmp_path: Path) -> None:
    label = "services:\n  a:\n    image: x:1.0\n    labels:\n      traefik.http.%s\n"
    write(tmp_path / "one", label % "routers.a.service: films")
    other = write(tmp_path / "two", label % "services.films.loadbalancer.server.port: '80'")
    other.write_bytes(other.read_bytes() + b"# \xff\n")

    result = run(tmp_path)

    assert len(result.could_not_run) == 1
    assert [f.rule for f in result.findings if f.severity == "error"] == []


def test_a_file_of_any_name_when_it_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD, "odd.yml")
    result = run(file)
    assert [(f.rule, f.line) for f in result.findings] == [("HL050", 3), ("HL053", 3)]


def test_compose_s_own_order_of_names(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "docker-compose.yml")
    first = write(tmp_path, GOOD, "compose.yml")
    assert run(tmp_path).files == (str(first),)


def test_what_is_not_there_could_not_run_and_the_rest_did(tmp_path: Path) -> None:
    write(tmp_path / "web", GOOD)
    result = run(tmp_path / "gone", tmp_path / "web")
    assert result.exit_code == 2
    assert len(result.files) == 1
    assert "gone" in result.could_not_run[0]


def test_a_50_mb_file_is_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    with file.open("wb") as handle:
        handle.truncate(50 * 1024 * 1024)
    started = time.process_time()
    result = run(file)
    assert time.process_time() - started < 0.1
    assert result.exit_code == 2
    assert "too_large" in result.could_not_run[0]


def test_bytes_that_are_no_text_could_not_run(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_bytes(b"services: \xff\xfe")
    assert "not UTF-8" in run(file).could_not_run[0]


def test_pasted_text_beside_a_lab() -> None:
    from homelab_mcp.core.checks import LintStack

    text = "services:\n  a:\n    image: x:1.0\n    ports: ['80:80']\n"
    alone = validate_text(text)
    assert alone.exit_code == 0
    beside = validate_text(text, beside=[LintStack("b", "b/compose.yaml", text, {})])
    assert [(f.rule, f.file) for f in beside.findings if f.severity == "error"] == [("HL041", "compose.yaml")]


def test_json_shape() -> None:
    body = validate_text("services:\n  a:\n    imgae: x\n").as_dict()
    assert list(body["findings"][0]) == ["rule", "severity", "file", "line", "column", "service", "message"]


def test_a_file_that_compose_needs_and_that_is_not_there(tmp_path: Path) -> None:
    text = (
        "services:\n  a:\n    image: x:1.0\n    env_file: [here.env, gone.env, {path: may.env, required: false}]\n"
        "    volumes: ['./gone.conf:/etc/a.conf', './here.env:/b.env', './data:/data']\n"
        "    extends: {service: a, file: ../base.yaml}\n"
    )
    file = write(tmp_path / "web", text)
    (tmp_path / "web" / "here.env").write_text("A=1\n")
    found = {(f.rule, f.line, f.message) for f in run(file).findings if f.rule in {"HL106", "HL107"}}
    assert found == {
        ("HL106", 4, "There is no file 'gone.env'."),
        ("HL106", 6, "There is no file '../base.yaml'."),
        ("HL107", 5, "There is no file './gone.conf': Docker would make a folder."),
    }
