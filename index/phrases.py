"""The phrase book: every name that a source gives to codes, looked up word by word in a query.

phrases.jsonl   one `Phrase` a line, in the order of their stems
phrases.npz     the documents that each names, with the group and the rank of the pattern that named it
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.records import THESAURUS, CodeKind, CodeSystem, Document, Synonym
from index.sources.reading import Problem
from index.sources.thesaurus import Entry, EntryKind, Thesaurus
from index.store import Lines, write_lines
from index.text import STOP_WORDS, tokens

# An abbreviation that is at most this long is looked up as it is written: "US" is no "us".
SHORT = 4

# A phrase of more stems is a sentence that nobody types again.
LONGEST = 8


@dataclass(frozen=True, slots=True)
class Phrase:
    """A name: its text, its stems joined by blanks, the kind of name, and what it means.

    `system` is the code system that it holds in, empty for any. `words` are the releases' words for it, empty
    where it names codes. `groups` is how many codes a procedure of this name needs together. `source` is as a
    synonym's. `exact` says that its letters' case matters.
    """

    stems: str
    text: str
    kind: str
    source: str
    system: str = ""
    words: str = ""
    other: str = ""
    groups: int = 1
    exact: bool = False


def is_exact(entry: Entry) -> bool:
    """Whether a phrase is looked up as it is written: its capitals tell it from a word, or one from a stop word."""
    if any(word.isupper() and word.lower() in STOP_WORDS for word in re.findall(r"[^\W_]+", entry.phrase)):
        return True  # "IT hip" is not any hip, nor "I&D" any D
    return entry.kind is EntryKind.ABBREVIATION and len(entry.phrase) <= SHORT and entry.phrase != entry.phrase.lower()


class CodeLists:
    """The codes of each system, sorted, for expanding code patterns."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._listed: dict[CodeSystem, list[tuple[str, int]]] = {
            system: sorted(
                (document.code, position)
                for position, document in enumerate(documents)
                if document.system is system and document.kind is CodeKind.PROCEDURE
            )
            for system in CodeSystem
        }

    def holds(self, system: CodeSystem) -> bool:
        """Whether there is any code of the system."""
        return bool(self._listed[system])

    def matching(self, system: CodeSystem, pattern: str) -> list[int]:
        """Returns the positions of the codes that a pattern of the thesaurus stands for, in code order."""
        listed = self._listed[system]
        if "-" in pattern:
            low, high = pattern.split("-")
            return [
                position for _, position in listed[bisect_left(listed, (low,)) : bisect_right(listed, (high, 1 << 31))]
            ]
        prefix = re.split(r"[\[.]", pattern, maxsplit=1)[0]
        begin = bisect_left(listed, (prefix,))
        end = bisect_left(listed, (f"{prefix}\x7f",))
        if prefix == pattern:
            return [position for _, position in listed[begin:end]]
        regex = re.compile(pattern.replace(".", "[0-9A-Z]"))
        return [position for code, position in listed[begin:end] if regex.match(code)]


Named = list[tuple[int, int, int]]
"""The documents that a phrase names: position, group, rank of the pattern that named it (0 is the best)."""


def expand(entry: Entry, codes: CodeLists) -> Named:
    """Returns the documents that an entry names, each once for a group."""
    found: dict[tuple[int, int], int] = {}
    if entry.system is not None:
        for group, patterns in enumerate(entry.groups):
            for rank, pattern in enumerate(patterns):
                for position in codes.matching(entry.system, pattern):
                    found.setdefault((position, group), rank)
    return [(position, group, rank) for (position, group), rank in found.items()]


