"""The groups that codes are filtered by: body systems of ICD-10-PCS, letters of HCPCS, parts of CPT."""

from __future__ import annotations

import re
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from index.records import CodeSystem
from index.store import DocumentStore
from search.errors import InvalidParameter

# The parts of CPT's number range, in our own words: first code, name in an address, title. A gap has no name.
_CPT = (
    ("00100", "anesthesia", "Anesthesia"),
    ("02000", "", ""),
    ("10004", "skin", "Skin and breast"),
    ("20100", "musculoskeletal", "Bones, joints and muscles"),
    ("30000", "respiratory", "Nose, airways and lungs"),
    ("33016", "cardiovascular", "Heart and blood vessels"),
    ("38100", "lymphatic", "Blood, lymph and diaphragm"),
    ("40490", "digestive", "Digestive system"),
    ("50010", "urinary", "Kidneys and urinary tract"),
    ("54000", "male", "Male genital system"),
    ("55920", "female", "Female genital system"),
    ("59000", "maternity", "Pregnancy and birth"),
    ("60000", "endocrine", "Glands"),
    ("61000", "nervous", "Brain, spine and nerves"),
    ("65091", "eye", "Eye"),
    ("69000", "ear", "Ear"),
    ("70010", "imaging", "Imaging and radiation"),
    ("80047", "laboratory", "Laboratory and pathology"),
    ("90281", "medicine", "Medicine: tests, treatments, vaccines"),
    ("99202", "visits", "Visits and consultations"),
    ("99500", "medicine", "Medicine: tests, treatments, vaccines"),
)
_CPT_STARTS = [start for start, _, _ in _CPT]

# Codes of CPT that end in a letter stand outside the number range.
_CPT_LETTERS = {
    "A": ("medicine", "Medicine: tests, treatments, vaccines"),
    "F": ("category-2", "Quality measures (Category II)"),
    "M": ("laboratory", "Laboratory and pathology"),
    "T": ("category-3", "New technology (Category III)"),
    "U": ("laboratory", "Laboratory and pathology"),
}
_CPT_TITLES = {name: title for _, name, title in _CPT if name} | dict(_CPT_LETTERS.values())

_HCPCS = {
    "A": "Transport, supplies and administration",
    "B": "Tube and intravenous feeding",
    "C": "Hospital outpatient devices and drugs",
    "D": "Dental procedures",
    "E": "Durable medical equipment",
    "G": "Procedures and professional services",
    "H": "Behavioral health, substance use",
    "J": "Drugs given other than by mouth",
    "K": "Equipment, regional carriers' codes",
    "L": "Orthotics and prosthetics",
    "M": "Medical services, quality measures",
    "P": "Pathology and laboratory",
    "Q": "Temporary: services, drugs, supplies",
    "R": "Transport of diagnostic equipment",
    "S": "Private payers' codes",
    "T": "State Medicaid services",
    "U": "Coronavirus laboratory tests",
    "V": "Vision and hearing",
}


def group_of(system: CodeSystem, code: str) -> str:
    """Returns the name of the group that a code is in, nothing for one in none (a modifier, a section's heading).

    >>> group_of(CodeSystem.ICD10PCS, "0QU13JZ"), group_of(CodeSystem.HCPCS, "E0601")
    ('icd10pcs:0Q', 'hcpcs:E')
    >>> group_of(CodeSystem.CPT, "27447"), group_of(CodeSystem.CPT, "0201T"), group_of(CodeSystem.HCPCS, "LT")
    ('cpt:musculoskeletal', 'cpt:category-3', '')
    """
    if system is CodeSystem.ICD10PCS:
        name = code[:2] if len(code) > 1 else ""
    elif system is CodeSystem.HCPCS:
        name = code[0] if len(code) == 5 else ""
    elif code[-1] in _CPT_LETTERS:
        name = _CPT_LETTERS[code[-1]][0]
    else:
        name = _CPT[max(0, bisect_right(_CPT_STARTS, code) - 1)][1]
    return f"{system.value}:{name}" if name else ""


def parse_group(name: str) -> str:
    """Returns the group of that name, typed in any case.

    Raises:
        InvalidParameter: it is not the name of a group.
    """
    system, _, part = name.strip().lower().partition(":")
    if system == CodeSystem.ICD10PCS.value and re.fullmatch("[0-9a-hj-np-z]{2}", part):
        return f"{system}:{part.upper()}"
    if system == CodeSystem.HCPCS.value and part.upper() in _HCPCS:
        return f"{system}:{part.upper()}"
    if system == CodeSystem.CPT.value and part in _CPT_TITLES:
        return f"{system}:{part}"
    raise InvalidParameter(f"group: got {name[:40]!r}, expected such as icd10pcs:0Q, hcpcs:E or cpt:cardiovascular")


def system_of(group: str) -> CodeSystem:
    """Returns the code system of a group."""
    return CodeSystem(group.partition(":")[0])


class Groups:
    """Which group each document of a snapshot is in. `numbers`, int16 of shape (documents,), index `names`."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents
        systems = {system.value: system for system in CodeSystem}
        keys = (key.partition(":") for key in documents.named())
        found = [group_of(systems[system], code) for system, _, code in keys]
        self.names = tuple(dict.fromkeys(found))
        places = {name: place for place, name in enumerate(self.names)}
        self.numbers: NDArray[np.int16] = np.array([places[name] for name in found], dtype=np.int16)

    def holds(self, group: str) -> NDArray[np.bool_]:
        """Returns which documents are in the group, shape (documents,)."""
        held: NDArray[np.bool_] = self.numbers == (self.names.index(group) if group in self.names else -1)
        return held

    def title(self, group: str) -> str:
        """Returns what people call a group; that of ICD-10-PCS is the release's, or its characters."""
        system, _, part = group.partition(":")
        if system == CodeSystem.HCPCS.value:
            return _HCPCS[part]
        if system == CodeSystem.CPT.value:
            return _CPT_TITLES[part]
        header = self._documents.find(CodeSystem.ICD10PCS, part)
        if header is None:
            return f"Codes that begin with {part}"
        return self._documents.brief(header).title.removeprefix("Medical and Surgical, ")
