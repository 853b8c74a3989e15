"""The testbed itself: a real Traefik, a real ACME CA and stand-ins work together on this engine."""

import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from testbed import AcmeCa, Container, LocalImage, Scratch, TestbedError, free_port
from testbed.docker_engine import docker, wait_until

pytestmark = pytest.mark.timeout(60)

HOST = "whoami.lab.test"
API_CA = "/etc/acme-ca.pem"

StandIn = Callable[..., LocalImage]


@dataclass(frozen=True)
class Proxy:
    traefik: Container
    network: str

    def get(self, host: str, path: str, context: ssl.SSLContext) -> str:
        """HTTPS through the published port, with the name in SNI and Host; the certificate is verified."""
        port = self.traefik.published_port(443)
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.decode()


@pytest.fixture(scope="module")
def proxy(testbed_run: Scratch, acme_ca: AcmeCa, traefik_image: str) -> Proxy:
    network = testbed_run.network("proxy")
    acme_ca.join(network)
    resolver = "--certificatesresolvers.letsencrypt.acme"
    traefik = testbed_run.container(
        traefik_image,
        "--providers.docker=true",
        "--providers.docker.exposedbydefault=false",
        f"--providers.docker.network={network}",
        # The machine may run other things with Traefik labels.
        f"--providers.docker.constraints=Label(`homelab.testbed`,`{testbed_run.run_id}`)",
        "--entrypoints.websecure.address=:443",
        f"{resolver}.caserver={acme_ca.directory_url}",
        f"{resolver}.email=admin@lab.test",
        f"{resolver}.storage=/data/acme.json",
        f"{resolver}.tlschallenge=true",
        what="traefik",
        network=network,
        env={"LEGO_CA_CERTIFICATES": API_CA},
        publish={443: None},
        volumes={"/var/run/docker.sock": "/var/run/docker.sock:ro"},
        files={API_CA: acme_ca.api_ca.read_bytes()},
    )
    return Proxy(traefik, network)


def unused_reference(what: str) -> str:
    return f"homelab-testbed/{what}:{secrets.token_hex(4)}"


def test_traefik_serves_a_stand_in_with_a_certificate_of_the_acme_ca(
    testbed_run: Scratch, acme_ca: AcmeCa, proxy: Proxy, stand_in: StandIn
) -> None:
    image = stand_in(unused_reference("whoami"), service="whoami", ports=[80])
    router = "traefik.http.routers.whoami"
    testbed_run.container(
        image.reference,
        what="whoami",
        network=proxy.network,
        labels={
            "traefik.enable": "true",
            f"{router}.rule": f"Host(`{HOST}`)",
            f"{router}.entrypoints": "websecure",
            f"{router}.tls.certresolver": "letsencrypt",
            "traefik.http.services.whoami.loadbalancer.server.port": "80",
        },
    )

    def page() -> str | None:
        try:
            answer = proxy.get(HOST, "/where", acme_ca.ssl_context())
        except OSError:
            # Until the CA has issued, Traefik shows a certificate of its own, which is refused here.
            return None
        return answer if answer.startswith("HTTP/1.1 200") else None

    try:
        answer = wait_until(page, "the page over HTTPS")
    except TestbedError as error:
        pytest.fail(f"{error}\n{proxy.traefik.logs()}")
    assert "stand-in for whoami\nGET /where HTTP/1.1" in answer
    assert f"Host: {HOST}" in answer


def test_nothing_listens_beyond_loopback(acme_ca: AcmeCa, proxy: Proxy) -> None:
    for container in (acme_ca.container, proxy.traefik):
        bound = docker("port", container.name).splitlines()
        assert bound
        assert all(" -> 127.0.0.1:" in line for line in bound)


@pytest.mark.parametrize("user", ["0:0", "1000:1000", "65534:65534"])
def test_a_stand_in_serves_every_port_as_any_user_whatever_its_command(
    testbed_run: Scratch, stand_in: StandIn, user: str
) -> None:
    image = stand_in(unused_reference("ports"), service="jellyfin", ports=[80, 8096])
    network = testbed_run.network()
    box = testbed_run.container(
        image.reference,
        "--some=flag",
        "serve",
        network=network,
        aliases=["jellyfin"],
        volumes={"/etc/hostname": "/config/settings.yml:ro"},
        options=["--read-only", f"--user={user}", "--cap-drop=ALL", "--security-opt=no-new-privileges"],
    )
    for command in (
        ["wget", "--no-verbose", "--tries=1", "--spider", "http://localhost:8096/health"],
        ["wget", "-qO-", "http://jellyfin:80/"],
        ["wget", "-q", "-T", "5", "--timeout=5", "-O", "/dev/null", "http://127.0.0.1:8096/"],
        ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8096/health"],
        ["curl", "-fsSm", "5", "-H", "A: b", "--max-time", "5", "http://127.0.0.1:8096/health"],
        ["curl", "-f", "--data", "a=b", "http://127.0.0.1/"],
        ["nc", "-z", "127.0.0.1", "8096"],
    ):
        wait_until(lambda command=command: works(box, *command), " ".join(command), within=5)  # type: ignore[misc]
    assert "stand-in for jellyfin" in box.exec("curl", "-s", "localhost:8096/any/path?x=1")


