"""A snapshot on disk: written whole beside the live one, verified, published by one rename.

    HOME/current              a link to the snapshot that serves
    HOME/snapshots/<id>/      manifest.json and the files that it lists with their checksums
    HOME/vectors/             what models have embedded so far, for the next build
    HOME/staging/             what a build is writing; whatever a dead build left is removed by the next
    HOME/build.lock           held while a build or a rollback runs

Readers never see a partly written snapshot: files are synced before the folder gets its name, and
`current` moves afterwards, in one atomic replacement.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from index import columns, dense, lexical, phrases, store, vocabulary
from index.encoder import EncoderError, QueryEncoder
from index.records import CodeKind, CodeSystem, Document, Passage, Release
from index.text import TEXT_VERSION

FORMAT_VERSION = 4

# Snapshots that stay, the live one among them: one to roll back to, and one more.
KEPT = 3


class SnapshotError(Exception):
    """A snapshot that is missing, damaged, or of another version; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot holds.

    `inputs` is a hash of all that it was built from, code included: equal ones give equal snapshots.
    `counts` maps system → kind of code → codes; `files` path → bytes and SHA-256.
    """

    format: int
    text: int
    id: str
    created: str
    inputs: str
    model: dict[str, Any]
    releases: tuple[Release, ...]
    counts: dict[str, dict[str, int]]
    passages: int
    files: dict[str, dict[str, Any]]


class Snapshot:
    """A verified snapshot, memory-mapped; safe to read from several threads."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.manifest = manifest
        self.documents = store.DocumentStore(folder)
        self.passages = store.PassageStore(folder)
        self.columns = columns.Columns(folder)
        self.phrases = phrases.PhraseBook(folder)
        self.dense = dense.DenseIndex(folder)
        self.lexical = lexical.LexicalIndex(folder / "lexical")
        self.encoder = QueryEncoder(folder / "encoder")
        self.vocabulary = vocabulary.Vocabulary(folder, self.encoder.words())


def write(
    folder: Path,
    documents: Sequence[Document],
    passages: Sequence[Passage],
    named: Sequence[tuple[phrases.Phrase, phrases.Named]],
    vectors: NDArray[np.float32],
    releases: Sequence[Release],
    inputs: str,
) -> Manifest:
    """Writes all but the encoder, which is there already, into a folder, manifest last, and returns the manifest."""
    store.write_documents(folder, documents)
    store.write_passages(folder, passages)
    columns.write(folder, documents, passages)
    phrases.write(folder, named)
    vocabulary.write(folder, passages)
    dense.write(folder, vectors)
    lexical.write(folder / "lexical", passages)
    counts = Counter((document.system.value, document.kind.value) for document in documents)
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.rglob("*"))
        # Tantivy leaves empty lock files, which a reader may remove again.
        if path.is_file() and path.suffix != ".lock"
    }
    created = datetime.now(UTC)
    content = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    manifest = Manifest(
        format=FORMAT_VERSION,
        text=TEXT_VERSION,
        id=f"{created:%Y%m%dT%H%M%S%f}-{content[:8]}",
        created=created.isoformat(timespec="seconds"),
        inputs=inputs,
        model=json.loads((folder / "encoder" / "encoder.json").read_text(encoding="utf-8")),
        releases=tuple(releases),
        counts={
            system.value: {kind.value: counts[system.value, kind.value] for kind in CodeKind} for system in CodeSystem
        },
        passages=len(passages),
        files=files,
    )
    (folder / "manifest.json").write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
    return manifest


