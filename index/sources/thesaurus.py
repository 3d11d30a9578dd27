"""The thesaurus: what people and clinicians call things, and what that means in a code system.

Plain text, one entry a line, columns separated by “|”: phrase, kind, system, meaning, and what else the phrase
commonly means (empty where it is unambiguous). A line that begins with # is a comment, and the first one names
the file a thesaurus. The meaning is either “= words of the releases” or code patterns: characters, `[04]` for
any of these, `.` for any one; what is shorter than a code means all codes that begin so; patterns separated by
blanks are alternatives, the best first; “ + ” stands between groups of which a procedure needs a code each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from index.records import BUNDLED, PAGE, CodeSystem, Release
from index.sources.reading import Complaints, Reading, SourceError, decode, lines, sha256
from index.text import clean, tokens

BUNDLED_THESAURUS = Path(__file__).resolve().parent.parent / "thesaurus"

ANY = "any"
_HEAD = b"# Thesaurus"
_PATTERN = re.compile(r"(?:[0-9A-Z.]|\[[0-9A-Z]+\]){2,7}|[0-9A-Z]{5}-[0-9A-Z]{5}")


class EntryKind(StrEnum):
    """What kind of name a phrase is."""

    PROCEDURE = "procedure"
    EPONYM = "eponym"
    ABBREVIATION = "abbreviation"
    LAY = "lay"
    BRAND = "brand"
    DEVICE = "device"
    ANATOMY = "anatomy"
    DRUG = "drug"


@dataclass(frozen=True, slots=True)
class Entry:
    """One phrase and what it means: `groups` of code patterns, or `words` of the releases; never both.

    `system` is None for words that hold in every code system. `other` is what else the phrase means.
    """

    line: int
    phrase: str
    kind: EntryKind
    system: CodeSystem | None
    groups: tuple[tuple[str, ...], ...] = ()
    words: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """The entries of a file."""

    file: str
    entries: tuple[Entry, ...]


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file calls itself a thesaurus; `head` is how it begins."""
    return path.suffix.lower() == ".txt" and head.startswith(_HEAD)


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the entries of a file.

    Raises:
        SourceError: it has none, or (`strict`) a line that is no entry.
    """
    complaints = Complaints(path.name, strict=strict)
    entries = []
    for number, line in lines(decode(path.read_bytes(), path.name)):
        if not line.startswith("#"):
            try:
                entries.append(_entry(number, [clean(column) for column in line.split("|")]))
            except ValueError as error:
                complaints.add(number, str(error))
    if not entries:
        raise SourceError(f"{path}: holds no entry")
    version = BUNDLED if path.resolve().parent == BUNDLED_THESAURUS else PAGE
    release = Release("thesaurus", version, path.name, sha256(path), len(entries))
    return Reading(release, (), tuple(complaints.problems), Thesaurus(path.name, tuple(entries)))


def _entry(number: int, columns: list[str]) -> Entry:
    if not 4 <= len(columns) <= 5:
        raise ValueError(f"got {len(columns)} columns, expected phrase | kind | system | meaning | other meaning")
    phrase, kind, system, meaning, other = [*columns, ""][:5]
    if not tokens(phrase):
        raise ValueError(f"got phrase {phrase!r}, expected words that are more than stop words")
    if kind not in set(EntryKind):
        raise ValueError(f"got kind {kind!r}, expected {', '.join(EntryKind)}")
    if system not in {*CodeSystem, ANY}:
        raise ValueError(f"got system {system!r}, expected {', '.join(CodeSystem)} or {ANY}")
    known = None if system == ANY else CodeSystem(system)
    if meaning.startswith("="):
        if not tokens(meaning):
            raise ValueError("has no words behind =")
        return Entry(number, phrase, EntryKind(kind), known, words=meaning[1:].strip(), other=other)
    groups = tuple(tuple(group.split()) for group in meaning.split("+"))
    for pattern in (pattern for group in groups for pattern in group):
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"got pattern {pattern!r}, expected such as 0FT44ZZ, 0SR[9B]0, J0178 or E0470-E0472")
    if known is None or not all(groups):
        raise ValueError("code patterns need a code system, and a pattern on both sides of +")
    return Entry(number, phrase, EntryKind(kind), known, groups, other=other)
