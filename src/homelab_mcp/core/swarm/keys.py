"""What ``docker stack deploy`` makes of each key of a Compose service.

Seen with ``docker stack config`` and ``docker stack deploy`` of Docker CLI 28.2 and 20.10 on files of one key each;
agrees with ``UnsupportedProperties``, ``DeprecatedProperties`` and ``ForbiddenProperties`` of docker/cli
(``cli/compose/types/types.go``).
"""

from __future__ import annotations

CARRIED = frozenset({
    "image", "command", "entrypoint", "environment", "healthcheck", "hostname", "user", "working_dir", "stdin_open",
    "tty", "read_only", "init", "cap_add", "cap_drop", "sysctls", "ulimits", "stop_signal", "stop_grace_period",
    "logging", "dns", "dns_search", "extra_hosts", "isolation",
})  # fmt: skip
"""Taken as they are."""

IMPOSSIBLE = {
    "devices": "a device of the host",
    "device_cgroup_rules": "rules for devices",
    "gpus": "a graphics card",
    "runtime": "another container runtime",
    "privileged": "all rights on the host",
    "network_mode": "another network than its stack's",
    "pid": "another process namespace",
    "ipc": "another IPC namespace",
    "uts": "the host's UTS namespace",
    "userns_mode": "another user namespace",
    "cgroup": "the host's cgroup namespace",
    "cgroup_parent": "a cgroup of its own",
    "group_add": "further groups",
    "links": "links to other containers",
    "external_links": "links to other containers",
    "volumes_from": "another container's volumes",
    "use_api_socket": "Docker's API socket by that key",
    "credential_spec": "a credential specification",
    "provider": "a program in place of a container",
    "models": "a model of Docker's",
}
"""Keys of what a task of Swarm cannot have, and what each asks for: without it the service does not do its work."""

IGNORED = {
    "security_opt": "no-new-privileges and profiles are not set",
    "platform": "Swarm picks a node by its own",
    "cpu_shares": "shares are not set",
    "cpuset": "it may run on every processor",
    "cpu_count": "it is for Windows",
    "cpu_percent": "it is for Windows",
    "cpu_period": "use deploy.resources.limits.cpus",
    "cpu_quota": "use deploy.resources.limits.cpus",
    "cpu_rt_period": "real-time limits are not set",
    "cpu_rt_runtime": "real-time limits are not set",
    "memswap_limit": "swap is not limited",
    "mem_swappiness": "swapping is not tuned",
    "oom_kill_disable": "it may be killed",
    "oom_score_adj": "its score is not changed",
    "blkio_config": "disk traffic is not limited",
    "storage_opt": "the container's own disk is not limited",
    "dns_opt": "resolver options are not set",
    "mac_address": "Swarm gives addresses",
    "domainname": "it is not set",
    "annotations": "no runtime sees them",
    "post_start": "the hook never runs",
    "pre_stop": "the hook never runs",
}
"""Keys that Swarm lets fall, and what that means: the service runs, a little other than the file says."""

NEEDLESS = frozenset({
    "build", "container_name", "depends_on", "develop", "env_file", "expose", "extends", "label_file", "profiles",
    "pull_policy", "restart", "attach", "tmpfs", "shm_size", "mem_limit", "mem_reservation", "cpus", "pids_limit",
    "scale", "labels", "ports", "volumes", "networks", "secrets", "configs", "deploy",
})  # fmt: skip
"""Keys that are said in another way, or mean nothing once Compose has filled everything in."""

SHARED_SYSTEM = ("/etc/", "/dev/", "/proc/", "/sys/", "/run/", "/var/run/", "/usr/", "/lib/")
"""Where every node has its own files: a mount from there binds a service to no node."""
