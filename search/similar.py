"""The codes most like one code: siblings that differ in one thing, and other ways to treat the same thing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from index.attributes import NAMES, value_of, without
from index.records import CodeKind, CodeSystem, Document, SectionKind
from index.snapshot import Snapshot
from index.text import tokens

# Passages looked at: titles are nearly unique to codes, so this is many times the codes that are shown.
_DEPTH = 400

# What an equal character of two ICD-10-PCS codes speaks for their likeness: section, body system, operation, body
# part, approach, device, qualifier. Titles tell body parts apart better than whether they are equal does; that an
# operation is diagnostic, or where a bypass leads, they hardly tell.
AXIS_WEIGHTS = np.array([0.05, 0.3, 0.25, 0.1, 0.05, 0.05, 0.2])
# In CPT and HCPCS neighbours in the list are of a family: what each equal first character speaks for it.
PREFIX_WEIGHTS = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
# The structure's share of the score; the cosine of the titles has the rest.
STRUCTURE = 0.25

# Below this score codes have nothing to do with each other.
_LEAST = 0.25

# Siblings share so much of their titles (Levenshtein ratio, 0 to 100), and stand among so many that are nearest.
_SHARED, _NEIGHBOURS = 60, 60

# A name that more codes have says nothing of their likeness.
_MOST_NAMED = 100

# Wording is told where it differs in so few places, by so few words; more is paraphrase.
_FEW, _FEW_WORDS = 2, 10


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; `this` or `other` may be empty.

    `attribute` is one of `attributes.NAMES`, the name of an ICD-10-PCS character in small letters ("body part"),
    or "wording".
    """

    attribute: str
    this: str
    other: str

    def __str__(self) -> str:
        if self.this and self.other:
            return f"{self.other} instead of {self.this}"
        return f"adds {self.other}" if self.other else f"leaves out {self.this}"


@dataclass(frozen=True, slots=True)
class Similar:
    """A code like another. `score`, 0 to 1, is how like; `differs` is what sets it apart."""

    document: Document
    score: float
    differs: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class SimilarCodes:
    """Codes like one code, each part best first.

    `siblings` differ in one character or attribute, those of each axis by turns; `related` are other ways to treat
    the same thing, one code of each; `hits` are the most like of all, whatever they differ in.
    """

    siblings: tuple[Similar, ...]
    related: tuple[Similar, ...]
    hits: tuple[Similar, ...]


def similar_codes(snapshot: Snapshot, position: int, limit: int) -> SimilarCodes:
    """Returns at most `limit` codes for each part: valid ones of the same system and kind, ties by code.

    The score is the weighted mean of the structure (in ICD-10-PCS `AXIS_WEIGHTS` of equal characters, elsewhere
    `PREFIX_WEIGHTS` up to the first that differs) and the cosine of the titles.
    """
    document = snapshot.documents[position]
    composed = document.system is CodeSystem.ICD10PCS and document.kind is CodeKind.PROCEDURE
    candidates = _candidates(snapshot, position, document, composed)
    scores, equal = _scores(snapshot, candidates, position, composed)
    order = np.lexsort((candidates, -scores))
    order = order[scores[order] >= _LEAST]
    candidates, scores, equal = candidates[order], scores[order], equal[order]
    if composed:
        siblings = _by_turns(np.flatnonzero((equal.sum(axis=1) == 6) & equal[:, 1]), equal, limit)
        related = _one_each(snapshot, candidates, equal, limit)
    else:
        titles = [snapshot.documents.brief(other).title for other in candidates[:_NEIGHBOURS].tolist()]
        alike = [row for row, title in enumerate(titles) if _is_sibling(document.title, title)]
        siblings = alike[:limit]
        related = [row for row in range(len(candidates)) if row not in set(alike)][:limit]
    shown = {
        row: _similar(document, snapshot.documents[int(candidates[row])], float(scores[row]))
        for row in sorted({*siblings, *related, *range(min(limit, len(candidates)))})
    }
    return SimilarCodes(
        tuple(shown[row] for row in siblings),
        tuple(shown[row] for row in related),
        tuple(shown[row] for row in sorted(shown)[:limit]),
    )


def _candidates(snapshot: Snapshot, position: int, document: Document, composed: bool) -> NDArray[np.int64]:
    """Returns codes that may be like this one: near by title, of the same body system, listed, or of the same name."""
    passages, documents = snapshot.passages, snapshot.documents
    vector = snapshot.dense.vectors(passages.titles[[position]].astype(np.int64))[0]
    found, _ = snapshot.dense.search(
        vector, _DEPTH, passages.allowed(document.system, document.kind, SectionKind.TITLE)
    )
    every = [passages.documents(found)[0].astype(np.int64)]
    every += [np.array([listed]) for code in document.similar if (listed := documents.find(document.system, code))]
    if composed:
        every.append(np.array(documents.starting_with(document.system, document.code[:2]), dtype=np.int64))
    for stems in {" ".join(tokens(synonym.text)) for synonym in document.synonyms}:
        for row, _ in snapshot.phrases.find(stems.split()):
            named = snapshot.phrases.named(row)[0]
            if len(named) <= _MOST_NAMED and position in named:
                every.append(named.astype(np.int64))
    candidates = np.setdiff1d(np.concatenate(every), [position])
    titles = passages.titles[candidates]
    same = passages.system[titles] == passages.system[passages.titles[position]]
    same &= passages.kind[titles] == passages.kind[passages.titles[position]]
    kept: NDArray[np.int64] = candidates[same & documents.valid(date.today())[candidates]]
    return kept


