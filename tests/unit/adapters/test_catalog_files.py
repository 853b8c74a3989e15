"""The packaged catalog itself, file by file, and a lab's own definitions over it."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from homelab_mcp.adapters.catalog_files import (
    load_catalog,
    packaged_catalog,
    packaged_definitions,
    packaged_folder,
)
from homelab_mcp.core.catalog import Catalog, schema_text
from homelab_mcp.core.catalog_rules import catalog_findings
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.definition import Container, ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound

FOLDER = packaged_folder()
FILES = sorted(FOLDER.glob("*/*.yaml"))
IDS = [path.stem for path in FILES]
DEFINITIONS = {definition.id: definition for definition in packaged_definitions()}
AUTHELIA_SCHEMAS = Path(__file__).parents[4] / "shared" / "facts" / "authelia-4.39"

each_file = pytest.mark.parametrize("path", FILES, ids=IDS)
each = pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)


def containers(definition: ServiceDefinition) -> list[Container]:
    return [definition.container, *definition.companions.values()]


# --- the files ------------------------------------------------------------------------------------------------------


def test_the_promised_services_are_there() -> None:
    promised = {
        *("traefik", "authelia", "dockge", "homepage", "uptime-kuma", "dozzle", "jellyfin"),
        *("qbittorrent", "gluetun", "nextcloud", "grafana", "prometheus", "whoami"),
    }
    assert promised <= DEFINITIONS.keys()


@each_file
def test_a_file_is_named_for_its_id_and_lies_in_its_category(path: Path) -> None:
    definition = DEFINITIONS[path.stem]
    assert (definition.category, definition.id) == (path.parent.name, path.stem)


@each
def test_a_packaged_definition_keeps_every_rule(definition: ServiceDefinition) -> None:
    assert catalog_findings(definition, DEFINITIONS.values()) == []


def test_the_published_schema_is_the_models() -> None:
    assert (FOLDER / "definition.schema.json").read_text() == schema_text(), "run script/catalog-schema"


@each_file
def test_a_file_fits_the_published_schema(path: Path) -> None:
    validator = jsonschema_rs.validator_for(json.loads((FOLDER / "definition.schema.json").read_text()))
    data = load(path.read_text())
    assert [error.message for error in validator.iter_errors(data)] == []
    # The schema must be able to say no, or the line above shows nothing.
    assert not validator.is_valid(data | {"colour": "blue"})
    assert not validator.is_valid({key: value for key, value in data.items() if key != "sources"})


@each
def test_nothing_shipped_is_a_draft_or_unpinned(definition: ServiceDefinition) -> None:
    assert definition.level != "draft"
    for container in containers(definition):
        # Two numbers are a full version of PostgreSQL; a build of LinuxServer.io and a day name one image too.
        whole = r"\d+\.\d+|-ls\d+$|\d{4}-?\d{2}-?\d{2}|^\d{6}$"
        assert re.search(whole, container.image.tag), f"{container.image.reference} is not a full version"


@each
def test_a_container_with_the_docker_socket_says_what_that_means(definition: ServiceDefinition) -> None:
    for container in containers(definition):
        for volume in container.volumes:
            if volume.kind == "socket":
                assert "control" in volume.why
                assert definition.route is None or definition.route.sso.policy == "protect"


@each
def test_every_generated_secret_is_long(definition: ServiceDefinition) -> None:
    for variable in definition.variables:
        assert variable.generate is None or variable.generate.length >= 24


@each
def test_a_default_value_fits_its_own_pattern_and_choices(definition: ServiceDefinition) -> None:
    for variable in definition.variables:
        if variable.default is not None and variable.pattern:
            assert re.fullmatch(variable.pattern, variable.default)
        if variable.default is not None and variable.choices:
            assert variable.default in variable.choices


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("next cloud", "nextcloud"),
        ("NextCloud", "nextcloud"),
        ("kuma", "uptime-kuma"),
        ("Uptime Kuma", "uptime-kuma"),
        ("uptime_kuma", "uptime-kuma"),
        ("qbit", "qbittorrent"),
        ("sso", "authelia"),
        ("vpn", "gluetun"),
        ("prom", "prometheus"),
    ],
)
def test_what_people_say_finds_the_service(name: str, meant: str) -> None:
    assert load_catalog().get(name).id == meant


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("jelyfin", "jellyfin"), ("grafanna", "grafana"), ("treafik", "traefik"), ("nextclod", "nextcloud")],
)
def test_a_typo_gets_the_right_suggestion_first(typo: str, meant: str) -> None:
    with pytest.raises(NotFound) as caught:
        load_catalog().get(typo)
    assert caught.value.details["nearest"][0] == meant


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("torrent", "qbittorrent"),
        ("container logs", "dozzle"),
        ("reverse proxy", "traefik"),
        ("start page", "homepage"),
        ("calendar", "nextcloud"),
    ],
)
def test_searching_for_a_purpose_finds_the_service(query: str, first: str) -> None:
    assert load_catalog().search(query).matches[0].id == first


# --- single services ------------------------------------------------------------------------------------------------


def filled(value: Any) -> Any:
    """A file's content as the generator would fill it in for the domain lab.example.org."""
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, str):
        return value
    words = {
        "@{setting.domain}": "lab.example.org",
        "@{url}": "https://auth.lab.example.org",
        "@{companion.sessions}": "authelia-sessions",
        "@{argon2.AUTHELIA_ADMIN_PASSWORD}": f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${'A' * 43}",
    }
    for word, meaning in words.items():
        value = value.replace(word, meaning)
    assert "@{" not in value
    return value


