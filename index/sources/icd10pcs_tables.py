"""The ICD-10-PCS tables of CMS: which values each character may take, and together with which others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from index.records import CodeSystem, Release
from index.sources.reading import Complaints, Reading, SourceError, sha256
from index.sources.xml import parse, text, version

_ROOT = "ICD10PCS.tabular"


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its name, and the label of each value it may take."""

    name: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the axes of its first three characters, one value each, and rows of the other four.

    `definition` is the root operation's (or type's) as the table gives it.
    """

    code: str
    top: tuple[Axis, ...]
    definition: str
    rows: tuple[tuple[Axis, ...], ...]

    def codes(self) -> Iterator[tuple[str, tuple[Axis, ...]]]:
        """Yields every valid code with the seven axes that it is made of."""
        for row in self.rows:
            for values in product(*(axis.labels for axis in row)):
                yield self.code + "".join(values), (*self.top, *row)


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of a fiscal year, by their three characters."""

    file: str
    year: str
    tables: dict[str, Table]


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is the tables; `head` is how it begins."""
    return f"<{_ROOT}".encode() in head


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the tables of a fiscal year.

    Raises:
        SourceError: it is no whole tables file, or (`strict`) has a bad table or row.
    """
    root = parse(path, _ROOT)
    year = version(root, path)
    complaints = Complaints(path.name, strict=strict)
    tables: dict[str, Table] = {}
    for element in root.iterfind("pcsTable"):
        top = [_axis(axis) for axis in element.iterfind("axis")]
        if len(top) != 3 or any(len(axis.labels) != 1 for axis in top):
            complaints.add(element.sourceline, "a table whose head is not three axes of one value each: skipped")
            continue
        code = "".join(value for axis in top for value in axis.labels)
        rows = [
            tuple(_axis(axis) for axis in row.iterfind("axis"))
            for row in element.iterfind("pcsRow")
            if _is_whole(row, code, complaints)
        ]
        if code in tables:
            complaints.add(element.sourceline, f"table {code} stands twice: the rows of both are kept")
            rows = [*tables[code].rows, *rows]
        definition = text(element.findall("axis")[2], "definition")
        tables[code] = Table(code, tuple(top), definition, tuple(rows))
    if not tables:
        raise SourceError(f"{path}: holds no table")
    release = Release(CodeSystem.ICD10PCS, year, path.name, sha256(path), len(tables))
    return Reading(release, (), tuple(complaints.problems), Tables(path.name, year, tables))


def _axis(element: Any) -> Axis:
    return Axis(
        text(element, "title"), {label.get("code", ""): _own_text(label) for label in element.iterfind("label")}
    )


def _is_whole(row: Any, code: str, complaints: Complaints) -> bool:
    axes = row.findall("axis")
    if [axis.get("pos") for axis in axes] == ["4", "5", "6", "7"] and all(
        len(label.get("code", "")) == 1 and _own_text(label) for axis in axes for label in axis.iterfind("label")
    ):
        return True
    complaints.add(row.sourceline, f"a row of table {code} that is not axes 4 to 7 with labelled values: skipped")
    return False


def _own_text(element: Any) -> str:
    return " ".join((element.text or "").split())
