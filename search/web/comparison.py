"""Codes side by side: rows of what each is, those that differ marked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from index.attributes import NAMES, attributes_of
from index.records import CodeSystem, Document, SectionKind
from search.catalogue import Catalogue
from search.errors import InvalidParameter, UnknownCode
from search.query import squeeze_code
from search.web.shown import section_html

MOST = 4

# Names of a code that a column shows; the code's page has them all.
_NAMES_SHOWN = 8

# Sections that other rows tell already.
_TOLD = (SectionKind.OTHER, SectionKind.POLICIES)

_WORD = re.compile(r"[\w'/-]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing about every code, in their order, as safe HTML; an empty cell says nothing.

    `differs` says that it is not the same for all codes that have anything of its kind: a CPT code has no
    characters, which sets it apart in none of them.
    """

    label: str
    cells: tuple[Markup, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Block:
    """Rows under a heading."""

    heading: str
    rows: tuple[Row, ...]


def documents_of(catalogue: Catalogue, names: Sequence[str]) -> list[Document]:
    """Returns the documents of codes named "system:code", or by the code alone, each once.

    Names may stand in one text, with commas or blanks between them, as one types them.

    Raises:
        UnknownSystem, UnknownCode: as for `Catalogue.document`.
        InvalidParameter: there are more than `MOST`.
    """
    named = dict.fromkeys(part for name in names for part in re.split(r"[\s,;]+", name) if part)
    found = [_document(catalogue, name) for name in named]
    unique = list({(document.system, document.code): document for document in found}.values())
    if len(unique) > MOST:
        raise InvalidParameter(f"codes: got {len(unique)}, expected at most {MOST} to stand side by side")
    return unique


def _document(catalogue: Catalogue, name: str) -> Document:
    system, separator, code = name.partition(":")
    if separator:
        return catalogue.document(system, code)
    for candidate in CodeSystem:
        if catalogue.snapshot.documents.find(candidate, squeeze_code(name)) is not None:
            return catalogue.document(candidate, name)
    raise UnknownCode(f"no code system of this index has a code {squeeze_code(name)[:20]!r}")


def compare(documents: Sequence[Document]) -> list[Block]:
    """Returns what there is to compare, a block for each kind of thing; rows that no code fills are left out."""

    def block(heading: str, labels: Sequence[str], cell: Callable[[Document, str], Markup]) -> Block:
        return Block(heading, _rows({label: tuple(cell(held, label) for held in documents) for label in labels}))

    axes = _union([character.axis for character in document.characters] for document in documents)
    facts = _union([attribute.label for attribute in document.attributes] for document in documents)
    headings = _union(
        [section.heading for section in document.sections if section.kind not in _TOLD] for document in documents
    )
    blocks = [
        Block("What they are", _basics(documents)),
        block("Characters", axes, _character),
        block("Particulars", NAMES, lambda document, name: escape(attributes_of(document).get(name, ""))),
        block("Release data", facts, _fact),
        block("Also called", ["Names"], _names),
        block("About the procedure", headings, _section),
    ]
    return [block for block in blocks if block.rows]


def _rows(cells: dict[str, tuple[Markup, ...]]) -> tuple[Row, ...]:
    """Returns the rows that any code fills, of one block."""
    filled = [any(column) for column in zip(*cells.values(), strict=True)]
    return tuple(
        Row(label, row, len({cell for cell, counts in zip(row, filled, strict=True) if counts}) > 1)
        for label, row in cells.items()
        if any(row)
    )


def _basics(documents: Sequence[Document]) -> tuple[Row, ...]:
    cells = {
        "Title": _titles([document.title for document in documents]),
        "Code system": tuple(escape(document.system.label) for document in documents),
        "Kind": tuple(escape(document.kind.value) for document in documents),
        "Valid since": tuple(escape(document.effective or "") for document in documents),
        "Not valid after": tuple(escape(document.terminated or "") for document in documents),
    }
    return _rows(cells)


def _union(lists: Iterable[list[str]]) -> list[str]:
    """Returns every text of several lists once, in order of first appearance."""
    return list(dict.fromkeys(text for texts in lists for text in texts))


def _titles(titles: Sequence[str]) -> tuple[Markup, ...]:
    """Returns the titles with the words in bold that not all of them have."""
    words = [{word.lower() for word in _WORD.findall(title)} for title in titles]
    shared = set.intersection(*words)

    def shown(title: str) -> Markup:
        parts = re.split(f"({_WORD.pattern})", title)
        own = (bool(_WORD.fullmatch(part)) and part.lower() not in shared for part in parts)
        return Markup("").join(
            Markup("<b>{}</b>").format(part) if differs else escape(part)
            for part, differs in zip(parts, own, strict=True)
        )

    return tuple(shown(title) for title in titles)


def _character(document: Document, axis: str) -> Markup:
    found = next((character for character in document.characters if character.axis == axis), None)
    return Markup('<span class="code">{}</span> {}').format(found.value, found.label) if found else Markup("")


def _fact(document: Document, label: str) -> Markup:
    found = (attribute for attribute in document.attributes if attribute.label == label)
    return escape("; ".join(": ".join(filter(None, (fact.value, fact.meaning))) for fact in found))


def _names(document: Document, _: str) -> Markup:
    names = list(dict.fromkeys(synonym.text for synonym in document.synonyms))
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return escape("; ".join(names[:_NAMES_SHOWN]) + more)


def _section(document: Document, heading: str) -> Markup:
    return Markup("").join(section_html(section.text) for section in document.sections if section.heading == heading)
