"""``catalog check``: no error in the packaged catalog, and no warning whose reason its entry does not give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import load_catalog, packaged_definitions
from homelab_mcp.core.catalog_sources import tag_sources
from homelab_mcp.core.compose_edit import new_document
from homelab_mcp.core.env_file import set_values
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.queries.check_catalog import Checked, check_catalog, generated
from tests.unit.core.compose_real import real_model, write

pytestmark = pytest.mark.timeout(240)
DEFINITIONS = {definition.id: definition for definition in packaged_definitions()}


@pytest.fixture(scope="module")
def checked() -> dict[str, Checked]:
    return {one.id: one for one in check_catalog(load_catalog())}


def test_the_packaged_catalog_has_no_error_and_no_warning_without_a_reason(checked: dict[str, Checked]) -> None:
    assert len(checked) >= 250
    assert {one.id: one.problems for one in checked.values() if one.problems} == {}
    # A new one: give the entry's field for it (health_note, why, user_note), or see core/catalog_explained.py.
    assert {one.id: one.unexplained for one in checked.values() if one.unexplained} == {}
    assert sum(len(one.warnings) for one in checked.values()) > 50, "the linter looks at them at all"


def test_a_reason_is_the_entrys_own_words(checked: dict[str, Checked]) -> None:
    (said,) = [w for w in checked["pihole"].warnings if w.startswith("HL102")]
    (why,) = [p.why for p in DEFINITIONS["pihole"].container.privileges if p.kind == "new_privileges"]
    assert said.endswith(f"Meant so: {why}")


def test_a_warning_that_nothing_explains_is_told_as_such() -> None:
    container = DEFINITIONS["jupyter"].container.model_copy(update={"user_note": ""})
    silent = DEFINITIONS["jupyter"].model_copy(update={"container": container, "level": "draft"})
    (found,) = check_catalog(_Of(silent))  # type: ignore[arg-type]
    assert [w for w in found.unexplained if w.startswith("HL101")]


class _Of:
    """A catalog of one definition."""

    problems: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, only: ServiceDefinition) -> None:
        self._only = only

    def all(self) -> tuple[ServiceDefinition, ...]:
        return (self._only,)


def test_compose_itself_reads_what_every_entry_becomes(tmp_path: Path) -> None:
    # Each gateway is named gluetun, so whoever goes through one has a file of its own.
    alone = [[definition] for definition in DEFINITIONS.values() if definition.gateway]
    others = [definition for definition in DEFINITIONS.values() if not definition.gateway]
    files = [*alone, *(others[at : at + 10] for at in range(0, len(others), 10))]
    read = 0
    for number, entries in enumerate(files):
        services: dict[str, Any] = {}
        networks: dict[str, Any] = {}
        env: dict[str, str] = {}
        for definition in entries:
            made, variables = generated(definition, DEFINITIONS.values())
            services |= made.services
            networks |= made.networks
            env |= variables
        folder = tmp_path / str(number)
        written = {"compose.yaml": new_document(services, networks=networks, urls=()), ".env": set_values("", env)}
        write(folder, written)
        model, said = real_model(folder, ["compose.yaml"])
        assert model is not None, (entries[0].id, said)
        assert set(model["services"]) == set(services) and "variable is not set" not in said
        read += len(entries)
    assert read == len(DEFINITIONS)


def test_each_tag_has_two_sources_or_says_that_there_is_one() -> None:
    # script/catalog-sources --look-in CLONES finds more.
    thin = [d for d in DEFINITIONS.values() if len(tag_sources(d)) < 2]
    silent = [d.id for d in thin if not any("no second source" in source.facts for source in d.sources)]
    assert silent == []
