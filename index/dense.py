"""The dense index: exact inner products over unit vectors, by FAISS."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray


def write(path: Path, vectors: NDArray[np.float32]) -> None:
    """Writes an index of unit vectors, shape (passages, dimensions); a row's position is its passage id."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    faiss.write_index(index, str(path))


class DenseIndex:
    """A memory-mapped index that `write` made."""

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
            RuntimeError: FAISS can't read it.
        """
        self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns at most `k` passage ids and their cosines (-1 to 1), best first, ties by id.

        `vector` is a unit vector, shape (dimensions,). `allowed`, shape (passages,), filters inside the
        search: a filtered answer is as full as an unfiltered one.
        """
        k = min(k, len(self) if allowed is None else int(allowed.sum()))
        if k == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        parameters = None
        if allowed is not None:
            # The selector keeps a pointer to the bits, so `bits` must outlive the search.
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits.size, faiss.swig_ptr(bits))
            parameters = faiss.SearchParameters()
            parameters.sel = selector
        scores, ids = self._index.search(vector[np.newaxis], k, params=parameters)
        order = np.lexsort((ids[0], -scores[0]))
        return ids[0][order], scores[0][order]

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns the stored unit vectors of these passages, shape (ids, dimensions)."""
        return np.asarray(self._index.reconstruct_batch(ids), dtype=np.float32)
