"""A small map: a code and those like it, drawn so that what is alike stands together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.records import Document
from index.snapshot import Snapshot

# The picture, in its own units, and what stays free around the points; labels stand at their right.
WIDTH, HEIGHT = 640, 320
_MARGIN_X, _MARGIN_Y, _LABEL = 30, 24, 90

# A label's height: labels that would stand closer are moved apart.
_LINE = 17

# Fewer points say nothing that the list does not, and a plane that keeps less of the distances misleads.
_FEWEST = 5
_KEPT = 0.5


@dataclass(frozen=True, slots=True)
class Point:
    """A code on the map; its label stands at `label_y`, beside the point."""

    document: Document
    x: float
    y: float
    label_y: float


def neighbourhood(snapshot: Snapshot, document: Document, others: Sequence[Document]) -> list[Point]:
    """Returns the code, first, and the others as points of a plane; nothing where a picture would not help.

    Distances are those of the titles' vectors, by classical scaling (Torgerson 1952), the code's own point included.
    """
    if len(others) < _FEWEST:
        return []
    every = [document, *others]
    found = [snapshot.documents.find(held.system, held.code) for held in every]
    positions = np.array([position for position in found if position is not None], dtype=np.int64)
    vectors = snapshot.dense.vectors(snapshot.passages.titles[positions].astype(np.int64))
    plane, kept = scaled(vectors.astype(np.float64))
    if kept < _KEPT:
        return []
    low, high = plane.min(axis=0), plane.max(axis=0)
    room = np.array([WIDTH - 2 * _MARGIN_X - _LABEL, HEIGHT - 2 * _MARGIN_Y])
    spots = (plane - low) / np.maximum(high - low, 1e-9) * room + (_MARGIN_X, _MARGIN_Y)
    return [
        Point(held, round(float(x), 1), round(float(y), 1), label)
        for held, (x, y), label in zip(every, spots, _apart(spots), strict=True)
    ]


def scaled(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Returns points of a plane, shape (n, 2), that keep the distances best, and how much of them, 0 to 1.

    The signs of the axes are fixed, so that the same vectors always give the same picture.
    """
    centred = vectors - vectors.mean(axis=0)
    values, axes = np.linalg.eigh(centred @ centred.T)
    best = np.argsort(-values, kind="stable")[:2]
    plane = axes[:, best] * np.sqrt(np.maximum(values[best], 0))
    largest = np.abs(plane).argmax(axis=0)
    plane = plane * np.where(plane[largest, [0, 1]] < 0, -1, 1)
    total = float(np.maximum(values, 0).sum())
    return plane, float(np.maximum(values[best], 0).sum()) / total if total > 1e-9 else 0.0


def _apart(spots: NDArray[np.float64]) -> list[float]:
    """Returns where each label stands, from top to bottom, so that labels in one place do not cover each other."""
    placed: list[tuple[float, float]] = []
    labels = [0.0] * len(spots)
    for place in np.argsort(spots[:, 1], kind="stable").tolist():
        x, y = float(spots[place, 0]), float(spots[place, 1])
        for other_x, other_y in sorted(placed, key=lambda held: held[1]):
            if abs(other_x - x) < _LABEL and abs(other_y - y) < _LINE:
                y = other_y + _LINE
        placed.append((x, y))
        labels[place] = round(y, 1)
    return labels
