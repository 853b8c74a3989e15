"""Monitoring: Prometheus itself takes the files, and what is watched follows the lab."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core import yaml12
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.derived import LabAfter, derive
from homelab_mcp.core.derived.monitoring import monitoring
from homelab_mcp.core.monitoring.rules import RULES, rules_text
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.operations.setup_monitoring import PARTS, MonitoringRequest, setup_monitoring
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, FileEdit
from testbed import free_port
from testbed.docker_engine import wait_until
from tests.gatus_rules import gatus_errors, visit
from tests.unit.core.operation_parts import argon2, secret

CATALOG = {d.id: d for d in packaged_definitions()}
SETTINGS = LabSettings.model_validate({"domain": "lab.test", "acme": {"challenge": "tls"}})
URL = "https://ntfy.example/topic-4711?template=alertmanager"
ALL = tuple(PARTS)


class Bench:
    """Takes drafts as an apply would, with the files that follow."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.restarts: set[tuple[str, str]] = set()
        self.snapshot = Snapshot((), "domain: lab.test\n")

    def add(
        self, snapshot: Snapshot, request: AddServiceRequest, *, read: Any, alongside: Collection[str] = ()
    ) -> Draft:
        return add_service(
            snapshot, SETTINGS, request, find=CATALOG.__getitem__, secrets=secret, argon2=argon2, root="/opt/stacks",
            read=read, alongside=alongside,
        )  # fmt: skip

    def setup(self, *parts: str, **values: Any) -> Draft:
        request = MonitoringRequest.model_validate({"parts": parts, **values})
        return self.take(
            setup_monitoring(self.snapshot, request, find=CATALOG.__getitem__, add=self.add, read=self.texts.get)
        )

    def service(self, name: str, stack: str = "apps") -> Draft:
        return self.take(self.add(self.snapshot, AddServiceRequest(service=name, stack=stack), read=self.texts.get))

    def take(self, draft: Draft) -> Draft:
        self.texts |= {e.path: e.after for e in draft.edits if e.after is not None}
        self.snapshot = Snapshot(stacks_after(self.snapshot.stacks, draft.edits), self.snapshot.settings_text)
        after = LabAfter(self.snapshot, SETTINGS, view(self.snapshot), self.texts.get, CATALOG.get, "/opt/stacks")
        self.restarts = set()
        for file in derive(after, (monitoring,)):
            self.texts[file.path] = file.text or ""
            self.restarts |= set(file.restart)
        assert not list(derive(after, (monitoring,))), "derived once, nothing is left to derive"
        return draft

    def data(self, path: str) -> Any:
        return yaml12.load(self.texts[path])


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.service("traefik", "core")
    return made


def addresses(bench: Bench) -> set[str]:
    return {t for group in bench.data("monitoring/prometheus/config/homelab-targets.yml") for t in group["targets"]}


def test_all_of_it_is_one_plan_and_everything_with_figures_is_asked(bench: Bench) -> None:
    draft = bench.setup(*ALL, notify_url=URL)
    names = [a.services[0] for a in draft.actions if a.kind is ActionKind.UP]
    assert names == ["prometheus", "node-exporter", "cadvisor", "gatus", "loki", "alloy", "alertmanager", "grafana"]
    kinds = [a.kind for a in draft.actions]
    assert kinds.index(ActionKind.UP) > max(n for n, k in enumerate(kinds) if k is ActionKind.PULL)
    assert addresses(bench) == {
        "traefik:8080", "node-exporter:9100", "cadvisor:8080", "gatus:8080", "loki:3100", "alloy:12345",
        "alertmanager:9093", "grafana:3000",
    }  # fmt: skip
    assert bench.data("monitoring/prometheus/config/homelab-alertmanager.yml") == [{"targets": ["alertmanager:9093"]}]
    rules = bench.data("monitoring/prometheus/config/homelab-rules.yml")["groups"][0]["rules"]
    assert [r["alert"] for r in rules] == [r.name for r in RULES]
    with pytest.raises(InvalidInput) as caught:
        bench.setup(*ALL)
    assert caught.value.code == "nothing_to_do"


def test_what_comes_and_goes_later_is_followed(bench: Bench) -> None:
    bench.setup("uptime", "metrics")
    hosts = [e["name"] for e in bench.data("monitoring/gatus/config/homelab.yaml")["endpoints"]]
    assert "cadvisor.lab.test" in hosts
    assert "keycloak:9000" not in addresses(bench)
    bench.service("keycloak")
    assert "keycloak:9000" in addresses(bench)
    endpoints = bench.data("monitoring/gatus/config/homelab.yaml")["endpoints"]
    assert "auth.lab.test" in [e["name"] for e in endpoints] or "keycloak.lab.test" in [e["name"] for e in endpoints]
    assert bench.restarts == set(), "targets and visits are read again without a restart"
    assert all(e["client"]["ignore-redirect"] for e in endpoints), "a log-in in front is an answer too"


