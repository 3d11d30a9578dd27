"""The dense index: inner products over unit vectors, by FAISS.

    vectors.npy   int8 (passages, dimensions): the unit vectors, each in steps of its own; memory-mapped
    steps.npy     float32 (passages,): the step of each
    codes.faiss   product quantiser codes of the same vectors, half a byte for `_SPAN` dimensions

A search scans the codes of all passages that pass the filter, which takes a twentieth of the time of exact
products, and then weighs what it found by the vectors. Where few passages pass, all of these are compared: that is
faster still.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

# Steps from zero to the greatest element of a vector. A cosine is off by 2e-4 as a rule, which leaves 99.4 % of the
# first ten of float32 among the first ten, at a quarter of the size; one step for all vectors leaves 99.1 %.
_STEPS = 127

# Dimensions that one code of 16 values stands for. Of MiniLM's 384 dimensions, over the full releases (160,000
# passages): 2 finds 99.8 % of the exact first ten in 0.76 ms, 3 finds 99.7 % in 0.50 ms, 4 99.4 % in 0.39 ms.
_SPAN = 3

# Passages taken from the codes for each one asked for, so that none of the best is lost to coarse codes.
_SPARE = 2

# Up to so many passages, comparing all is as fast as codes: 0.16 µs a passage against 0.6 ms for any scan.
EXACT_UP_TO = 4000

# Vectors that the quantiser is trained on, and rounds: more change no figure above. It takes a second.
_TRAINED_ON = 60_000
_ROUNDS = 10

# Rows widened to float32 at a time: 0.8 MB, so that they stay in the processor's cache.
_AT_ONCE = 512

# Filters kept ready, counted in passages as a multiple of the index: "all", and one for each code system.
_KEPT = 4


def write(folder: Path, vectors: NDArray[np.float32]) -> None:
    """Writes an index of unit vectors, shape (passages, dimensions); a row's position is its passage id."""
    passages, dimensions = vectors.shape
    steps = np.maximum(np.abs(vectors).max(axis=1, initial=0), np.finfo(np.float32).tiny) / np.float32(_STEPS)
    np.save(folder / "steps.npy", steps)
    held = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.int8, (passages, dimensions))
    for start in range(0, passages, _AT_ONCE):
        share = slice(start, start + _AT_ONCE)
        held[share] = np.rint(vectors[share] / steps[share, np.newaxis])
    held.flush()
    if passages <= EXACT_UP_TO:
        return
    index = faiss.IndexPQ(dimensions, _pieces(dimensions), 4, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.niter = _ROUNDS
    faiss.omp_set_num_threads(1)  # two seconds in all; threads that wait for others would spin
    index.train(np.ascontiguousarray(vectors[:: -(-passages // _TRAINED_ON)]))
    for start in range(0, passages, _TRAINED_ON):
        index.add(np.ascontiguousarray(vectors[start : start + _TRAINED_ON]))
    faiss.write_index(index, str(folder / "codes.faiss"))


def _pieces(dimensions: int) -> int:
    """Returns the even number of codes nearest to `_SPAN` dimensions each; dimensions must be a multiple of it."""
    return max((pieces for pieces in range(2, dimensions // _SPAN + 1, 2) if dimensions % pieces == 0), default=1)


class DenseIndex:
    """A memory-mapped index that `write` made; safe to search from several threads."""

    def __init__(self, folder: Path) -> None:
        """Opens the files.

        Raises:
            RuntimeError: FAISS can't read its file.
            ValueError, OSError: NumPy can't read its file.
        """
        self._vectors: NDArray[np.int8] = np.load(folder / "vectors.npy", mmap_mode="r").view(np.ndarray)
        self._steps: NDArray[np.float32] = np.load(folder / "steps.npy")
        self._coded: Any = None  # FAISS tells no types
        if len(self) > EXACT_UP_TO:
            self._coded = faiss.read_index(str(folder / "codes.faiss"), faiss.IO_FLAG_MMAP_IFC)
        self._lock = Lock()
        self._ready: OrderedDict[bytes, tuple[NDArray[np.int64], Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns at most `k` passage ids and their cosines (-1 to 1), best first, ties by id.

        `vector` is a unit vector, shape (dimensions,). `allowed`, shape (passages,), filters inside the search: a
        filtered answer is as full as an unfiltered one.
        """
        rows, scanned = self._among(allowed)
        if min(k, len(rows)) == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        if scanned is not None:
            faiss.omp_set_num_threads(1)  # of this thread: a scan is too short to be shared, and waiting threads spin
            _, found = scanned.search(vector[np.newaxis], min(k * _SPARE, len(rows)))
            rows = rows[np.sort(found[found >= 0])]
        cosines = self.cosines(rows, vector)
        best = np.argpartition(-cosines, k - 1)[:k] if len(rows) > k else np.arange(len(rows))
        order = best[np.lexsort((rows[best], -cosines[best]))]
        return rows[order], cosines[order]

    def cosines(self, ids: NDArray[np.int64], vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the cosine of each of these passages with a unit vector, shape (ids,)."""
        found = self._steps[ids]
        for start in range(0, len(ids), _AT_ONCE):
            share = slice(start, start + _AT_ONCE)
            found[share] *= self._vectors[ids[share]].astype(np.float32) @ vector
        return found

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns the stored unit vectors of these passages, shape (ids, dimensions)."""
        return self._vectors[ids] * self._steps[ids, np.newaxis]

    def _among(self, allowed: NDArray[np.bool_] | None) -> tuple[NDArray[np.int64], Any]:
        """Returns the passages that are allowed, ascending, and what scans their codes, None where exact is faster.

        A scan is made of the codes of just these passages, 15 ms for all of the full releases, and kept for the
        next search with the same filter.
        """
        if allowed is None:
            allowed = np.ones(len(self), dtype=bool)
        key = np.packbits(allowed).tobytes()
        with self._lock:
            if key in self._ready:
                self._ready.move_to_end(key)
                return self._ready[key]
        rows = np.flatnonzero(allowed)
        if len(rows) <= EXACT_UP_TO or self._coded is None:
            return rows, None
        scanned = self._scanning(rows)
        with self._lock:
            self._ready[key] = rows, scanned
            while sum(len(held) for held, _ in self._ready.values()) > _KEPT * len(self):
                self._ready.popitem(last=False)
        return rows, scanned

    def _scanning(self, rows: NDArray[np.int64]) -> Any:
        coded = self._coded
        codes = faiss.vector_to_array(coded.codes).reshape(len(self), -1)[rows]
        share: Any = faiss.IndexPQ(coded.d, coded.pq.M, coded.pq.nbits, faiss.METRIC_INNER_PRODUCT)
        share.pq = coded.pq
        share.is_trained = True
        faiss.copy_array_to_vector(codes.ravel(), share.codes)
        share.ntotal = len(rows)
        return faiss.IndexPQFastScan(share)