def verify(folder: Path) -> Manifest:
    """Returns the manifest of a folder whose files are all there, of this version, with the right checksums.

    Raises:
        SnapshotError: anything is missing, changed, unreadable, or of another version.
    """
    try:
        fields = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        fields["releases"] = tuple(Release(**release) for release in fields["releases"])
        manifest = Manifest(**fields)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SnapshotError(f"{folder.name}: manifest.json can't be read: {error}") from error
    if (manifest.format, manifest.text) != (FORMAT_VERSION, TEXT_VERSION):
        raise SnapshotError(
            f"{folder.name}: got format {manifest.format} and text version {manifest.text}, expected"
            f" {FORMAT_VERSION} and {TEXT_VERSION}: rebuild it with scripts/rebuild_index.py"
        )
    for name in manifest.files:
        if not (folder / name).is_file():
            raise SnapshotError(f"{folder.name}: {name} is missing")
    # The largest first, so that all cores are busy to the end: hashing lets other threads run.
    names = sorted(manifest.files, key=lambda name: -int(manifest.files[name]["bytes"]))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        hashes = threads.map(lambda name: _sha256(folder / name), names)
    for name, found in zip(names, hashes, strict=True):
        expected = manifest.files[name]
        if (folder / name).stat().st_size != expected["bytes"] or found != expected["sha256"]:
            raise SnapshotError(f"{folder.name}: {name} is damaged: its size or SHA-256 is not the manifest's")
    return manifest


def open_snapshot(folder: Path) -> Snapshot:
    """Verifies and opens a snapshot.

    Raises:
        SnapshotError: it does not verify, or a file of it does not open.
    """
    manifest = verify(folder)
    try:
        return Snapshot(folder, manifest)
    except (OSError, ValueError, KeyError, RuntimeError, EncoderError) as error:
        raise SnapshotError(f"{folder.name}: does not open: {error}") from error


def current(home: Path) -> Path | None:
    """Returns the folder that `current` points to, there or not; None where nothing was ever published."""
    try:
        return home / (home / "current").readlink()
    except OSError:
        return None


def published(home: Path) -> list[Path]:
    """Returns the folders of all published snapshots, newest first."""
    folder = home / "snapshots"
    return sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True) if folder.is_dir() else []


def open_best(home: Path) -> tuple[Snapshot, list[str]]:
    """Returns the current snapshot, else the newest other one that verifies, and why each before it was refused.

    Raises:
        SnapshotError: there is none that verifies.
    """
    live = current(home)
    refused: list[str] = []
    for folder in [*([live] if live else []), *(path for path in published(home) if path != live)]:
        try:
            return open_snapshot(folder), refused
        except SnapshotError as error:
            refused.append(str(error))
    raise SnapshotError("; ".join(refused) or f"no index in {home}: build one with scripts/rebuild_index.py")


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Holds the only right to change the home; the lock of a killed process is free at once.

    Raises:
        SnapshotError: another build or rollback holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "build.lock", timeout=0):
            yield
    except Timeout as error:
        raise SnapshotError(f"another build is running in {home}: wait for it, or stop it") from error


def stage(home: Path) -> Path:
    """Returns an empty staging folder; what a build that died left there is removed. Call under `locked`."""
    folder = home / "staging"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def publish(home: Path, staging: Path, manifest: Manifest) -> Path:
    """Makes a verified staging folder the current snapshot and returns its final folder. Call under `locked`."""
    for path in [*staging.rglob("*"), staging]:
        _sync(path)
    folder = home / "snapshots" / manifest.id
    folder.parent.mkdir(exist_ok=True)
    staging.rename(folder)
    _sync(folder.parent)
    _point(home, folder)
    for old in [path for path in published(home) if path != folder][KEPT - 1 :]:
        shutil.rmtree(old)
    return folder


def rollback(home: Path) -> Path:
    """Makes the newest verified snapshot that is older than the current one current, and returns its folder.

    Raises:
        SnapshotError: there is none.
    """
    with locked(home):
        live = current(home)
        refused: list[str] = []
        for folder in published(home):
            if live is None or folder.name < live.name:
                try:
                    verify(folder)
                except SnapshotError as error:
                    refused.append(str(error))
                    continue
                _point(home, folder)
                return folder
    raise SnapshotError("; ".join(["no older snapshot to roll back to", *refused]))


def _point(home: Path, folder: Path) -> None:
    link = home / "current.new"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.relative_to(home))
    link.replace(home / "current")
    _sync(home)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
