"""Which tag comes after another: by the tag's own shape."""

import pytest

from homelab_mcp.core.image_updates import image_name, level, newest
from homelab_mcp.core.release_notes import changelog
from homelab_mcp.model.errors import InvalidInput

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("current", "tags", "most", "wanted"),
    [
        ("34.0.3-apache", ["34.0.4", "34.0.4-apache", "35.0.0-fpm", "latest"], "", "34.0.4-apache"),
        ("34.0.3-apache", ["34.0.4-apache", "34.1.0-apache", "35.0.0-apache"], "minor", "34.1.0-apache"),
        ("34.0.3-apache", ["34.0.4-apache", "34.1.0-apache", "35.0.0-apache"], "patch", "34.0.4-apache"),
        ("1.9.0", ["1.10.0", "1.9.1", "2.0.0-rc1", "v2.0.0"], "", "1.10.0"),
        ("v1.19.0", ["v1.19.1", "1.20.0", "v1.20.0-beta.1"], "", "v1.19.1"),
        ("17", ["18", "20260101", "17.2"], "", "18"),
        ("2026.7.1", ["2026.7.4", "2026.10.0"], "", "2026.10.0"),
        (
            "RELEASE.2025-09-07T16-13-09Z",
            ["RELEASE.2025-10-15T17-29-55Z", "RELEASE.2025-09-07T16-13-09Z-cpuv1"],
            "",
            "RELEASE.2025-10-15T17-29-55Z",
        ),
        ("8.10.1-alpine", ["8.10.1-alpine3.22", "8.10.1"], "", ""),
        ("latest", ["1.0.0", "2.0.0"], "", ""),
        ("2.0.0", ["1.9.9"], "", ""),
    ],
)
def test_the_newest_tag_has_the_shape_of_the_one_in_use(current: str, tags: list[str], most: str, wanted: str) -> None:
    assert newest(current, tags, most) == wanted


@pytest.mark.parametrize(
    ("current", "new", "wanted"),
    [
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3", "1.3.0", "minor"),
        ("1.2.3", "2.0.0", "major"),
        ("17", "18", "major"),
        ("2026.7.1", "2027.1.0", "dated"),
        ("v2.3.0.4_stable_2026-07-09-ls301", "v2.3.0.4_stable_2026-07-19-ls302", "patch"),
        ("latest", "latest", ""),
    ],
)
def test_the_size_of_a_step_is_where_the_first_number_differs(current: str, new: str, wanted: str) -> None:
    assert level(current, new) == wanted


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("redis", ("docker.io", "library/redis", "latest", "")),
        ("grafana/grafana:12.1.0", ("docker.io", "grafana/grafana", "12.1.0", "")),
        ("docker.io/redis:8@sha256:ab", ("docker.io", "library/redis", "8", "sha256:ab")),
        ("ghcr.io/a/b:v1", ("ghcr.io", "a/b", "v1", "")),
        ("127.0.0.1:5000/a:1", ("127.0.0.1:5000", "a", "1", "")),
        ("localhost/a@sha256:ab", ("localhost", "a", "", "sha256:ab")),
    ],
)
def test_a_reference_is_read_as_docker_does(reference: str, wanted: tuple[str, ...]) -> None:
    found = image_name(reference)
    assert (found.registry, found.repository, found.tag, found.digest) == wanted


@pytest.mark.parametrize("reference", ["", "UPPER/case:1", "a b", "host.example/../x:1", "${IMAGE}"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(InvalidInput):
        image_name(reference)


def test_the_changelog_of_a_repository_on_github_is_its_releases() -> None:
    assert changelog("https://github.com/a/b/") == "https://github.com/a/b/releases"
    assert changelog("https://example.org/c") == "https://example.org/c"
