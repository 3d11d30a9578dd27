#!/usr/bin/env python3
"""Trains the low-rank adapter that tunes the encoder to the language of procedure codes.

Pairs of a query and a passage of a right code come from the index (names of the thesaurus and of the releases'
indexes, short titles), from the tables of ICD-10-PCS (scripts/composed.py), from the project's own queries, and from
the training half of the judged files that are given. Each passage is told from those of all other queries of its
batch and from one wrong code that is hard to tell apart. One query in ten is kept out; the adapter's scale is the one
that does best on these. Then the index is to be built anew, and scripts/train_query_encoder.py to be run.
"""

from __future__ import annotations

import environment

environment.enter()

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Mapping, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from composed import composed  # noqa: E402
from judged import Judged, Universe, in_training, is_kept_from_encoder, read  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from pairs import Asked, Pairs, names, queries  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from torch import nn  # noqa: E402
from tqdm import trange  # noqa: E402

from index.encoder import (  # noqa: E402
    ADAPTER,
    ADAPTER_CARD,
    BASE_MODEL,
    BASE_SHA256,
    QUERY_CARD,
    QUERY_WEIGHTS,
    PassageEncoder,
)
from index.records import SectionKind  # noqa: E402
from index.snapshot import Snapshot, open_best  # noqa: E402
from index.store import SECTIONS  # noqa: E402
from search.settings import Settings  # noqa: E402

OWN = Path(__file__).parent / "queries"

RANK = 64  # of the adapter: 2.7 million numbers, a quarter of the layers that it tunes
LEARNING_RATE = 1e-3  # ten times what suits the tuning of all weights, as is usual for low-rank adapters
TEMPERATURE = 0.05  # of the softmax over cosines
WARM_UP = 0.05  # share of the steps
MOST_TOKENS = 64  # of a text; titles have 20, names 5
TOGETHER = 32  # texts of like length that go through the model at once
MINED_EVERY = 250  # steps after which the titles that wrong codes come from are drawn and encoded anew

DISTRACTORS = 8000  # titles that a held-out query's right ones are looked for among
SCALES = (0.0, 0.5, 0.75, 1.0, 1.25)

# bfloat16 halves the time on processors that multiply it, and takes five times as long on others.
NARROW = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
narrow = partial(torch.autocast, "cpu", dtype=torch.bfloat16, enabled=NARROW)


class LowRank(nn.Module):
    """A frozen linear layer plus the product of two thin matrices (LoRA: Hu et al., ICLR 2022)."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Parameter(torch.randn(RANK, layer.in_features) / layer.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(layer.out_features, RANK))
        self.scale = 1.0

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Returns the layer's output with the adapter's part added."""
        added = (states @ self.down.T) @ self.up.T
        return torch.add(self.layer(states), added, alpha=self.scale)


def adapted(model: SentenceTransformer) -> dict[str, LowRank]:
    """Freezes the model, gives every linear layer of its blocks an adapter, and returns them by the layer's name."""
    model.requires_grad_(False)
    transformer: Any = model[0].auto_model
    layers = {
        name: module
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear) and name.startswith("encoder.")
    }
    found = {name: LowRank(layer) for name, layer in layers.items()}
    for name, adapter in found.items():
        parent, _, own = name.rpartition(".")
        setattr(transformer.get_submodule(parent), own, adapter)
    return found


def vectors(model: SentenceTransformer, texts: Sequence[str]) -> torch.Tensor:
    """Returns one unit vector per text, shape (texts, dimensions), through which gradients flow.

    Texts of like length go through the model together, so that little is padded.
    """
    tokens = model.tokenizer(list(texts), truncation=True, max_length=MOST_TOKENS)
    order = sorted(range(len(texts)), key=lambda position: len(tokens["input_ids"][position]))
    found = []
    for start in range(0, len(order), TOGETHER):
        chosen = order[start : start + TOGETHER]
        held = {name: [tokens[name][position] for position in chosen] for name in ("input_ids", "attention_mask")}
        found.append(model(dict(model.tokenizer.pad(held, return_tensors="pt")))["sentence_embedding"].float())
    back = torch.tensor(order).argsort()
    return nn.functional.normalize(torch.cat(found)[back], dim=1)


