"""Readers of release files, one module per format, and the recognition of which file is what."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from index.sources import (
    coverage_database,
    cpt,
    hcpcs,
    hcpcs_layout,
    icd10pcs,
    icd10pcs_definitions,
    icd10pcs_index,
    icd10pcs_tables,
    pages,
    policies,
    thesaurus,
)
from index.sources.reading import Problem, Reading, SourceError

__all__ = ["Problem", "Reading", "SourceError", "find", "read"]


class _Reader(Protocol):
    def recognise(self, path: Path, head: bytes) -> bool: ...
    def read(self, path: Path, *, strict: bool) -> Reading: ...


# The order matters only where names overlap: what is surest comes first.
_READERS: tuple[_Reader, ...] = (
    cpt,
    thesaurus,
    pages,
    icd10pcs,
    icd10pcs_tables,
    icd10pcs_definitions,
    icd10pcs_index,
    hcpcs,
    hcpcs_layout,
    policies,
    coverage_database,
)

# Bytes that a reader may look at to recognise a file: the first lines of every format.
_HEAD = 4096


def find(paths: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """Returns the source files among the paths and below the folders, in order, each once, and what was passed over.

    Raises:
        SourceError: a path does not exist, or a file that is named itself is no source.
    """
    found: dict[Path, None] = {}
    passed: list[Problem] = []
    for path in paths:
        if path.is_dir():
            for file in sorted(entry for entry in path.rglob("*") if entry.is_file() and not _is_hidden(entry, path)):
                if _reader(file) is None:
                    passed.append(Problem(file.name, 0, "is of no format that is read here: passed over"))
                else:
                    found[file.resolve()] = None
        elif not path.exists():
            raise SourceError(f"{path}: does not exist")
        elif _reader(path) is None:
            raise SourceError(
                f"{path}: is of no format that is read here: expected a procedure page, ICD-10-PCS or HCPCS"
                " release files, the AMA's CPT files, or coverage policies"
            )
        else:
            found[path.resolve()] = None
    return list(found), passed


def read(path: Path, *, strict: bool) -> Reading:
    """Returns what a file that `find` returned holds.

    Raises:
        SourceError: it is not what it seemed to be, or (`strict`) has a bad row.
    """
    reader = _reader(path)
    if reader is None:
        raise SourceError(f"{path}: is of no format that is read here")
    return reader.read(path, strict=strict)


def _reader(path: Path) -> _Reader | None:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return next((reader for reader in _READERS if reader.recognise(path, head)), None)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
