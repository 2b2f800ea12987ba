"""uvicorn with two doors: a private address from its start, the public one while it is told to."""

import asyncio
import logging
import socket
import time
from dataclasses import dataclass

from uvicorn import Config, Server
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.server import ServerState

from app.agent import running
from app.serving.connection import Parked, PublicConnection
from app.serving.control import Control, Place
from app.serving.public import BETWEEN_LOOKS, Public, Settled

# A client that reuses a connection should be the one to end it: whichever end closes first may
# cross a request on its way. Clients keep theirs for 5 to 60 seconds.
KEEP_ALIVE_SECONDS = 75
# At the end: how long an open connection may begin another request, and how long one may take.
_IDLE_SECONDS = 1.0
_STREAM_SECONDS = 5.0
_LAST_SECONDS = 10.0

_log = logging.getLogger("sigmasight.serving")


@dataclass(frozen=True)
class Inherited:
    """What the supervisor leaves open in this process.

    Attributes:
        listener: the public socket.
        control: this end of the channel to the supervisor.
    """

    listener: socket.socket
    control: socket.socket


def backend_config(application: str) -> Config:
    """How the backend is served. It is uvicorn's h11 whose connections can be given away."""
    return Config(
        application,
        host="127.0.0.1",
        port=0,
        http="h11",
        ws="none",
        loop="asyncio",
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(_LAST_SECONDS),
    )


class ControlledServer(Server):
    """A backend that obeys its supervisor."""

    def __init__(self, config: Config, place: Place, inherited: Inherited) -> None:
        super().__init__(config)
        self._place = place
        self._inherited = inherited
        self._users = ServerState()
        self._public: Public | None = None
        self._obeying: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Load the application, listen at the private address, and wait for orders."""
        await super().startup(sockets)
        await self.on_tick(0)  # the headers of the first answers
        port = self.servers[0].sockets[0].getsockname()[1]
        self._public = Public(self._inherited.listener, self._users, self._connection)
        control = Control(self._place, self._public, port, self._leave)
        self._obeying = asyncio.create_task(control.obey(self._inherited.control))
        self._obeying.add_done_callback(self._disobeyed)

    async def on_tick(self, counter: int) -> bool:
        """Renew the headers of all answers."""
        ends = await super().on_tick(counter)
        self._users.default_headers = self.server_state.default_headers
        return ends

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, finish what is under way, and end."""
        if self._obeying is not None:
            self._obeying.cancel()
        if self._public is not None:
            await self._drain(self._public)
        await super().shutdown(sockets)

    async def _drain(self, public: Public) -> None:
        """Answer what waits and what is asked on open connections, each for the last time."""
        if public.accepting:
            public.empty_queue()
        public.stop()
        self._users.default_headers = [*self._users.default_headers, CLOSE_HEADER]
        begun = time.monotonic()
        while (public.occupied or self._users.connections) and not self.force_exit:
            waited = time.monotonic() - begun
            for connection in public.connections:
                connection.say_last()
                if waited > _IDLE_SECONDS and not connection.under_way:
                    connection.shutdown()
            if waited > _STREAM_SECONDS:
                running.stop_answers()
            if waited > _LAST_SECONDS:
                break
            await asyncio.sleep(BETWEEN_LOOKS)
        for connection in public.connections:
            connection.cut()

    def _connection(self, settled: Settled, parked: Parked | None) -> PublicConnection:
        return PublicConnection(self.config, self._users, self.lifespan.state, settled, parked)

    def _leave(self) -> None:
        self.should_exit = True

    def _disobeyed(self, task: asyncio.Task[None]) -> None:
        """A fault of the control ends the process: the supervisor starts another."""
        if not task.cancelled() and task.exception() is not None:
            _log.error("the control of the backend failed", exc_info=task.exception())
            self._leave()
