"""A lab seen through one of its Docker hosts: what queries, commands and kept answers make of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homelab_mcp.adapters.hosts_engine import HostsEngine
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.plan import PlanState, Requester
from homelab_mcp.opening.kept import kept
from homelab_mcp.ports import EngineInfo
from homelab_mcp.queries.cert_facts import cert_facts
from homelab_mcp.queries.check_lab import check_lab
from homelab_mcp.queries.history import history
from homelab_mcp.queries.machine import room_of
from homelab_mcp.queries.on_host import Named, in_view, placed
from homelab_mcp.queries.sign_on import sign_on
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service, propose_rollback
from homelab_mcp.workflow.propose_changes import propose_remove_service
from homelab_mcp.workflow.propose_env import propose_env

PIN, CLI = "1234abcd", Requester("cli")
HOSTS = "hosts:\n  nas: {address: 'ssh://root@nas.invalid', private: 192.168.1.20}\n"
OPEN = {"sso": "bypass", "sso_reason": "a test"}


def at(root: Path) -> LocalLab:
    return open_lab(str(root), files_only=True)


def apply(root: Path, plan_id: str) -> None:
    approvals(at(root)).out_of_band(plan_id, PIN, who="test", approved=True)
    assert applier(at(root)).run(plan_id).state is PlanState.DONE


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traefik and ``here`` on the lab's machine, ``there`` and ``gone`` on nas; by plans, as people make them."""
    root = tmp_path_factory.mktemp("on-host") / "stacks"
    init_lab(at(root), {"domain": "lab.test", "acme.challenge": "none"}, PIN)
    (root / "hosts.yaml").write_text(HOSTS)
    apply(root, propose_add_service(at(root), "traefik", "", {}, CLI).id)
    for name, host in (("here", ""), ("there", "nas"), ("gone", "nas")):
        options = {"name": name, "subdomain": name, **OPEN}
        apply(root, propose_add_service(at(root), "whoami", name, options, CLI, host=host).id)
    apply(root, propose_env(at(root), "gone", {"NOTE": "x"}, CLI).id)
    apply(root, propose_remove_service(at(root), "gone", "gone", CLI, data="keep", env="keep").id)
    return root


def test_the_whole_lab_is_what_it_was(root: Path, tmp_path: Path) -> None:
    lab = at(root)
    assert lab.on("") is lab.whole is lab
    assert (lab.seen, lab.on("nas").seen, lab.on("local").seen) == ("", "nas", "local")
    assert lab.on("nas").whole is lab
    alone = at(tmp_path)
    assert alone.on("local") is alone
    with pytest.raises(NotFound, match="no host 'nas'"):
        alone.on("nas")


def test_a_host_s_stacks_are_listed_and_every_file_can_be_read(root: Path) -> None:
    there = at(root).on("nas")
    assert [name for name, _ in there.files.stack_folders()] == ["there"]
    assert there.files.read("core/compose.yaml")
    seen = in_view(there)
    assert [seen(p) for p in ("there", "there/compose.yaml", "here/x", "core", ".", "homelab.yaml", "unknown")] == [
        True,
        True,
        *[False] * 5,
    ]
    own = in_view(at(root).on("local"))
    assert [own(p) for p in ("there", "here/x", "core", ".", "homelab.yaml", "external nas")] == [False, *[True] * 5]


def test_routes_and_certificates_are_told_by_who_serves_the_page(root: Path) -> None:
    """Traefik's own file for other hosts has the route too: it is the service's host that counts."""
    assert "there.lab.test" in (root / "core/traefik/dynamic/other-hosts.yaml").read_text()
    for host, names in (("nas", ["there.lab.test"]), ("local", ["here.lab.test", "traefik.lab.test"])):
        lab = at(root).on(host)
        assert sorted(cert_facts(lab).hosts) == names
        assert [r.host for r in sign_on(lab).routes] == names
    with pytest.raises(InvalidInput) as refused:
        cert_facts(at(root).on("nas"), ["here.lab.test"])
    assert refused.value.code == "other_host"
    assert cert_facts(at(root).on("nas"), ["thre.lab.test"]).hosts == {"thre.lab.test": ""}, "a name that is nowhere"


def test_history_goes_by_where_a_stack_is_or_was(root: Path) -> None:
    """``gone`` has no compose file any more: what its plans wrote says that it was on nas."""
    assert not (root / "gone/compose.yaml").exists()

    def told(host: str) -> list[str]:
        return [row["summary"] for row in history(at(root).on(host), 20)][::-1]

    every = told("")
    nas = told("nas")
    assert [s for s in every if "there" in s or "gone" in s] == nas
    assert len(nas) == 4
    # The core's file of routes to other hosts was written as well; a variable of ``gone`` is in no such file.
    assert [s for s in every if s not in told("local")] == ["Change NOTE of stack gone"]
    rows = history(at(root).on("nas"), 20)
    assert [row for n in range(4) for row in history(at(root).on("nas"), 1, n)] == rows


def test_a_stack_of_which_nobody_can_tell_is_in_the_history_of_each_host(root: Path, tmp_path: Path) -> None:
    """Of ``gone`` the one plan is left that did not write its compose file."""
    copy = tmp_path / "stacks"
    shutil.copytree(root, copy)
    for row in history(at(copy), 20):
        if "gone" in row["summary"] and "NOTE" not in row["summary"]:
            shutil.rmtree(copy / ".homelab/plans" / row["plan_id"])
    for host in ("nas", "local"):
        assert history(at(copy).on(host), 1)[0]["summary"] == "Change NOTE of stack gone", host


