"""Every definition started behind a real Traefik: its API, HTTPS, the log-in, private networks, owners, undo.

Real here: Docker, Compose, Traefik, the ACME certificate authority, every certificate and request, and all of
homelab-mcp. Stand-ins: the services themselves and the log-in, small web servers under the real images' names (where
those are not on the machine). The VPN gateway is one too: its container gets NET_ADMIN and /dev/net/tun as the
definition asks, and lends its network to the service behind it, but opens no tunnel. Traefik's socket proxy is Debian's
HAProxy with rules that let through what the definition's variables say.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.model.plan import PlanState, Risk
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_changes import propose_move_service, propose_update_service
from testbed import Scratch, TestbedError
from testbed.definitions import provide
from testbed.docker_engine import docker, wait_until
from tests.docker.catalog_expected import DEPLOYED, STACK_OF, WEB, Expected
from tests.docker.lab import REQUESTER, SESSION, RealLab, tunnel_device

# The first test waits for the whole lab: 40 s here.
pytestmark = pytest.mark.timeout(240)


SPARE = "spare"
FIRST = ["security-headers@file", "rate-limit@file"]
"""What Traefik's entry point puts before each router's own middlewares."""
VPN = {"VPN_SERVICE_PROVIDER": "mullvad"}


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    with tunnel_device(), Scratch() as scratch:
        provide(d for d in packaged_definitions() if d.id in DEPLOYED)
        made = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        # Written, never started: it takes the gateway's usual name, so that qBittorrent's gets one of its own.
        made.write("gluetun", SPARE, name="gluetun", variables=VPN)
        for service, stack in STACK_OF.items():
            made.write(service, stack, **({"variables": VPN} if service == "qbittorrent" else {}))
        made.start(but=made.named(SPARE))
        made.once_certified(f"traefik.{made.domain}")
        # Traefik routes to a container once it is healthy, and gathers such news for some seconds. A router alone says
        # nothing: with empty services allowed, one whose container is not healthy yet has a server without an address.
        wait_until(
            lambda: routers_of(made).keys() >= expected_routers(made) and not unserved(made),
            "Traefik to know every service and where it answers",
            within=60,
        )
        yield made


def routers_of(lab: RealLab) -> dict[str, Any]:
    """What Traefik says of this lab's routers; it sees those of other labs on the same engine too."""
    return {r["name"]: r for r in lab.traefik("http/routers") if lab.run in r["name"]}


def unserved(lab: RealLab) -> list[str]:
    """The services that Traefik has no address of."""
    served = {s["name"] for s in lab.traefik("http/services") if any(s.get("serverStatus", {}))}
    return [service for service in WEB if f"{lab.named(service)}@docker" not in served]


def expected_routers(lab: RealLab) -> set[str]:
    past_login = {f"{lab.named(s)}-api@docker" for s, e in WEB.items() if e.open_paths}
    return {f"{lab.named(s)}@docker" for s in (*WEB, "traefik")} | past_login


def host(lab: RealLab, service: str) -> str:
    return f"{WEB[service].subdomain}.{lab.domain}"


def carrier(lab: RealLab, service: str) -> str:
    """The container that has the service's network, and so its address and route."""
    return f"{lab.named('qbittorrent')}-gluetun" if service == "qbittorrent" else lab.named(service)


def test_every_definition_that_is_deployed_here_says_so_and_no_other_route_is_missing() -> None:
    # test_catalog_shards.py starts all the others, and holds that each is in one shard.
    assert {d.id for d in packaged_definitions() if d.level == "deployed"} >= DEPLOYED
    assert {d.id for d in packaged_definitions() if d.route and d.id in DEPLOYED} == {*WEB, "traefik"}