def collect(
    documents: Sequence[Document], thesauri: Iterable[Thesaurus]
) -> tuple[list[tuple[Phrase, Named]], list[Problem]]:
    """Returns all phrases with the documents they name, and entries that name no code of a system that is there.

    Synonyms of documents are phrases too.
    """
    codes = CodeLists(documents)
    found: list[tuple[Phrase, Named]] = []
    problems: list[Problem] = []
    for thesaurus in thesauri:
        for entry in thesaurus.entries:
            named = expand(entry, codes)
            stems = " ".join(tokens(entry.phrase))
            if named or entry.words:
                phrase = Phrase(
                    stems,
                    entry.phrase,
                    entry.kind.value,
                    THESAURUS,
                    entry.system.value if entry.system else "",
                    entry.words,
                    entry.other,
                    len(entry.groups) or 1,
                    is_exact(entry),
                )
                found.append((phrase, named))
            elif entry.system is not None and codes.holds(entry.system):
                problems.append(Problem(thesaurus.file, entry.line, f"“{entry.phrase}” names no code of this index"))
    synonyms: dict[tuple[str, str], Named] = {}
    for position, document in enumerate(documents):
        for synonym in document.synonyms:
            if document.kind is CodeKind.PROCEDURE and synonym.source != THESAURUS:
                synonyms.setdefault((synonym.text, synonym.source), []).append((position, 0, 0))
    for (text, source), named in synonyms.items():
        words = tokens(text)
        if 0 < len(words) <= LONGEST:
            found.append((Phrase(" ".join(words), text, "synonym", source), named))
    return found, problems


def with_names(documents: Sequence[Document], phrases: Sequence[tuple[Phrase, Named]]) -> list[Document]:
    """Returns the documents with the thesaurus' names among their synonyms."""
    names: dict[int, dict[str, None]] = {}
    for phrase, named in phrases:
        if phrase.source == THESAURUS:
            for position, _, _ in named:
                names.setdefault(position, {})[phrase.text] = None
    shared = {text: Synonym(text, THESAURUS) for held in names.values() for text in held}
    return [
        replace(document, synonyms=(*document.synonyms, *(shared[text] for text in names[position])))
        if position in names
        else document
        for position, document in enumerate(documents)
    ]


def write(folder: Path, phrases: Sequence[tuple[Phrase, Named]]) -> None:
    """Writes the phrase book."""
    ordered = sorted(phrases, key=lambda entry: (entry[0].stems, entry[0].source, entry[0].text))
    write_lines(folder / "phrases.jsonl", (phrase for phrase, _ in ordered))
    flat = np.array([entry for _, named in ordered for entry in named], dtype=np.int32).reshape(-1, 3)
    np.savez(
        folder / "phrases.npz",
        stems=np.array([phrase.stems for phrase, _ in ordered], dtype=np.str_),
        starts=np.cumsum([0, *(len(named) for _, named in ordered)], dtype=np.int64),
        documents=flat[:, 0],
        groups=flat[:, 1].astype(np.uint8),
        ranks=flat[:, 2].astype(np.uint8),
    )


class PhraseBook:
    """The phrases that `write` wrote, by their stems."""

    def __init__(self, folder: Path) -> None:
        self._phrases = Lines(folder / "phrases.jsonl", Phrase)
        with np.load(folder / "phrases.npz") as arrays:
            self._rows: dict[str, list[int]] = {}
            for row, stems in enumerate(arrays["stems"].tolist()):
                self._rows.setdefault(stems, []).append(row)
            self._starts: NDArray[np.int64] = arrays["starts"]
            self._documents: NDArray[np.int32] = arrays["documents"]
            self._groups: NDArray[np.uint8] = arrays["groups"]
            self._ranks: NDArray[np.uint8] = arrays["ranks"]

    def __len__(self) -> int:
        return len(self._phrases)

    def __getitem__(self, row: int) -> Phrase:
        return self._phrases[row]

    def __iter__(self) -> Iterator[tuple[int, Phrase]]:
        """Yields every phrase with its row."""
        return ((row, self._phrases[row]) for row in range(len(self)))

    def find(self, stems: Sequence[str]) -> list[tuple[int, Phrase]]:
        """Returns the phrases of exactly these stems, each with its row."""
        return [(row, self._phrases[row]) for row in self._rows.get(" ".join(stems), ())]

    def counts(self) -> NDArray[np.int64]:
        """Returns how many documents each phrase names, by row."""
        return np.diff(self._starts)

    def named(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint8]]:
        """Returns the documents that a phrase names, and of each the group and the rank of its pattern."""
        share = slice(int(self._starts[row]), int(self._starts[row + 1]))
        return self._documents[share], self._groups[share], self._ranks[share]
