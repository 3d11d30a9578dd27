"""Judged queries: read, split into halves, sampled, and the codes that answer each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.records import CodeKind, CodeSystem
from index.snapshot import Snapshot

RESAMPLES = 1000
KEPT_FROM_ENCODER = 10
NAME = "name"  # the style of our own names of procedures


@dataclass(frozen=True, slots=True)
class Judged:
    """A query with the codes that answer it; `system` is empty for all, `gold` for none."""

    id: str
    query: str
    slice: str
    system: str
    gold: tuple[str, ...]
    category: str


def read(path: Path) -> list[Judged]:
    """Returns the queries of a judged file, in order."""
    judged = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        system = row.get("system", "icd10pcs")
        identity = str(row.get("id", f"{path.stem}-{number}"))
        judged.append(
            Judged(
                identity,
                row["query"],
                row.get("slice") or row.get("style") or path.stem,
                "" if system == "none" else system,
                tuple(row["gold"]),
                str(row["icd9"])[:3] if "icd9" in row else identity,
            )
        )
    return judged


def in_training(judged: Judged) -> bool:
    """Whether a query belongs to the training half; all queries of an ICD-9 category are in the same half."""
    return hashlib.sha256(judged.category.encode()).digest()[0] < 128


def is_kept_from_encoder(judged: Judged) -> bool:
    """Whether a query is not for the encoder to learn from.

    These are one in `KEPT_FROM_ENCODER`, by category, all that nothing answers, those of CPT, as the few bundled
    pages would be learned by heart, and our own names of procedures, which were written for the ranking.
    """
    if not judged.gold or judged.system == "cpt" or judged.slice == NAME:
        return True
    return hashlib.sha256(judged.category.encode()).digest()[2] % KEPT_FROM_ENCODER == 0


class Universe:
    """All valid codes of a snapshot: how many codes a gold pattern stands for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._codes: dict[str, str] = {}
        for system in CodeSystem:
            positions = snapshot.documents.starting_with(system, "")
            codes = (snapshot.documents.brief(position) for position in positions)
            valid = (code.code for code in codes if code.kind is CodeKind.PROCEDURE and code.terminated is None)
            self._codes[system.value] = "\n".join(valid)

    @lru_cache(maxsize=100_000)  # noqa: B019 (lives as long as the process)
    def _matches(self, system: str, pattern: str) -> frozenset[str]:
        return frozenset(re.findall(f"(?m)^(?:{pattern})$", self._codes[system]))

    def gold(self, judged: Judged) -> frozenset[str]:
        """Returns the codes that answer the query."""
        return frozenset().union(*(self._matches(judged.system or "icd10pcs", pattern) for pattern in judged.gold))


def sampled(rows: Sequence[Judged], most: int) -> list[Judged]:
    """Returns at most so many queries of each slice and system, chosen by the hash of their ids."""
    ordered = sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).digest())
    kept: dict[tuple[str, str], list[Judged]] = {}
    for row in ordered:
        kept.setdefault((row.system, row.slice), []).append(row)
    chosen = {row.id for group in kept.values() for row in group[:most]}
    return [row for row in rows if row.id in chosen]


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of the mean: `RESAMPLES` draws with replacement, seed fixed."""
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