def test_compose_takes_every_stack_file_without_a_warning(lab: RealLab) -> None:
    begun = {stack: lab.compose(stack, "config", "--quiet") for stack in lab.stacks}
    said = {stack: (*process.communicate(timeout=30), process.returncode) for stack, process in begun.items()}
    assert set(said.values()) == {("", "", 0)}, said
    # Read as Compose reads it, every definition is among what these files start.
    made_from = {
        docker("inspect", "--format", '{{index .Config.Labels "homelab.service"}}', name) for name in containers(lab)
    }
    assert made_from == DEPLOYED


def containers(lab: RealLab) -> list[str]:
    return [n for n in docker("ps", "-a", "--format", "{{.Names}}").splitlines() if lab.run in n and "hltb" not in n]


def test_every_container_runs_and_is_healthy(lab: RealLab) -> None:
    seen = {name: lab.inspect(name)["State"] for name in containers(lab)}
    health = {name: state.get("Health", {}).get("Status", "none") for name, state in seen.items()}
    assert {state["Status"] for state in seen.values()} == {"running"}
    assert health.pop(lab.named("whoami")) == "none", "its image holds no program that could ask"
    assert set(health.values()) == {"healthy"}, health
    assert len(health) == len(DEPLOYED) + 3, "all but whoami, and the database, two caches and the socket proxy"


def test_traefiks_own_api_shows_each_router_as_it_should_be(lab: RealLab) -> None:
    routers = routers_of(lab)
    assert set(routers) == expected_routers(lab)
    for name, router in routers.items():
        assert (router["status"], router.get("error")) == ("enabled", None), router
        assert router["entryPoints"] == ["websecure"]
        assert router["tls"]["certResolver"] == "letsencrypt", name
        assert router["middlewares"][:2] == FIRST, name
    for service, expected in {**WEB, "traefik": Expected("traefik", 8080)}.items():
        router = routers[f"{lab.named(service)}@docker"]
        assert router["rule"] == f"Host(`{expected.subdomain}.{lab.domain}`)"
        assert router["middlewares"] == FIRST + ([lab.login] if expected.protected else [])
        assert router["service"] == ("api@internal" if service == "traefik" else lab.named(service))
    for name, router in routers.items():
        if not name.endswith("-api@docker"):
            continue
        assert router["middlewares"] == FIRST
        assert (
            router["rule"].startswith("Host(`") and router["priority"] > routers[name.replace("-api@", "@")]["priority"]
        )
    (login,) = (m for m in lab.traefik("http/middlewares") if m["name"] == lab.login)
    assert login["status"] == "enabled"
    assert login["forwardAuth"]["address"] == f"http://{lab.named('authelia')}:9091/api/authz/forward-auth"


def test_traefiks_own_api_shows_each_server_up_on_the_containers_port_and_route_network(lab: RealLab) -> None:
    found = {s["name"]: s for s in lab.traefik("http/services")}
    for service, expected in WEB.items():
        address = lab.inspect(carrier(lab, service))["NetworkSettings"]["Networks"][lab.routes]["IPAddress"]
        url = f"http://{address}:{expected.port}"
        assert found[f"{lab.named(service)}@docker"]["serverStatus"] == {url: "UP"}, service


@pytest.mark.parametrize("service", WEB)
def test_a_stranger_meets_the_log_in_and_a_known_person_the_service(lab: RealLab, service: str) -> None:
    expected, name = WEB[service], host(lab, service)
    stranger = lab.once_certified(name)
    if expected.protected:
        assert stranger.status == 302
        assert stranger.headers["location"] == f"https://auth.{lab.domain}/?rd=https://{name}/"
        assert "stand-in" not in stranger.body, "nothing of the service is told before log-in"
        assert lab.https(name, cookie="other=person").status == 302
    else:
        assert (stranger.status, stranger.body.splitlines()[0]) == (200, f"stand-in for {service}")
    known = lab.https(name, cookie=SESSION)
    assert (known.status, known.body.splitlines()[0]) == (200, f"stand-in for {service}")


