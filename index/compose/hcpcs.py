"""HCPCS documents from what the release says of each code: meanings, group, and sections in our own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index.compose.hcpcs_groups import group_of
from index.records import Attribute, CodeKind, Document, Section, SectionKind
from index.sources.hcpcs_layout import Meanings
from index.sources.reading import Problem

# Attributes that are told in the section on coverage and payment; the others are facts for look-up only.
_TOLD = ("Coverage", "Pricing indicator", "Type of service", "BETOS", "Processing note")


def compose(documents: Sequence[Document], facts: Sequence[object]) -> tuple[list[Document], list[Problem]]:
    """Returns the documents with the meaning of each attribute, the group and the sections; nothing can disagree."""
    meanings: dict[str, dict[str, str]] = {}
    for told in facts:
        if isinstance(told, Meanings):
            for label, values in told.meanings.items():
                meanings.setdefault(label, {}).update(values)
    return [_composed(document, meanings) for document in documents], []


def _composed(document: Document, meanings: dict[str, dict[str, str]]) -> Document:
    group = group_of(document.code)
    attributes = tuple(
        replace(attribute, meaning=meanings.get(attribute.label, {}).get(attribute.value, ""))
        for attribute in document.attributes
    )
    told = {
        label: [attribute.meaning for attribute in attributes if attribute.label == label and attribute.meaning]
        for label in _TOLD
    }
    sections = [Section(SectionKind.SUMMARY, SectionKind.SUMMARY.heading, _summary(document, group, told["BETOS"]))]
    if any(told.values()):
        rows = [f"- {label}: {'; '.join(values)}" for label, values in told.items() if values]
        sections.append(Section(SectionKind.OTHER, "Coverage and payment", "\n".join(rows)))
    grouped = (Attribute("Group", group),) if group else ()
    return replace(document, attributes=(*grouped, *attributes), sections=(*document.sections, *sections))


def _summary(document: Document, group: str, classes: list[str]) -> str:
    if document.kind is CodeKind.MODIFIER:
        return "A modifier of HCPCS Level II. It is reported with another code and says how that service differed."
    classed = f" Medicare's statistics class it as {classes[0][0].lower()}{classes[0][1:]}." if classes else ""
    return f"A code of HCPCS Level II in the group {group[0].lower()}{group[1:]}.{classed}"
