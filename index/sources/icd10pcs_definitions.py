"""The ICD-10-PCS definitions of CMS: what operations, approaches, body parts and devices stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.records import CodeSystem, Release
from index.sources.reading import Complaints, Reading, SourceError, sha256
from index.sources.xml import clean_term, parse, text, version

_ROOT = "ICD10PCS.definitions"

# Axis positions, from 1.
_OPERATION, _TYPE_QUALIFIER, _DEVICE = 3, 5, 6
_POSITIONS = tuple("1234567")
_REHABILITATION = "F"


@dataclass(frozen=True, slots=True)
class Term:
    """What a value stands for; any part may be empty."""

    definition: str = ""
    explanation: str = ""
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Definitions:
    """All terms of a fiscal year, by section, axis position (from 1) and the term's title."""

    file: str
    year: str
    terms: dict[tuple[str, int, str], Term]

    def find(self, code: str, position: int, label: str, body_system: str, operation: str) -> Term:
        """Returns what a value of a code stands for; an empty term where the release tells nothing.

        Device terms are titled "Cardiac Lead, Pacemaker for Insertion in Heart and Great Vessels": the most
        specific title that fits is taken. Rehabilitation has terms of one name for assessment and treatment.
        """
        titles = [label]
        if position == _DEVICE:
            titles = [f"{label} for {operation} in {body_system}", f"{label} in {body_system}", label]
        elif position == _TYPE_QUALIFIER and code[0] == _REHABILITATION:
            titles = [f"{label} ({'Assessment' if 'Assessment' in operation else 'Treatment'})", label]
        keys = [(code[0], position, title) for title in titles]
        return next((self.terms[key] for key in keys if key in self.terms), Term())


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is the definitions; `head` is how it begins."""
    return f"<{_ROOT}".encode() in head


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the definitions of a fiscal year.

    Raises:
        SourceError: it is no whole definitions file, or (`strict`) has a term without title or content.
    """
    root = parse(path, _ROOT)
    year = version(root, path)
    complaints = Complaints(path.name, strict=strict)
    terms: dict[tuple[str, int, str], Term] = {}
    for section in root.iterfind("section"):
        for axis in section.iterfind("axis"):
            position = axis.get("pos", "")
            if position not in _POSITIONS:
                complaints.add(axis.sourceline, f"got axis position {position!r}, expected 1 to 7: skipped")
                continue
            for element in axis.iterfind("terms"):
                title, term = text(element, "title"), _term(element)
                if not title or term == Term():
                    complaints.add(element.sourceline, f"term {title!r} lacks its title or all content: skipped")
                    continue
                terms[section.get("code", ""), int(position), title] = term
    if not terms:
        raise SourceError(f"{path}: holds no term")
    release = Release(CodeSystem.ICD10PCS, year, path.name, sha256(path), len(terms))
    return Reading(release, (), tuple(complaints.problems), Definitions(path.name, year, terms))


def _term(element: Any) -> Term:
    listed = [clean_term(entry.text or "") for entry in element.iterfind("includes")]
    if element.find("definition") is not None and len(listed) == 1:
        # Operations and types have their examples in one text; keys have an element for each.
        listed = re.split(r", (?![^(]*\))", listed[0])
    return Term(text(element, "definition"), text(element, "explanation"), tuple(filter(None, listed)))
