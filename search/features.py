"""What speaks for each candidate code: numbers that the ranking model weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from index.attributes import ATTRIBUTES, NAMES
from index.records import SectionKind
from index.snapshot import Snapshot
from index.store import SECTIONS
from search.query import Query
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

# Votes for a table or body part: those of so many candidates that are nearest to the query, each by its cosine; one
# that is so much further from the query has 1 / e of the vote.
_VOTERS, _VOTE_SCALE = 60, 0.05

# The greatest number of candidates that are weighed; beyond, names go first, then what was found first.
MOST_CANDIDATES = 4000


def candidates(
    retrieved: Sequence[Retrieved],
    query: Query,
    snapshot: Snapshot,
    allowed: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None,
) -> NDArray[np.int64]:
    """Returns the positions of the documents that the retrievers found or a name of the query means, ascending.

    `allowed` says which of some documents pass the filters; it is asked before the number is cut to
    `MOST_CANDIDATES`, so that a filtered answer is as full as an unfiltered one.
    """
    held = [snapshot.phrases.named(match.row)[0] for match in query.matches]
    held += [found.documents for found in retrieved]
    if not held:
        return np.empty(0, dtype=np.int64)
    every, first = np.unique(np.concatenate(held).astype(np.int64), return_index=True)
    if allowed is not None:
        passes = allowed(every)
        every, first = every[passes], first[passes]
    return np.sort(every[np.argsort(first)[:MOST_CANDIDATES]])


def features(
    documents: NDArray[np.int64],
    query: Query,
    vectors: NDArray[np.float32],
    dense: Retrieved | None,
    lexical: Retrieved | None,
    snapshot: Snapshot,
) -> NDArray[np.float32]:
    """Returns the `FEATURES` of each document, float32 of shape (documents, features).

    `vectors` are those of the query's variants, shape (variants, dimensions).
    """
    columns, passages = snapshot.columns, snapshot.passages
    if not len(documents):
        return np.zeros((0, len(FEATURES)), dtype=np.float32)
    out = np.zeros((len(documents), len(FEATURES)), dtype=np.float32)
    place = {name: number for number, name in enumerate(FEATURES)}
    out[:, 0] = snapshot.dense.cosines(passages.titles[documents].astype(np.int64), vectors)
    for first, held in ((0, dense), (4, lexical)):
        if held is not None and len(held.passages):
            _best_by_section(out, first, documents, held, passages.section, relative=first == 4)
    _votes(out, place, snapshot.documents.characters(documents))
    covered, covering = columns.coverage(documents, query.stems)
    more, covering_more = columns.coverage(documents, [*query.stems, *query.more_stems])
    out[:, place["query covered by title"]] = covered
    out[:, place["more covered by title"]] = more
    out[:, place["title covered by query"]] = np.maximum(covering, covering_more)
    _names(out, place, documents, query, snapshot)
    _attributes(out, place, columns.attributes[documents], query)
    _characters(out, place, columns.characters[documents], vectors, snapshot)
    return out


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
    rows = np.searchsorted(documents, held.documents)
    rows_in = np.minimum(rows, len(documents) - 1)
    present = documents[rows_in] == held.documents
    groups = np.repeat(_GROUP_OF[sections[held.passages]], counts)
    values = np.repeat(scores, counts)
    np.maximum.at(out, (rows_in[present], first + groups[present]), values[present])


def _votes(out: NDArray[np.float32], place: dict[str, int], codes: NDArray[np.bytes_]) -> None:
    """Writes how far each candidate is behind the nearest, and what share of the nearest is of its table or body part.

    What is right has relatives that are nearly right, and what is near by chance stands alone. `codes` has the
    characters of each; in CPT and HCPCS, whose codes are not composed, these are blocks of the list.
    """
    nearest = out[:, :3].max(axis=1)
    out[:, place["cosine behind the best"]] = nearest.max() - nearest
    votes = np.exp((nearest - nearest.max()) / _VOTE_SCALE)
    if len(votes) > _VOTERS:
        votes[np.argpartition(-nearest, _VOTERS)[_VOTERS:]] = 0
    votes /= votes.sum()
    for name, axes in (("votes for the table", [0, 1, 2]), ("votes for the body part", [0, 1, 3])):
        keys = np.ascontiguousarray(codes[:, axes]).view(f"S{len(axes)}").ravel()
        _, groups = np.unique(keys, return_inverse=True)
        out[:, place[name]] = np.bincount(groups, weights=votes)[groups]


def _names(
    out: NDArray[np.float32], place: dict[str, int], documents: NDArray[np.int64], query: Query, snapshot: Snapshot
) -> None:
    """Writes how much of the query the names of each document cover, and what kind of names they are."""
    total = max(len(query.stems), 1)
    for match in query.matches:
        named, _, ranks = snapshot.phrases.named(match.row)
        if not len(named):
            continue
        rows = np.searchsorted(documents, named)
        kept = rows < len(documents)
        kept[kept] = documents[rows[kept]] == named[kept]
        rows, ranks = rows[kept], ranks[kept]
        covered = (match.end - match.start) / total
        better = covered > out[rows, place["query covered by a name"]]
        out[rows, place["query covered by a name"]] = np.maximum(out[rows, place["query covered by a name"]], covered)
        out[rows, place["whole query is a name"]] = np.maximum(
            out[rows, place["whole query is a name"]], float(covered == 1)
        )
        out[rows[better], place["rank of the name's pattern"]] = 1 / (1 + ranks[better].astype(np.float32))
        out[rows[better], place["codes of the name"]] = 1 / np.log2(1 + len(named))
        out[rows, place["names that match"]] += covered


def _attributes(out: NDArray[np.float32], place: dict[str, int], attributes: NDArray[np.uint8], query: Query) -> None:
    """Writes how many attributes agree with the query, contradict it, or are said by the title alone."""
    for number, name in enumerate(NAMES):
        said = query.attributes.get(name)
        values = attributes[:, number]
        if said:
            fitting = [order for order, value in enumerate(ATTRIBUTES[name], start=1) if value in said]
            agrees = np.isin(values, fitting)
            out[:, place["attributes that agree"]] += agrees
            out[:, place["attributes that contradict"]] += (values > 0) & ~agrees
        elif name in _UNSAID:
            out[:, place[f"unsaid {name}"]] = values > 0


def _characters(
    out: NDArray[np.float32],
    place: dict[str, int],
    characters: NDArray[np.int32],
    vectors: NDArray[np.float32],
    snapshot: Snapshot,
) -> None:
    """Writes how like the query each character's meaning is, for codes that have characters."""
    composed = characters[:, 0] >= 0
    out[:, place["is ICD-10-PCS"]] = composed
    if not composed.any():
        return
    used = np.unique(characters[composed, 2:])
    cosines = snapshot.dense.cosines(used.astype(np.int64), vectors)
    rows = np.searchsorted(used, characters[composed, 2:])
    first = place["cosine of operation"]
    out[composed, first : first + 5] = cosines[rows]
    nothing, opened, through = (
        snapshot.columns.is_value(name, used.astype(np.int64)) for name in ("nothing", "open", "percutaneous")
    )
    out[composed, place["characters that say nothing"]] = nothing[rows].sum(axis=1)
    out[composed, place["open approach"]] = opened[rows].any(axis=1)
    out[composed, place["percutaneous approach"]] = through[rows].any(axis=1)
