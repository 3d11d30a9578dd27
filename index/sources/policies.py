"""Coverage policies in the project's own form: CSV, or JSON lines, one policy a row.

Fields: payer, policy_id, title, url, effective, reviewed (YYYY-MM-DD), text, codes. Only title and codes must
be there. `codes` names codes with their system, separated by blanks: whole ("cpt:0201T"), a range
("cpt:22510-22515") or the beginning of codes ("icd10pcs:0QU1*"). JSON lines may give them as a list.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from index.records import CodeSystem, Policy, Release
from index.sources.reading import Complaints, Reading, SourceError, decode, lines, sha256
from index.text import clean

FIELDS = ("payer", "policy_id", "title", "url", "effective", "reviewed", "text", "codes")
_REQUIRED = ("title", "codes")

# Characters of one field. A payer's whole policy document has a few hundred thousand.
_LONGEST = 10_000_000

_PATTERN = re.compile(r"(cpt|hcpcs|icd10pcs):([0-9A-Z]{2,7})(?:-([0-9A-Z]{2,7})|(\*))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CodePattern:
    """Codes of one system from `first` to `last`, both included; a beginning of codes has `last` end in 0x7f."""

    system: CodeSystem
    first: str
    last: str

    @classmethod
    def parse(cls, text: str) -> CodePattern:
        """Returns the pattern.

        >>> CodePattern.parse("cpt:22510-22515").last
        '22515'

        Raises:
            ValueError: the text is none.
        """
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise ValueError(f"got codes {text!r}, expected such as cpt:0201T, cpt:22510-22515 or icd10pcs:0QU1*")
        first = found[2].upper()
        last = f"{first}\x7f" if found[4] else (found[3] or first).upper()
        return cls(CodeSystem(found[1].lower()), first, last)


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of a file, each with the line it stands on and the codes it names."""

    file: str
    rows: tuple[tuple[int, Policy, tuple[CodePattern, ...]], ...]


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file holds policies; `head` is how it begins."""
    first = head.decode("utf-8-sig", "replace").split("\n", 1)[0]
    if path.suffix.lower() == ".csv":
        return set(_REQUIRED) <= {name.strip().strip('"').lower() for name in first.split(",")}
    return path.suffix.lower() == ".jsonl" and all(f'"{name}"' in first for name in _REQUIRED)


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the policies of a file.

    Raises:
        SourceError: it holds none, or (`strict`) has a bad row.
    """
    complaints = Complaints(path.name, strict=strict)
    text = decode(path.read_bytes(), path.name)
    rows = []
    for number, row in (_csv if path.suffix.lower() == ".csv" else _jsonl)(text, complaints):
        try:
            rows.append((number, _policy(row), _patterns(row["codes"])))
        except (ValueError, KeyError, TypeError) as error:
            complaints.add(number, f"is no policy: {error}")
    if not rows:
        raise SourceError(f"{path}: holds no policy")
    release = Release("policies", "", path.name, sha256(path), len(rows))
    return Reading(release, (), tuple(complaints.problems), Policies(path.name, tuple(rows)))


def _csv(text: str, complaints: Complaints) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(_LONGEST)
    reader = csv.DictReader(io.StringIO(text))
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise SourceError(f"{complaints.file}:{reader.reader.line_num}: is no csv: {error}") from error


def _jsonl(text: str, complaints: Complaints) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in lines(text):
        try:
            row = json.loads(line)
        except ValueError as error:
            complaints.add(number, f"is no JSON: {error}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            complaints.add(number, "is no JSON object")


def _policy(row: Mapping[str, Any]) -> Policy:
    texts = {name: str(row.get(name) or "") for name in FIELDS}
    if not texts["title"].strip():
        raise ValueError("it has no title")
    dates = {name: date.fromisoformat(texts[name]) if texts[name] else None for name in ("effective", "reviewed")}
    return Policy(
        clean(texts["title"]),
        clean(texts["payer"]),
        clean(texts["policy_id"]),
        texts["url"].strip(),
        dates["effective"],
        dates["reviewed"],
        clean(texts["text"]),
    )


def _patterns(codes: str | list[str]) -> tuple[CodePattern, ...]:
    patterns = tuple(map(CodePattern.parse, codes.split() if isinstance(codes, str) else codes))
    if not patterns:
        raise ValueError("it names no codes")
    return patterns
