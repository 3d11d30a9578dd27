"""The lexical index: BM25 over the same passages, by Tantivy.

Tantivy sees our own tokens only (`text.tokens`, joined by spaces), so both sides of a match are cut alike. What is
mostly searched, procedures' passages that no great number of codes share, has its words in a field of their own:
a search of that needs no filter, which would take twice the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray
from tantivy import Occur, Query

from index.passages import MOST_SHARED
from index.records import CodeKind, CodeSystem, Passage, SectionKind
from index.text import tokens

# Bytes that the writer may hold before it writes a segment; Tantivy's least is 15 MB.
_WRITER_HEAP = 64_000_000


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for field in ("text", "usual"):
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
    for field in ("system", "kind", "section", "reach"):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("passage", fast=True)
    return builder.build()


def write(folder: Path, passages: Sequence[Passage]) -> None:
    """Writes an index of the passages into the folder; a passage's position is its id."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = tantivy.Index(_schema(), path=str(folder)).writer(_WRITER_HEAP, num_threads=1)
    for position, passage in enumerate(passages):
        narrow = len(passage.documents) <= MOST_SHARED
        text = " ".join(tokens(passage.text))
        writer.add_document(
            tantivy.Document(
                text=text,
                usual=text if narrow and passage.kind is CodeKind.PROCEDURE else "",
                system=passage.system.value,
                kind=passage.kind.value,
                section=passage.section.value,
                reach="narrow" if narrow else "broad",
                passage=position,
            )
        )
    writer.commit()
    writer.wait_merging_threads()


class LexicalIndex:
    """A memory-mapped index that `write` made."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder.

        Raises:
            ValueError: Tantivy can't read it.
        """
        index = tantivy.Index.open(str(folder))
        self._schema = index.schema
        self._searcher = index.searcher()

    def search(
        self,
        stems: Sequence[str],
        k: int,
        system: CodeSystem | None = None,
        kind: CodeKind | None = None,
        section: SectionKind | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns at most `k` passage ids and BM25 scores (above 0), best first, ties by id.

        A passage matches that holds any of the stems (`text.tokens`); the filters work inside the search.
        Without a section, passages that more than `MOST_SHARED` codes share are left out.
        """
        if not stems:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        usual = kind is CodeKind.PROCEDURE and section is None
        filters: list[tuple[str, str | None]] = [("system", system)]
        if not usual:
            filters += [("kind", kind), ("section", section), ("reach", None if section else "narrow")]
        field = "usual" if usual else "text"
        words = Query.boolean_query([(Occur.Should, self._term(field, stem)) for stem in dict.fromkeys(stems)])
        clauses = [
            (Occur.Must, Query.const_score_query(self._term(name, str(value)), 0.0))
            for name, value in filters
            if value is not None
        ]
        query = Query.boolean_query([(Occur.Must, words), *clauses]) if clauses else words
        found = self._searcher.search(query, limit=k, count=False).hits
        addresses = [address for _, address in found]
        ids = np.array(self._searcher.fast_field_values("passage", addresses), dtype=np.int64)
        scores = np.array([score for score, _ in found], dtype=np.float32)
        order = np.lexsort((ids, -scores))
        return ids[order], scores[order]

    def _term(self, field: str, value: str) -> Query:
        return Query.term_query(
            self._schema, field, value, index_option="freq" if field in ("text", "usual") else "basic"
        )
