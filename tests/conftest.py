"""What holds for every test: its mark comes from its folder, and real parts are never skipped in silence."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]

from homelab_mcp.core.checks import guard
from testbed import TestbedError, require_docker
from tests.lanes import Lanes

pytest_plugins = ["tests.fixtures"]

# How long an example takes is the machine's affair; pytest-timeout ends what hangs.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("here")

HERE = Path(__file__).parent
MARK_OF_FOLDER = {"unit": "unit", "docker": "docker", "e2e": "e2e"}
NEEDS_DOCKER = ("docker", "e2e")

left_out_key = pytest.StashKey[int]()
missing_key = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-docker", action="store_true", help="leave out the docker and e2e tests, and say so")
    parser.addoption("--nightly", action="store_true", help="run the long tests as well (marked nightly)")
    parser.addoption("--entries", default="", help="ids of catalog entries, with commas: deploy these, not a shard")


@pytest.fixture(scope="session", autouse=True)
def keys_of_test_labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Labs' keys go where the tests' files go, and never into the home folder of whoever runs them."""
    place = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(place))
        patch.delenv("HOMELAB_KEY_FILE", raising=False)
        yield place / "homelab-mcp"


@pytest.fixture(scope="session", autouse=True)
def rules_that_fail_are_seen() -> Iterator[None]:
    """A rule that raises fails the test; people get a finding in its place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "STRICT", True)
        yield


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.is_relative_to(HERE):
        folder = item.path.relative_to(HERE).parts[0]
        if folder in MARK_OF_FOLDER:
            item.add_marker(MARK_OF_FOLDER[folder])


# After pytest's own -m and -k, so that the count says what this option alone left out.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--nightly"):
        long = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=long)
    if not config.getoption("--no-docker"):
        return
    left_out = [item for item in items if needs_docker(item)]
    items[:] = [item for item in items if not needs_docker(item)]
    config.hook.pytest_deselected(items=left_out)
    config.stash[left_out_key] = len(left_out)


def needs_docker(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(mark) for mark in NEEDS_DOCKER)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if not needs_docker(item):
        return
    if missing_key not in item.config.stash:
        item.config.stash[missing_key] = why_no_docker()
    if why := item.config.stash[missing_key]:
        pytest.fail(why, pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last test all that the session made is removed, which is not that test's time."""
    if nextitem is None:
        item.config.hook.pytest_timeout_cancel_timer(item=item)


def why_no_docker() -> str:
    try:
        require_docker()
    except TestbedError as error:
        return str(error)
    return ""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    return Lanes(config, log)


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.getoption("--no-docker"):
        return "--no-docker: the docker and e2e tests are left out; nothing is shown about real parts"
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(left_out_key, 0):
        terminalreporter.write_line(f"--no-docker left out {left_out} docker and e2e tests", yellow=True)
