"""`python -m app.serving`: what the supervisor starts. Its words hold no secret."""

import resource
import socket
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from pathlib import Path

from app.serving.control import Place
from app.serving.server import ControlledServer, Inherited, backend_config


def main() -> None:
    """Serve until the supervisor or a signal ends it."""
    words = _words()
    allow_many_connections()
    place = Place(words.pair, words.otherwise, words.pointer, words.meeting)
    inherited = Inherited(socket.socket(fileno=words.listener), socket.socket(fileno=words.control))
    ControlledServer(backend_config(words.application), place, inherited).run()


def allow_many_connections() -> None:
    """Each user's connection is an open file of the process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _words() -> Namespace:
    parser = ArgumentParser(prog="app.serving")
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--control", type=int, required=True)
    for name in ("--pair", "--otherwise"):
        parser.add_argument(name, choices=("old", "new"), required=True)
    for name in ("--pointer", "--meeting"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("application")
    return parser.parse_args()


if __name__ == "__main__":
    main()
