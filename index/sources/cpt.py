"""The CPT files that a user licenses from the AMA: descriptors by code, after a preamble with the licence notice.

Written after a description of the layouts; it was not tried on a licensed copy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from index.records import CodeSystem, Document, Release
from index.sources.reading import Complaints, Reading, SourceError, decode, lines, sha256


class Descriptor(StrEnum):
    """What kind of descriptor a file holds, by the file's name without its ending, lower case."""

    LONG = "longult"
    MEDIUM = "medu"
    SHORT = "shortu"
    CONSUMER = "consumerdescriptor"
    CLINICIAN = "cliniciandescriptor"


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The descriptors of one file: code → its texts, in order."""

    file: str
    kind: Descriptor
    year: str
    texts: dict[str, list[str]]


_CODE = r"([0-9]{4}[0-9A-Z])"
_ROWS = {
    Descriptor.LONG: re.compile(rf"{_CODE}\t(.+)"),
    Descriptor.MEDIUM: re.compile(rf"{_CODE}[\t ](.+)"),
    Descriptor.SHORT: re.compile(rf"{_CODE}[\t ](.+)"),
    Descriptor.CONSUMER: re.compile(rf"[0-9]{{7}}[\t ]{_CODE}[\t ](.+)"),
    Descriptor.CLINICIAN: re.compile(rf"[0-9]+\t{_CODE}\t[0-9]+\t(.+)"),
}


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is named as one of the AMA's; `head` is not needed."""
    return path.suffix.lower() == ".txt" and path.stem.lower() in {kind.value for kind in Descriptor}


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the descriptors of a file; the long ones are the documents, the others facts about them.

    Raises:
        SourceError: it holds no code row, no year can be found, or (`strict`) a row behind the first is bad.
    """
    kind = Descriptor(path.stem.lower())
    complaints = Complaints(path.name, strict=strict)
    preamble: list[str] = []
    texts: dict[str, list[str]] = {}
    for number, line in lines(decode(path.read_bytes(), path.name)):
        if row := _ROWS[kind].fullmatch(line.rstrip()):
            texts.setdefault(row[1], []).append(" ".join(row[2].split()))
        elif texts:
            complaints.add(number, f"got {line[:24]!r}, expected a row of {kind.name.lower()} descriptors")
        elif "\t" not in line.strip():  # else it is the row of column names
            preamble.append(line.strip())
    if not texts:
        raise SourceError(f"{path}: holds no row of {kind.name.lower()} descriptors")
    year = _year(path, " ".join(preamble))
    release = Release(CodeSystem.CPT, year, path.name, sha256(path), len(texts), "\n".join(preamble))
    documents = tuple(Document(CodeSystem.CPT, code, rows[0]) for code, rows in texts.items())
    if kind is Descriptor.LONG:
        return Reading(release, documents, tuple(complaints.problems))
    return Reading(release, (), tuple(complaints.problems), Descriptors(path.name, kind, year, texts))


def _year(path: Path, preamble: str) -> str:
    """Returns the release's year: the latest that the preamble names, else that of a folder above the file."""
    years = re.findall(r"\b20[0-9]{2}\b", preamble) or re.findall(r"20[0-9]{2}", "/".join(path.resolve().parts[-4:-1]))
    if not years:
        raise SourceError(f"{path}: neither its preamble nor its folder names a year")
    return str(max(years))
