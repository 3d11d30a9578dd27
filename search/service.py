"""The engine that serves, and its replacement when a new snapshot is published."""

from __future__ import annotations

import asyncio
import gc
import logging
from pathlib import Path

from index.snapshot import SnapshotError, current, open_best, open_snapshot
from search.engine import SearchEngine
from search.errors import NotReady
from search.request import SearchRequest

log = logging.getLogger("search")


class Service:
    """Holds the engine in use. A request keeps the engine that it began with; replacing is one assignment."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._engine: SearchEngine | None = None
        self._looked_at: Path | None = None
        self.refused: list[str] = []

    def engine(self) -> SearchEngine:
        """Returns the engine in use.

        Raises:
            NotReady: no index is open.
        """
        if self._engine is None:
            raise NotReady("; ".join(self.refused) or "no index is open yet")
        return self._engine

    def open(self) -> None:
        """Opens the best snapshot there is; without one, the service starts and is not ready."""
        self._looked_at = current(self._home)
        try:
            snapshot, self.refused = open_best(self._home)
        except SnapshotError as error:
            self.refused = [str(error)]
            log.error("not ready: %s", error)
            return
        for reason in self.refused:
            log.error("refused a snapshot: %s", reason)
        self._engine = SearchEngine(snapshot)
        log.info("serving snapshot %s", snapshot.manifest.id)

    def refresh(self) -> None:
        """Opens the snapshot that was published since; one that does not verify leaves the old one in use."""
        live = current(self._home)
        if live is None or live == self._looked_at:
            return
        self._looked_at = live
        try:
            engine = SearchEngine(open_snapshot(live))
        except SnapshotError as error:
            self.refused = [str(error)]
            log.error("refused a snapshot: %s", error)
            return
        _warm(engine)
        self._engine, self.refused = engine, []
        del engine
        _settle()
        log.info("serving snapshot %s", live.name)

    async def watch(self, seconds: float) -> None:
        """Refreshes for ever, in a thread, so that no request waits."""
        await asyncio.to_thread(self._warm_first)
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:
                log.exception("could not look for a new snapshot")

    def _warm_first(self) -> None:
        """Warms the engine that the service started with; it serves meanwhile, and serves on if that fails."""
        if self._engine is not None:
            try:
                _warm(self._engine)
            except Exception:
                log.exception("could not warm up")
            _settle()


def _warm(engine: SearchEngine) -> None:
    """Asks a first query and a first suggestion, which reads all names: no person waits for what they load."""
    engine.search(SearchRequest.checked("warm up"))
    engine.suggest("warm up", 1)


def _settle() -> None:
    """Lets go of what served before, and takes all that is loaded for lasting.

    Python's collector need not look at it again, which would halt answers for a tenth of a second now and then.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
