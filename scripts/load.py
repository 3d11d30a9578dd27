"""Asks addresses over HTTP, many at once, and prints what it took: the load of scripts/benchmark.py.

A process of its own: python load.py CLIENTS SECONDS RATE, addresses as a JSON list on standard input.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from itertools import cycle
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

# Seconds after which an arrival that found no free connection counts as late and is given up.
PATIENCE = 5.0


class Load:
    """What was asked and what came back. Latencies count what was answered with 200, in seconds."""

    def __init__(self, addresses: list[str]) -> None:
        parts = [urlsplit(address) for address in addresses]
        self._host, self._port = parts[0].hostname or "", parts[0].port or 80
        self._requests = cycle(
            f"GET {part.path}?{part.query} HTTP/1.1\r\nHost: {part.netloc}\r\n\r\n".encode() for part in parts
        )
        self.latencies: list[float] = []
        self.refused = self.failed = self.late = 0

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Returns a new connection."""
        return await asyncio.open_connection(self._host, self._port)

    async def ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, began: float) -> None:
        """Asks once and counts the answer, from when the request was due."""
        writer.write(next(self._requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        status = head[9:12]
        if status == b"200":
            self.latencies.append(time.perf_counter() - began)
        elif status == b"503":
            self.refused += 1
        else:
            self.failed += 1

    async def closed(self, clients: int, seconds: float) -> None:
        """Clients that ask one after the other."""
        end = time.perf_counter() + seconds

        async def client() -> None:
            reader, writer = await self.connected()
            while (now := time.perf_counter()) < end:
                await self.ask(reader, writer, now)
            writer.close()

        await asyncio.gather(*(client() for _ in range(clients)))

    async def arriving(self, connections: int, seconds: float, rate: float) -> None:
        """Requests that arrive at a rate, whether or not earlier ones are answered."""
        free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        for _ in range(connections):
            free.put_nowait(await self.connected())

        async def arrival(due: float) -> None:
            try:
                held = await asyncio.wait_for(free.get(), PATIENCE)
            except TimeoutError:
                self.late += 1
                return
            try:
                await self.ask(*held, due)
            except (OSError, EOFError):
                self.failed += 1
                held = await self.connected()
            free.put_nowait(held)

        started = time.perf_counter()
        tasks: set[asyncio.Task[None]] = set()
        count = 0
        while (now := time.perf_counter()) < started + seconds:
            while count < (now - started) * rate:
                tasks.add(asyncio.create_task(arrival(started + count / rate)))
                count += 1
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)


def main() -> None:
    """Prints a JSON object: latencies, how many were refused, failed and late, and the seconds it all took."""
    clients, seconds, rate = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    load = Load(json.load(sys.stdin))
    started = time.perf_counter()
    asyncio.run(load.arriving(clients, seconds, rate) if rate else load.closed(clients, seconds))
    took = time.perf_counter() - started
    told = {"latencies": load.latencies, "refused": load.refused, "failed": load.failed, "late": load.late}
    print(json.dumps(told | {"seconds": took}))


if __name__ == "__main__":
    main()
