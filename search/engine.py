"""The search engine: the whole query path over one snapshot."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.records import CodeKind, CodeSystem, Document, SectionKind
from index.snapshot import Snapshot
from index.store import KINDS, SECTIONS, SYSTEMS
from index.text import stem, words
from search.alike import Alike, alike
from search.catalogue import Catalogue
from search.confidence import Confidence
from search.errors import OutOfRange
from search.explain import Explanation, explain
from search.features import at_hand, candidates, look_closer
from search.groups import Groups
from search.model import CLOSELY, SHORTLIST, Model, shortlist
from search.query import Query, understand
from search.ranking import Retrieved, evidence, fuse
from search.request import MAX_DEPTH, MAX_LIMIT, SearchRequest, Status, parse_system
from search.similar import SimilarCodes, similar_codes
from search.suggest import MAX_SUGGESTIONS, Suggester, Suggestion

PASSAGES_SHOWN = 3

# Passages that each retriever finds for a query; titles, names and sections of a code compete for them.
PASSAGES_FOUND = 300

# What the n-th code of a system loses in an answer over all systems, for each doubling of n: in units of the ranking
# model's score. Its first code loses nothing, so no system's many variants crowd out another's best.
CROWDING = 0.25

# Below this probability of the first hit, an answer says that nothing fits well.
FITS = 0.65

# Answers kept for who asks the same again: a page's filters, pages of hits, what many look up. About 100 KB each.
ANSWERS_KEPT = 256

# Parts that an evaluation can leave out, to see what each is worth.
PARTS = ("dense", "lexical", "names", "thesaurus", "spelling", "model")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that made a hit match; `highlights` are (start, end) code points of its matching words."""

    section: SectionKind
    text: str
    highlights: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A ranked code. `score` is the probability, 0 to 1, that it is right; within a section, evidence of rank.

    `alike` tells of other codes of its table that answer as well; `explanation` is there where it was asked for.
    """

    document: Document
    score: float
    passages: tuple[Evidence, ...]
    alike: Alike | None = None
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of one page; `fits` is False where nothing fits well; `total` counts what there is to page through.

    `ranked` are the positions of the documents of all pages, best first, and `retrieved` the passages that found them.
    """

    request: SearchRequest
    query: Query
    hits: tuple[Hit, ...]
    fits: bool
    total: int
    milliseconds: float
    ranked: tuple[int, ...] = ()
    retrieved: tuple[Retrieved, ...] = ()


class Ranking(NamedTuple):
    """Documents, best first, with their scores; what each retriever found; the features of each, where weighed."""

    documents: NDArray[np.int64]
    scores: NDArray[np.float64]
    retrieved: Mapping[str, Retrieved]
    weighed: NDArray[np.float32] | None


_NOTHING = Ranking(np.empty(0, dtype=np.int64), np.empty(0), {}, None)