@pytest.mark.parametrize("service", [s for s, e in WEB.items() if e.open_paths])
def test_only_the_paths_of_programs_pass_without_log_in(lab: RealLab, service: str) -> None:
    name, expected = host(lab, service), WEB[service]
    lab.once_certified(name)
    for path in expected.open_paths:
        for asked in (path, f"{path}?a=b", f"{path}/below"):
            answer = lab.https(name, asked)
            assert (answer.status, answer.body.splitlines()[0]) == (200, f"stand-in for {service}"), asked
    first = {"uptime-kuma": "/api/push", "nextcloud": "/ocs"}[service]
    ways_up = ("../", "%2e%2e/", "x/../../", "..%2f", "..%2F", "..%5c", "..\\", "..;/", "..%3b/", "./%2E./")
    tricks = [*(f"{first}/{way}settings" for way in ways_up), f"/x{first}"]
    for path in ("/", *expected.closed_paths, *tricks):
        answer = lab.https(name, path)
        # Traefik may also refuse an odd path outright; what it must not do is let it through.
        assert answer.status in ({302, 400} if path in tricks else {302}), (path, answer)


def test_plain_http_is_sent_to_https_on_the_published_port(lab: RealLab) -> None:
    for service in ("jellyfin", "nextcloud"):
        answer = lab.http(host(lab, service), "/some/path?x=1")
        assert answer.status in {301, 308}
        assert answer.headers["location"] == f"https://{host(lab, service)}:{lab.https_port}/some/path?x=1"


def test_only_nextcloud_reaches_its_database_and_cache(lab: RealLab) -> None:
    nextcloud = lab.named("nextcloud")
    private = f"{lab.named('productivity')}_{nextcloud}-private"
    assert docker("network", "inspect", "--format", "{{.Internal}}", private) == "true"
    for companion, port in (("db", 3306), ("cache", 6379)):
        name = f"{nextcloud}-{companion}"
        networks = lab.inspect(name)["NetworkSettings"]["Networks"]
        assert set(networks) == {private}
        address = networks[private]["IPAddress"]
        # From Nextcloud both the name and the address lead there, so that the refusals below say something.
        for place in (name, address):
            assert "stand-in for " in fetched(nextcloud, f"http://{place}:{port}/"), place
        strangers = (lab.named("traefik"), lab.named("jellyfin"), carrier(lab, "qbittorrent"))
        asked = [(stranger, f"http://{place}:{port}/") for stranger in strangers for place in (name, address)]
        with ThreadPoolExecutor(len(asked)) as pool:
            assert dict(zip(asked, pool.map(lambda a: fetched(*a), asked), strict=True)) == dict.fromkeys(asked, "")


def fetched(container: str, url: str) -> str:
    """What a container gets from a URL within two seconds; "" when nothing."""
    try:
        return docker("exec", container, "/bin/busybox", "timeout", "2", "/bin/busybox", "wget", "-q", "-O", "-", url)
    except TestbedError:
        return ""


def test_the_gateway_carries_qbittorrents_network_and_route(lab: RealLab) -> None:
    gateway, main = lab.inspect(carrier(lab, "qbittorrent")), lab.inspect(lab.named("qbittorrent"))
    assert main["HostConfig"]["NetworkMode"] == f"container:{gateway['Id']}"
    assert not [k for k in main["Config"]["Labels"] if k.startswith("traefik.")]
    assert gateway["HostConfig"]["CapAdd"] == ["NET_ADMIN"]
    assert [d["PathOnHost"] for d in gateway["HostConfig"]["Devices"]] == ["/dev/net/tun"]
    assert set(gateway["NetworkSettings"]["Networks"]) == {lab.routes, lab.internal, lab.media}
    assert not gateway["HostConfig"]["PortBindings"] and not main["HostConfig"]["PortBindings"]