def works(box: Container, *command: str) -> bool:
    try:
        box.exec(*command)
    except TestbedError:
        return False
    return True


def test_shims_take_the_place_of_what_health_checks_call(testbed_run: Scratch, stand_in: StandIn) -> None:
    image = stand_in(unused_reference("shims"), shims={"pg_isready": "echo accepting", "/app/healthcheck": "exit 0"})
    box = testbed_run.container(
        image.reference, options=["--health-cmd=/app/healthcheck && pg_isready", "--health-interval=1s"]
    )
    wait_until(lambda: box.inspect("{{.State.Health.Status}}") == "healthy", "healthy")
    assert box.exec("pg_isready", "-U", "x") == "accepting"


def test_variants_fail_each_in_its_way(testbed_run: Scratch, stand_in: StandIn) -> None:
    health = ["--health-cmd=curl -f http://localhost/", "--health-interval=1s", "--health-retries=1"]
    boxes = {
        variant: testbed_run.container(
            stand_in(unused_reference(variant.replace("_", "-")), variant=variant).reference,
            options=[*health, "--restart=always"],
        )
        for variant in ("crash_loop", "unhealthy", "error")
    }
    for variant in ("unhealthy", "error"):
        status = boxes[variant].inspect
        wait_until(lambda status=status: status("{{.State.Health.Status}}") == "unhealthy", variant)  # type: ignore[misc]
        assert status("{{.RestartCount}}") == "0"
    wait_until(lambda: int(boxes["crash_loop"].inspect("{{.RestartCount}}")) >= 2, "restarts")
    assert "failing on purpose" in boxes["crash_loop"].logs()


def test_the_engine_holds_memory_and_cpu_limits(testbed_run: Scratch, stand_in: StandIn) -> None:
    image = stand_in(unused_reference("limits"))
    box = testbed_run.container(image.reference, options=["--memory=64m", "--cpus=0.5"])
    assert box.inspect("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}") == f"{64 * 2**20} 500000000"
    seen = box.exec("sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; true")
    assert str(64 * 2**20) in seen


def test_a_stopped_stand_in_is_gone_at_once(testbed_run: Scratch, stand_in: StandIn) -> None:
    box = testbed_run.container(stand_in(unused_reference("stop")).reference)
    docker("stop", "--time", "10", box.name, timeout=5)
    assert box.inspect("{{.State.ExitCode}}") == "0"


def test_a_real_image_is_never_replaced(stand_in: StandIn) -> None:
    reference = unused_reference("real")
    empty = subprocess.run(["tar", "c", "-T", "/dev/null"], capture_output=True, check=True).stdout
    identity = docker("import", "-", reference, stdin=empty)
    try:
        assert not stand_in(reference).is_stand_in
        with pytest.raises(TestbedError, match="real image"):
            stand_in(reference, variant="crash_loop")
        assert docker("inspect", "--format", "{{.Id}}", reference) == identity
    finally:
        docker("rmi", reference)


def test_a_run_removes_what_it_made_and_nothing_else(stand_in: StandIn, testbed_run: Scratch) -> None:
    reference = stand_in(unused_reference("scratch")).reference
    mine = testbed_run.container(reference)
    with Scratch() as other:
        made = other.container(reference, network=other.network(), publish={80: free_port()})
        label = f"label=homelab.testbed={other.run_id}"
        assert made.inspect("{{.State.Status}}") == "running"
    assert docker("ps", "-aq", "--filter", label) == ""
    assert docker("network", "ls", "-q", "--filter", label) == ""
    assert mine.inspect("{{.State.Status}}") == "running"
    assert docker("images", "-q", reference)


def test_a_network_that_a_claimed_project_is_on_goes_too(stand_in: StandIn, testbed_run: Scratch) -> None:
    reference = stand_in(unused_reference("joined")).reference
    with Scratch() as other:
        network, project = other.network(), other.claim_project(other.name("project"))
        docker("run", "-d", "--network", network, "--label", f"com.docker.compose.project={project}", reference)
    assert docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}") == ""
    assert docker("network", "ls", "-q", "--filter", f"name={network}") == ""


KILLED = """
import os, signal, sys
from testbed import Scratch
with Scratch() as run:
    run.claim_project(project := run.name("killed"))
    run.network()
    print(run.run_id, project, flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_of_a_living_one(
    stand_in: StandIn, testbed_run: Scratch
) -> None:
    reference = stand_in(unused_reference("killed")).reference
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdin
        assert killed.stdout
        run, project = killed.stdout.readline().split()
        docker("run", "-d", "--label", f"com.docker.compose.project={project}", reference)

        def left() -> tuple[str, str]:
            networks = docker("network", "ls", "-q", "--filter", f"label=homelab.testbed={run}")
            return docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}"), networks

        with Scratch():
            assert all(left()), "it lives"
        killed.communicate("x", timeout=20)
    assert all(left())
    with Scratch():
        assert not any(left())


def test_a_project_of_somebody_else_is_not_claimed(testbed_run: Scratch, stand_in: StandIn) -> None:
    project = testbed_run.name("project")
    label = {"com.docker.compose.project": project}
    testbed_run.container(stand_in(unused_reference("project")).reference, labels=label)
    with pytest.raises(TestbedError, match="exists on this engine already"):
        testbed_run.claim_project(project)
