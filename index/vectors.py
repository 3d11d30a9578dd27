"""The vector cache: every text that a model has embedded, so that a build embeds only what is new.

One file for each model, named by the hash of its weights. An entry is the first 16 bytes of the SHA-256 of a
text's UTF-8 bytes, then its unit vector (float32). The file grows a batch at a time while a build runs, so a
build that was broken off goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_KEY = 16  # bytes

# A stored vector whose length is further from 1 than this was damaged.
_TOLERANCE = 1e-3


class Encoder(Protocol):
    """What embeds texts: a model, known by the hash of its weights."""

    sha256: str
    dimensions: int

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yields positions in `texts` and their unit vectors, until every text has one."""


class VectorCache:
    """The vectors that one encoder has made; not safe for two builds at once."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        """Opens what is there. A half-written last entry is cut off, and damaged vectors are forgotten."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{encoder.sha256[:16]}.bin"
        self._encoder = encoder
        self._entry = np.dtype([("key", np.uint8, _KEY), ("vector", np.float32, encoder.dimensions)])
        with self._path.open("ab") as file:
            file.truncate(file.tell() // self._entry.itemsize * self._entry.itemsize)
        self._open()

    def _open(self) -> None:
        stored = self._path.stat().st_size
        entries = np.memmap(self._path, self._entry, "r") if stored else np.empty(0, self._entry)
        self._vectors: NDArray[np.float32] = entries["vector"]
        whole = np.abs(np.linalg.norm(self._vectors, axis=1) - 1) < _TOLERANCE
        self._rows = {entries["key"][row].tobytes(): row for row in np.flatnonzero(whole).tolist()}

    def __len__(self) -> int:
        return len(self._rows)

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None]) -> tuple[NDArray[np.float32], int]:
        """Returns one unit vector per text, shape (texts, dimensions), and how many had to be made.

        `progress` is called with how many of the new texts are done, and how many there are.
        """
        keys = [_key(text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        names, done = list(new), 0
        with self._path.open("ab") as file:
            for positions, vectors in self._encoder.batches(list(new.values())):
                entries = np.empty(len(positions), self._entry)
                entries["key"] = np.frombuffer(b"".join(names[position] for position in positions), np.uint8).reshape(
                    -1, _KEY
                )
                entries["vector"] = vectors
                file.write(entries.tobytes())
                file.flush()
                done += len(positions)
                progress(done, len(new))
            os.fsync(file.fileno())
        if new:
            self._open()
        return self._vectors[[self._rows[key] for key in keys]], len(new)

    def prune(self, texts: Iterable[str]) -> None:
        """Drops all but these texts, when they are less than half of what is held."""
        kept = sorted(row for key in {_key(text) for text in texts} if (row := self._rows.get(key)) is not None)
        if 2 * len(kept) >= len(self._rows):
            return
        names = {row: key for key, row in self._rows.items()}
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            for row in kept:
                file.write(names[row] + self._vectors[row].tobytes())
        temporary.replace(self._path)
        self._open()


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_KEY]