class SearchEngine:
    """Answers from one snapshot; safe to call from several threads."""

    def __init__(self, snapshot: Snapshot, without: Collection[str] = ()) -> None:
        """Takes an open snapshot, and the `PARTS` to leave out."""
        self.snapshot = snapshot
        self.catalogue = Catalogue(snapshot)
        self.groups = Groups(snapshot.documents)
        self._without = frozenset(without)
        self._answered = lru_cache(ANSWERS_KEPT)(self._answer)

    @cached_property
    def model(self) -> Model:
        """What weighs candidates."""
        return Model()

    @cached_property
    def confidence(self) -> Confidence:
        """What says how likely they are right."""
        return Confidence()

    def search(self, request: SearchRequest) -> Answer:
        """Returns the codes that fit the query, best first; none where it has no letter or digit.

        Codes typed in the query come first. Where the query is nothing but a code, they are all. What was asked
        lately is not computed again: answers are kept by request and day, and live no longer than this snapshot.
        """
        started = time.perf_counter()
        answer = self._answered(replace(request, on=request.on or date.today()))
        return replace(answer, request=request, milliseconds=(time.perf_counter() - started) * 1000)

    def _answer(self, request: SearchRequest) -> Answer:
        query = self.understand(request.q, request.system, spelling=request.spelling)
        valid = self._valid(request)
        named = self._literal(query, request, valid)
        if query.only_code and not named:
            query = self.understand(request.q, request.system, codes=False, spelling=request.spelling)
        ranking = _NOTHING
        if query.stems and not (named and query.only_code):
            ranking = self._rank(query, request, valid)
        rest = ~np.isin(ranking.documents, named)
        documents = np.concatenate([np.array(named, dtype=np.int64), ranking.documents[rest]])[:MAX_DEPTH]
        scores = np.concatenate([np.ones(len(named)), ranking.scores[rest]])[:MAX_DEPTH]
        return Answer(
            request,
            query,
            self._hits(request, query, documents, scores, ranking),
            bool(len(scores)) and bool(scores[0] >= FITS),
            len(documents),
            0.0,
            tuple(documents.tolist()),
            tuple(ranking.retrieved.values()),
        )

    def understand(
        self, raw: str, system: CodeSystem | None = None, *, codes: bool = True, spelling: bool = True
    ) -> Query:
        """Returns the query as this snapshot's words and names let it be understood."""
        return understand(
            raw,
            self.snapshot.phrases,
            self.snapshot.vocabulary,
            system=system,
            codes=codes,
            spelling=spelling and "spelling" not in self._without,
            names=not {"names", "thesaurus"} & self._without,
        )

    def weigh(
        self, query: Query, request: SearchRequest, valid: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], dict[str, Retrieved]]:
        """Returns the candidates worth a closer look, ascending, the features of each, and what was retrieved."""
        vector = self.snapshot.encoder.encode([query.core])[0]
        retrieved = self._retrieve(query, vector, request)
        every = candidates(list(retrieved.values()), query, self.snapshot)
        every = every[self._allowed(every, request, valid)]
        weighed = at_hand(every, query, retrieved.get("dense"), retrieved.get("lexical"), self.snapshot)
        near = shortlist(weighed, CLOSELY)
        every, weighed = every[near], weighed[near]
        look_closer(weighed, every, query, vector, self.snapshot)
        kept = shortlist(weighed, SHORTLIST)
        return every[kept], weighed[kept], retrieved

    def _rank(self, query: Query, request: SearchRequest, valid: NDArray[np.bool_] | None) -> Ranking:
        """Returns the codes that fit, best first, ties in the order of codes.

        Where a section is asked for, only what is found in it counts.
        """
        if request.section is not None or "model" in self._without:
            vector = self.snapshot.encoder.encode([query.core])[0]
            retrieved = self._retrieve(query, vector, request)
            if valid is not None:
                retrieved = {name: held.among(valid) for name, held in retrieved.items()}
            documents, fused = fuse(list(retrieved.values()))
            return Ranking(documents.astype(np.int64), fused, retrieved, None)
        every, weighed, retrieved = self.weigh(query, request, valid)
        scores = self.model.scores(weighed)
        if request.system is None:
            scores -= CROWDING * np.log2(self._rank_in_system(every, scores))
        order = together(every, np.lexsort((every, -scores)), query, self.snapshot)
        confidence = np.sort(self.confidence.of(scores, weighed))[::-1]
        return Ranking(every[order], confidence, retrieved, weighed[order])

    def _rank_in_system(self, documents: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Returns the rank, from 1, of each document among those of its system."""
        systems = self.snapshot.passages.system[self.snapshot.passages.titles[documents]]
        order = np.lexsort((documents, -scores, systems))
        _, first = np.unique(systems[order], return_index=True)
        ranks = np.empty(len(documents), dtype=np.int64)
        ranks[order] = np.arange(len(documents)) - np.repeat(first, np.diff([*first, len(documents)])) + 1
        return ranks

    def similar(self, system: str, code: str, limit: int) -> SimilarCodes:
        """Returns the codes of the same system most like this one, at most `limit` in each part, best first.

        Raises:
            UnknownSystem, UnknownCode: as for `Catalogue.document`.
            OutOfRange: a limit that is not 1 to `MAX_LIMIT`.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise OutOfRange(f"limit: got {limit}, expected 1 to {MAX_LIMIT}")
        return similar_codes(self.snapshot, self.catalogue.position(parse_system(system), code), limit)

    def suggest(self, typed: str, limit: int) -> list[Suggestion]:
        """Returns at most `limit` names and codes that begin as typed, best first.

        Raises:
            OutOfRange: a limit that is not 1 to `MAX_SUGGESTIONS`.
        """
        if not 1 <= limit <= MAX_SUGGESTIONS:
            raise OutOfRange(f"limit: got {limit}, expected 1 to {MAX_SUGGESTIONS}")
        return self._suggester.suggest(typed, limit)

    @cached_property
    def _suggester(self) -> Suggester:
        return Suggester(self.snapshot)

    def _literal(self, query: Query, request: SearchRequest, valid: NDArray[np.bool_] | None) -> list[int]:
        """Returns the codes typed in the query: whole ones, then ranges, then those that only begin or look so.

        A code that is typed whole is found whatever its status: that it was deleted is what one wants to know.
        """
        documents = self.snapshot.documents
        systems = [request.system] if request.system else list(CodeSystem)
        whole = [documents.find(system, literal) for literal in query.literals for system in systems]
        several: list[int] = []
        for system in systems:
            for first, last in query.ranges:
                several += documents.between(system, first, last)
            for literal in query.literals if query.only_code else ():
                beginning, wild, _ = literal.partition("?")
                below = documents.starting_with(system, beginning.removesuffix("*"))
                looks = re.compile(literal.replace("?", "[0-9A-Z]").replace("*", ".*"))
                several += (p for p in below if not wild or looks.fullmatch(documents.brief(p).code))
        procedures = (
            position
            for position in several
            if documents.brief(position).kind is CodeKind.PROCEDURE and (valid is None or valid[position])
        )
        found = dict.fromkeys(position for position in whole if position is not None)
        return list(found | dict.fromkeys(islice(procedures, MAX_DEPTH)))

    def _valid(self, request: SearchRequest) -> NDArray[np.bool_] | None:
        """Returns which documents have the status and are in the group, None for all."""
        valid = None if request.status is Status.ALL else self.snapshot.documents.valid(request.on or date.today())
        if request.group is None:
            return valid
        grouped = self.groups.holds(request.group)
        return grouped if valid is None else grouped & valid

    def _retrieve(self, query: Query, vector: NDArray[np.float32], request: SearchRequest) -> dict[str, Retrieved]:
        """Returns what each retriever found."""
        passages = self.snapshot.passages
        retrieved = {}
        if "dense" not in self._without:
            allowed = passages.allowed(request.system, request.kind, request.section)
            found = self.snapshot.dense.search(vector, PASSAGES_FOUND, allowed)
            retrieved["dense"] = Retrieved.of(*self._kept(*found), passages)
        if "lexical" not in self._without:
            stems = (*query.stems, *query.more_stems)
            hits = self.snapshot.lexical.search(stems, PASSAGES_FOUND, request.system, request.kind, request.section)
            retrieved["lexical"] = Retrieved.of(*self._kept(*hits), passages)
        return retrieved

    def _kept(
        self, found: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns the passages without those of the thesaurus, where that is left out."""
        if "thesaurus" not in self._without:
            return found, scores
        kept = self.snapshot.passages.section[found] != SECTIONS.index(SectionKind.THESAURUS)
        return found[kept], scores[kept]

    def _allowed(
        self, documents: NDArray[np.int64], request: SearchRequest, valid: NDArray[np.bool_] | None
    ) -> NDArray[np.bool_]:
        """Returns which documents pass the filters."""
        passages = self.snapshot.passages
        titles = passages.titles[documents]
        passes = np.ones(len(documents), dtype=bool) if valid is None else valid[documents]
        if request.system is not None:
            passes &= passages.system[titles] == SYSTEMS.index(request.system)
        if request.kind is not None:
            passes &= passages.kind[titles] == KINDS.index(request.kind)
        return passes

    def _hits(
        self,
        request: SearchRequest,
        query: Query,
        documents: NDArray[np.int64],
        scores: NDArray[np.float64],
        ranking: Ranking,
    ) -> tuple[Hit, ...]:
        """Returns the hits of the page that is asked for."""
        page = slice(request.offset, request.offset + request.limit)
        shown = documents[page].tolist()
        explained = self._explained(shown, ranking) if request.explain else {}
        return tuple(
            Hit(self.snapshot.documents.brief(position), score, passages, others, explained.get(position))
            for position, score, passages, others in zip(
                shown,
                scores[page].tolist(),
                self._evidence(shown, query, ranking.retrieved),
                alike(self.snapshot, documents, scores, page),
                strict=True,
            )
        )

    def _evidence(
        self, shown: Sequence[int], query: Query, retrieved: Mapping[str, Retrieved]
    ) -> Iterator[tuple[Evidence, ...]]:
        """Yields the passages that speak most for each code; its title where there are none."""
        passages = self.snapshot.passages
        stems = frozenset((*query.stems, *query.more_stems))
        read: dict[int, Evidence] = {}  # codes of a table share passages
        for position, found in zip(shown, evidence(shown, list(retrieved.values()), PASSAGES_SHOWN), strict=True):
            found = found or [int(passages.titles[position])]
            for passage in found:
                if passage not in read:
                    text = passages.text(passage)
                    read[passage] = Evidence(passages.section_of(passage), text, highlights(text, stems))
            yield tuple(read[passage] for passage in found)

    def _explained(self, shown: Sequence[int], ranking: Ranking) -> dict[int, Explanation]:
        """Returns why each of these codes stands where it does, of those that were weighed."""
        if ranking.weighed is None:
            return {}
        rows = np.flatnonzero(np.isin(ranking.documents, shown))
        told = ranking.documents[rows].tolist()
        found = explain(told, ranking.weighed[rows], ranking.retrieved, ranking.weighed, self.model)
        return dict(zip(told, found, strict=True))


def together(
    documents: NDArray[np.int64], order: NDArray[np.int64], query: Query, snapshot: Snapshot
) -> NDArray[np.int64]:
    """Returns the order with the codes that a named procedure needs together first, the best of each group.

    `order` has the rows of `documents`, best first. A Whipple is several codes: without this, ten variants of
    one part would hide the others.
    """
    place = {document: rank for rank, document in enumerate(documents[order].tolist())}
    first: dict[int, None] = {}
    for match in query.matches:
        if match.phrase.groups > 1:
            named, groups, _ = snapshot.phrases.named(match.row)
            for group in range(match.phrase.groups):
                held = [place[document] for document in named[groups == group].tolist() if document in place]
                first |= dict.fromkeys(sorted(held)[:1])
    leading = np.array(list(first), dtype=np.int64)
    return np.concatenate([order[leading], np.delete(order, leading)])


def highlights(text: str, stems: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """Returns where the text has words with these stems.

    >>> highlights("Sacral fractures", frozenset({"fractur"}))
    ((7, 16),)
    """
    return tuple(match.span() for match in words(text) if stem(match.group()) in stems)
