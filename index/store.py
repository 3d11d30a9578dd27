"""Documents and passages on disk: JSON lines with an array of offsets, memory-mapped, read one at a time.

What documents share (synonyms, characters, sections) is stored once and referred to by position.
"""

from __future__ import annotations

import mmap
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from index.passages import MOST_SHARED
from index.records import Character, CodeKind, CodeSystem, Document, Passage, Section, SectionKind, Synonym

SYSTEMS = tuple(CodeSystem)
KINDS = tuple(CodeKind)
SECTIONS = tuple(SectionKind)

# "icd10pcs:0QU13JZ" is the longest key.
_KEY_TYPE = "S16"

LONGEST_CODE = 7  # characters
TABLE = 3  # the characters of an ICD-10-PCS code that name its table

_Record = TypeVar("_Record")
_Shared = TypeVar("_Shared", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Row:
    """A document without what it shares; that is named by its positions in the tables of shared records."""

    document: Document
    synonyms: tuple[int, ...]
    characters: tuple[int, ...]
    sections: tuple[int, ...]


class Lines(Generic[_Record]):
    """JSON lines by position, each decoded as a `record`."""

    def __init__(self, path: Path, record: type[_Record]) -> None:
        self._decode = msgspec.json.Decoder(record).decode
        self._offsets: NDArray[np.int64] = np.load(path.with_suffix(".offsets.npy"))
        with path.open("rb") as file:
            # An empty file can't be mapped.
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if len(self) else b""

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, position: int) -> _Record:
        return self._decode(self._bytes[self._offsets[position] : self._offsets[position + 1]])


class _Interned(Generic[_Shared]):
    """Gives every distinct record a position, in order of first appearance."""

    def __init__(self) -> None:
        self.positions: dict[_Shared, int] = {}

    def all(self, records: Iterable[_Shared]) -> tuple[int, ...]:
        return tuple(self.positions.setdefault(record, len(self.positions)) for record in records)


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    """Writes each row as a line of JSON, and where each begins."""
    offsets = [0]
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")
            offsets.append(file.tell())
    np.save(path.with_suffix(".offsets.npy"), np.array(offsets, dtype=np.int64))


def document_key(document: Document) -> str:
    """Returns what documents are sorted by in a store: system, then code."""
    return f"{document.system.value}:{document.code}"


def write_documents(folder: Path, documents: Sequence[Document]) -> None:
    """Writes the documents, which must be sorted by `document_key`."""
    synonyms, characters, sections = _Interned[Synonym](), _Interned[Character](), _Interned[Section]()

    def row(document: Document) -> dict[str, Any]:
        bare = msgspec.to_builtins(replace(document, synonyms=(), characters=(), sections=()))
        return {
            "document": {name: value for name, value in bare.items() if value},
            "synonyms": synonyms.all(document.synonyms),
            "characters": characters.all(document.characters),
            "sections": sections.all(document.sections),
        }

    write_lines(folder / "documents.jsonl", map(row, documents))
    write_lines(folder / "synonyms.jsonl", synonyms.positions)
    write_lines(folder / "characters.jsonl", characters.positions)
    write_lines(folder / "sections.jsonl", sections.positions)
    validity = [
        ((document.effective or date.min).toordinal(), (document.terminated or date.max).toordinal())
        for document in documents
    ]
    np.save(folder / "validity.npy", np.array(validity, dtype=np.int32).reshape(-1, 2))
    changed = [position for position, document in enumerate(documents) if document.history]
    np.save(folder / "changed.npy", np.array(changed, dtype=np.int32))
    np.save(folder / "keys.npy", np.array([document_key(document) for document in documents], dtype=_KEY_TYPE))


