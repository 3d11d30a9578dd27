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
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from judged import Judged  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from pairs import SHARES, Asked, Pairs  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402
from tqdm import trange  # noqa: E402
from train_encoder import TEMPERATURE, encoded, gathered, rising_and_falling, vectors  # noqa: E402

from index.encoder import ADAPTER, QUERY_CARD, QUERY_LAYERS, QUERY_WEIGHTS, PassageEncoder, shortened  # noqa: E402
from index.snapshot import Snapshot, open_best  # noqa: E402
from search.settings import Settings  # noqa: E402

LEARNING_RATE = 8e-4  # of all weights of the layers
ASKED, PIECES = 192, 64  # queries and pieces of passages a step
DRAWN = 50_000  # pieces that these are drawn from
LONGEST_PIECE, WHOLE = 14, 0.07  # words of a piece; the share of pieces that are whole passages
DISTILLATION = 20.0  # weight of 1 - cosine beside the cross-entropy


class Index:
    """The passages of an index, whose vectors stay as they are."""

    def __init__(self, snapshot: Snapshot, procedures: NDArray[np.int64]) -> None:
        self._snapshot, self._procedures = snapshot, procedures
        titles = snapshot.passages.titles[procedures].astype(np.int64)
        self._titles = snapshot.dense.vectors(titles)
        self._systems = snapshot.passages.system[titles]
        self._coarse = torch.from_numpy(self._titles).to(torch.bfloat16)
        self._column = np.full(len(snapshot.documents), -1)
        self._column[procedures] = np.arange(len(procedures))

    def contrast(self, queries: torch.Tensor, own: Sequence[int], asked: Sequence[Asked]) -> torch.Tensor:
        """Returns the mean cross-entropy of each query's own passage among it and the titles of all wrong codes.

        `queries` are unit vectors, shape (queries, dimensions); `own` is a right passage of each, of any section.
        """
        right = torch.from_numpy(self._snapshot.dense.vectors(np.array(own, dtype=np.int64)))
        wrong = (queries.to(torch.bfloat16) @ self._coarse.T).float()
        rows = np.repeat(np.arange(len(asked)), [len(one.right) for one in asked])
        columns = self._column[np.concatenate([one.right for one in asked])]
        wrong[rows[columns >= 0], columns[columns >= 0]] = float("-inf")
        cosines = torch.cat([(queries * right).sum(dim=1, keepdim=True), wrong], dim=1)
        return nn.functional.cross_entropy(cosines / TEMPERATURE, torch.zeros(len(asked), dtype=torch.int64))

    def measure(self, kept: Sequence[tuple[Judged, Asked]], queries: NDArray[np.float32]) -> dict[str, float]:
        """Returns the share of queries with a right title among the first ten of their system, by system and style.

        "mean" is the mean of these shares. `queries` are unit vectors, shape (kept, dimensions).
        """
        found: dict[str, list[bool]] = {}
        for (row, asked), query in zip(kept, queries, strict=True):
            system = self._snapshot.passages.system[self._snapshot.passages.titles[asked.right[0]]]
            cosines = np.where(self._systems == system, self._titles @ query, -2)
            first = self._procedures[np.argpartition(-cosines, 9)[:10]]
            style = row.slice if row.slice.startswith("icd9") else f"{row.system} {row.slice}"
            found.setdefault(style, []).append(bool(np.isin(first, asked.right).any()))
        told = {style: float(np.mean(right)) for style, right in sorted(found.items()) if len(right) >= 10}
        return {**told, "mean": float(np.mean(list(told.values())))}


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


def main() -> int:
    """Returns 0 when the weights are written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judged", nargs="*", type=Path, help="judged files: their training half is learned from too")
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="the index (%(default)s)")
    parser.add_argument("--steps", type=int, default=2000, help="batches (%(default)s)")
    options = parser.parse_args()
    torch.manual_seed(7)
    random = np.random.default_rng(7)
    snapshot, _ = open_best(options.home)
    asked, kept = gathered(snapshot, options.judged)
    teacher = PassageEncoder()
    pairs = Pairs(snapshot, asked)
    index = Index(snapshot, pairs.procedures)
    every = [one for held in asked.values() for one in held]
    first = dict(zip(asked, np.cumsum([0, *(len(held) for held in asked.values())]).tolist(), strict=False))
    language = pieces(snapshot, random)
    targets = torch.from_numpy(taught(teacher, [*(one.text for one in every), *language]))
    before = index.measure(kept, taught(teacher, [one.text for _, one in kept]))
    print("passages' encoder", json.dumps(before), flush=True)

    model = shortened(teacher.model)
    model.requires_grad_(False)
    layers = model[0].auto_model.encoder
    layers.requires_grad_(True)
    weights = list(layers.parameters())
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.01)
    schedule = rising_and_falling(optimizer, options.steps)
    shares = np.array([SHARES[source] for source in asked])
    model.train()
    for _ in trange(options.steps, file=sys.stderr, mininterval=5):
        sources = random.choice(list(asked), ASKED, p=shares / shares.sum())
        rows = [first[source] + int(random.integers(len(asked[source]))) for source in sources]
        drawn = [every[row] for row in rows]
        rows += (len(every) + random.integers(len(language), size=PIECES)).tolist()
        own = [pairs.right(one)[1] for one in drawn]
        texts = [*(one.text for one in drawn), *(language[row - len(every)] for row in rows[ASKED:])]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = vectors(model, texts)
        apart = 1 - (found * targets[rows]).sum(dim=1).mean()
        loss = DISTILLATION * apart + index.contrast(found[:ASKED], own, drawn)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
    model.eval()

    after = index.measure(kept, encoded(model, [one.text for _, one in kept]))
    print("queries' encoder", json.dumps(after), flush=True)
    save_file({name: tensor.half().contiguous() for name, tensor in layers.state_dict().items()}, QUERY_WEIGHTS)
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