def test_folders_belong_to_the_labs_user_and_services_can_write_to_theirs(lab: RealLab) -> None:
    folders = {
        (service, volume.name or volume.kind): volume
        for service in STACK_OF
        for volume in next(d for d in packaged_definitions() if d.id == service).container.volumes
        if volume.kind in {"config", "data", "database", "cache"}
    }
    assert len(folders) > 10
    for (service, folder), volume in folders.items():
        seen = (lab.root / lab.named(STACK_OF[service]) / lab.named(service) / folder).stat()
        assert (seen.st_uid, seen.st_gid) == lab.owner, (service, folder)
        assert stat.S_IMODE(seen.st_mode) == 0o755
        if not volume.read_only:
            docker("exec", lab.named(service), "/bin/busybox", "touch", f"{volume.target}/written")
    for service in ("jellyfin", "grafana", "prometheus", "whoami"):
        assert docker("exec", lab.named(service), "/bin/busybox", "id", "-u") == str(lab.owner[0])
    written = lab.root / lab.named("media") / lab.named("jellyfin") / "config" / "written"
    assert written.stat().st_uid == lab.owner[0]


def test_no_secret_is_in_git_or_readable_by_others(lab: RealLab) -> None:
    tracked = lab.git("ls-files").splitlines()
    assert f"{lab.named('productivity')}/compose.yaml" in tracked
    assert not [path for path in tracked if path.endswith((".env", "users_database.yml"))]
    history = lab.git("log", "--all", "--patch")
    for path, (content, mode, _) in lab.files().items():
        if path.endswith(".env"):
            assert mode == 0o600
            secrets = [v for k, _, v in (x.partition("=") for x in content.decode().splitlines()) if "PASSWORD" in k]
            assert not [v for v in secrets if v and v.strip("'\"") in history], path


def test_nextcloud_is_added_through_the_whole_guard_and_rolled_back(lab: RealLab) -> None:
    before, networks = lab.files(), set(docker("network", "ls", "--format", "{{.Name}}").split())
    name = lab.named("cloud")
    # Into a stack that runs other things, which must not be touched.
    stack, neighbour = lab.named("media"), lab.named("jellyfin")
    started = lab.inspect(neighbour)["State"]["StartedAt"]
    plan = lab.plan("nextcloud", "media", files_only=False, name=name, subdomain="cloud")
    done = lab.approve_and_apply(plan, files_only=False)

    assert done.state is PlanState.DONE, done
    evidence = " ".join(e.what for e in done.evidence)
    assert all(e.ok for e in done.evidence) and f"cloud.{lab.domain}" in evidence, done.evidence
    data = (lab.root / stack / name / "data").stat()
    assert (data.st_uid, data.st_gid) == lab.owner
    mine = {name, f"{name}-db", f"{name}-cache"}
    assert {c for c in containers(lab) if c.startswith(name)} == mine
    private = f"{stack}_{name}-private"
    assert private in docker("network", "ls", "--format", "{{.Name}}").split()
    assert lab.https(f"cloud.{lab.domain}").status == 302
    assert "stand-in for nextcloud" in lab.https(f"cloud.{lab.domain}", cookie=SESSION).body
    values = dict(x.partition("=")[::2] for x in lab.files()[f"{stack}/.env"][0].decode().splitlines())
    assert {len(values[f"NEXTCLOUD_{k}_PASSWORD"].strip("'\"")) for k in ("DB", "DB_ROOT", "REDIS")} == {32}

    undo = propose_rollback(lab.open(files_only=False), plan.id, REQUESTER)
    assert undo.risk >= Risk.MEDIUM
    undone = lab.approve_and_apply(undo, files_only=False)

    assert undone.state is PlanState.DONE, undone
    assert lab.files() == before
    assert not mine & set(containers(lab))
    now = set(docker("network", "ls", "--format", "{{.Name}}").split())
    assert private not in now
    assert {n for n in networks if lab.run in n} <= now, "the networks that others use stay"
    assert lab.inspect(neighbour)["State"]["StartedAt"] == started
    wait_until(lambda: lab.https(f"cloud.{lab.domain}").status == 404 or None, "the route to be gone")


