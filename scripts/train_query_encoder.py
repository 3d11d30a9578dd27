#!/usr/bin/env python3
"""Trains the encoder of queries: half the layers of the passages' encoder, with vectors in the same space.

It learns two things at once: the vectors that the passages' encoder gives to queries and to pieces of passages
(distillation), and which passage is right (contrast). The passages of an index that was built with the bundled model
stay as they are, so each query is told from the titles of all codes, not only from those of its batch. One query in ten
is kept out, as for scripts/train_encoder.py, which goes before.
"""

from __future__ import annotations

import environment

environment.enter()

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Mapping, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NamedTuple  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from judged import Judged  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from pairs import SHARES, Asked, Pairs  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from torch import nn  # noqa: E402
from tqdm import trange  # noqa: E402
from train_encoder import (  # noqa: E402
    NARROW,
    TEMPERATURE,
    encoded,
    gathered,
    narrow,
    rising_and_falling,
    shares,
    style,
    vectors,
)

from index.encoder import ADAPTER, QUERY_CARD, QUERY_LAYERS, QUERY_WEIGHTS, PassageEncoder, shortened  # noqa: E402
from index.snapshot import Snapshot, open_best  # noqa: E402
from search.settings import Settings  # noqa: E402

LEARNING_RATE = 8e-4  # of all weights of the layers
ASKED, PIECES = 192, 64  # queries and pieces of passages a step
DRAWN = 50_000  # pieces that these are drawn from
LONGEST_PIECE, WHOLE = 14, 0.07  # words of a piece; the share of pieces that are whole passages
DISTILLATION = 20.0  # weight of 1 - cosine beside the cross-entropy


class Titles:
    """The titles of all codes of an index; their vectors stay as they are."""

    def __init__(self, snapshot: Snapshot, procedures: NDArray[np.int64]) -> None:
        """Takes an index of the passages' encoder, and the positions of its procedures, ascending."""
        self._procedures = procedures
        titles = snapshot.passages.titles[procedures].astype(np.int64)
        self._vectors = snapshot.dense.vectors(titles)
        self._systems = snapshot.passages.system[titles]
        self._coarse = torch.from_numpy(self._vectors).to(torch.bfloat16 if NARROW else torch.float32)
        self._column = np.full(len(snapshot.documents), -1)
        self._column[procedures] = np.arange(len(procedures))

    def contrast(self, queries: torch.Tensor, own: torch.Tensor, asked: Sequence[Asked]) -> torch.Tensor:
        """Returns the mean cross-entropy of each query's own passage among it and the titles of all wrong codes.

        `queries` and `own`, a right passage of each, of any section, are unit vectors, shape (queries, dimensions).
        """
        wrong = (queries.to(self._coarse.dtype) @ self._coarse.T).float()
        rows = np.repeat(np.arange(len(asked)), [len(one.right) for one in asked])
        columns = self._column[np.concatenate([one.right for one in asked])]
        wrong[rows[columns >= 0], columns[columns >= 0]] = float("-inf")
        cosines = torch.cat([(queries * own).sum(dim=1, keepdim=True), wrong], dim=1)
        return nn.functional.cross_entropy(cosines / TEMPERATURE, torch.zeros(len(asked), dtype=torch.int64))

    def measure(self, kept: Sequence[tuple[Judged, Asked]], queries: NDArray[np.float32]) -> dict[str, float]:
        """Returns the share of queries with a right title among the first ten of their system, as `shares`.

        `queries` are unit vectors, shape (kept, dimensions).
        """
        found: dict[str, list[bool]] = {}
        for (row, asked), query in zip(kept, queries, strict=True):
            same = self._systems == self._systems[self._column[asked.right].max()]
            cosines = np.where(same, self._vectors @ query, -2)
            first = self._procedures[np.argpartition(-cosines, 9)[:10]]
            found.setdefault(style(row), []).append(bool(np.isin(first, asked.right).any()))
        return shares(found)


class Lesson(NamedTuple):
    """Queries, their texts and then those of pieces of passages; what a step learns from.

    `vectors` are those that the passages' encoder gives the texts, shape (texts, dimensions), and `own` those of a
    right passage of each query, shape (queries, dimensions).
    """

    asked: list[Asked]
    own: torch.Tensor
    texts: list[str]
    vectors: torch.Tensor


