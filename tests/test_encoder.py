"""The model and its ONNX export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file

from index import encoder
from index.build import Report
from index.encoder import (
    ADAPTER,
    BASE_MODEL,
    BUNDLED_MODEL,
    QUERY_CARD,
    EncoderError,
    PassageEncoder,
    QueryEncoder,
)

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


def _vectors(model: PassageEncoder, texts: list[str]) -> NDArray[np.float32]:
    found = np.zeros((len(texts), model.dimensions), dtype=np.float32)
    for positions, vectors in model.batches(texts):
        found[positions] = vectors
    return found


def test_queries_lie_near_what_they_mean(model: PassageEncoder, exported: QueryEncoder) -> None:
    """The smaller encoder's vector of a text is nearest to the passages' encoder's of the same, alone or not."""
    expected = _vectors(model, TEXTS)
    together, alone = exported.encode(TEXTS), np.vstack([exported.encode([text]) for text in TEXTS])
    assert ((together @ expected.T).argmax(axis=1) == np.arange(len(TEXTS))).all()
    assert (together * expected).sum(axis=1)[[0, 3]].min() > 0.85
    assert (alone * together).sum(axis=1).min() > 0.99


def test_queries_of_other_models_go_through_all_of_it(tmp_path: Path) -> None:
    """The export's layers are int8: 0.98 is far nearer than two texts of different meaning come."""
    base = PassageEncoder(BASE_MODEL)
    base.export(tmp_path / "encoder")
    assert (QueryEncoder(tmp_path / "encoder").encode(TEXTS) * _vectors(base, TEXTS)).sum(axis=1).min() > 0.98


def test_an_adapter_without_an_encoder_of_queries_serves_them_itself(
    model: PassageEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As after scripts/train_encoder.py, which removes the one that was trained beside the adapter before."""
    monkeypatch.setattr(encoder, "QUERY_CARD", tmp_path / "nothing.json")
    model.export(tmp_path / "encoder")
    assert (QueryEncoder(tmp_path / "encoder").encode(TEXTS) * _vectors(model, TEXTS)).sum(axis=1).min() > 0.98


@pytest.mark.parametrize("name", ["sha256", "adapter_sha256"])
def test_weights_for_queries_that_do_not_belong_are_refused(
    model: PassageEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """They were changed, or trained beside another adapter."""
    card = tmp_path / "queries.json"
    card.write_text(json.dumps({**json.loads(QUERY_CARD.read_text(encoding="utf-8")), name: "0" * 64}))
    monkeypatch.setattr(encoder, "QUERY_CARD", card)
    with pytest.raises(EncoderError, match=f"got SHA-256 [0-9a-f]{{64}}, expected {'0' * 64}"):
        model.export(tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


def test_vectors_have_unit_length(exported: QueryEncoder) -> None:
    """An inner product of two is their cosine."""
    assert np.linalg.norm(exported.encode(TEXTS), axis=1) == pytest.approx(1, abs=1e-5)


def test_weights_for_queries_have_seven_bits(built: Report) -> None:
    """With eight, sums overflow on processors without VNNI, which no other test would notice on one that has it."""
    model = onnx.load(built.folder / "encoder" / "model.onnx")
    stored = [onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    layers = [tensor for tensor in stored if tensor.dtype == np.int8 and tensor.ndim == 2]
    assert len(layers) == 6 * len(encoder.QUERY_LAYERS)
    assert max(int(np.abs(tensor.astype(int)).max()) for tensor in layers) <= 64


def test_the_export_says_which_weights_it_holds(model: PassageEncoder, exported: QueryEncoder) -> None:
    """Name, hash and dimensions are the model's."""
    assert (exported.name, exported.sha256, exported.dimensions) == (model.name, model.sha256, 384)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled model is checked against the published weights' hash."""
    monkeypatch.setattr(encoder, "BASE_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match=f"got SHA-256 [0-9a-f]{{64}}, expected {'0' * 64}"):
        PassageEncoder()


def test_the_base_model_is_told_apart_from_the_tuned_one(model: PassageEncoder) -> None:
    """By name it is still there, and its vectors are others."""
    base = PassageEncoder(BASE_MODEL)
    assert (base.name, model.name) == (BASE_MODEL, BUNDLED_MODEL)
    assert base.sha256 != model.sha256
    vectors = [np.vstack([vectors for _, vectors in one.batches(TEXTS[:1])])[0] for one in (base, model)]
    assert 0.2 < float(vectors[0] @ vectors[1]) < 0.999


def test_an_adapter_adds_the_product_of_its_matrices() -> None:
    """Each tuned layer is the base's plus up × down, worked out here from the file."""
    models: list[Any] = [PassageEncoder(BASE_MODEL).model, PassageEncoder().model]
    base, tuned = (model[0].auto_model for model in models)
    tensors = load_file(ADAPTER)
    names = {name.rpartition(".")[0] for name in tensors}
    assert len(names) == 36  # six blocks of six linear layers
    for name in names:
        added = tensors[f"{name}.up"].float() @ tensors[f"{name}.down"].float()
        expected = base.get_submodule(name).weight + added
        assert np.allclose(tuned.get_submodule(name).weight.detach().numpy(), expected.detach().numpy(), atol=1e-6)


def test_an_adapter_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its hash stands on its card; and one that is missing is an error, never another model."""
    changed = tmp_path / "adapter.safetensors"
    changed.write_bytes(ADAPTER.read_bytes() + b" ")
    monkeypatch.setattr(encoder, "ADAPTER", changed)
    with pytest.raises(EncoderError, match=r"got SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}"):
        PassageEncoder()
    monkeypatch.setattr(encoder, "ADAPTER", tmp_path / "nothing")
    with pytest.raises(EncoderError, match="can't be used"):
        PassageEncoder()


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """No other model takes its place, and nothing is downloaded."""
    with pytest.raises(EncoderError, match="does not load"):
        PassageEncoder(str(tmp_path / "nothing"))


def test_an_export_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(EncoderError, match=str(tmp_path)):
        QueryEncoder(tmp_path)