def test_a_service_changed_in_place_is_live_at_its_new_address_and_taken_back(lab: RealLab) -> None:
    before, name = lab.files(), lab.named("uptime-kuma")
    changes = {"subdomain": "moved", "sso": "bypass", "sso_reason": "A test.", "limits": {"memory": "200M"}}
    plan = propose_update_service(lab.open(files_only=False), name, "", changes, REQUESTER)
    done = lab.approve_and_apply(plan, files_only=False)

    assert done.state is PlanState.DONE, done
    assert any(f"moved.{lab.domain}" in e.what for e in done.evidence), done.evidence
    answer = lab.once_certified(f"moved.{lab.domain}")
    assert (answer.status, "stand-in for" in answer.body) == (200, True)
    assert lab.https(host(lab, "uptime-kuma")).status == 404
    assert lab.inspect(name)["HostConfig"]["Memory"] == 200 * 2**20
    router = routers_of(lab)[f"{name}@docker"]
    assert lab.login not in router.get("middlewares", ()) and f"{name}-api@docker" not in routers_of(lab)
    labels = lab.inspect(name)["Config"]["Labels"]
    assert labels["homepage.href"] == f"https://moved.{lab.domain}"

    undo = propose_rollback(lab.open(files_only=False), plan.id, REQUESTER)
    assert lab.approve_and_apply(undo, files_only=False).state is PlanState.DONE
    assert lab.files() == before
    wait_until(lambda: lab.https(host(lab, "uptime-kuma")).status == 302 or None, "the log-in to be back")


# By day test_change_services.py moves one with its rows, without the proxy.
@pytest.mark.nightly
def test_a_service_with_a_database_moves_to_another_stack_and_stays_live(lab: RealLab) -> None:
    before, name = lab.files(), lab.named("nextcloud")
    kept = lab.root / lab.named("productivity") / name / "data" / "kept"
    kept.write_bytes(b"bytes")
    made = lab.open(files_only=False)
    plan = propose_move_service(made, name, "", lab.named("media"), REQUESTER)
    done = lab.approve_and_apply(plan, files_only=False)

    assert done.state is PlanState.DONE, done
    assert (lab.root / lab.named("media") / name / "data" / "kept").read_bytes() == b"bytes"
    assert lab.inspect(name)["Config"]["Labels"]["com.docker.compose.project"] == lab.named("media")
    assert lab.https(host(lab, "nextcloud")).status == 302
    assert "stand-in for nextcloud" in lab.https(host(lab, "nextcloud"), cookie=SESSION).body
    private = lab.inspect(f"{name}-db")["NetworkSettings"]["Networks"]
    assert set(private) == {f"{lab.named('media')}_{name}-private"}

    undo = propose_rollback(lab.open(files_only=False), plan.id, REQUESTER)
    assert lab.approve_and_apply(undo, files_only=False).state is PlanState.DONE
    assert kept.read_bytes() == b"bytes"
    kept.unlink()
    assert lab.files() == before
    assert lab.inspect(name)["Config"]["Labels"]["com.docker.compose.project"] == lab.named("productivity")


def test_a_sweep_takes_only_networks_of_the_stack_that_nobody_joined(testbed_run: Scratch, traefik_image: str) -> None:
    project, image = testbed_run.claim_project(f"sweep-{testbed_run.run_id}"), traefik_image
    names = {kind: f"{project}_{kind}" for kind in ("free", "stopped", "unnamed")}
    for name in names.values():
        docker("network", "create", "--label", f"com.docker.compose.project={project}", name)
    foreign = testbed_run.network("foreign")
    box = testbed_run.container(image, "version", network=names["stopped"])
    wait_until(lambda: box.inspect("{{.State.Status}}") == "exited" or None, "the box to end")
    wanted = [names["free"], names["stopped"], foreign]

    assert DockerEngine().sweep_networks(project, wanted) == [names["free"]]
    box.remove()
    assert DockerEngine().sweep_networks(project, wanted) == [names["stopped"]]
    left = docker("network", "ls", "--format", "{{.Name}}").split()
    assert names["unnamed"] in left and foreign in left
