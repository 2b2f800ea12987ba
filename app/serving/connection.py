"""A connection of a user, which can be given away between two requests."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


@dataclass(frozen=True)
class Parked:
    """A connection between two requests, out of any process's service.

    Attributes:
        descriptor: its socket, owned by whoever holds this.
        read: the beginning of a request, where that was read already.
    """

    descriptor: int
    read: bytes = b""


class PublicConnection(H11Protocol):
    """HTTP as uvicorn speaks it. `settled` is called at its beginning and after each answer."""

    def __init__(
        self,
        config: Config,
        state: ServerState,
        app_state: dict[str, object],
        settled: Callable[["PublicConnection"], None],
        parked: Parked | None = None,
    ) -> None:
        super().__init__(config, state, app_state)
        self._settled = settled
        self._parked = parked

    def connection_made(self, transport: object) -> None:
        """Go on where the connection was left, or begin."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if self._parked is not None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            if self._parked.read:
                self.data_received(self._parked.read)
        self._settled(self)

    def on_response_complete(self) -> None:
        """Begin with the next request if it is there already, else say that nothing is."""
        super().on_response_complete()
        self._settled(self)

    @property
    def under_way(self) -> bool:
        """Whether a request is being answered, or its body read: a head may be read elsewhere."""
        idle = set(self.conn.states.values()) == {h11.IDLE}
        return self.answering or not (idle or self.transport.is_closing())

    @property
    def answering(self) -> bool:
        """Whether the application works on a request."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def awaits_body(self) -> bool:
        """Whether a part of the request has not come yet."""
        return self.conn.their_state is h11.SEND_BODY

    @property
    def written_out(self) -> bool:
        """Whether nothing waits here for the client to read on."""
        return self.transport.get_write_buffer_size() == 0

    def be_still(self) -> None:
        """Read no further, so that no request begins here."""
        self.flow.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def part(self) -> Parked | None:
        """Give the connection away; None if its client has gone. Nothing may be under way.

        Its socket is duplicated first, so what is dropped here ends nothing for the client, and
        what the client sends meanwhile waits in the kernel.
        """
        self._unset_keepalive_if_required()
        read, ended = self.conn.trailing_data
        if self.transport.is_closing() or ended:
            self.transport.close()
            return None
        parked = Parked(os.dup(self.transport.get_extra_info("socket").fileno()), read)
        self.transport.abort()
        return parked

    def say_last(self) -> None:
        """Let the present answer be the last one, and say so where it has not begun."""
        if self.cycle is None or self.cycle.response_complete:
            return
        self.cycle.keep_alive = False
        if CLOSE_HEADER not in self.cycle.default_headers:
            self.cycle.default_headers = [*self.cycle.default_headers, CLOSE_HEADER]

    def cut(self) -> None:
        """End the connection in the middle of whatever it does."""
        self._unset_keepalive_if_required()
        self.transport.abort()
