"""What the encoder of queries learns from, and how it is measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from index.build import Report
from index.encoder import QUERY_LAYERS, PassageEncoder, shortened
from index.records import CodeSystem
from index.snapshot import Snapshot, open_snapshot

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from judged import Judged
from pairs import Asked, Pairs
from train_encoder import TEMPERATURE
from train_query_encoder import DRAWN, Titles, pieces


@pytest.fixture(scope="module")
def snapshot(built: Report) -> Snapshot:
    """The built snapshot."""
    return open_snapshot(built.folder)


@pytest.fixture(scope="module")
def titles(snapshot: Snapshot) -> Titles:
    """Its titles."""
    return Titles(snapshot, Pairs(snapshot, {}).procedures)


def _asked(snapshot: Snapshot, *codes: str) -> Asked:
    found = [snapshot.documents.find(CodeSystem.ICD10PCS, code) for code in codes]
    right = np.array(found, dtype=np.int64)
    return Asked("a query", right, np.full(len(right), 1 / len(right)))


def test_a_query_is_told_from_the_titles_of_all_wrong_codes(snapshot: Snapshot, titles: Titles) -> None:
    """The cross-entropy by hand: its own passage, and every title but those of its right codes."""
    asked = _asked(snapshot, "0FT40ZZ", "0FT44ZZ")
    passages = snapshot.passages.titles.astype(np.int64)
    own, query = passages[asked.right[:1]], snapshot.encoder.encode(["removal of the gallbladder"])
    procedures = Pairs(snapshot, {}).procedures
    wrong = np.setdiff1d(procedures, asked.right)
    assert len(wrong) == len(procedures) - 2
    cosines = snapshot.dense.vectors(np.concatenate([own, passages[wrong]])) @ query[0]
    expected = np.log(np.exp(cosines / TEMPERATURE).sum()) - cosines[0] / TEMPERATURE
    right = torch.from_numpy(snapshot.dense.vectors(own))
    assert float(titles.contrast(torch.from_numpy(query), right, [asked])) == pytest.approx(float(expected), abs=0.05)


def test_a_query_at_its_title_is_found_and_one_elsewhere_is_not(snapshot: Snapshot, titles: Titles) -> None:
    """Ten queries whose vectors are those of their codes' titles; then the opposite."""
    asked = _asked(snapshot, "0FT44ZZ")
    kept = [(Judged(str(number), "a query", "lay", "icd10pcs", ("0FT44ZZ",), "1"), asked) for number in range(10)]
    title = snapshot.dense.vectors(snapshot.passages.titles[[asked.right[0]]].astype(np.int64))[0]
    assert titles.measure(kept, np.tile(title, (10, 1))) == {"icd10pcs lay": 1.0, "mean": 1.0}
    assert titles.measure(kept, np.tile(-title, (10, 1)))["mean"] == 0.0


def test_pieces_are_words_of_passages(snapshot: Snapshot) -> None:
    """Drawn anew from a seed: the same seed, the same pieces."""
    drawn = pieces(snapshot, np.random.default_rng(7))
    assert len(drawn) == DRAWN
    assert drawn == pieces(snapshot, np.random.default_rng(7))
    texts = "\n".join(" ".join(snapshot.passages.text(number).split()) for number in range(len(snapshot.passages)))
    assert all(piece in texts for piece in drawn[:200])
    lengths = [len(piece.split()) for piece in drawn]
    assert 2 <= np.median(lengths) <= 14
    assert max(lengths) > 14


def test_the_small_model_has_layers_of_the_large_one() -> None:
    """They are copies: training them leaves the others as they are."""
    whole: Any = PassageEncoder().model
    short = shortened(whole)
    layers, taken = (model[0].auto_model.encoder.layer for model in (whole, short))
    assert (len(layers), len(taken)) == (6, len(QUERY_LAYERS))
    for number, layer in zip(QUERY_LAYERS, taken, strict=True):
        weight = layer.attention.self.query.weight
        assert torch.equal(weight, layers[number].attention.self.query.weight)
        assert weight.data_ptr() != layers[number].attention.self.query.weight.data_ptr()
