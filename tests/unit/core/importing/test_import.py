"""Somebody's compose text or command line, put to the lab's conventions; each change and loss is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.core import compose_edit, yaml12
from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.env_file import parse as parse_env
from homelab_mcp.core.operations.import_request import ImportRequest
from homelab_mcp.core.operations.import_service import import_service, parse
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.plan import Draft, Risk
from tests.unit.core.checks.corpus_reader import read_cases
from tests.unit.core.compose_real import real_model, write
from tests.unit.core.import_texts import CANARY, PHOTOS, TEXTS
from tests.unit.core.operation_parts import SETTINGS, argon2, lab, secret


def propose(
    text: str, *, facts: Any = None, env: Any = None, reader: Any = None, from_model: bool = True, lab_: Any = None,
    **values: Any,
) -> Draft:  # fmt: skip
    request = ImportRequest(text=text, **values)
    return import_service(
        lab_ or lab(), SETTINGS, request, parse(text, env or {}, reader), facts=facts or {}, from_model=from_model,
        secrets=secret, argon2=argon2, root="/opt/stacks", read=lambda _: None,
    )  # fmt: skip


def services(draft: Draft) -> dict[str, Any]:
    data = yaml12.load(draft.edits[0].after or "")
    assert isinstance(data, dict)
    found: dict[str, Any] = data["services"]
    return found


def refused(text: str, **values: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        propose(text, **values)
    return caught.value


def test_a_stack_of_three_is_put_to_the_conventions() -> None:
    draft = propose(PHOTOS, stack="photos", variables={"SITE": "my site"})
    made = services(draft)
    main, cache, database = made["photos"], made["photos-redis"], made["photos-database"]
    assert draft.summary == "Import photos into stack photos, with photos-redis, photos-database"
    assert main["labels"]["traefik.http.services.photos.loadbalancer.server.port"] == "2283"
    assert main["labels"]["traefik.http.routers.photos.rule"] == "Host(`foto.${DOMAIN}`)", "the host its labels had"
    assert main["labels"]["traefik.http.routers.photos.middlewares"] == "authelia@docker"
    assert main["ports"] == ["7000:7000/udp"], "what Traefik cannot carry stays published"
    assert main["networks"]["photos-private"]["aliases"] == ["server", "photos_server"]
    assert set(main["networks"]) == {"traefik-network", "homelab-network", "photos-private"}
    assert set(database["networks"]) == {"photos-private"}
    assert database["networks"]["photos-private"]["aliases"] == ["database"], "so that DB_HOSTNAME still leads there"
    assert "ports" not in database
    assert database["labels"]["homelab.companion-of"] == "photos"
    assert main["depends_on"] == ["photos-database", "photos-redis"]
    assert {s["restart"] for s in made.values()} == {"unless-stopped"}
    assert main["volumes"] == ["./photos/library:/data", "./photos/cache:/cache",
                               "./photos/nginx.conf:/etc/nginx/nginx.conf:ro"]  # fmt: skip
    assert database["volumes"] == ["./photos-database/pg:/var/lib/postgresql/data"]
    assert all(s["deploy"]["resources"]["limits"] and s["logging"]["options"] for s in made.values())
    assert cache["image"] == "redis:8"
    told = " ".join(draft.notes)
    for words in ("env_file", "nginx.conf", "no health check", "/etc/localtime", "Traefik labels"):
        assert words in told


def test_secrets_of_the_text_are_in_env_alone() -> None:
    draft = propose(PHOTOS, stack="photos", variables={"SITE": "x"})
    made, env = services(draft), parse_env(draft.edits[1].after or "")
    assert made["photos"]["environment"]["DB_PASSWORD"] == "${PHOTOS_DB_PASSWORD}"
    assert made["photos-database"]["environment"]["POSTGRES_PASSWORD"] == "${PHOTOS_DB_PASSWORD}"
    assert made["photos"]["environment"]["DB_URL"] == "postgres://photos:${PHOTOS_DB_PASSWORD}@database:5432/photos"
    assert env["PHOTOS_DB_PASSWORD"] == secret("alnum", 32), "'changeme' is no secret"
    assert env["PHOTOS_API_TOKEN"] == CANARY, "a token comes from elsewhere and cannot be made anew"
    assert CANARY not in (draft.edits[0].after or "")
    assert CANARY not in " ".join((*draft.notes, *(r.reason for r in draft.risks)))
    assert CANARY in draft.secrets
    assert any("came through a model" in r.reason for r in draft.risks)
    mine = propose(PHOTOS, stack="photos", variables={"SITE": "x"}, from_model=False)
    assert not any("came through a model" in r.reason for r in mine.risks)
    assert refused(PHOTOS, variables={"DB_PASSWORD": "x"}).code == "secret_in_argument"


def test_only_names_that_are_referred_to_are_taken_from_a_file_beside_it() -> None:
    text = "services:\n  aa:\n    image: a:1\n    environment: ['X=${X}', 'Y=$Y', 'Z=${Z:-z}', TOKEN]\n"
    env = {"X": "1", "Y": "2", "TOKEN": CANARY, "OTHER": "never"}
    draft = propose(text, env=env)
    assert parse_env(draft.edits[1].after or "") == {"X": "1", "Y": "2", "TOKEN": CANARY, "TZ": "Etc/UTC"}
    assert services(draft)["aa"]["environment"]["Z"] == "${Z:-z}"
    missing = refused(text)
    assert missing.code == "missing_input"
    assert [v["name"] for v in missing.details["variables"]] == ["X", "Y", "TOKEN"]
    assert "env set STACK TOKEN" in missing.hint
    made = propose("services:\n  aa:\n    image: a:1\n    environment: ['P=${DB_PASSWORD:?set it}']\n")
    assert parse_env(made.edits[1].after or "")["DB_PASSWORD"] == secret("alnum", 32)


def test_a_command_line_becomes_a_service() -> None:
    draft = propose(
        "docker run -d --name=notes --restart always -p 8080:80 -v notes_data:/data "
        "-v /etc/localtime:/etc/localtime:ro "
        "-e PUID=1000 -e PGID=1000 -e TZ=Europe/Berlin -e ADMIN_PASSWORD=admin --memory 1g example/notes:2"
    )
    made = services(draft)["notes"]
    assert made["labels"]["traefik.http.services.notes.loadbalancer.server.port"] == "80"
    assert made["environment"] == {
        "TZ": "${TZ}", "PUID": "${PUID}", "PGID": "${PGID}", "ADMIN_PASSWORD": "${NOTES_ADMIN_PASSWORD}",
    }  # fmt: skip
    assert made["volumes"] == ["./notes/data:/data"]
    assert made["networks"] == ["traefik-network", "homelab-network"]
    assert made["deploy"]["resources"]["limits"]["memory"] == "1g"
    assert "reservations" not in made["deploy"]["resources"]


@pytest.mark.parametrize("name", TEXTS)
def test_the_result_brings_no_error_and_can_be_taken_out_again(name: str) -> None:
    text = TEXTS[name]
    draft = propose(text, stack="mine", lab_=lab(mine=("# mine\nservices:\n  own:\n    image: x:1\n", "")))
    after, env = draft.edits[0].after or "", parse_env(draft.edits[1].after or "")
    found = lint([LintStack("mine", "mine/compose.yaml", after, env, exists=lambda _: True)])
    bad = [f.as_line() for f in found if f.severity is Severity.ERROR and not f.as_line().startswith("x")]
    assert not bad, bad
    names = [n for n in services(draft) if n != "own"]
    assert compose_edit.remove_services(after, names) == (draft.edits[0].before or "")


@pytest.mark.parametrize("name", [*TEXTS, "photos"])
def test_the_real_compose_takes_the_result_and_says_nothing(tmp_path: Path, name: str) -> None:
    draft = propose(
        {**TEXTS, "photos": PHOTOS}[name], stack="mine", variables={"SITE": "x"} if name == "photos" else {}
    )
    write(tmp_path, {e.path.removeprefix("mine/"): e.after or "" for e in draft.edits})
    model, said = real_model(tmp_path, ["compose.yaml"])
    assert model is not None, said
    assert said == ""
    assert set(model["services"]) == set(services(draft))


def test_risky_things_are_kept_with_their_risk_or_refused() -> None:
    def high(lines: str) -> str:
        draft = propose(f"services:\n  aa:\n    image: a:1\n{lines}")
        return " ".join(r.reason for r in draft.risks if r.risk is Risk.HIGH)

    assert "privileged" in high("    privileged: true\n")
    assert "host's own network" in high("    network_mode: host\n")
    assert "host's own processes" in high("    pid: host\n")
    assert "SYS_ADMIN" in high("    cap_add: [SYS_ADMIN]\n")
    assert "unconfined" in high("    security_opt: ['apparmor:unconfined']\n")
    assert "Docker socket" in high("    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n")
    assert "/srv/x" in high("    volumes: ['/srv/x:/x']\n")
    assert "of the container traefik" in high("    network_mode: container:traefik\n")
    assert "/dev/sda" in high("    devices: ['/dev/sda:/dev/sda']\n")
    assert "/dev/dri" not in high("    devices: ['/dev/dri']\n")
    assert "another stack's" in high("    volumes: [ext:/e]\nvolumes: {ext: {external: true}}\n")
    for path in ("/", "/etc", "//etc", "/root", "/opt/stacks", "/opt/stacks/.homelab", "/srv/../etc"):
        disguised = (
            f"    volumes: [vv:/x]\nvolumes: {{vv: {{driver_opts: {{type: none, o: bind, device: '{path}'}}}}}}\n"
        )
        assert refused(f"services:\n  aa:\n    image: a:1\n{disguised}").code == "mount_refused"
        assert refused(f"services:\n  aa:\n    image: a:1\n    volumes: ['{path}:/x']\n").code == "mount_refused"


def test_routes_of_the_text_never_get_past_the_labs_own() -> None:
    text = """services:
  aa:
    image: a:1
    ports: ["80:80"]
    labels:
      Traefik.http.routers.evil.rule: Host(`auth.lab.test`)
      TRAEFIK.enable: "true"
      traefik.http.middlewares.authelia.forwardauth.address: http://aa
      homelab.sso: bypass
      mine.label: stays