@pytest.mark.parametrize(
    ("path", "schema"),
    [("config/configuration.yml", "configuration"), ("config/users_database.yml", "user-database")],
)
def test_authelias_files_fit_authelias_own_schema(path: str, schema: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = filled(next(file.content for file in DEFINITIONS["authelia"].files if file.path == path))
    published = AUTHELIA_SCHEMAS / f"{schema}.json"
    if not published.is_file():
        # The schemas are not part of this repository; the test below holds the structure by itself.
        with capsys.disabled():
            print(f"\nNOT CHECKED against Authelia's own schema ({schema}.json is not beside the project)")
        assert isinstance(content, dict)
        return
    validator = jsonschema_rs.validator_for(json.loads(published.read_text()))
    assert [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(content)] == []
    assert not validator.is_valid(content | {"colour": "blue"})


def test_authelias_configuration_holds_together() -> None:
    authelia = DEFINITIONS["authelia"]
    files = {file.path: filled(file.content) for file in authelia.files}
    configuration, users = files["config/configuration.yml"], files["config/users_database.yml"]
    cookie = configuration["session"]["cookies"][0]
    assert cookie["authelia_url"] == f"https://auth.{cookie['domain']}"
    assert configuration["access_control"]["default_policy"] == "deny"
    # The rules of the routes are in access-control.yml, which follows from the lab and is loaded last.
    assert configuration["access_control"]["rules"] == []
    environment = authelia.container.environment
    assert environment["X_AUTHELIA_CONFIG"] == "/config/configuration.yml,/config/access-control.yml"
    assert configuration["session"]["redis"]["host"] == "authelia-sessions"
    assert (
        environment["AUTHELIA_SESSION_REDIS_PASSWORD"] == authelia.companions["sessions"].environment["REDISCLI_AUTH"]
    )
    folder = next(volume.target for volume in authelia.container.volumes if volume.kind == "config")
    assert configuration["authentication_backend"]["file"]["path"] == f"{folder}/users_database.yml"
    assert users["users"]["admin"]["password"].startswith("$argon2id$")
    assert [file.secret for file in authelia.files] == [False, True]
    # Authelia refuses to start when a secret is in the file and in the environment.
    assert "secret" not in configuration["session"]
    assert "password" not in configuration["session"]["redis"]
    assert "encryption_key" not in configuration["storage"]


def test_authelias_middleware_is_the_one_protected_routes_name() -> None:
    labels = DEFINITIONS["authelia"].container.labels
    address = labels["traefik.http.middlewares.authelia.forwardauth.address"]
    port = DEFINITIONS["authelia"].container.ports[0].container
    assert address == f"http://@{{service}}:{port}/api/authz/forward-auth"


def test_traefik_exposes_nothing_by_itself() -> None:
    command = DEFINITIONS["traefik"].container.command
    assert command is not None
    assert "--providers.docker.exposedbydefault=false" in command
    assert "--api.insecure=false" in command
    assert "--entrypoints.web.http.redirections.entrypoint.to=websecure" in command
    # CVE-2026-88879: without it a client can send Remote_User past the log-in.
    assert "--entrypoints.websecure.http.aliasheadersstrategy=delete" in command
    assert all(port.publish is None for port in DEFINITIONS["traefik"].container.ports)


def test_dockge_sees_the_stacks_at_the_same_path() -> None:
    container = DEFINITIONS["dockge"].container
    stacks = next(volume for volume in container.volumes if volume.kind == "stacks")
    assert container.environment["DOCKGE_STACKS_DIR"] == "@{root}"
    assert (stacks.target, stacks.read_only) == (None, False)


def test_nextcloud_and_its_companions_share_their_secrets() -> None:
    nextcloud = DEFINITIONS["nextcloud"]
    main, db, cache = (part.environment for part in containers(nextcloud))
    assert main["MYSQL_PASSWORD"] == db["MARIADB_PASSWORD"]
    assert (main["MYSQL_DATABASE"], main["MYSQL_USER"]) == (db["MARIADB_DATABASE"], db["MARIADB_USER"])
    assert main["REDIS_HOST_PASSWORD"] == cache["REDISCLI_AUTH"]
    assert nextcloud.companions["cache"].command is not None
    assert nextcloud.companions["cache"].command[-1] == cache["REDISCLI_AUTH"]
    assert nextcloud.route is not None
    assert {"/remote.php", "/ocs", "/status.php", "/.well-known"} <= set(nextcloud.route.sso.api_paths)


# --- a lab's own ----------------------------------------------------------------------------------------------------


def own(lab: Path, name: str, text: str) -> None:
    (lab / "catalog").mkdir(exist_ok=True)
    (lab / "catalog" / name).write_text(text)


def whoami_text(**replaced: str) -> str:
    text = (FOLDER / "utilities" / "whoami.yaml").read_text()
    for old, new in replaced.items():
        text = re.sub(rf"(?m)^{old}: .*$", f"{old}: {new}", text)
    return text


def test_a_labs_own_definition_replaces_the_packaged_one(tmp_path: Path) -> None:
    own(tmp_path, "whoami.yaml", whoami_text(summary="Our own idea of this service.", level="draft"))
    found = load_catalog(tmp_path)
    assert found.get("who am i").summary == "Our own idea of this service."
    assert len(found) == len(DEFINITIONS)
    assert load_catalog().get("whoami") == DEFINITIONS["whoami"]


def test_a_labs_new_definition_is_added(tmp_path: Path) -> None:
    own(
        tmp_path,
        "echo.yaml",
        whoami_text(id="echo", name="Echo", aliases="[]").replace("subdomain: whoami", "subdomain: echo"),
    )
    assert load_catalog(tmp_path).get("echo").name == "Echo"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id: my-app\n", "my-app.yaml: name: "),
        ("id: a\nid: b\n", "my-app.yaml: Line 2"),
        ("x" * 300_000, "larger than 256 KiB"),
        (whoami_text(id="my-app", name="Mine", aliases="[]"), "sub-domain whoami is whoami's too"),
    ],
)
def test_a_bad_one_hides_no_other_and_says_why_when_asked_for(tmp_path: Path, text: str, message: str) -> None:
    own(tmp_path, "my-app.yaml", text)
    found = load_catalog(tmp_path)
    assert found.get("jellyfin") == DEFINITIONS["jellyfin"]
    with pytest.raises(InvalidInput) as caught:
        found.get("my app")
    assert message in caught.value.message
    assert str(tmp_path) not in caught.value.as_text()


