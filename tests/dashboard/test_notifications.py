"""The example that docs/dashboard.md gives of being told: it is run as it stands there."""

import json
import queue
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.dashboard.dashboard import Dashboard

EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
WEBHOOK = "https://hooks.example.com/on-call"
ROOT = Path(__file__).parents[2]


def test_the_documented_example_tells_of_a_failed_night(dashboard: Dashboard) -> None:
    (example,) = EXAMPLE.findall((ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8"))
    flow = dashboard.deployment("backfill")["flow_id"]
    failed = {"type": "FAILED", "message": "no new prices; load them"}
    with _webhook() as (address, told), temporary_settings({PREFECT_API_URL: dashboard.api_url}):
        exec(compile(example.replace(WEBHOOK, address), "example", "exec"), {})
        for tags in (["phase"], ["phase", "nightly"]):
            run = {"flow_id": flow, "name": f"{tags[-1]} run", "tags": tags}
            begun = dashboard.ask("flow_runs/", run)
            dashboard.ask(f"flow_runs/{begun['id']}/set_state", {"state": failed})
        assert told.get(timeout=60) == {"text": "nightly run: no new prices; load them"}
        assert told.empty()


@contextmanager
def _webhook() -> Iterator[tuple[str, "queue.Queue[object]"]]:
    told: queue.Queue[object] = queue.Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", told
        server.shutdown()