def test_what_is_on_another_host_is_asked_by_its_published_port_or_not_at_all(bench: Bench) -> None:
    bench.setup("uptime", "metrics")
    before = addresses(bench)
    bench.texts["hosts.yaml"] = (
        "hosts:\n  nas: {address: 'ssh://root@nas.lan', private: 192.168.1.20}\n  far: {address: 'ssh://f'}\n"
    )
    bench.service("keycloak", "there")
    path = "there/compose.yaml"
    text = bench.texts[path]

    def with_ports(host: str, ports: str) -> set[str]:
        moved = f"x-homelab: {{host: {host}}}\n" + text.replace(
            "  keycloak:\n", f"  keycloak:\n    ports: [{ports}]\n", 1
        )
        bench.take(Draft("x", "x", (FileEdit(path, bench.texts[path], moved),), ()))
        return addresses(bench) - before

    file = "monitoring/prometheus/config/homelab-targets.yml"
    assert with_ports("nas", "'192.168.1.20:19000:9000'") == {"192.168.1.20:19000"}
    assert "# " not in bench.texts[file].partition("\n")[2]
    assert with_ports("nas", "'127.0.0.1:19000:9000'") == set()
    assert "# there/keycloak is not asked: it is on host nas, and port 9000" in bench.texts[file]
    assert with_ports("far", "'192.168.1.20:19000:9000'") == set()
    assert "no private address of host far is known" in bench.texts[file]


def test_alerts_go_to_no_name_of_another_host(bench: Bench) -> None:
    bench.setup(*ALL, notify_url=URL)
    path = "monitoring/compose.yaml"
    text = bench.texts[path]
    start = text.index("  alertmanager:")
    one = text[start : text.index("\n\n", start)] if "\n\n" in text[start:] else text[start:]
    other = "x-homelab: {host: nas}\nservices:\n" + one.replace("container_name: alertmanager", "container_name: other")
    bench.take(Draft("x", "x", (FileEdit("away/compose.yaml", None, other),), ()))
    assert bench.data("monitoring/prometheus/config/homelab-alertmanager.yml") == [{"targets": ["alertmanager:9093"]}]


def gatus_folder(bench: Bench) -> dict[str, str]:
    start = "monitoring/gatus/config/"
    return {path.removeprefix(start): text for path, text in bench.texts.items() if path.startswith(start)}


def test_gatus_takes_its_whole_folder(bench: Bench) -> None:
    bench.setup(*ALL, notify_url=URL)
    for name in ("keycloak", "gitea", "jellyfin", "nextcloud", "n8n", "vaultwarden"):
        bench.service(name)
    folder = gatus_folder(bench)
    assert set(folder) == {"config.yaml", "homelab.yaml"}
    assert gatus_errors(folder) == []
    visits = yaml12.load(folder["homelab.yaml"])["endpoints"]
    assert len(visits) >= 10
    for row in visits:
        assert visit(row["conditions"], status=302, hours=200), "a log-in in front is an answer"
        assert not visit(row["conditions"], status=404, hours=200), "Traefik's word on a route that leads nowhere"
        assert not visit(row["conditions"], status=502, hours=200)
        assert not visit(row["conditions"], status=200, hours=100), "its certificate ends in four days"


def test_two_routes_that_gatus_cannot_tell_apart_do_not_keep_it_from_starting(bench: Bench) -> None:
    bench.setup("uptime")
    bench.service("whoami")
    path = "apps/compose.yaml"
    text = bench.texts[path]
    router = "      traefik.http.routers.{0}.rule: Host(`{1}`)\n      traefik.http.routers.{0}.entrypoints: websecure\n"
    more = router.format("one", "a-b.lab.test") + router.format("two", "a.b.lab.test")
    bench.take(Draft("x", "x", (FileEdit(path, text, text.replace("    labels:\n", f"    labels:\n{more}", 1)),), ()))
    assert gatus_errors(gatus_folder(bench)) == []
    visits = {r["url"]: r["name"] for r in yaml12.load(gatus_folder(bench)["homelab.yaml"])["endpoints"]}
    assert visits["https://a-b.lab.test/"] == "a-b.lab.test"
    assert visits["https://a.b.lab.test/"] == "a.b.lab.test 2"


