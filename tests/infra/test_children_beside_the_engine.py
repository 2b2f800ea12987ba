"""What Pulumi's engine is talked to by, and the servers that the same process starts."""

import os
import subprocess
import sys

import pytest

# The product's own import of Pulumi comes first, as in each of its processes.
_STARTS = """
import collections, subprocess
from concurrent.futures import ThreadPoolExecutor
import infra.automation
import grpc

def engine():
    server = grpc.server(ThreadPoolExecutor(2))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    grpc.channel_ready_future(channel).result(30)
    return server, channel

ends = collections.Counter()
server, channel = engine()
for _ in range(20):
    server.stop(0)
    channel.close()
    server, channel = engine()
    ends[subprocess.run(["true"], user=65534, group=65534, extra_groups=[]).returncode] += 1
print(dict(ends))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers under another account")
def test_children_under_another_account_start() -> None:
    """grpcio 1.85.1 ended half of them before they began."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GRPC_")}
    done = subprocess.run(
        [sys.executable, "-c", _STARTS], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "{0: 20}\n", done.stderr