class DocumentStore:
    """The documents that `write_documents` wrote, by position or by code.

    `changed` holds the positions of documents with a history, ascending.
    """

    def __init__(self, folder: Path) -> None:
        self._rows = Lines(folder / "documents.jsonl", _Row)
        self._synonyms = Lines(folder / "synonyms.jsonl", Synonym)
        self._characters = Lines(folder / "characters.jsonl", Character)
        self._sections = Lines(folder / "sections.jsonl", Section)
        self._keys = np.load(folder / "keys.npy")
        self._validity: NDArray[np.int32] = np.load(folder / "validity.npy")
        self.changed: NDArray[np.int32] = np.load(folder / "changed.npy")
        self._axes: dict[bytes, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def named(self) -> list[str]:
        """Returns "system:code" of every document, in their order."""
        return [key.decode() for key in self._keys.tolist()]

    def __getitem__(self, position: int) -> Document:
        """Returns the whole document."""
        row = self._rows[position]
        return replace(
            row.document,
            synonyms=tuple(self._synonyms[shared] for shared in row.synonyms),
            characters=tuple(self._characters[shared] for shared in row.characters),
            sections=tuple(self._sections[shared] for shared in row.sections),
        )

    def brief(self, position: int) -> Document:
        """Returns the document without synonyms, characters and sections, which takes a tenth of the time."""
        return self._rows[position].document

    def characters(self, positions: NDArray[np.int64]) -> NDArray[np.bytes_]:
        """Returns the codes' characters one by one, "S1" of shape (positions, 7); empty behind a code's end."""
        return self._letters[positions]

    def keys(self, positions: NDArray[np.int64], places: tuple[int, int, int]) -> NDArray[np.int32]:
        """Returns a number for each code, equal where its characters at these places are: (0, 1, 2) names its table."""
        letters = self._letters[positions].view(np.uint8).astype(np.int32)
        first, second, third = (letters[:, place] for place in places)
        return (first << 16) | (second << 8) | third

    @cached_property
    def _letters(self) -> NDArray[np.bytes_]:
        letters = self._keys.view("S1").reshape(len(self), -1)
        first = np.argmax(letters == b":", axis=1) + 1
        return np.take_along_axis(letters, first[:, np.newaxis] + np.arange(LONGEST_CODE), axis=1)

    def axes(self, position: int) -> tuple[str, ...]:
        """Returns what the characters of a composed code stand for, in order; all codes of its table say the same."""
        table = self._letters[position, :TABLE].tobytes()
        if table not in self._axes:
            self._axes[table] = tuple(character.axis for character in self[position].characters)
        return self._axes[table]

    @lru_cache(8)  # noqa: B019 (as long as its snapshot)
    def valid(self, on: date) -> NDArray[np.bool_]:
        """Returns which documents' codes are valid on that day, shape (documents,)."""
        day = on.toordinal()
        return (self._validity[:, 0] <= day) & (day <= self._validity[:, 1])

    def find(self, system: CodeSystem, code: str) -> int | None:
        """Returns the position of this code's document, or None; `code` in upper case."""
        positions = self.starting_with(system, code)
        return positions.start if positions and self._keys[positions.start].decode().endswith(f":{code}") else None

    def between(self, system: CodeSystem, first: str, last: str) -> range:
        """Returns the positions of all codes of the system from one to another, both included, in code order."""
        # 0x7f sorts behind every character of a code.
        keys = np.array([f"{system.value}:{first}", f"{system.value}:{last}\x7f"], dtype="S32")
        low, high = np.searchsorted(self._keys, keys)
        return range(int(low), int(high))

    def starting_with(self, system: CodeSystem, prefix: str) -> range:
        """Returns the positions of all codes of the system that begin with the prefix, in code order."""
        return self.between(system, prefix, prefix)


def write_passages(folder: Path, passages: Sequence[Passage]) -> None:
    """Writes the passages; their documents as one flat array with the start of each passage's share."""
    titles = [
        (document, position)
        for position, passage in enumerate(passages)
        if passage.section is SectionKind.TITLE
        for document in passage.documents
    ]
    write_lines(folder / "passages.jsonl", (passage.text for passage in passages))
    np.savez(
        folder / "passages.npz",
        system=np.array([SYSTEMS.index(passage.system) for passage in passages], dtype=np.uint8),
        kind=np.array([KINDS.index(passage.kind) for passage in passages], dtype=np.uint8),
        section=np.array([SECTIONS.index(passage.section) for passage in passages], dtype=np.uint8),
        starts=np.cumsum([0, *(len(passage.documents) for passage in passages)], dtype=np.int64),
        documents=np.array([held for passage in passages for held in passage.documents], dtype=np.int32),
        titles=np.array([title for _, title in sorted(titles)], dtype=np.int32),
    )


class PassageStore:
    """The passages that `write_passages` wrote, by position.

    `system`, `kind` and `section`, uint8 of shape (passages,), index `SYSTEMS`, `KINDS` and `SECTIONS`.
    `titles`, int32 of shape (documents,), holds the passage that is each document's title.
    """

    def __init__(self, folder: Path) -> None:
        self._texts = Lines(folder / "passages.jsonl", str)
        with np.load(folder / "passages.npz") as arrays:
            self.system: NDArray[np.uint8] = arrays["system"]
            self.kind: NDArray[np.uint8] = arrays["kind"]
            self.section: NDArray[np.uint8] = arrays["section"]
            self._starts: NDArray[np.int64] = arrays["starts"]
            self._documents: NDArray[np.int32] = arrays["documents"]
            self.titles: NDArray[np.int32] = arrays["titles"]

    def __len__(self) -> int:
        return len(self._texts)

    def text(self, position: int) -> str:
        """Returns the passage's text."""
        return self._texts[position]

    def section_of(self, position: int) -> SectionKind:
        """Returns the section that the passage stands in."""
        return SECTIONS[int(self.section[position])]

    def documents(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Returns the documents that hold these passages, one passage's after the other's, and where each begins.

        The positions are those of documents in the store, int32, ascending within a passage; the starts have
        one entry more than there are passages.
        """
        first = self._starts[positions]
        counts = self._starts[positions + 1] - first
        starts = np.concatenate([[0], np.cumsum(counts)])
        flat = np.arange(starts[-1]) + np.repeat(first - starts[:-1], counts)
        return self._documents[flat], starts

    @lru_cache(64)  # noqa: B019 (a store lives as long as its snapshot; sixty-four masks are 10 MB at most)
    def allowed(
        self, system: CodeSystem | None, kind: CodeKind | None, section: SectionKind | None
    ) -> NDArray[np.bool_]:
        """Returns which passages pass the filters, shape (passages,).

        Without a section, passages that more than `MOST_SHARED` codes share are left out.
        """
        wanted = [
            (values, order.index(value))
            for values, order, value in (
                (self.system, SYSTEMS, system),
                (self.kind, KINDS, kind),
                (self.section, SECTIONS, section),
            )
            if value is not None
        ]
        passes = np.ones(len(self), dtype=bool) if section else np.diff(self._starts) <= MOST_SHARED
        for values, index in wanted:
            passes &= values == index
        return passes
