"""What speaks for each candidate code: numbers that the ranking model weighs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.attributes import ATTRIBUTES, NAMES
from index.records import SectionKind
from index.snapshot import Snapshot
from index.store import SECTIONS
from index.text import tokens
from search.query import Match, Query
from search.ranking import Retrieved

# Sections whose best cosine is a feature of its own; all others share one.
_GROUPS = {SectionKind.TITLE: 0, SectionKind.SYNONYMS: 1, SectionKind.THESAURUS: 2}
_OTHERS = 3
_GROUP_OF = np.array([_GROUPS.get(section, _OTHERS) for section in SECTIONS], dtype=np.int64)

# Attributes that, said by a title and not by the query, make a code more special than asked for.
_UNSAID = ("laterality", "contrast", "device", "material", "biopsy", "occurrence", "count", "approach")

FEATURES = (
    "cosine of title",
    "cosine of synonyms",
    "cosine of thesaurus",
    "cosine of sections",
    "BM25 of title",
    "BM25 of synonyms",
    "BM25 of thesaurus",
    "BM25 of sections",
    "cosine behind the best",
    "votes for the table",
    "votes for the body part",
    "query covered by title",
    "title covered by query",
    "more covered by title",
    "query covered by a name",
    "whole query is a name",
    "rank of the name's pattern",
    "codes of the name",
    "names that match",
    "attributes that agree",
    "attributes that contradict",
    *(f"unsaid {name}" for name in _UNSAID),
    "cosine of operation",
    "cosine of site",
    "cosine of approach",
    "cosine of device",
    "cosine of qualifier",
    "characters that say nothing",
    "open approach",
    "percutaneous approach",
    "is ICD-10-PCS",
)

# Stems of words for a side: a name covers a query as well with them as without, since attributes tell sides apart.
_SIDES = frozenset(tokens("right left bilateral both"))

# Votes for a table or body part: those of so many candidates that are nearest to the query, each by its cosine; one
# that is so much further from the query has 1 / e of the vote.
_VOTERS, _VOTE_SCALE = 60, 0.05

_PLACE = {name: number for number, name in enumerate(FEATURES)}


def candidates(retrieved: Sequence[Retrieved], query: Query, snapshot: Snapshot) -> NDArray[np.int64]:
    """Returns the positions of the documents that the retrievers found or a name of the query means, ascending."""
    chosen = np.zeros(len(snapshot.documents), dtype=bool)
    for match in query.matches:
        chosen[snapshot.phrases.named(match.row)[0]] = True
    for found in retrieved:
        chosen[found.documents] = True
    return np.flatnonzero(chosen)


def at_hand(
    documents: NDArray[np.int64],
    query: Query,
    dense: Retrieved | None,
    lexical: Retrieved | None,
    snapshot: Snapshot,
) -> NDArray[np.float32]:
    """Returns the `FEATURES` of each document that cost next to nothing, float32 of shape (documents, features).

    They are what retrievers and names say; `look_closer` writes the others, which are 0 until then.
    """
    out = np.zeros((len(documents), len(FEATURES)), dtype=np.float32)
    if len(documents):
        for first, held in ((0, dense), (4, lexical)):
            if held is not None and len(held.passages):
                _best_by_section(out, first, documents, held, snapshot.passages.section, relative=first == 4)
        _names(out, documents, query, snapshot)
    return out


def look_closer(
    out: NDArray[np.float32],
    documents: NDArray[np.int64],
    query: Query,
    vector: NDArray[np.float32],
    snapshot: Snapshot,
) -> None:
    """Writes the features of each document that `at_hand` left out.

    `vector` is that of the query, shape (dimensions,).
    """
    if not len(documents):
        return
    columns = snapshot.columns
    out[:, _PLACE["cosine of title"]] = snapshot.dense.cosines(
        snapshot.passages.titles[documents].astype(np.int64), vector
    )
    _votes(out, documents, snapshot)
    stems = [*query.stems, *query.more_stems]
    (covered, _), (more, covering) = columns.coverage(documents, query.stems, stems)
    out[:, _PLACE["query covered by title"]] = covered
    out[:, _PLACE["more covered by title"]] = more
    out[:, _PLACE["title covered by query"]] = covering
    _attributes(out, columns.attributes[documents], query)
    _characters(out, columns.characters[documents], vector, snapshot)


def _best_by_section(
    out: NDArray[np.float32],
    first: int,
    documents: NDArray[np.int64],
    held: Retrieved,
    sections: NDArray[np.uint8],
    *,
    relative: bool,
) -> None:
    """Writes each document's best score in each group of sections, into four columns from `first`."""
    counts = np.diff(held.starts)
    scores = held.scores / held.scores.max(initial=np.float32(1e-6)) if relative else held.scores
    rows = np.minimum(np.searchsorted(documents, held.documents), len(documents) - 1)
    present = documents[rows] == held.documents
    groups = np.repeat(_GROUP_OF[sections[held.passages]], counts)
    values = np.repeat(scores, counts)
    np.maximum.at(out, (rows[present], first + groups[present]), values[present])


