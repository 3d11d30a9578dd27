"""CPT documents from the licensed files: medium, short, consumer and clinician descriptors beside the long one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index.records import Document, Synonym
from index.sources.cpt import Descriptor, Descriptors
from index.sources.reading import Problem


def compose(documents: Sequence[Document], facts: Sequence[object]) -> tuple[list[Document], list[Problem]]:
    """Returns the documents with their other descriptors, and files whose codes have no long descriptor."""
    files = sorted((fact for fact in facts if isinstance(fact, Descriptors)), key=lambda fact: fact.year)
    newest = {file.kind: file for file in files}
    short = newest[Descriptor.SHORT].texts if Descriptor.SHORT in newest else {}
    known = {document.code for document in documents}
    problems = [
        Problem(file.file, 0, f"{len(lost):,} codes have no long descriptor (LONGULT.txt): left out")
        for file in newest.values()
        if (lost := file.texts.keys() - known)
    ]
    composed = []
    for document in documents:
        named = [
            Synonym(text, f"AMA {kind.name.lower()} descriptor")
            for kind in (Descriptor.MEDIUM, Descriptor.CONSUMER, Descriptor.CLINICIAN)
            if kind in newest
            for text in newest[kind].texts.get(document.code, ())
        ]
        short_title = short.get(document.code, [document.short_title])[0]
        composed.append(replace(document, short_title=short_title, synonyms=(*document.synonyms, *named)))
    return composed, problems