def encoded(model: SentenceTransformer, texts: Sequence[str]) -> NDArray[np.float32]:
    """Returns the vectors as the model has them now, float32 of shape (texts, dimensions)."""
    learning = model.training
    model.eval()
    with torch.no_grad(), narrow():
        found: NDArray[np.float32] = vectors(model, texts).numpy()
    model.train(learning)
    return found


def loss(queries: torch.Tensor, passages: torch.Tensor, also_right: NDArray[np.bool_]) -> torch.Tensor:
    """Returns the mean cross-entropy of each query's own passage among all (van den Oord et al., 2018).

    `also_right`, shape (queries, passages), marks other passages that are right too: they are left out.
    """
    cosines = queries @ passages.T / TEMPERATURE
    masked = cosines.masked_fill(torch.from_numpy(also_right), float("-inf"))
    return nn.functional.cross_entropy(masked, torch.arange(len(queries)))


class HeldOut:
    """What the scale of the adapter is chosen by: queries that are not trained on."""

    def __init__(
        self, snapshot: Snapshot, asked: Sequence[tuple[Judged, Asked]], procedures: NDArray[np.int64]
    ) -> None:
        random = np.random.default_rng(7)
        self._snapshot, self._asked = snapshot, asked
        first = [held.right[:20] for _, held in asked]
        drawn = random.choice(procedures, min(DISTRACTORS, len(procedures)), replace=False)
        self._pool = np.unique(np.concatenate([*first, drawn]))
        passages = snapshot.passages
        pages = [p for p in self._pool.tolist() if len(snapshot.documents.brief(p).code) == 5]
        flat, starts = passages.documents(np.arange(len(passages)))
        of = np.repeat(np.arange(len(passages)), np.diff(starts))
        told = np.isin(flat, pages) & ~np.isin(
            passages.section[of],
            [SECTIONS.index(SectionKind.TITLE), SECTIONS.index(SectionKind.THESAURUS)],
        )
        self._section_of, self._sections = flat[told], of[told]

    def measure(self, model: SentenceTransformer) -> dict[str, float]:
        """Returns the share of queries with a right title among ten, by system and style, and the mean.

        "sections" is the same for CPT and HCPCS queries over sections and names instead of titles.
        """
        passages = self._snapshot.passages

        wanted = encoded(model, [held.text for _, held in self._asked])
        titles = encoded(model, [passages.text(int(passages.titles[p])) for p in self._pool])
        sections = encoded(model, [passages.text(int(p)) for p in self._sections])
        found: dict[str, list[bool]] = {}
        systems = passages.system[passages.titles[self._pool]]
        for (row, held), vector in zip(self._asked, wanted, strict=True):
            same = systems == systems[np.searchsorted(self._pool, held.right[0])]
            first = self._pool[same][np.argsort(-(titles[same] @ vector))[:10]]
            found.setdefault(style(row), []).append(bool(np.isin(first, held.right).any()))
            if row.system in ("cpt", "hcpcs"):
                order = self._section_of[np.argsort(-(sections @ vector))]
                best = list(dict.fromkeys(order[:400].tolist()))[:10]
                found.setdefault("sections", []).append(bool(np.isin(best, held.right).any()))
        return shares(found)


def style(row: Judged) -> str:
    """Returns the system and style of a query, as held-out figures are told by."""
    return row.slice if row.slice.startswith("icd9") else f"{row.system} {row.slice}"


def shares(found: Mapping[str, Sequence[bool]]) -> dict[str, float]:
    """Returns the share of each style's queries that are found, of styles that have ten or more, and their mean."""
    told = {name: float(np.mean(right)) for name, right in sorted(found.items()) if len(right) >= 10}
    return {**told, "mean": float(np.mean(list(told.values())))}


