"""Fixtures on real parts, for tests/docker and tests/e2e alike."""

from collections.abc import Callable, Iterator

import pytest

from testbed import AcmeCa, LocalImage, Scratch, TestbedError, ensure_traefik, require_docker, start_acme_ca
from testbed import stand_in as make_stand_in
from testbed.definitions import definition


@pytest.fixture(scope="session")
def docker_engine() -> str:
    """The engine's version; without an engine the test fails and says how to get one."""
    try:
        return require_docker()
    except TestbedError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def testbed_run(docker_engine: str) -> Iterator[Scratch]:
    """What this session makes on the engine; its end removes it."""
    with Scratch() as scratch:
        yield scratch


@pytest.fixture(scope="session")
def acme_ca(testbed_run: Scratch, tmp_path_factory: pytest.TempPathFactory) -> AcmeCa:
    """An ACME CA on a network of its own; `acme_ca.join(network)` makes it `pebble` on another."""
    return start_acme_ca(testbed_run, testbed_run.network("acme"), tmp_path_factory.mktemp("acme"))


@pytest.fixture(scope="session")
def traefik_image(testbed_run: Scratch) -> str:
    """The name of an image with the real Traefik in it."""
    return ensure_traefik(definition("traefik").container.image.reference).reference


@pytest.fixture(scope="session")
def stand_in(testbed_run: Scratch) -> Callable[..., LocalImage]:
    """`testbed.stand_in`, once the engine is known to be there."""
    return make_stand_in
