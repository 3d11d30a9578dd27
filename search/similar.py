"""The codes most like one code, and what sets each apart, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from index.attributes import NAMES, value_of, without
from index.records import Document, SectionKind
from index.snapshot import Snapshot

# Passages looked at: titles are nearly unique to codes, so this is many times the codes that are shown.
_DEPTH = 400

# Beside a difference of attribute, wording is told where it differs in so few places; more is paraphrase.
_FEW = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `attribute` is one of `attributes.NAMES` or "wording"; `this` or `other` may be empty."""

    attribute: str
    this: str
    other: str

    def __str__(self) -> str:
        if self.this and self.other:
            return f"{self.other} instead of {self.this}"
        return f"adds {self.other}" if self.other else f"leaves out {self.this}"


@dataclass(frozen=True, slots=True)
class Similar:
    """A code like another. `score` is the cosine of their titles, -1 to 1; `differs` is what sets it apart."""

    document: Document
    score: float
    differs: tuple[Difference, ...]


def similar_codes(snapshot: Snapshot, position: int, limit: int) -> list[Similar]:
    """Returns at most `limit` codes of the same system and kind, best first, ties by code.

    Codes are compared by the vectors of their titles. Codes that the page itself lists as similar are
    always among the candidates.
    """
    document = snapshot.documents.brief(position)
    passages = snapshot.passages
    vector = snapshot.dense.vectors(passages.titles[[position]].astype(np.int64))[0]
    allowed = passages.allowed(document.system, document.kind, SectionKind.TITLE)
    found, cosines = snapshot.dense.search(vector, _DEPTH, allowed)
    documents, starts = passages.documents(found)
    scores = dict(zip(documents.tolist(), np.repeat(cosines, np.diff(starts)).tolist(), strict=True))
    for code in document.similar:
        listed = snapshot.documents.find(document.system, code)
        if listed is not None and listed not in scores:
            scores[listed] = float((snapshot.dense.vectors(passages.titles[[listed]].astype(np.int64)) @ vector)[0])
    scores.pop(position, None)
    best = sorted(scores, key=lambda other: (-scores[other], other))[:limit]
    return [_similar(document, snapshot.documents.brief(other), scores[other]) for other in best]


def _similar(document: Document, other: Document, score: float) -> Similar:
    return Similar(other, score, differences(document.title, other.title))


def differences(this: str, other: str) -> tuple[Difference, ...]:
    """Returns the attributes in which two titles differ; where there are none, the words in which they do.

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
    return (*found, *wording) if not found or len(wording) <= _FEW else tuple(found)


def _wording(this: str, other: str) -> tuple[Difference, ...]:
    mine, theirs = re.findall(r"[\w'/-]+", this), re.findall(r"[\w'/-]+", other)
    matcher = SequenceMatcher(None, [word.lower() for word in mine], [word.lower() for word in theirs], autojunk=False)
    return tuple(
        Difference("wording", " ".join(mine[a:b]), " ".join(theirs[c:d]))
        for operation, a, b, c, d in matcher.get_opcodes()
        if operation != "equal"
    )
