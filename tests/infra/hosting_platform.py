"""Somebody else's platform, in a thread: it serves what a stack's output tells it, and redeploys
when that has changed."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.chain_folders import PROJECT_ROOT
from infra.automation import DrivenStack
from infra.public_backend import PAIR_HEADER
from ops.embedded.server import free_port

_INHERITED = ("PATH", "HOME", "LANG")


@dataclass
class Platform:
    """Attributes:
    folder: gets the backend's log.
    heeds: cleared, nobody redeploys.
    """

    stack: DrivenStack
    folder: Path
    port: int = field(default_factory=free_port)
    heeds: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _deployed: dict[str, str] = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pair(self) -> str | None:
        """What the backend says it serves from; None while it does not answer."""
        try:
            answer = httpx.get(f"{self.url}/ready", timeout=10)
        except httpx.HTTPError:
            return None
        return answer.headers.get(PAIR_HEADER) if answer.is_success else "not ready"

    def __enter__(self) -> "Platform":
        self.heeds.set()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join(60)
        self._stop()

    def _watch(self) -> None:
        file = self.stack.state.root / "pulumi/backend/.pulumi/stacks/sigmasight/external.json"
        seen = 0
        while not self._ended.wait(0.1):
            changed = file.stat().st_mtime_ns if file.exists() else 0
            if changed == seen or not self.heeds.is_set():
                continue
            seen = changed
            self._deploy(self.stack.outputs().get("backend_environment") or {})

    def _deploy(self, told: dict[str, Any]) -> None:
        if not told or told == self._deployed:
            return
        self._stop()
        own = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        own |= {"PYTHONPATH": str(PROJECT_ROOT), "SKIP_STARTUP_VALIDATION": "true"}
        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(self.port)]
        with open(self.folder / "platform.log", "a") as log:
            self._process = subprocess.Popen(
                command, env={**own, **told}, cwd=self.folder, stdout=log, stderr=log
            )
        self._deployed = told

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
