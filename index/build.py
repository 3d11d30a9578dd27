"""The build path: source files in, a published snapshot out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from index import snapshot
from index.encoder import ADAPTER, BASE_SHA256, BUNDLED_MODEL, PassageEncoder
from index.merge import merge, releases_of
from index.passages import make_passages
from index.sources import Problem, Reading, find, read
from index.sources.reading import sha256
from index.vectors import VectorCache

BUNDLED = (Path(__file__).parent / "corpus", Path(__file__).parent / "thesaurus")

Observe = Callable[[str, int, int], None]
"""Called with a stage's name, what is done and what there is to do; total 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a build read, left out and wrote.

    `texts` counts the texts of all codes, before equal ones were put together; `embedded` those whose vector
    had to be made. `seconds` maps each stage to its wall time. Where the current snapshot was built from the
    same inputs, it stays, and nothing was read or written: `readings` is empty.
    """

    folder: Path
    manifest: snapshot.Manifest
    readings: tuple[Reading, ...]
    problems: tuple[Problem, ...]
    texts: int
    embedded: int
    seconds: dict[str, float]


def build(
    paths: Sequence[Path],
    home: Path,
    *,
    model: str = BUNDLED_MODEL,
    strict: bool = False,
    observe: Observe = lambda stage, done, total: None,
) -> Report:
    """Builds an index of the bundled corpus and the files and folders named, and publishes it.

    The old snapshot serves until the new one is verified, and goes on serving if anything fails.

    Raises:
        SourceError: a file named is not a source, or (`strict`) a row of it is bad.
        EncoderError: the model does not load.
        SnapshotError: another build runs, or what was written does not verify.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        observe(name, 0, 0)
        started = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - started

    with snapshot.locked(home):
        with stage("compare"):
            files, problems = find([*BUNDLED, *paths])
            inputs = _inputs(files, model, strict)
            live = snapshot.current(home)
            manifest = _verified(live)
        if live is not None and manifest is not None and manifest.inputs == inputs:
            return Report(live, manifest, (), tuple(problems), 0, 0, seconds)
        with stage("read"):
            readings = []
            for position, path in enumerate(files):
                readings.append(read(path, strict=strict))
                observe("read", position + 1, len(files))
        with stage("merge"):
            documents, phrases, notices = merge(readings)
            problems = [*problems, *(problem for reading in readings for problem in reading.problems), *notices]
            passages = make_passages(documents)
        with stage("load model"):
            encoder = PassageEncoder(model)
            staging = snapshot.stage(home)
            encoder.export(staging / "encoder")
        with stage("encode"):
            cache = VectorCache(home / "vectors", encoder)
            texts = [passage.text for passage in passages]
            vectors, embedded = cache.embed(texts, lambda done, total: observe("encode", done, total))
        with stage("write"):
            manifest = snapshot.write(staging, documents, passages, phrases, vectors, releases_of(readings), inputs)
        with stage("verify"):
            snapshot.open_snapshot(staging)
        with stage("publish"):
            folder = snapshot.publish(home, staging, manifest)
            cache.prune(texts)
    return Report(
        folder,
        manifest,
        tuple(readings),
        tuple(problems),
        sum(len(passage.documents) for passage in passages),
        embedded,
        seconds,
    )


def _inputs(files: Sequence[Path], model: str, strict: bool) -> str:
    """Returns the SHA-256 over all that a build depends on: sources, model, and the code of this package."""
    digest = hashlib.sha256(f"{model} {BASE_SHA256} {strict}".encode())
    code = sorted(Path(__file__).parent.rglob("*.py"))
    weights = sorted(path for path in Path(model).rglob("*") if path.is_file())
    weights += sorted(ADAPTER.parent.glob("*.safetensors"))
    for path in [*code, *weights, *files]:
        digest.update(f"{path.name} {sha256(path)}".encode())
    return digest.hexdigest()


def _verified(folder: Path | None) -> snapshot.Manifest | None:
    try:
        return snapshot.verify(folder) if folder else None
    except snapshot.SnapshotError:
        return None
