"""Definitions of one's own and catalogs of others: overlay, draft, difference, a git repository at one commit."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from dulwich.porcelain import add, commit, init
from dulwich.server import BackendRepo, DictBackend
from dulwich.web import HTTPGitApplication
from mcp import Client
from typer.testing import CliRunner

from homelab_mcp.adapters.git_foreign import ForeignGit
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.core.catalog_draft import new_text
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.plan import Plan, PlanState, Requester, Risk
from homelab_mcp.server import build
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service, propose_rollback
from homelab_mcp.workflow.propose_catalog import catalog_rows, propose_catalog, propose_remove_catalog

PIN = "27182818"
ME = Requester("cli")
NOTES = new_text("my-notes", "example/notes:1.0", 8080, ["/data"])
EVIL = new_text("gotify", "example/evil:1.0", 80)


class Rig:
    """A lab, and a repository of somebody else."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "stacks"
        self.other = folder / "other"
        init_lab(self.open(), {"domain": "lab.test", "email": "me@example.org"}, PIN)
        init(str(self.other))
        self.first = self.commit({"catalog/my-notes.yaml": NOTES, "catalog/gotify.yaml": EVIL, "README.md": "Hello"})

    def open(self) -> LocalLab:
        return open_lab(str(self.root), files_only=True)

    def commit(self, texts: dict[str, str]) -> str:
        for path, text in texts.items():
            (self.other / path).parent.mkdir(exist_ok=True)
            (self.other / path).write_text(text)
            add(str(self.other), paths=[str(self.other / path)])
        made = commit(str(self.other), message=b"Change", author=b"o <o@o>", committer=b"o <o@o>")
        return made.decode()

    def take(self, commit: str, name: str = "friends") -> Plan:
        return propose_catalog(self.open(), name, str(self.other), commit, "", ME)

    def apply(self, plan: Plan) -> None:
        lab = self.open()
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        assert applier(lab).run(plan.id).state is PlanState.DONE

    def cli(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["--files-only", "--root", str(self.root), "catalog", *words])
        return done.exit_code, done.output


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_catalog_of_another_is_taken_at_a_commit_shown_as_untrusted_and_taken_out_again(rig: Rig) -> None:
    before = {p: p.read_bytes() for p in rig.root.rglob("*") if p.is_file() and not {".git", ".homelab"} & set(p.parts)}
    plan = rig.take(rig.first)
    assert plan.risk is Risk.HIGH and plan.draft.risks[0].reason.startswith(f"1 definitions of {rig.other}")
    assert [e.path for e in plan.draft.edits if e.before is None] == ["catalog/friends/my-notes.yaml"]
    assert any("the catalog has a gotify already" in note for note in plan.draft.notes), plan.draft.notes
    rig.apply(plan)

    lab = rig.open()
    assert catalog_rows(lab) == [{"name": "friends", "url": str(rig.other), "commit": rig.first, "services": 1}]
    assert lab.catalog.get("gotify").container.image.repository != "example/evil"
    added = propose_add_service(lab, "my notes", "tools", {}, ME)
    assert added.risk is Risk.HIGH
    assert added.draft.risks[0].reason.startswith(f"UNTRUSTED: its definition is from catalog friends ({rig.other} at ")
    assert not propose_add_service(lab, "gotify", "tools", {}, ME).draft.risks[0].reason.startswith("UNTRUSTED")
    assert rig.cli("show", "my-notes")[1].splitlines()[4].startswith("> UNTRUSTED: from catalog/friends/my-notes.yaml")
    assert rig.cli("sources")[1].startswith("friends             1 services")
    with pytest.raises(InvalidInput, match="Nothing would change"):
        rig.take(rig.first)

    rig.apply(propose_remove_catalog(rig.open(), "friends", ME))
    after = {p: p.read_bytes() for p in rig.root.rglob("*") if p.is_file() and not {".git", ".homelab"} & set(p.parts)}
    assert after == before
    with pytest.raises(NotFound, match="no catalog 'friends'"):
        propose_remove_catalog(rig.open(), "friends", ME)


def test_another_commit_changes_what_changed_and_a_rollback_brings_the_old_one_back(rig: Rig) -> None:
    rig.apply(rig.take(rig.first))
    (rig.other / "catalog" / "my-notes.yaml").unlink()
    second = rig.commit({"catalog/my-notes.yaml": NOTES.replace(":1.0", ":2.0").replace('tag: "1.0"', 'tag: "2.0"')})
    third = rig.commit({"catalog/more.yaml": new_text("more-notes", "example/more:3", 80)})
    plan = propose_catalog(rig.open(), "friends", "", third, "", ME)
    assert {e.path for e in plan.draft.edits} == {
        "homelab.yaml",
        "catalog/friends/my-notes.yaml",
        "catalog/friends/more-notes.yaml",
    }
    rig.apply(plan)
    assert rig.open().catalog.get("my-notes").container.image.tag == "2.0"
    rig.apply(propose_rollback(rig.open(), plan.id, ME))
    assert rig.open().catalog.get("my-notes").container.image.tag == "1.0"
    assert rig.open().settings.catalogs["friends"].commit == rig.first != second