"""
    labels = services(propose(text))["aa"]["labels"]
    assert not [k for k in labels if "evil" in k or "forwardauth" in k or k.startswith("T")]
    assert "homelab.sso" not in labels
    assert labels["traefik.http.routers.aa.middlewares"] == "authelia@docker"
    assert labels["mine.label"] == "stays"


def test_what_runs_to_its_end_is_not_watched() -> None:
    draft = propose(TEXTS["migration"])
    made = services(draft)
    assert made["app-migrate"]["restart"] == "no"
    assert made["app"]["depends_on"] == {"app-migrate": {"condition": "service_completed_successfully"}}
    assert draft.verification.services == ("app",)
    assert draft.actions[-1].services == ("app", "app-migrate")


def test_volumes_in_all_their_forms() -> None:
    text = """services:
  aa:
    image: a:1
    volumes: [named:/n, shared:/s, ext:/e, ./rel:/r, ../up:/u, '~/home:/h', '${CONFIG_DIR}/c:/c', '${MEDIA_DIR}/m:/m',
      '/mnt/media/films:/f:ro', /path/to/data:/p, /anonymous, {type: tmpfs, target: /t}]
  bb:
    image: b:1
    volumes: [shared:/s]
volumes:
  named:
  shared: {}
  ext: {external: true}
