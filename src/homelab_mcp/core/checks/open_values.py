"""Settings that Compose cannot read when a variable leaves nothing in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path

_WORD = re.compile(r"(?s).+")
_NUMBER = re.compile(r"(?s)[-+]?\.?[0-9].*")
# Each seen with Compose 2.40.3, which refuses the empty text in all of these; "*" is an item or a key of one's own.
_WORDS = (
    "attach cgroup configs.* depends_on.* env_file env_file.* extends extends.service gpus healthcheck.disable init "
    "links.* oom_kill_disable privileged pull_policy read_only secrets.* stdin_open tty volumes.*.read_only "
    "volumes_from.*"
)
_NUMBERS = (
    "cpu_count cpu_percent cpu_period cpu_quota cpu_shares cpus deploy.replicas deploy.resources.limits.cpus "
    "deploy.resources.limits.memory deploy.resources.limits.pids deploy.resources.reservations.cpus "
    "deploy.resources.reservations.memory deploy.restart_policy.delay deploy.restart_policy.max_attempts "
    "deploy.restart_policy.window healthcheck.interval healthcheck.retries healthcheck.start_interval "
    "healthcheck.start_period healthcheck.timeout mem_limit mem_reservation mem_swappiness memswap_limit oom_score_adj "
    "pids_limit ports.*.target scale shm_size stop_grace_period ulimits.* ulimits.*.hard ulimits.*.soft "
    "volumes.*.tmpfs.size"
)
_FORMS = {
    **dict.fromkeys(_WORDS.split(), _WORD),
    **dict.fromkeys(_NUMBERS.split(), _NUMBER),
    "extra_hosts.*": re.compile(r"(?s)[^:=].*[:=].*"),
}
_FREE = frozenset({"ulimits"})
"""Mappings whose keys are the user's own."""


def left_empty(service: ServiceView) -> Iterator[Path]:
    """Places in a service where a variable without a value leaves what Compose refuses."""
    for key in dict.fromkeys(form.split(".")[0] for form in _FORMS):
        if key in service.data:
            for path, text in _open(service.data[key], (key,)):
                form = _FORMS.get(".".join("*" if _own(path, n) else str(step) for n, step in enumerate(path)))
                if form and not form.fullmatch(text):
                    yield path


def _own(path: Path, n: int) -> bool:
    return isinstance(path[n], int) or (n > 0 and path[n - 1] in _FREE)


def _open(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _open(item, (*path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _open(item, (*path, n))
    elif is_open(value):
        yield path, str(value)
