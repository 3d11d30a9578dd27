"""The model and its ONNX export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index import encoder
from index.build import Report
from index.encoder import EncoderError, PassageEncoder, QueryEncoder

TEXTS = [
    "cement injection for sacral fracture",
    "Résection 🫀 of 心臓",
    "a",
    "Supplement Sacrum with Synthetic Substitute, Percutaneous Approach. " * 40,  # longer than the model reads
]


@pytest.fixture(scope="module")
def model() -> PassageEncoder:
    """The bundled model."""
    return PassageEncoder()


@pytest.fixture(scope="module")
def exported(built: Report) -> QueryEncoder:
    """The export that a build wrote into its snapshot."""
    return QueryEncoder(built.folder / "encoder")


def test_queries_and_passages_are_embedded_alike(model: PassageEncoder, exported: QueryEncoder) -> None:
    """Export and model give vectors of the same direction, for short, foreign and over-long texts, alone or not.

    The export's layers are int8: 0.98 is far nearer than two texts of different meaning come.
    """
    expected = np.zeros((len(TEXTS), model.dimensions), dtype=np.float32)
    for positions, vectors in model.batches(TEXTS):
        expected[positions] = vectors
    together, alone = exported.encode(TEXTS), np.vstack([exported.encode([text]) for text in TEXTS])
    assert (together * expected).sum(axis=1).min() > 0.98
    assert (alone * expected).sum(axis=1).min() > 0.98


def test_vectors_have_unit_length(exported: QueryEncoder) -> None:
    """An inner product of two is their cosine."""
    assert np.linalg.norm(exported.encode(TEXTS), axis=1) == pytest.approx(1, abs=1e-5)


def test_the_export_says_which_weights_it_holds(model: PassageEncoder, exported: QueryEncoder) -> None:
    """Name, hash and dimensions are the model's."""
    assert (exported.name, exported.sha256, exported.dimensions) == (model.name, model.sha256, 384)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled model is checked against the published weights' hash."""
    monkeypatch.setattr(encoder, "BASE_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match=f"got SHA-256 [0-9a-f]{{64}}, expected {'0' * 64}"):
        PassageEncoder()


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """No other model takes its place, and nothing is downloaded."""
    with pytest.raises(EncoderError, match="does not load"):
        PassageEncoder(str(tmp_path / "nothing"))


def test_an_export_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(EncoderError, match=str(tmp_path)):
        QueryEncoder(tmp_path)