"""
    made = services(propose(text))
    assert made["aa"]["volumes"] == [
        "./aa/named:/n", "./aa/shared:/s", "ext:/e", "./aa/rel:/r", "./aa/up:/u", "./aa/home:/h", "./aa/c:/c",
        "${MEDIA_DIR}/m:/m", "${MEDIA_DIR}/films:/f:ro", "./aa/data:/p", "./aa/anonymous:/anonymous",
        {"type": "tmpfs", "target": "/t"},
    ]  # fmt: skip
    assert made["aa-bb"]["volumes"] == ["./aa/shared:/s"]
    kept = propose(text, volumes="keep")
    assert services(kept)["aa"]["volumes"][0] == "named:/n"
    data = yaml12.load(kept.edits[0].after or "")
    assert isinstance(data, dict)
    assert data["volumes"] == {"named": None, "shared": None, "ext": {"external": True}}
    of_user = propose(text, facts={"a:1": ImageFacts(user="1001")})
    assert services(of_user)["aa"]["volumes"][0] == "named:/n", "Docker gives a volume the owner that the image says"


def test_ports_are_chosen_told_and_can_be_said() -> None:
    def port(lines: str, **values: Any) -> str:
        labels = services(propose(f"services:\n  aa:\n    image: a:1\n{lines}", **values))["aa"]["labels"]
        return str(labels.get("traefik.http.services.aa.loadbalancer.server.port", ""))

    assert port("    ports: ['2222:22', '8080:3000']\n") == "3000"
    assert port("    ports: [{target: 8000, published: 80}]\n") == "8000"
    assert port("    ports: ['1883:1883']\n") == ""
    assert port("    expose: [5000]\n") == "5000"
    assert port("", facts={"a:1": ImageFacts(ports=((8096, "tcp"),))}) == "8096"
    assert port("    ports: ['1:1111', '2:2222']\n", port=2222) == "2222"
    assert port("    labels: ['traefik.http.services.z.loadbalancer.server.port=7777']\n") == "7777"
    assert port("    network_mode: host\n    ports: []\n") == ""
    postgres = propose("services:\n  db:\n    image: postgres:17.2\n    ports: ['5432:5432']\n")
    assert "ports" not in services(postgres)["db"]


def test_what_cannot_be_taken_over_is_refused_or_told() -> None:
    assert refused("services:\n  aa:\n    build: .\n").code == "build_only"
    assert refused("a: b\n").code == "not_compose"
    assert refused("services:\n  a: [").code != "not_compose"
    assert refused("services:\n  aa:\n    image: a:1\n", main="b").code == "no_service"
    assert refused("services:\n  aa:\n    image: a:1\n", name="traefik").code == "container_name_taken"
    bomb = "x: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"x{n}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
    )
    refused(f"{bomb}services:\n  aa:\n    image: a:1\n")
    told = " ".join(
        propose(
            "services:\n  aa:\n    image: a:1\n    build: .\n    profiles: [x]\n    secrets: [s]\n    scale: 2\n"
            "    deploy: {replicas: 3}\n    frob: 1\nsecrets: {s: {file: ./s}}\n"
        ).notes
    )
    for word in ("build", "profiles", "secrets", "scale", "deploy.replicas", "frob"):
        assert word in told, word
    beside = {"base.yaml": "services:\n  base:\n    image: b:1\n    environment: [A=$B]\n"}
    text = "services:\n  aa:\n    extends: {file: base.yaml, service: base}\n"
    assert services(propose(text, reader=beside.get, variables={"B": "1"}))["aa"]["environment"]["A"] == "${B}"
    assert refused(text).code == "build_only", "nobody may read the file"


REAL = [
    (case.title, stack)
    for file in sorted((Path(__file__).parents[1] / "checks" / "realistic").glob("*.txt"))
    for case in read_cases(file)
    for stack in case.stacks
]


@pytest.mark.parametrize(("title", "stack"), REAL, ids=[f"{t} {s.name}" for t, s in REAL])
def test_files_as_people_have_them_are_taken_over_or_refused_with_a_way_out(title: str, stack: LintStack) -> None:
    try:
        draft = propose(stack.text, env=stack.env, stack="mine")
    except HomelabError as error:
        assert error.hint or error.code in {"yaml_refused", "not_reversible"}, error
        assert error.code != "internal_error"
        return
    env = parse_env(draft.edits[1].after or "") if len(draft.edits) > 1 else {}
    after = draft.edits[0].after or ""
    # By Compose's own rules alone: what a program makes of its settings is for the plan's lint to say.
    broken = {
        "HL010",
        "HL011",
        "HL020",
        "HL021",
        "HL030",
        "HL033",
        "HL034",
        "HL041",
        "HL052",
        "HL053",
        "HL060",
        "HL069",
    }
    found = lint([LintStack("mine", "mine/compose.yaml", after, env)])
    assert not [f.as_line() for f in found if f.rule in broken and f.severity is Severity.ERROR]


def test_declared_volumes_with_options_go_with_the_service_that_brought_them() -> None:
    text = (
        "services:\n  aa:\n    image: a:1\n    volumes: ['nfs:/n', 'ext:/e']\nvolumes:\n"
        "  nfs: {driver_opts: {type: nfs, o: 'addr=192.168.1.5,rw', device: ':/films'}}\n"
        "  ext: {external: true, name: more}\n"
    )
    after = propose(text).edits[0].after or ""
    assert compose_edit.remove_services(after, ["aa"]) == ""
    mine = after.replace("addr=192.168.1.5,rw", "addr=192.168.1.6,rw")
    assert "192.168.1.6" in compose_edit.remove_services(mine, ["aa"]), "changed since, so it is the person's own"


def test_ranges_of_ports_are_compared_with_what_is_published() -> None:
    text = "services:\n  aa:\n    image: a:1\n    ports: ['9000-9005:9000-9005/udp']\n"
    there = lab(own=("services:\n  zz:\n    image: z:1\n    ports: ['9003:9003/udp']\n", ""))
    assert services(propose(text))["aa"]["ports"] == ["9000-9005:9000-9005/udp"]
    assert refused(text, lab_=there).code == "port_taken"