def test_a_roll_back_is_of_that_host_alone(root: Path) -> None:
    plans = {row["summary"]: row["plan_id"] for row in history(at(root), 20)}
    first = {name: next(i for s, i in plans.items() if f" {name}" in s) for name in ("traefik", "here", "there")}
    first["gone"] = plans["Change NOTE of stack gone"]

    def found(host: str, name: str, **more: str) -> str:
        try:
            placed(at(root).on(host), Named(("stack",), plan="plan_id"), {"plan_id": first[name], **more})
        except InvalidInput as error:
            assert error.code == "other_host"
            return error.message
        return ""

    for name in ("there", "gone"):
        for to in ({}, {"to": "only"}, {"to": "before"}, {"to": "after"}):
            assert not found("nas", name, **to), (name, to)
            assert " on host nas, not on local." in found("local", name, **to), (name, to)
    assert not found("nas", "here", to="after")
    assert found("nas", "here") == "What that plan changed is on host local, not on nas."
    assert (
        found("nas", "here", to="before") == "What was changed since is not on host nas alone, but also on host local."
    )
    assert "also on host nas." in found("local", "here", to="before")
    assert not found("local", "here")
    assert not found("nas", "here", to="before", stack="there"), "a stack alone is put back"
    assert found("nas", "here", stack="there"), "one plan is taken back whole, whatever stack is named"
    assert found("nas", "here", to="only", stack="there")


def test_what_is_planned_is_of_that_host(root: Path) -> None:
    """The same lab goes back to before a stack of nas by what its tools make of it: this machine's stacks stay."""
    plans = {row["summary"]: row["plan_id"] for row in history(at(root), 20)}
    plan = propose_rollback(at(root), next(i for s, i in plans.items() if " there" in s), CLI, to="before")
    changed = {e.path.partition("/")[0] for e in plan.draft.edits if not e.derived}
    assert changed
    assert changed <= {"there", "gone"}


def test_a_check_is_of_that_host_and_the_machine_s_own_business_is_left_to_it(root: Path) -> None:
    looked = {host: check_lab(at(root).on(host)).looked_at for host in ("", "nas", "local")}
    assert "host" in looked[""]
    assert "host" in looked["local"]
    assert "host" not in looked["nas"]


@pytest.mark.parametrize(
    ("named", "given", "said"),
    [
        (Named(("stack",)), {"stack": "here"}, "Stack here is on host local, not on nas."),
        (Named(("stack",)), {"stack": "core/compose.yaml"}, "Stack core is on host local"),
        (Named(("stack",)), {"stack": "."}, "What is the lab's own is on host local"),
        (Named(("stack",)), {"stack": "./here"}, "Stack here is on host local"),
        (Named(("stack",), ("service",)), {"service": "here"}, "here/here is on host local"),
        (Named((), ("services",)), {"services": ["there", "here/here=v2"]}, "here/here is on host local"),
        (Named((), ("services",), groups=True), {"services": ["stack:here"]}, "Stack here is on host local"),
    ],
)
def test_what_is_elsewhere_is_refused(root: Path, named: Named, given: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace(".", r"\.")) as refused:
        placed(at(root).on("nas"), named, given)
    assert (refused.value.code, refused.value.details) == ("other_host", {"host": "local"})


@pytest.mark.parametrize(
    "given",
    [
        {"stack": "there", "service": "there"},
        {"stack": "nobody", "service": "nobody"},
        {"stack": 7, "service": None},
        {"service": ["there", 3]},
        {},
    ],
)
def test_what_is_there_or_nowhere_is_left_as_it_is(root: Path, given: dict[str, object]) -> None:
    assert placed(at(root).on("nas"), Named(("stack",), ("service",)), given) == given


def test_commands_take_it_too(root: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["--root", str(root), "--files-only", *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            return done.exit_code, str(done.exception)
        return done.exit_code, done.stdout

    code, text = run("status", "--host", "nas", "--json")
    assert code == 0
    assert [row["stack"] for row in json.loads(text)["services"]] == ["there"]
    assert run("status", "here", "--host", "nas") == (1, "Stack here is on host local, not on nas.")
    assert "There is no host 'attic'" in run("status", "--host", "attic")[1]
    for words in (
        ("audit", "resources"),
        ("storage",),
        ("env", "list"),
        ("env", "check"),
        ("review",),
        ("history",),
        ("check", "--skip", "routes"),
        ("certs", "check"),
    ):
        _, text = run(*words, "--host", "nas", "--json")
        data = json.loads(text)
        assert "here" not in json.dumps(data).replace("there", ""), words


def test_what_is_kept_of_an_earlier_start_goes_with_the_hosts(root: Path, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    environment = {"XDG_CACHE_HOME": str(tmp_path), "HOMELAB_ROOT": str(tmp_path / "lab")}
    before = kept(["serve"], environment)
    (tmp_path / "lab" / "hosts.yaml").write_text(HOSTS)
    after = kept(["serve"], environment)
    assert before is not None
    assert after is not None
    assert before.path != after.path
    (tmp_path / "lab" / "hosts.yaml").unlink()
    assert kept(["serve"], environment) == before


def test_the_catalog_is_searched_for_what_that_machine_can_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = at(root).catalog
    every = catalog.search("", limit=1000)
    small = catalog.search("", limit=1000, architecture="arm", memory=128)
    assert 0 < small.total < every.total
    assert all("arm" in d.architectures for d in small.matches)
    assert not {d.id for d in small.matches} & {"jellyfin", "immich"}

    lab = LocalLab(str(root))
    assert room_of(lab) == {}
    there = lab.on("nas")
    said = EngineInfo("27", "1.47", "linux", "aarch64", 4, 2 * 2**30, "overlay2", 3)
    monkeypatch.setattr(HostsEngine, "info", lambda self: said)
    assert room_of(there) == {"architecture": "arm64", "memory": 2048}
    assert catalog.search("", **room_of(there)).total < every.total
