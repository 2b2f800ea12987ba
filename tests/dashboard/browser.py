"""A headless chromium that opens pages and reads what stands on them, over its DevTools."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from app.chain_folders import PROJECT_ROOT

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
    "--remote-debugging-port=0",
)
START_SECONDS = 60.0
PAGE_SECONDS = 60.0


@dataclass
class Page:
    """One tab."""

    connection: ClientConnection
    _asked: int = field(default=0, init=False)

    def show(self, address: str, *wanted: str) -> str:
        """Go to an address; returns what stands there, once all of `wanted` does, or after a
        minute."""
        self.call("Page.navigate", url=address)
        deadline = time.monotonic() + PAGE_SECONDS
        while not all(one in (text := self.text()) for one in wanted):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return text

    def text(self) -> str:
        """What a person can read now."""
        said = self.call("Runtime.evaluate", expression="document.body?.innerText ?? ''")
        return " ".join(str(said["result"]["value"]).split())

    def picture(self, path: Path) -> None:
        """Keep what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._asked += 1
        asked = {"id": self._asked, "method": method, "params": parameters}
        self.connection.send(json.dumps(asked))
        while True:
            answer = json.loads(self.connection.recv(PAGE_SECONDS))
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return dict(answer["result"])


@contextmanager
def browser_page(program: str, profile: Path) -> Iterator[Page]:
    """A browser with an empty profile and one tab; it is gone at the end."""
    with open(profile / "browser.log", "w") as log:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=log,
            stderr=log,
        )
    try:
        port = _port_of(process, profile)
        tabs = httpx.get(f"http://127.0.0.1:{port}/json/list").json()
        (address,) = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
        with connect(address, max_size=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _port_of(process: "subprocess.Popen[bytes]", profile: Path) -> int:
    told = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while not (told.exists() and len(told.read_text().splitlines()) == 2):
        log = (profile / "browser.log").read_text()
        assert process.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.1)
    return int(told.read_text().splitlines()[0])


def chromium() -> str:
    """The program. INSTALL_CHROMIUM says that it is being installed, or may be."""
    if os.environ.get("INSTALL_CHROMIUM"):
        script = PROJECT_ROOT / "tools" / "install_chromium.sh"
        subprocess.run([script], capture_output=True, timeout=500)
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium here; install it to have the dashboard looked at")
    return program
