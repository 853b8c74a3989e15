"""A client that ends without a word: the server ends too, and leaves no traceback in its log."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path


def test_a_client_that_is_gone_before_its_answer_ends_the_server_quietly(tmp_path: Path) -> None:
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    argv = [sys.executable, "-m", "homelab_mcp", "--root", str(tmp_path), "--files-only", "serve"]
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    server.stdout.close()
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    server.stdin.write(json.dumps(asked).encode() + b"\n")
    server.stdin.flush()
    # Time for the answer, which nobody takes; then the client's end of the other pipe goes too.
    time.sleep(2)
    with server:
        server.stdin.close()
        said = server.stderr.read().decode()
    assert server.returncode == 0, said
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
