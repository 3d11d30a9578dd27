"""ICD-10-PCS documents from order file, tables, definitions and index: characters, sections, synonyms, headers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from index.records import Character, CodeKind, CodeSystem, Document, Section, SectionKind, Synonym
from index.sources.icd10pcs_definitions import Definitions, Term
from index.sources.icd10pcs_index import Index, Use
from index.sources.icd10pcs_tables import Axis, Tables
from index.sources.reading import Problem

# A section names this many of a value's terms; its character lists them all.
_TERMS_TOLD = 12

# Characters that name a table.
_TABLE = 3

# Codes of a kind that a message names.
_NAMED = 5


def compose(documents: Sequence[Document], facts: Sequence[object]) -> tuple[list[Document], list[Problem]]:
    """Returns the documents with all that the facts say of them, headers added, and where sources disagree.

    Each kind of fact may be missing, or of another year than the documents; of several the last is used.
    """
    tables = next((fact for fact in reversed(facts) if isinstance(fact, Tables)), None)
    definitions = next((fact for fact in reversed(facts) if isinstance(fact, Definitions)), None)
    index = next((fact for fact in reversed(facts) if isinstance(fact, Index)), None)
    problems: list[Problem] = []
    if tables is not None:
        problems += _differences(documents, tables)
        documents = _with_characters(documents, tables, definitions, index)
        documents = _with_headers(documents, tables)
    if index is not None:
        documents, lost = _with_synonyms(documents, index)
        problems += lost
    return list(documents), problems


def _differences(documents: Sequence[Document], tables: Tables) -> list[Problem]:
    """Returns how the codes that the tables expand to differ from the valid codes of the order file."""
    expanded = {code for table in tables.tables.values() for code, _ in table.codes()}
    ordered = {
        document.code for document in documents if document.kind is CodeKind.PROCEDURE and document.terminated is None
    }
    return [
        Problem(tables.file, 0, f"{len(codes):,} codes {told}, such as {', '.join(sorted(codes)[:_NAMED])}")
        for codes, told in (
            (ordered - expanded, "of the order file are in no row of these tables"),
            (expanded - ordered, "of these tables are not in the order file"),
        )
        if codes
    ]


def _with_characters(
    documents: Sequence[Document], tables: Tables, definitions: Definitions | None, index: Index | None
) -> list[Document]:
    axes = {code: axes for table in tables.tables.values() for code, axes in table.codes()}
    uses = _uses(index)

    @cache
    def character(table: str, position: int, name: str, value: str, label: str) -> Character:
        body_system, operation = (next(iter(tables.tables[table].top[place].labels.values()), "") for place in (1, 2))
        term = definitions.find(table, position, label, body_system, operation) if definitions else Term()
        if position == 3 and not term.definition:
            term = replace(term, definition=tables.tables[table].definition)
        titles = (f"{label} for {operation} in {body_system}", f"{label} in {body_system}", label)
        used = [use.text for title in titles for use in uses.get(title, ()) if use.table in ("", table)]
        known = {entry.casefold() for entry in term.includes}
        includes = (*term.includes, *(text for text in dict.fromkeys(used) if text.casefold() not in known))
        return Character(name, value, label, term.definition, term.explanation, includes)

    def characters(code: str, found: tuple[Axis, ...]) -> tuple[Character, ...]:
        return tuple(
            character(code[:3], position, axis.name, value, axis.labels[value])
            for position, (axis, value) in enumerate(zip(found, code, strict=True), start=1)
        )

    composed = []
    for document in documents:
        if document.kind is CodeKind.PROCEDURE and document.code in axes:
            told = characters(document.code, axes[document.code])
            document = replace(document, characters=told, sections=(*document.sections, *_sections(told)))
        composed.append(document)
    return composed


def _uses(index: Index | None) -> dict[str, list[Use]]:
    uses: dict[str, list[Use]] = {}
    for use in index.uses if index else ():
        uses.setdefault(use.label, []).append(use)
    return uses


@cache
def _sections(characters: tuple[Character, ...]) -> tuple[Section, ...]:
    """Returns summary, purpose and procedure description; codes that share what is told share the text."""
    section, system, operation, site, *rest = characters
    summary = (
        f"{operation.label} – {_label(site)}. A procedure of the ICD-10-PCS section {section.label}, in the group"
        f" {system.label}."
    )
    if site.includes:
        summary += f" {_label(site)} also stands for {_listed(site.includes)}."
    purpose = f"The procedure is of the kind {operation.label}."
    if operation.definition:
        purpose = f"{operation.label} means: {_lower(operation.definition)}."
    if operation.explanation:
        purpose += f" To note: {_lower(operation.explanation)}."
    if operation.includes:
        purpose += f" Examples: {_listed(operation.includes)}."
    told = [_described(character) for character in rest if not _says_nothing(character)]
    texts = {
        SectionKind.SUMMARY: summary,
        SectionKind.PURPOSE: purpose,
        SectionKind.DESCRIPTION: "\n".join(told) or "Nothing more is specified about how it is done.",
    }
    return tuple(Section(kind, kind.heading, text) for kind, text in texts.items())


def _described(character: Character) -> str:
    told = f"- {character.axis}: {character.label}"
    if character.definition:
        told += f", that is, {_lower(character.definition)}"
    if character.explanation:
        told += f" ({_lower(character.explanation)})"
    if character.includes:
        told += f"; for example {_listed(character.includes)}"
    return told


def _says_nothing(character: Character) -> bool:
    """Whether a value only says that there is nothing to say ("No Qualifier", "None")."""
    return character.value == "Z" and character.label in ("None", f"No {character.axis}")


def _label(site: Character) -> str:
    return site.label if site.label != "None" else "no site named"


def _lower(sentence: str) -> str:
    """Returns the sentence to stand behind a colon: no capital but of a word that has more, no stop at its end."""
    text = sentence.rstrip(".")
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _listed(terms: Sequence[str]) -> str:
    more = "" if len(terms) <= _TERMS_TOLD else f" and {len(terms) - _TERMS_TOLD} more"
    return ", ".join(terms[:_TERMS_TOLD]) + more


def _with_headers(documents: Iterable[Document], tables: Tables) -> list[Document]:
    """Returns the documents with what each table holds told on its header, and headers for what stands above tables."""
    told = {document.code: document for document in documents}
    for table in tables.tables.values():
        section, system, operation = (next(iter(axis.labels.values()), "") for axis in table.top)
        for code, title in (
            (table.code[:1], section),
            (table.code[:2], f"{section}, {system}"),
            (table.code, f"{system}, {operation}"),
        ):
            if code not in told:
                told[code] = Document(CodeSystem.ICD10PCS, code, title, CodeKind.HEADER)
        rows = [f"Codes that begin with {table.code}: {operation} in the group {system}, section {section}."]
        for position, name in enumerate([axis.name for axis in table.rows[0]] if table.rows else []):
            labels = dict.fromkeys(label for row in table.rows for label in row[position].labels.values())
            rows.append(f"- {name}: {', '.join(labels)}")
        summary = Section(SectionKind.SUMMARY, SectionKind.SUMMARY.heading, "\n".join(rows))
        told[table.code] = replace(told[table.code], sections=(summary, *told[table.code].sections))
    return list(told.values())


def _with_synonyms(documents: Sequence[Document], index: Index) -> tuple[list[Document], list[Problem]]:
    """Returns the documents with the index terms that lead to them, and a word on terms that lead to no code."""
    documents = sorted(documents, key=lambda document: document.code)
    codes = [document.code for document in documents]
    source = f"ICD-10-PCS index {index.year}"
    found: dict[int, dict[Synonym, None]] = {}
    lost = []
    for term in index.terms:
        reached: dict[int, Synonym] = {}
        for prefix in term.prefixes:
            # What leads to a whole table leaves the choice of the body part to the reader: it may not be this code's.
            beginning, _, rest = prefix.partition(".")
            synonym = Synonym(term.text, source if len(beginning) > _TABLE else f"{source}, for the table {beginning}")
            for position in range(bisect_left(codes, beginning), bisect_left(codes, f"{beginning}\x7f")):
                if not rest or (len(codes[position]) == len(prefix) and codes[position][-1] == prefix[-1]):
                    reached[position] = synonym
        for position, synonym in reached.items():
            found.setdefault(position, {})[synonym] = None
        if not reached:
            lost.append(term)
    problems = []
    if lost:
        named = "; ".join(f"{term.text} ({', '.join(term.prefixes[:2])})" for term in lost[:_NAMED])
        problems = [
            Problem(
                index.file, 0, f"{len(lost):,} terms lead to codes that the order file does not hold, such as {named}"
            )
        ]
    return [
        replace(document, synonyms=(*document.synonyms, *found[position])) if position in found else document
        for position, document in enumerate(documents)
    ], problems
