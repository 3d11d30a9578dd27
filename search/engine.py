"""The search engine: the whole query path over one snapshot."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from index.records import Change, CodeKind, CodeSystem, Document, Policy, SectionKind
from index.snapshot import Snapshot
from index.text import spans
from search.errors import (
    EmptyQuery,
    InvalidParameter,
    OutOfRange,
    QueryTooLong,
    UnknownCode,
    UnknownKind,
    UnknownRelease,
    UnknownSection,
    UnknownSystem,
)
from search.query import Query, squeeze_code, understand
from search.ranking import Retrieved, evidence, fuse
from search.similar import Similar, similar_codes

MAX_QUERY = 1000  # characters
MAX_LIMIT = 100
# Hits a client can page through. The retrievers look as deep, whatever the page, so pages don't shift.
MAX_DEPTH = 1000
PASSAGES_SHOWN = 3

# Parts that an evaluation can leave out, to see what each is worth.
PARTS = ("dense", "lexical")


class Status(StrEnum):
    """Which codes an answer may hold: those valid on a day, or all that any release holds."""

    ACTIVE = "active"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as asked for, checked. `on` is the day that active codes are valid on, None for today."""

    q: str
    system: CodeSystem | None = None
    kind: CodeKind | None = CodeKind.PROCEDURE
    section: SectionKind | None = None
    status: Status = Status.ACTIVE
    on: date | None = None
    limit: int = 10
    offset: int = 0

    @classmethod
    def checked(
        cls,
        q: str,
        *,
        system: str | None = None,
        kind: str | None = None,
        section: str | None = None,
        status: str | None = None,
        on: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> SearchRequest:
        """Returns the request; no `kind` means procedures, "any" all kinds; no `status` means active codes.

        Raises:
            RequestError: the kind that names what is wrong.
        """
        if len(q) > MAX_QUERY:
            raise QueryTooLong(f"q has {len(q):,} characters, expected at most {MAX_QUERY:,}")
        if not understand(q).text:
            raise EmptyQuery("q is empty, expected words that describe a procedure, or a code")
        if not 1 <= limit <= MAX_LIMIT:
            raise OutOfRange(f"limit: got {limit}, expected 1 to {MAX_LIMIT}")
        if not 0 <= offset <= MAX_DEPTH - limit:
            raise OutOfRange(f"offset: got {offset}, expected 0 to {MAX_DEPTH - limit} with limit {limit}")
        return cls(
            q,
            parse_system(system) if system else None,
            _kind(kind) if kind else CodeKind.PROCEDURE,
            _section(section) if section else None,
            _status(status) if status else Status.ACTIVE,
            _day(on) if on else None,
            limit,
            offset,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that made a hit match; `highlights` are (start, end) code points of its matching words."""

    section: SectionKind
    text: str
    highlights: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A ranked code. `score` from 0 to 1, higher is better: evidence of rank, not a probability."""

    document: Document
    score: float
    passages: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of one page, and `total`, how many there are to page through (at most `MAX_DEPTH`)."""

    request: SearchRequest
    query: Query
    hits: tuple[Hit, ...]
    total: int
    milliseconds: float


class SearchEngine:
    """Answers from one snapshot; safe to call from several threads."""

    def __init__(self, snapshot: Snapshot, without: Collection[str] = ()) -> None:
        """Takes an open snapshot, and the `PARTS` to leave out."""
        self.snapshot = snapshot
        self._without = frozenset(without)

    def search(self, request: SearchRequest) -> Answer:
        """Returns the codes that fit the query, best first; none where it has no letter or digit.

        Codes typed in the query come first. Where the query is nothing but a code, they are all.
        """
        started = time.perf_counter()
        query = understand(request.q)
        valid = self._valid(request)
        named = self._literal(query, request, valid)
        retrieved: list[Retrieved] = []
        ranked = [(position, 1.0) for position in named]
        if query.stems and not (named and query.only_code):
            retrieved = self._retrieve(query, request, valid)
            documents, scores = fuse(retrieved)
            first = frozenset(named)
            ranked += [
                (position, score)
                for position, score in zip(documents.tolist(), scores.tolist(), strict=True)
                if position not in first
            ]
        ranked = ranked[:MAX_DEPTH]
        stems = frozenset(query.stems)
        hits = tuple(
            self._hit(position, score, retrieved, stems)
            for position, score in ranked[request.offset : request.offset + request.limit]
        )
        return Answer(request, query, hits, len(ranked), (time.perf_counter() - started) * 1000)

    def policies(self, names: Sequence[str]) -> list[tuple[Policy, list[Document]]]:
        """Returns the policies of codes named "system:code", each with the codes among them that it names.

        In order of payer, number and title.

        Raises:
            InvalidParameter: a name is not of that form, or there are more than `MAX_LIMIT`.
            UnknownSystem, UnknownCode: as for `document`.
        """
        if len(names) > MAX_LIMIT:
            raise InvalidParameter(f"codes: got {len(names)}, expected at most {MAX_LIMIT}")
        found: dict[Policy, list[Document]] = {}
        for name in dict.fromkeys(names):
            system, separator, code = name.partition(":")
            if not separator:
                raise InvalidParameter(f"codes: got {name[:40]!r}, expected such as cpt:0201T")
            document = self.snapshot.documents.brief(self._position(parse_system(system), code))
            for policy in document.policies:
                found.setdefault(policy, []).append(document)
        return sorted(found.items(), key=lambda entry: (entry[0].payer, entry[0].policy_id, entry[0].title))

    def changes(self, system: str, after: str, until: str) -> list[tuple[Document, Change]]:
        """Returns what the releases after one, up to another, did to codes of a system, by release, then code.

        Raises:
            UnknownSystem: the system is none of ours.
            UnknownRelease: the snapshot was not built from one of the releases.
        """
        parsed = parse_system(system)
        listed = {release.version for release in self.snapshot.manifest.releases if release.system == parsed}
        for version in (after, until):
            if version not in listed:
                known = ", ".join(sorted(listed)) or "none"
                raise UnknownRelease(f"{parsed.label} has no release {version[:20]!r} in this index, only {known}")
        found = [
            (document, change)
            for position in self.snapshot.documents.changed.tolist()
            if (document := self.snapshot.documents.brief(position)).system is parsed
            for change in document.history
            if after < change.release <= until
        ]
        return sorted(found, key=lambda entry: (entry[1].release, entry[0].code))

    def hierarchy(self, document: Document) -> list[Document]:
        """Returns the headers above an ICD-10-PCS code, from section to table; none elsewhere."""
        above = range(1, min(len(document.code), 4)) if document.system is CodeSystem.ICD10PCS else ()
        positions = (self.snapshot.documents.find(document.system, document.code[:length]) for length in above)
        return [self.snapshot.documents.brief(position) for position in positions if position is not None]

    def children(self, document: Document) -> list[Document]:
        """Returns what stands directly below a header: headers one character longer, or a table's codes."""
        if document.kind is not CodeKind.HEADER:
            return []
        length = len(document.code) + 1 if len(document.code) < 3 else 7
        below = self.snapshot.documents.starting_with(document.system, document.code)
        return [child for position in below if len((child := self.snapshot.documents.brief(position)).code) == length]

    def document(self, system: str, code: str) -> Document:
        """Returns the document of one code, typed in any case and with stray spaces.

        Raises:
            UnknownSystem: the system is none of ours.
            UnknownCode: the snapshot has no such code.
        """
        return self.snapshot.documents[self._position(parse_system(system), code)]

    def similar(self, system: str, code: str, limit: int) -> list[Similar]:
        """Returns at most `limit` codes of the same system most like this one, best first.

        Raises:
            UnknownSystem, UnknownCode: as for `document`.
            OutOfRange: a limit that is not 1 to `MAX_LIMIT`.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise OutOfRange(f"limit: got {limit}, expected 1 to {MAX_LIMIT}")
        return similar_codes(self.snapshot, self._position(parse_system(system), code), limit)

    def _position(self, system: CodeSystem, code: str) -> int:
        position = self.snapshot.documents.find(system, squeeze_code(code))
        if position is None:
            raise UnknownCode(f"{system.label} has no code {squeeze_code(code)[:20]!r} in this index")
        return position

    def _literal(self, query: Query, request: SearchRequest, valid: NDArray[np.bool_] | None) -> list[int]:
        """Returns the codes typed in the query, whole ones before those that only begin so.

        A code that is typed whole is found whatever its status: that it was deleted is what one wants to know.
        """
        found: dict[int, None] = {}
        documents = self.snapshot.documents
        systems = [request.system] if request.system else list(CodeSystem)
        for literal in query.literals:
            for system in systems:
                if (position := documents.find(system, literal)) is not None:
                    found[position] = None
            if query.only_code:
                for system in systems:
                    for position in documents.starting_with(system, literal)[:MAX_DEPTH]:
                        if documents.brief(position).kind is CodeKind.PROCEDURE and (valid is None or valid[position]):
                            found[position] = None
        return list(found)

    def _valid(self, request: SearchRequest) -> NDArray[np.bool_] | None:
        if request.status is Status.ALL:
            return None
        return self.snapshot.documents.valid(request.on or date.today())

    def _retrieve(self, query: Query, request: SearchRequest, valid: NDArray[np.bool_] | None) -> list[Retrieved]:
        passages = self.snapshot.passages
        vector = self.snapshot.encoder.encode([query.text])[0]
        allowed = passages.allowed(request.system, request.kind, request.section)
        dense = self.snapshot.dense.search(vector, MAX_DEPTH, allowed)
        lexical = self.snapshot.lexical.search(query.stems, MAX_DEPTH, request.system, request.kind, request.section)
        retrieved = [
            Retrieved(*found, *passages.documents(found[0]))
            for part, found in (("dense", dense), ("lexical", lexical))
            if part not in self._without
        ]
        return retrieved if valid is None else [found.among(valid) for found in retrieved]

    def _hit(self, position: int, score: float, retrieved: list[Retrieved], stems: frozenset[str]) -> Hit:
        passages = self.snapshot.passages
        document = self.snapshot.documents.brief(position)
        shown = [
            (passages.section_of(passage), passages.text(passage))
            for passage in evidence(position, retrieved, PASSAGES_SHOWN)
        ]
        return Hit(
            document,
            score,
            tuple(
                Evidence(section, text, highlights(text, stems))
                for section, text in shown or [(SectionKind.TITLE, document.title)]
            ),
        )


def highlights(text: str, stems: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """Returns where the text has words with these stems.

    >>> highlights("Sacral fractures", frozenset({"fractur"}))
    ((7, 16),)
    """
    return tuple((token.start, token.end) for token in spans(text) if token.stem in stems)


def parse_system(name: str) -> CodeSystem:
    """Returns the code system of that name.

    Raises:
        UnknownSystem: there is none.
    """
    try:
        return CodeSystem(name.strip().lower())
    except ValueError:
        raise UnknownSystem(f"system: got {name[:40]!r}, expected {_names(CodeSystem)}") from None


def _kind(name: str) -> CodeKind | None:
    """Returns the kind of code of that name, None for "any"."""
    try:
        return None if name.strip().lower() == "any" else CodeKind(name.strip().lower())
    except ValueError:
        raise UnknownKind(f"kind: got {name[:40]!r}, expected any, {_names(CodeKind)}") from None


def _status(name: str) -> Status:
    try:
        return Status(name.strip().lower())
    except ValueError:
        raise InvalidParameter(f"status: got {name[:40]!r}, expected {_names(Status)}") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidParameter(f"on: got {text[:40]!r}, expected a day as YYYY-MM-DD") from None


def _section(name: str) -> SectionKind:
    try:
        return SectionKind(name.strip().lower())
    except ValueError:
        raise UnknownSection(f"section: got {name[:40]!r}, expected {_names(SectionKind)}") from None


def _names(values: Iterable[str]) -> str:
    *most, last = [str(value) for value in values]
    return f"{', '.join(most)} or {last}"