def _votes(out: NDArray[np.float32], documents: NDArray[np.int64], snapshot: Snapshot) -> None:
    """Writes how far each candidate is behind the nearest, and what share of the nearest is of its table or body part.

    What is right has relatives that are nearly right, and what is near by chance stands alone. In CPT and HCPCS, whose
    codes are not composed, these are blocks of the list.
    """
    nearest = out[:, :3].max(axis=1)
    behind = nearest.max() - nearest
    out[:, _PLACE["cosine behind the best"]] = behind
    voters = np.argpartition(behind, _VOTERS)[:_VOTERS] if len(behind) > _VOTERS else np.arange(len(behind))
    votes = np.exp(-behind[voters] / _VOTE_SCALE)
    votes /= votes.sum()
    for name, third in (("votes for the table", 2), ("votes for the body part", 3)):
        keys = snapshot.documents.keys(documents, (0, 1, third))
        groups, of = np.unique(keys[voters], return_inverse=True)
        cast = np.bincount(of, weights=votes)
        rows = np.minimum(np.searchsorted(groups, keys), len(groups) - 1)
        out[:, _PLACE[name]] = np.where(groups[rows] == keys, cast[rows], 0)


def _names(out: NDArray[np.float32], documents: NDArray[np.int64], query: Query, snapshot: Snapshot) -> None:
    """Writes how much of the query the names of each document cover, and what kind of names they are."""
    counted = [stem not in _SIDES for stem in query.stems]
    total = max(sum(counted), 1)
    for match in query.matches:
        rows, ranks, named = _rows_named(documents, match, snapshot)
        covered = sum(counted[match.start : match.end]) / total
        better = covered > out[rows, _PLACE["query covered by a name"]]
        for name, value in (("query covered by a name", covered), ("whole query is a name", float(covered == 1))):
            out[rows, _PLACE[name]] = np.maximum(out[rows, _PLACE[name]], value)
        out[rows[better], _PLACE["rank of the name's pattern"]] = 1 / (1 + ranks[better].astype(np.float32))
        out[rows[better], _PLACE["codes of the name"]] = 1 / np.log2(1 + named)
        out[rows, _PLACE["names that match"]] += covered


def _rows_named(
    documents: NDArray[np.int64], match: Match, snapshot: Snapshot
) -> tuple[NDArray[np.int64], NDArray[np.uint8], int]:
    """Returns the rows of documents that a phrase names, the ranks of their patterns, and how many it names in all."""
    named, _, ranks = snapshot.phrases.named(match.row)
    rows = np.minimum(np.searchsorted(documents, named), len(documents) - 1)
    kept = documents[rows] == named
    return rows[kept], ranks[kept], max(len(named), 1)


def _attributes(out: NDArray[np.float32], attributes: NDArray[np.uint8], query: Query) -> None:
    """Writes how many attributes agree with the query, contradict it, or are said by the title alone."""
    for number, name in enumerate(NAMES):
        said = query.attributes.get(name)
        values = attributes[:, number]
        if said:
            fitting = [order for order, value in enumerate(ATTRIBUTES[name], start=1) if value in said]
            agrees = np.isin(values, fitting)
            out[:, _PLACE["attributes that agree"]] += agrees
            out[:, _PLACE["attributes that contradict"]] += (values > 0) & ~agrees
        elif name in _UNSAID:
            out[:, _PLACE[f"unsaid {name}"]] = values > 0


def _characters(
    out: NDArray[np.float32], characters: NDArray[np.int32], vector: NDArray[np.float32], snapshot: Snapshot
) -> None:
    """Writes how like the query each character's meaning is, for codes that have characters."""
    composed = characters[:, 0] >= 0
    out[:, _PLACE["is ICD-10-PCS"]] = composed
    if not composed.any():
        return
    used, rows = np.unique(characters[composed, 2:], return_inverse=True)
    rows = rows.reshape(-1, 5)
    passages = used.astype(np.int64)
    first = _PLACE["cosine of operation"]
    out[composed, first : first + 5] = snapshot.dense.cosines(passages, vector)[rows]
    nothing, opened, through = (
        snapshot.columns.is_value(name, passages) for name in ("nothing", "open", "percutaneous")
    )
    out[composed, _PLACE["characters that say nothing"]] = nothing[rows].sum(axis=1)
    out[composed, _PLACE["open approach"]] = opened[rows].any(axis=1)
    out[composed, _PLACE["percutaneous approach"]] = through[rows].any(axis=1)
