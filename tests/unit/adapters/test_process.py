import sys
import time
from pathlib import Path

import pytest

from homelab_mcp.adapters.process import Limits, run


def test_code_and_both_streams_come_back() -> None:
    done = run([sys.executable, "-c", "import sys; print('out', flush=True); sys.exit('err')"], timeout=10)
    assert (done.code, done.output.splitlines(), done.timed_out) == (1, ["out", "err"], False)


def test_only_the_last_lines_are_kept() -> None:
    done = run([sys.executable, "-c", "for i in range(100000): print(i)"], timeout=20)
    assert done.output.splitlines() == [str(i) for i in range(99_960, 100_000)]


def test_lines_arrive_while_it_runs() -> None:
    seen: list[str] = []
    run(["sh", "-c", "echo a; echo b"], timeout=5, on_line=seen.append)
    assert seen == ["a", "b"]


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    run(["echo", f"$(touch {tmp_path}/made)"], timeout=5)
    assert not list(tmp_path.iterdir())


def test_time_running_out_ends_grandchildren_too(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    start = time.monotonic()
    done = run(["sh", "-c", f"trap '' TERM; (trap '' TERM; sleep 4; touch {mark}) & wait"], timeout=0.5)
    assert done.timed_out
    assert time.monotonic() - start < 3.9
    time.sleep(max(4.6 - (time.monotonic() - start), 0))
    assert not mark.exists()


def test_a_grandchild_that_holds_the_pipe_does_not_hold_us() -> None:
    start = time.monotonic()
    done = run(["sh", "-c", "echo said; sleep 20 & exit 3"], timeout=15)
    assert (done.code, done.output) == (3, "said")
    assert time.monotonic() - start < 5


def test_cpu_time_is_limited() -> None:
    done = run([sys.executable, "-c", "while True: pass"], timeout=20, limits=Limits(cpu_seconds=1))
    assert done.code < 0
    assert not done.timed_out


def test_memory_is_limited() -> None:
    code = "import time; time.sleep(0.3); x = bytearray(400 * 1024 * 1024)"
    done = run([sys.executable, "-c", code], timeout=20, limits=Limits(memory=200 * 1024 * 1024))
    assert done.code == 1
    assert "MemoryError" in done.output


def test_a_missing_program_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        run(["no-such-program-here"], timeout=5)