def _scores(
    snapshot: Snapshot, candidates: NDArray[np.int64], position: int, composed: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns each candidate's score, and which characters equal the code's, shape (candidates, characters)."""
    mine, *others = snapshot.documents.characters(np.concatenate([[position], candidates]))
    equal = (np.array(others).reshape(-1, len(mine)) == mine) & (mine != b"")
    if composed:
        structure = equal @ AXIS_WEIGHTS
    else:
        structure = np.cumprod(equal, axis=1)[:, : len(PREFIX_WEIGHTS)] @ PREFIX_WEIGHTS
    titles = snapshot.passages.titles
    vector = snapshot.dense.vectors(titles[[position]].astype(np.int64))[0]
    cosines = snapshot.dense.vectors(titles[candidates].astype(np.int64)) @ vector
    return STRUCTURE * structure + (1 - STRUCTURE) * cosines.astype(np.float64), equal


def _by_turns(rows: NDArray[np.int64], equal: NDArray[np.bool_], limit: int) -> list[int]:
    """Returns at most `limit` of the rows, best first: the best by each axis in turn, so that none fills the list."""
    axes: dict[int, list[int]] = {}
    for row in rows.tolist():
        axes.setdefault(int(np.argmin(equal[row])), []).append(row)
    turns = sorted((turn, row) for held in axes.values() for turn, row in enumerate(held))
    return sorted(row for _, row in turns[:limit])


def _one_each(snapshot: Snapshot, candidates: NDArray[np.int64], equal: NDArray[np.bool_], limit: int) -> list[int]:
    """Returns the best row of each other operation on the same body part, and of each body part elsewhere."""
    found: dict[str, int] = {}
    other_operation = ~equal[:, 2] & equal[:, 3]
    elsewhere = ~equal[:, 1]
    for row in np.flatnonzero((equal.sum(axis=1) < 6) & (other_operation | elsewhere)).tolist():
        found.setdefault(snapshot.documents.brief(int(candidates[row])).code[:4], row)
        if len(found) == limit:
            break
    return list(found.values())


def _is_sibling(this: str, other: str) -> bool:
    """Whether titles differ in one attribute alone."""
    if fuzz.ratio(this, other) < _SHARED:
        return False
    found = differences(this, other)
    if len(found) != 1:
        return False
    words = max(len(found[0].this.split()), len(found[0].other.split()))
    return found[0].attribute != "wording" or words <= _FEW


def _similar(document: Document, other: Document, score: float) -> Similar:
    composed = document.characters and other.characters
    told = between_characters(document, other) if composed else differences(document.title, other.title)
    return Similar(other, min(max(score, 0.0), 1.0), told)


def between_characters(this: Document, other: Document) -> tuple[Difference, ...]:
    """Returns the characters in which two ICD-10-PCS codes differ."""
    return tuple(
        Difference(mine.axis.lower() if mine.axis == theirs.axis else theirs.axis.lower(), mine.label, theirs.label)
        for mine, theirs in zip(this.characters, other.characters, strict=True)
        if mine.label != theirs.label
    )


def differences(this: str, other: str) -> tuple[Difference, ...]:
    """Returns the attributes in which two titles differ, and the words where these are few.

    >>> [str(difference) for difference in differences("Sacroplasty, bilateral", "Sacroplasty, unilateral")]
    ['unilateral instead of bilateral']
    >>> [str(difference) for difference in differences("Resection of Appendix", "Resection of Cecum")]
    ['Cecum instead of Appendix']
    """
    found = []
    for attribute in NAMES:
        mine, theirs = value_of(attribute, this), value_of(attribute, other)
        if mine and theirs and mine != theirs:
            found.append(Difference(attribute, mine, theirs))
            this, other = without(attribute, mine, this), without(attribute, theirs, other)
    wording = _wording(this, other)
    words = sum(len(f"{one.this} {one.other}".split()) for one in wording)
    return (*found, *wording) if len(wording) <= _FEW and words <= _FEW_WORDS else tuple(found)


def _wording(this: str, other: str) -> tuple[Difference, ...]:
    mine, theirs = re.findall(r"[\w'/-]+", this), re.findall(r"[\w'/-]+", other)
    matcher = SequenceMatcher(None, [word.lower() for word in mine], [word.lower() for word in theirs], autojunk=False)
    return tuple(
        Difference("wording", " ".join(mine[a:b]), " ".join(theirs[c:d]))
        for operation, a, b, c, d in matcher.get_opcodes()
        if operation != "equal"
    )