def rising_and_falling(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Returns a schedule by which the rate rises at first and then falls to nothing."""
    warm = max(1, int(WARM_UP * steps))
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )


def gathered(snapshot: Snapshot, judged: Sequence[Path]) -> tuple[dict[str, list[Asked]], list[tuple[Judged, Asked]]]:
    """Returns what is learned from, by where it is from, and the queries that are kept out.

    Sources are as in `pairs.SHARES`; of the judged files the training half is taken.
    """
    universe = Universe(snapshot)
    rows = {
        "own": [row for path in sorted(OWN.glob("*.jsonl")) for row in read(path)],
        "judged": [row for path in judged for row in read(path) if in_training(row)],
    }
    known = {source: queries(held, universe, snapshot) for source, held in rows.items()}
    asked = {source: [one for row, one in held if not is_kept_from_encoder(row)] for source, held in known.items()}
    for source, name in names(snapshot):
        asked.setdefault(source, []).append(name)
    asked["composed"] = list(composed(snapshot))
    kept = [(row, one) for held in known.values() for row, one in held if is_kept_from_encoder(row)]
    return {source: held for source, held in asked.items() if held}, kept


def train(model: SentenceTransformer, adapters: dict[str, LowRank], pairs: Pairs, steps: int) -> None:
    """Trains the adapters, at a rate that rises at first and then falls to nothing."""
    weights = [weight for adapter in adapters.values() for weight in (adapter.down, adapter.up)]
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.01)
    schedule = rising_and_falling(optimizer, steps)
    model.train()
    progress = trange(steps, file=sys.stderr, mininterval=5)
    recent: list[float] = []
    for step in progress:
        if step % MINED_EVERY == 0:
            pairs.mine(partial(encoded, model))
        asked, passages, also = pairs.batch()
        with narrow():
            found = loss(vectors(model, asked), vectors(model, passages), also)
        optimizer.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        recent = [*recent[-49:], float(found)]
        progress.set_postfix(loss=f"{np.mean(recent):.3f}")
    model.eval()


def scaled(adapters: dict[str, LowRank], scale: float) -> None:
    """Sets how much of the adapters is added."""
    for adapter in adapters.values():
        adapter.scale = scale


def write(adapters: dict[str, LowRank], scale: float) -> None:
    """Writes the adapters, times the scale, in half precision, and removes the encoder of queries of those before."""
    tensors = {}
    for name, adapter in adapters.items():
        tensors[f"{name}.down"] = adapter.down.detach().to(torch.float16)
        tensors[f"{name}.up"] = (adapter.up.detach() * scale).to(torch.float16)
    ADAPTER.parent.mkdir(exist_ok=True)
    save_file(tensors, ADAPTER)
    for path in (QUERY_CARD, QUERY_WEIGHTS):
        path.unlink(missing_ok=True)


def main() -> int:
    """Returns 0 when the adapter is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judged", nargs="*", type=Path, help="judged files: their training half is learned from too")
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="the index (%(default)s)")
    parser.add_argument("--steps", type=int, default=1000, help="batches (%(default)s)")
    options = parser.parse_args()
    torch.manual_seed(7)
    snapshot, _ = open_best(options.home)
    asked, kept = gathered(snapshot, options.judged)
    model = PassageEncoder(BASE_MODEL).model
    adapters = adapted(model)
    pairs = Pairs(snapshot, asked)
    held_out = HeldOut(snapshot, kept, pairs.procedures)
    train(model, adapters, pairs, options.steps)
    measured: dict[float, dict[str, float]] = {}
    for scale in SCALES:
        scaled(adapters, scale)
        measured[scale] = held_out.measure(model)
        print(scale, json.dumps(measured[scale]), flush=True)
    best = max(SCALES, key=lambda scale: measured[scale]["mean"])
    write(adapters, best)
    card = {
        "base": BASE_MODEL,
        "base_sha256": BASE_SHA256,
        "sha256": hashlib.sha256(ADAPTER.read_bytes()).hexdigest(),
        "rank": RANK,
        "scale": best,
        "steps": options.steps,
        "queries": {source: len(held) for source, held in asked.items()},
        "held_out": {"base": measured[0.0], "tuned": measured[best]},
    }
    ADAPTER_CARD.write_text(json.dumps(card, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
