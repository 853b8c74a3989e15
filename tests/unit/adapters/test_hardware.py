"""What Linux's files say of graphics processors and disks. The devices are made up: no test machine has them."""

from pathlib import Path

from homelab_mcp.adapters import docker_answers
from homelab_mcp.adapters.hardware import LinuxHardware
from homelab_mcp.core.gpu import RenderNode


def made_up(root: Path, name: str, vendor: str) -> None:
    """A fake render node with its maker's number."""
    (root / "dev/dri").mkdir(parents=True, exist_ok=True)
    (root / "dev/dri" / name).touch()
    device = root / "sys/class/drm" / name / "device"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")


def test_render_nodes_are_told_by_maker_and_group(tmp_path: Path) -> None:
    assert LinuxHardware(str(tmp_path)).gpus().kinds == ()
    made_up(tmp_path, "renderD128", "0x8086")
    made_up(tmp_path, "renderD129", "0x1002")
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").touch()

    found = LinuxHardware(str(tmp_path)).gpus()
    gid = (tmp_path / "dev/dri/renderD128").stat().st_gid
    assert found.kinds == ("nvidia", "intel", "amd") and not found.toolkit
    assert found.nodes[0] == RenderNode("/dev/dri/renderD128", "intel", gid)
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/nvidia-ctk").touch()
    assert LinuxHardware(str(tmp_path)).gpus().toolkit


def test_a_place_is_told_with_its_mount_and_room(tmp_path: Path) -> None:
    place = LinuxHardware().place(str(tmp_path))
    assert place.kind == "folder" and place.mount and place.filesystem and 0 < place.free <= place.total
    assert LinuxHardware().place("/proc").filesystem == "proc"
    assert LinuxHardware().place(str(tmp_path / "none")).kind == ""


def test_use_is_counted_as_docker_stats_does() -> None:
    raw = {
        "memory_stats": {"usage": 300, "stats": {"inactive_file": 100}},
        "cpu_stats": {"cpu_usage": {"total_usage": 50}, "system_cpu_usage": 400, "online_cpus": 4},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}, "system_cpu_usage": 200},
        "pids_stats": {"current": 7},
    }
    used = docker_answers.usage(raw)
    assert (used.memory, used.cpus, used.pids) == (200, 1.0, 7)
    assert docker_answers.usage({}).memory == 0


def test_what_the_machine_reaches_is_read_from_the_kernel_s_table(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/route").write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "wg0\t0000060A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "wg1\t0000070A\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\t0901A8C0\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
    )
    assert LinuxHardware(str(tmp_path)).routes() == (("192.168.1.0/24", "eth0"), ("10.6.0.0/24", "wg0"))
    assert LinuxHardware(str(tmp_path / "none")).routes() == ()