def test_links_are_not_followed_out_of_the_lab(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(whoami_text(id="my-app", name="Mine", aliases="[]"))
    lab = tmp_path / "lab"
    (lab / "catalog").mkdir(parents=True)
    (lab / "catalog" / "my-app.yaml").symlink_to(elsewhere)
    with pytest.raises(InvalidInput, match="not a plain file"):
        load_catalog(lab).get("my-app")
    (tmp_path / "lab2").mkdir()
    (tmp_path / "lab2" / "catalog").symlink_to(tmp_path)
    through_link = load_catalog(tmp_path / "lab2")
    assert (len(through_link), through_link.problems) == (len(DEFINITIONS), {})


def test_a_stack_that_is_called_catalog_is_no_catalog(tmp_path: Path) -> None:
    own(tmp_path, "compose.yaml", "services: {}\n")
    found = load_catalog(tmp_path)
    assert found.problems == {}
    assert len(found) == len(DEFINITIONS)


def test_a_lab_without_the_folder_has_the_packaged_ones(tmp_path: Path) -> None:
    assert load_catalog(tmp_path).all() == load_catalog().all()


def test_loading_what_was_compiled_is_quick() -> None:
    # 7 to 12 ms here, by what else the processor does; so it is held against work of the same run.
    load_catalog()
    texts = [path.read_text() for path in FILES[::8]]
    ours, parsing = [], []
    for _ in range(10):
        ours.append(timed())
        parsing.append(timed(lambda: [load(text) for text in texts]))
    assert min(ours) < min(parsing), (
        f"{min(ours) * 1000:.1f} ms; an eighth of the files parsed {min(parsing) * 1000:.1f}"
    )


# --- compiled -------------------------------------------------------------------------------------------------------


def copied(to: Path) -> Path:
    shutil.copytree(FOLDER / "utilities", to / "utilities")
    return to


def test_a_compiled_catalog_gives_the_same_definitions(tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    first = Catalog([], packed=packaged_catalog(cache=cache))
    assert cache.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in cache.parent.iterdir()] == ["cache"]
    again = Catalog([], packed=packaged_catalog(cache=cache))
    assert again.all() == first.all() == tuple(DEFINITIONS[key] for key in sorted(DEFINITIONS))


def test_a_changed_file_is_compiled_anew(tmp_path: Path) -> None:
    folder, cache = copied(tmp_path / "catalog"), tmp_path / "cache"
    before = {one.record.id: one.record for one in packaged_catalog(folder, cache)}
    path = folder / "utilities" / "whoami.yaml"
    seen = path.stat()
    path.write_text(path.read_text().replace("what it saw", "what it sees"))
    os.utime(path, (seen.st_atime, seen.st_mtime))  # by content, not by time
    after = {one.record.id: one.record for one in packaged_catalog(folder, cache)}
    assert "what it saw" in before["whoami"].summary
    assert "what it sees" in after["whoami"].summary
    path.unlink()
    assert "whoami" not in {one.record.id for one in packaged_catalog(folder, cache)}


@pytest.mark.parametrize(
    "harm", ["cut", "other digest", "nonsense", "not text", "empty", "open to all", "link", "folder"]
)
def test_a_cache_that_cannot_be_trusted_is_not_used(tmp_path: Path, harm: str) -> None:
    folder, cache = copied(tmp_path / "catalog"), tmp_path / "cache"
    good = packaged_catalog(folder, cache)
    text = cache.read_text()
    poisoned = text.replace("what it saw", "what you want")
    if harm in {"open to all", "link"}:
        cache.write_text(poisoned)
    if harm == "open to all":
        cache.chmod(0o666)
    elif harm == "link":
        cache.rename(tmp_path / "elsewhere")
        cache.symlink_to(tmp_path / "elsewhere")
    elif harm == "folder":
        cache.unlink()
        cache.mkdir()
    else:
        damage = {
            "cut": text[: len(text) // 2].encode(),
            "other digest": poisoned.replace('"digest": "', '"digest": "0').encode(),
            "nonsense": b"[]\n{}\n{}\n",
            "not text": b"\xff\xfe",
            "empty": b"",
        }
        cache.write_bytes(damage[harm])
    assert packaged_catalog(folder, cache) == good


def test_where_no_cache_can_be_written_it_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(packaged_catalog(copied(tmp_path / "catalog"), tmp_path / "file" / "cache")) >= 1


def timed(work: Callable[[], object] = load_catalog) -> float:
    # Of this process alone: the wall clock measures the neighbours too.
    begin = time.process_time()
    work()
    return time.process_time() - begin
