"""What every reader of a release format gives back, and how it complains."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.records import Document, Release


class SourceError(Exception):
    """A file that can't be used; the message names the file, where it can the line, what was got and expected."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was skipped, or something worth a word. `line` counts from 1; 0 speaks of the whole file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class Complaints:
    """Collects what is wrong with the rows of one file; when strict, the first one ends the reading."""

    def __init__(self, file: str, *, strict: bool) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._strict = strict

    def add(self, line: int, message: str) -> None:
        """Notes a row that is skipped.

        Raises:
            SourceError: when strict.
        """
        problem = Problem(self.file, line, message)
        if self._strict:
            raise SourceError(str(problem))
        if problem not in self.problems[-1000:]:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file holds, and the rows of it that were skipped.

    A file that lists codes gives `documents`; one that tells something about codes gives `facts`, of its
    reader's own type.
    """

    release: Release
    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    facts: object = None


def sha256(path: Path) -> str:
    """Returns the file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def decode(content: bytes, file: str) -> str:
    """Returns the bytes as text: UTF-8, else Windows-1252, which CMS uses for the few signs beyond ASCII.

    Raises:
        SourceError: the bytes are no text.
    """
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise SourceError(f"{file}: holds bytes that are no text in UTF-8 or Windows-1252")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields each line that is not blank with its number, from 1."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line
