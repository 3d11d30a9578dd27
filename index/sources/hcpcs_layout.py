"""What the values in an HCPCS release mean: the record layout and the processing notes that CMS publishes with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from index.records import CodeSystem, Release
from index.sources.reading import Complaints, Reading, SourceError, decode, lines, sha256

# The layout's name of a field, to the label that we give it in `hcpcs.FIELDS`.
_LABELS = {
    "Pricing Indicator Code": "Pricing indicator",
    "Multiple Pricing Indicator Code": "Multiple pricing indicator",
    "Lab Certification Code": "Laboratory certification",
    "Coverage Code": "Coverage",
    "MOG Payment Group Code": "Outpatient payment group",
    "MOG Payment Policy Indicator": "Outpatient payment policy",
    "Action Code": "Action",
    "BETOS_TB": "BETOS",
    "CMS_TYPE_SRVC_TB": "Type of service",
}

_LAYOUT = re.compile(r"HCPCS Contractor Record - ([0-9]{4})")
_NOTES = re.compile(r"\s+PROCESSING NOTES\s")
_FIELD = re.compile(r"\s*[0-9]+\.\s+(?:HCPCS )?(.+?)(?:\s{2,}.*)?")
_TABLE = re.compile(r" ([A-Z_]+_TB)\s{3,}.*")
_VALUE = re.compile(r"\s*([0-9A-Z]{1,3})\s*= (.+)")
_NOTE = re.compile(r"\s*([0-9]{4})--(.+)")


@dataclass(frozen=True, slots=True)
class Meanings:
    """What values mean: label of an attribute → value → meaning."""

    file: str
    meanings: dict[str, dict[str, str]]


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is a record layout or processing notes; `head` is how it begins."""
    text = head.decode("cp1252", "replace")
    return bool(_LAYOUT.search(text)) or bool(_NOTES.match(text))


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the meanings that the file gives.

    Raises:
        SourceError: it gives none, or names no year.
    """
    text = decode(path.read_bytes(), path.name)
    year = re.search(r"20[0-9]{2}", path.name)
    if year is None:
        raise SourceError(f"{path}: its name tells no year: expected one such as HCPC2025_recordlayout.txt")
    complaints = Complaints(path.name, strict=strict)
    found = _notes(text) if _NOTES.match(text[:4096]) else _layout(text)
    if not any(found.values()):
        raise SourceError(f"{path}: holds no value with a meaning")
    release = Release(CodeSystem.HCPCS, year[0], path.name, sha256(path), sum(map(len, found.values())))
    return Reading(release, (), tuple(complaints.problems), Meanings(path.name, found))


def _layout(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {label: {} for label in _LABELS.values()}
    values: dict[str, str] | None = None
    column, value = 0, ""
    for _, line in lines(text.expandtabs()):
        indent = len(line) - len(line.lstrip())
        if named := _TABLE.fullmatch(line) or _FIELD.fullmatch(line):
            label = _LABELS.get(named[1])
            values, value = (found[label] if label else None), ""
        elif values is not None and (entry := _VALUE.fullmatch(line)):
            value, column = entry[1], entry.start(2)
            values[value] = entry[2].strip()
        elif values is not None and value and abs(indent - column) <= 1:
            values[value] += f" {line.strip()}"
        else:
            value = ""  # a heading between the values
    if "01L" in found["BETOS"]:
        # CMS's layout of 2025 writes O1L, which the release holds, with a zero.
        found["BETOS"]["O1L"] = found["BETOS"].pop("01L")
    return found


def _notes(text: str) -> dict[str, dict[str, str]]:
    notes: dict[str, str] = {}
    number = ""
    for _, line in lines(text):
        told = line.rstrip().removesuffix("*").rstrip()
        if entry := _NOTE.fullmatch(told):
            number = entry[1]
            notes[number] = entry[2].strip()
        elif number and told.strip():
            notes[number] += f" {told.strip()}"
    return {"Processing note": notes}