async def test_search_says_which_services_are_of_another(rig: Rig) -> None:
    rig.apply(rig.take(rig.first))
    async with Client(build(rig.open())) as client:
        told = await client.call_tool("search_catalog", {"query": "my notes"})
        page = await client.call_tool("search_catalog", {"docs_of": "my-notes"})
    assert told.structured_content is not None and page.structured_content is not None
    by_id = {m["id"]: m.get("untrusted") for m in told.structured_content["matches"]}
    assert by_id["my-notes"] == "friends" and not {v for k, v in by_id.items() if k != "my-notes"} - {None}
    assert "> UNTRUSTED" in page.structured_content["page"]


@pytest.mark.parametrize(
    ("url", "commit", "code"),
    [
        ("http://example.org/x.git", "a" * 40, "invalid_input"),
        ("https://me:secret@example.org/x.git", "a" * 40, "invalid_input"),
        ("https://example.org/x.git", "main", "invalid_input"),
        ("https://example.org/x.git", "abc1234", "invalid_input"),
        ("/no/such/folder", "a" * 40, "fetch_failed"),
    ],
)
def test_a_source_that_cannot_be_pinned_or_reached_is_refused_in_one_sentence(
    rig: Rig, url: str, commit: str, code: str
) -> None:
    with pytest.raises(HomelabError) as refused:
        propose_catalog(rig.open(), "friends", url, commit, "", ME)
    assert refused.value.code == code and "secret" not in refused.value.message


def test_a_catalog_without_anything_of_use_is_refused_with_the_reason(rig: Rig) -> None:
    bad = rig.commit({"catalog/my-notes.yaml": NOTES.replace("repository: example/notes", "repository: Not An Image")})
    with pytest.raises(InvalidInput, match=r"no definition.*container\.image\.repository") as refused:
        rig.take(bad)
    assert refused.value.code == "empty_catalog"


@pytest.fixture
def http_git(rig: Rig) -> Iterator[str]:
    """The other's repository behind git's smart HTTP protocol, as dulwich serves it."""
    from dulwich.repo import Repo

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    repo = Repo(str(rig.other))
    repositories: dict[str, BackendRepo] = {"/": repo}
    served = HTTPGitApplication(DictBackend(repositories))
    with make_server("127.0.0.1", 0, served, server_class=WSGIServer, handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
    repo.close()


def test_files_come_over_http_at_the_commit_that_was_asked_for(rig: Rig, http_git: str) -> None:
    later = rig.commit({"catalog/my-notes.yaml": "id: later\n"})
    assert ForeignGit().files(http_git, later)["catalog/my-notes.yaml"] == "id: later\n"
    assert ForeignGit().files(http_git, rig.first) == {"catalog/my-notes.yaml": NOTES, "catalog/gotify.yaml": EVIL}
    assert ForeignGit().files(http_git, rig.first, ends=".md", folder="") == {}
    with pytest.raises(HomelabError, match="did not give commit") as refused:
        ForeignGit().files(http_git, "a" * 40)
    assert refused.value.code == "fetch_failed"


def test_a_new_definition_holds_every_rule_and_can_be_added(rig: Rig) -> None:
    status, text = rig.cli("new", "my-notes", "--image", "ghcr.io/me/notes:1.4", "--port", "8080", "--data", "/data")
    assert (status, text.startswith("# docs/catalog.md")) == (0, True)
    (rig.root / "catalog").mkdir()
    (rig.root / "catalog" / "my-notes.yaml").write_text(text)
    # The warning says that nobody can see how it is without a health check.
    assert rig.cli("check", "my-notes") == (
        0,
        "1 entries (1 draft), 0 errors, 1 warnings, 0 of them without a reason in the entry.\n",
    )
    plan = propose_add_service(rig.open(), "my-notes", "tools", {}, ME)
    assert "Made from the lab's own definition, catalog/my-notes.yaml." in plan.draft.notes
    assert not any("UNTRUSTED" in risk.reason for risk in plan.draft.risks)
    assert (
        rig.cli("diff", "my-notes")[1] == "my-notes is only in catalog/my-notes.yaml: no packaged one is behind it.\n"
    )
    assert rig.cli("new", "x")[0] != 0 and rig.cli("new", "x", "--image", "no-tag")[0] != 0


def test_an_own_definition_in_place_of_a_packaged_one_is_shown_as_a_difference(rig: Rig) -> None:
    status, text = rig.cli("new", "gotify", "--like", "gotify")
    assert status == 0
    (rig.root / "catalog").mkdir()
    own = rig.root / "catalog" / "gotify.yaml"
    own.write_text("")  # as the shell leaves it, where the text is sent there
    assert rig.cli("new", "gotify", "--like", "gotify") == (0, text)
    own.write_text(text)
    assert rig.cli("diff", "gotify")[1] == "catalog/gotify.yaml says the same as the packaged one.\n"
    own.write_text(text.replace("subdomain: gotify", "subdomain: push"))
    said = json.loads(rig.cli("diff", "gotify", "--json")[1])
    changed = [line for line in said["diff"].splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == ["-  subdomain: gotify", "+  subdomain: push"]
    assert rig.cli("diff", "immich")[1] == "immich is as it is packaged: the lab has no definition of its own.\n"