class Lessons:
    """Draws queries, by the shares of where they are from, and pieces of passages."""

    def __init__(
        self, snapshot: Snapshot, asked: Mapping[str, Sequence[Asked]], pairs: Pairs, teacher: PassageEncoder
    ) -> None:
        """Takes the queries by where they are from, as in `pairs.SHARES`, and what draws their right passages."""
        self._dense, self._pairs = snapshot.dense, pairs
        self._random = np.random.default_rng(7)
        self._asked = [one for held in asked.values() for one in held]
        self._language = pieces(snapshot, self._random)
        self._taught = torch.from_numpy(taught(teacher, [*(one.text for one in self._asked), *self._language]))
        ends = np.cumsum([len(held) for held in asked.values()])
        self._spans = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))
        shares_of = np.array([SHARES[source] for source in asked])
        self._shares = shares_of / shares_of.sum()

    def draw(self) -> Lesson:
        """Returns `ASKED` queries and `PIECES` pieces of passages."""
        spans = self._random.choice(self._spans, ASKED, p=self._shares)
        queries = self._random.integers(spans[:, 0], spans[:, 1])
        language = self._random.integers(len(self._language), size=PIECES)
        asked = [self._asked[row] for row in queries.tolist()]
        own = self._dense.vectors(np.array([self._pairs.right(one)[1] for one in asked], dtype=np.int64))
        texts = [*(one.text for one in asked), *(self._language[row] for row in language.tolist())]
        rows = np.concatenate([queries, len(self._asked) + language])
        return Lesson(asked, torch.from_numpy(own), texts, self._taught[rows])


def pieces(snapshot: Snapshot, random: np.random.Generator) -> list[str]:
    """Returns some words in a row of passages drawn by lot, and a few whole passages: general language."""
    drawn = []
    for passage in random.integers(len(snapshot.passages), size=DRAWN).tolist():
        words = snapshot.passages.text(passage).split()
        count = len(words) if random.random() < WHOLE else int(random.integers(2, LONGEST_PIECE + 1))
        start = int(random.integers(max(len(words) - count, 0) + 1))
        drawn.append(" ".join(words[start : start + count]))
    return drawn


def taught(teacher: PassageEncoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Returns the vectors of the passages' encoder, float32 of shape (texts, dimensions)."""
    found = np.empty((len(texts), teacher.dimensions), dtype=np.float32)
    for positions, held in teacher.batches(texts):
        found[positions] = held
    return found


def train(model: SentenceTransformer, lessons: Lessons, titles: Titles, steps: int) -> None:
    """Trains the model's layers, at a rate that rises at first and then falls to nothing."""
    model.requires_grad_(False)
    weights = list(layers_of(model).requires_grad_(True).parameters())
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.01)
    schedule = rising_and_falling(optimizer, steps)
    model.train()
    for _ in trange(steps, file=sys.stderr, mininterval=5):
        lesson = lessons.draw()
        with narrow():
            found = vectors(model, lesson.texts)
        apart = 1 - (found * lesson.vectors).sum(dim=1).mean()
        loss = DISTILLATION * apart + titles.contrast(found[: len(lesson.asked)], lesson.own, lesson.asked)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


def layers_of(model: SentenceTransformer) -> Any:
    """Returns the part of the model that has weights of its own."""
    transformer: Any = model[0].auto_model
    return transformer.encoder


def main() -> int:
    """Returns 0 when the weights are written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judged", nargs="*", type=Path, help="judged files: their training half is learned from too")
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="the index (%(default)s)")
    parser.add_argument("--steps", type=int, default=2000, help="batches (%(default)s)")
    options = parser.parse_args()
    torch.manual_seed(7)
    snapshot, _ = open_best(options.home)
    asked, kept = gathered(snapshot, options.judged)
    teacher = PassageEncoder()
    pairs = Pairs(snapshot, asked)
    titles = Titles(snapshot, pairs.procedures)
    before = titles.measure(kept, taught(teacher, [one.text for _, one in kept]))
    print("passages' encoder", json.dumps(before), flush=True)
    model = shortened(teacher.model)
    train(model, Lessons(snapshot, asked, pairs, teacher), titles, options.steps)
    after = titles.measure(kept, encoded(model, [one.text for _, one in kept]))
    print("queries' encoder", json.dumps(after), flush=True)
    tensors = layers_of(model).state_dict()
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, QUERY_WEIGHTS)
    card = {
        "adapter_sha256": hashlib.sha256(ADAPTER.read_bytes()).hexdigest(),
        "sha256": hashlib.sha256(QUERY_WEIGHTS.read_bytes()).hexdigest(),
        "layers": QUERY_LAYERS,
        "steps": options.steps,
        "queries": {source: len(held) for source, held in asked.items()},
        "held_out": {"passages' encoder": before, "queries' encoder": after},
    }
    QUERY_CARD.write_text(json.dumps(card, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
