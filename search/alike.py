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
    snapshot: Snapshot, documents: NDArray[np.int64], scores: NDArray[np.float64], shown: slice
) -> list[Alike | None]:
    """Returns what is alike each of the documents shown among all that were ranked, None where nothing is.

    `scores`, shape (documents,), are those of the ranked ones, 0 to 1. Only ICD-10-PCS has tables.
    """
    codes = snapshot.documents.characters(documents).view(np.uint8)
    tables = np.where(codes[:, -1] > 0, snapshot.documents.keys(documents, (0, 1, 2)), 0)
    own, likely = tables[shown, np.newaxis], scores[shown, np.newaxis]
    same = (tables == own) & (own > 0) & (scores >= _EQUALLY * likely) & (scores * _EQUALLY <= likely)
    differing = ((codes != codes[shown, np.newaxis]) & same[..., np.newaxis]).any(axis=1).tolist()
    found: list[Alike | None] = []
    for position, others, differs in zip(documents[shown].tolist(), same.sum(axis=1).tolist(), differing, strict=True):
        if others > 1:  # itself among them
            names = snapshot.documents.axes(position)
            found.append(Alike(others - 1, tuple(name for name, is_so in zip(names, differs, strict=False) if is_so)))
        else:
            found.append(None)
    return found