def test_what_a_person_has_gatus_visit_by_the_same_name_is_left_to_them(bench: Bench) -> None:
    bench.setup("uptime")
    bench.service("whoami")
    own = "monitoring/gatus/config/config.yaml"
    row = (
        "  - {name: whoami.lab.test, group: apps, url: 'https://whoami.lab.test/me', conditions: ['[STATUS] == 200']}\n"
    )
    bench.texts[own] += row
    bench.service("gitea")
    assert gatus_errors(gatus_folder(bench)) == []
    urls = {r["url"] for r in yaml12.load(gatus_folder(bench)["homelab.yaml"])["endpoints"]}
    assert "https://whoami.lab.test/" not in urls
    assert "https://git.lab.test/" in urls or "https://gitea.lab.test/" in urls


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (('"1m"', '"1 m"'), "is no duration"),
        (("group:", "grup:"), "is no field"),
        (("ignore-redirect", "ignore-redirects"), "is no field"),
        (("[STATUS] == any(", "[STATUS] = any("), "is no condition"),
        (("[STATUS]", "[STATE]"), "compares nothing"),
        (("> 168h", "> 7d"), "compares no numbers"),
        (("https://", "htp://"), "no address"),
        (("endpoints:", "metrics: true\nendpoints:"), "in another file as well"),
        (("grafana.lab.test\n", "graf$ana.lab.test\n"), "name of a variable"),
        (("name: prometheus.lab.test", "name: grafana.lab.test"), "there twice"),
    ],
)
def test_the_rules_told_of_gatus_find_what_it_refuses(bench: Bench, spoil: tuple[str, str], says: str) -> None:
    bench.setup("uptime", "metrics", "dashboards")
    folder = gatus_folder(bench)
    assert spoil[0] in folder["homelab.yaml"], folder["homelab.yaml"]
    folder["homelab.yaml"] = folder["homelab.yaml"].replace(*spoil)
    assert any(says in error for error in gatus_errors(folder)), gatus_errors(folder)


def test_services_that_sleep_are_not_visited(bench: Bench) -> None:
    bench.setup("uptime")
    bench.service("sablier", "core")
    bench.service("grafana", "monitoring")
    assert "grafana.lab.test" in bench.texts["monitoring/gatus/config/homelab.yaml"]
    path = "monitoring/compose.yaml"
    labels = '      sablier.enable: "true"\n      sablier.group: grafana\n      homelab.lazy: dynamic\n'
    text = bench.texts[path]
    grafana = text[text.index("  grafana:") :]
    asleep = grafana.replace("    labels:\n", f"    labels:\n{labels}", 1)
    bench.take(Draft("x", "x", (FileEdit(path, text, text.replace(grafana, asleep)),), ()))
    assert "grafana.lab.test" not in bench.texts["monitoring/gatus/config/homelab.yaml"]


def test_where_alerts_go_is_a_secret_file_that_git_never_holds(bench: Bench) -> None:
    first = bench.setup("alerts")
    assert any("Nobody is told yet" in n for n in first.notes)
    draft = bench.setup("alerts", notify_url=URL)
    (secret_edit,) = [e for e in draft.edits if e.secret]
    assert (secret_edit.path, secret_edit.mode) == ("monitoring/alertmanager/config/notify_url", 0o600)
    assert URL in draft.secrets
    assert all(URL not in (e.after or "") for e in draft.edits if not e.secret)
    assert [(a.kind, a.services) for a in draft.actions] == [(ActionKind.RESTART, ("alertmanager",))]
    receivers = bench.data("monitoring/alertmanager/config/alertmanager.yml")["receivers"]
    assert receivers[0]["webhook_configs"][0]["url_file"] == "/etc/alertmanager/notify_url"


def test_files_of_a_persons_own_are_let_be(bench: Bench) -> None:
    bench.setup("uptime", "metrics")
    own = "global:\n  scrape_interval: 1m\n"
    bench.texts["monitoring/prometheus/config/prometheus.yml"] = own
    bench.texts["monitoring/gatus/config/homelab.yaml"] = "endpoints: []\n"
    before = dict(bench.texts)
    bench.service("keycloak")
    changed = {p for p in bench.texts if bench.texts[p] != before.get(p)}
    assert not [p for p in changed if p.startswith("monitoring/")]


def test_the_dashboard_shows_what_gives_figures_and_nothing_else(bench: Bench) -> None:
    bench.setup("dashboards")
    path = "monitoring/grafana/dashboards/homelab-lab.json"
    titles = {p["title"] for p in json.loads(bench.texts[path])["panels"]}
    assert "Requests by route" in titles
    assert not titles & {"Processor", "Errors in logs", "Memory by container"}
    bench.setup("metrics", "logs")
    board = json.loads(bench.texts[path])
    assert {"Processor", "Errors in logs", "Memory by container"} <= {p["title"] for p in board["panels"]}
    assert [v["name"] for v in board["templating"]["list"]] == ["prometheus", "loki"]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(set(places)) == len(places)
    assert bench.data("monitoring/grafana/datasources/homelab.yaml")["datasources"][0]["url"] == "http://loki:3100"


