"""How many codes of one table answer about as well as a hit, and what they differ in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.snapshot import Snapshot

# Codes answer about equally well when the less likely is at least so likely, as a share of the other.
_EQUALLY = 0.7


@dataclass(frozen=True, slots=True)
class Alike:
    """Other codes of a hit's table that answer about as well: how many, and the characters that differ, by name."""

    count: int
    differ: tuple[str, ...]


def alike(
    snapshot: Snapshot, shown: NDArray[np.int64], documents: NDArray[np.int64], scores: NDArray[np.float64]
) -> list[Alike | None]:
    """Returns what is alike each of the documents shown among all that were ranked, None where nothing is.

    `scores`, shape (documents,), are those of the ranked ones, 0 to 1. Only ICD-10-PCS has tables.
    """
    if not len(shown):
        return []
    codes = snapshot.documents.characters(documents).view(np.uint8)
    tables = np.where(codes[:, -1] > 0, snapshot.documents.keys(documents, (0, 1, 2)), 0)
    found: list[Alike | None] = []
    for position in shown.tolist():
        row = int(np.flatnonzero(documents == position)[0])
        same = (tables == tables[row]) & (scores >= _EQUALLY * scores[row]) & (scores * _EQUALLY <= scores[row])
        same[row] = False
        if tables[row] and same.any():
            names = snapshot.documents.axes(position)
            differing = np.flatnonzero((codes[same] != codes[row]).any(axis=0)).tolist()
            found.append(Alike(int(same.sum()), tuple(names[axis] for axis in differing if axis < len(names))))
        else:
            found.append(None)
    return found
