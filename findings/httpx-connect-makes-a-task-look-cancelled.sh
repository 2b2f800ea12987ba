#!/usr/bin/env bash
# httpx 0.28.1 with anyio 4.16.0: while a connection is made, the task that asks looks as if it were
# being cancelled, although nobody has cancelled it and it goes on.
#
# What most expect: asyncio's Task.cancelling() is above zero only where somebody wants the task to
# end, so that code which ends tasks may pass over those that are ending already.
# What happens: anyio tries addresses in a task group and, once one answers, cancels the group's own
# scope, which calls cancel() on the waiting task and takes it back by uncancel(). For some turns of
# the loop cancelling() is 1. Whoever looks then, and therefore does not cancel, has lost the
# cancellation: the request runs to its end.
# Output seen: "looked cancelled: True", "ended by itself: 200", "not ended by: if not
# task.cancelling(): task.cancel()".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check httpx==0.28.1 anyio==4.16.0
"$folder/venv/bin/python" - <<'PY'
import asyncio
import sys

import httpx


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def ask(port: int) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{port}/")).status_code


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    task = asyncio.create_task(ask(server.sockets[0].getsockname()[1]))
    looked_cancelled = False
    while not task.done():
        if task.cancelling() and not looked_cancelled:
            looked_cancelled = True
            if not task.cancelling():  # as code does that spares what is ending already
                task.cancel()
        await asyncio.sleep(0)
    print("looked cancelled:", looked_cancelled)
    print("ended by itself:", task.result())
    if not looked_cancelled or task.cancelled():
        sys.exit("this has changed")
    print("not ended by: if not task.cancelling(): task.cancel()")
    server.close()


asyncio.run(main())
PY