def test_a_rule_without_figures_is_left_out() -> None:
    rules = yaml12.load(rules_text({"gatus"}))
    assert isinstance(rules, dict)
    assert [r["alert"] for r in rules["groups"][0]["rules"]] == ["TargetDown", "RouteDown"]


def test_promtool_takes_the_configuration_and_every_rule(bench: Bench, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: script/setup installs it (or: apt-get install prometheus)"
    bench.setup(*ALL, notify_url=URL)
    folder = "monitoring/prometheus/config/"
    for path, text in bench.texts.items():
        if path.startswith(folder):
            (tmp_path / path.removeprefix(folder)).write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert f"{len(RULES)} rules found" in said
    assert "WARNING" not in said


@pytest.mark.timeout(300)
def test_a_real_prometheus_scrapes_a_real_node_exporter_and_what_it_finds_arrives(
    bench: Bench, tmp_path: Path, phone: Phone
) -> None:
    bench.setup("metrics", "alerts", notify_url=phone.address)
    folder = "monitoring/prometheus/config/"
    exporter_port, gone, web, manager = free_port(), free_port(), free_port(), free_port()
    receiver = bench.texts["monitoring/alertmanager/config/alertmanager.yml"]
    for old, new in (("/etc/alertmanager", str(tmp_path)), ("30s", "1s"), ("5m", "1s")):
        assert old in receiver
        receiver = receiver.replace(old, new)
    (tmp_path / "alertmanager.yml").write_text(receiver)
    (tmp_path / "notify_url").write_text(bench.texts["monitoring/alertmanager/config/notify_url"])
    for path, text in bench.texts.items():
        if not path.startswith(folder):
            continue
        text = text.replace("/etc/prometheus/", f"{tmp_path}/").replace("15s", "1s").replace('for: "5m"', 'for: "1s"')
        # The lab's names lead nowhere here: one target is real, one is a port that nobody has, the rest are left out.
        text = text.replace("node-exporter:9100", f"127.0.0.1:{exporter_port}").replace(
            "cadvisor:8080", f"127.0.0.1:{gone}"
        )
        text = text.replace("alertmanager:9093", f"127.0.0.1:{manager}")
        (tmp_path / path.removeprefix(folder)).write_text(text)
    with (
        running("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{exporter_port}"),
        running(
            "prometheus-alertmanager",
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/alerts",
            f"--web.listen-address=127.0.0.1:{manager}",
            "--cluster.listen-address=",
        ),
        running(
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{web}",
        ),
    ):

        def ask(what: str) -> Any:
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/api/v1/{what}", timeout=5) as answer:
                return json.load(answer)["data"]

        def up() -> dict[str, str]:
            try:
                return {t["labels"]["job"]: t["health"] for t in ask("targets")["activeTargets"]}
            except OSError:
                return {}

        wait_until(lambda: up().get("node-exporter") == "up" and up().get("cadvisor") == "down", "targets", within=60)
        value = ask("query?query=node_memory_MemTotal_bytes")["result"][0]
        assert value["metric"]["job"] == "node-exporter"
        assert value["metric"]["stack"] == "monitoring"
        assert float(value["value"][1]) > 2**20

        def firing() -> bool:
            alerts = [a for a in ask("alerts")["alerts"] if a["labels"]["alertname"] == "TargetDown"]
            return any(a["labels"]["job"] == "cadvisor" and a["state"] == "firing" for a in alerts)

        wait_until(firing, "the alert of the target that is down", within=60)
        rules = ask("rules")["groups"][0]["rules"]
        assert {r["health"] for r in rules} <= {"ok", "unknown"}
        assert not [r["lastError"] for r in rules if r.get("lastError")]

        def told() -> list[str]:
            alerts = [a for m in phone.got for a in m["alerts"] if a["status"] == "firing"]
            return [a["annotations"]["summary"] for a in alerts if a["labels"]["job"] == "cadvisor"]

        wait_until(lambda: told() or None, "the alert at the address of a person", within=120)
        assert told()[0] == "cadvisor gives Prometheus no answer."


class Phone(ThreadingHTTPServer):
    """A receiver, standing in for ntfy: ``got`` is every message that was posted to its topic."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.got: list[dict[str, Any]] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}/topic-4711?template=alertmanager"


class _Taking(BaseHTTPRequestHandler):
    server: Phone

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/topic-4711?template=alertmanager":
            self.server.got.append(json.loads(text))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def phone() -> Iterator[Phone]:
    with Phone() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@contextmanager
def running(*command: str) -> Iterator[None]:
    """A program until the end, which it is asked to come to."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield
        finally:
            child.terminate()
