"""A search as asked for: the parameters, checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from index.records import CodeKind, CodeSystem, SectionKind
from index.text import clean
from search.errors import (
    EmptyQuery,
    InvalidParameter,
    OutOfRange,
    QueryTooLong,
    UnknownKind,
    UnknownSection,
    UnknownSystem,
)
from search.groups import parse_group, system_of

MAX_QUERY = 1000  # characters
MAX_LIMIT = 100
# Hits a client can page through. The retrievers look as deep, whatever the page, so pages don't shift.
MAX_DEPTH = 1000


class Status(StrEnum):
    """Which codes an answer may hold: those valid on a day, or all that any release holds."""

    ACTIVE = "active"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search as asked for, checked. `on` is the day that active codes are valid on, None for today.

    `group` is one of `search.groups`, within `system`.
    """

    q: str
    system: CodeSystem | None = None
    kind: CodeKind | None = CodeKind.PROCEDURE
    section: SectionKind | None = None
    status: Status = Status.ACTIVE
    on: date | None = None
    spelling: bool = True
    limit: int = 10
    offset: int = 0
    group: str | None = None
    explain: bool = False

    @classmethod
    def checked(
        cls,
        q: str,
        *,
        system: str | None = None,
        kind: str | None = None,
        section: str | None = None,
        status: str | None = None,
        on: str | None = None,
        spelling: str | None = None,
        limit: int = 10,
        offset: int = 0,
        group: str | None = None,
        explain: bool = False,
    ) -> SearchRequest:
        """Returns the request; no `kind` means procedures, "any" all kinds; no `status` means active codes.

        A group narrows to its system too.

        Raises:
            RequestError: the kind that names what is wrong.
        """
        if len(q) > MAX_QUERY:
            raise QueryTooLong(f"q has {len(q):,} characters, expected at most {MAX_QUERY:,}")
        if not clean(q):
            raise EmptyQuery("q is empty, expected words that describe a procedure, or a code")
        if not 1 <= limit <= MAX_LIMIT:
            raise OutOfRange(f"limit: got {limit}, expected 1 to {MAX_LIMIT}")
        if not 0 <= offset <= MAX_DEPTH - limit:
            raise OutOfRange(f"offset: got {offset}, expected 0 to {MAX_DEPTH - limit} with limit {limit}")
        narrowed = parse_system(system) if system else None
        grouped = parse_group(group) if group else None
        if grouped and narrowed not in (None, system_of(grouped)):
            raise InvalidParameter(f"group: got {grouped}, expected one of system {narrowed}")
        return cls(
            q,
            system_of(grouped) if grouped else narrowed,
            _kind(kind) if kind else CodeKind.PROCEDURE,
            _section(section) if section else None,
            _status(status) if status else Status.ACTIVE,
            _day(on) if on else None,
            _switch("spelling", spelling) if spelling else True,
            limit,
            offset,
            grouped,
            explain,
        )


def parse_system(name: str) -> CodeSystem:
    """Returns the code system of that name.

    Raises:
        UnknownSystem: there is none.
    """
    try:
        return CodeSystem(name.strip().lower())
    except ValueError:
        raise UnknownSystem(f"system: got {name[:40]!r}, expected {_names(CodeSystem)}") from None


def _kind(name: str) -> CodeKind | None:
    """Returns the kind of code of that name, None for "any"."""
    try:
        return None if name.strip().lower() == "any" else CodeKind(name.strip().lower())
    except ValueError:
        raise UnknownKind(f"kind: got {name[:40]!r}, expected any, {_names(CodeKind)}") from None


def _status(name: str) -> Status:
    try:
        return Status(name.strip().lower())
    except ValueError:
        raise InvalidParameter(f"status: got {name[:40]!r}, expected {_names(Status)}") from None


def _switch(name: str, text: str) -> bool:
    if text.strip().lower() not in ("on", "off"):
        raise InvalidParameter(f"{name}: got {text[:40]!r}, expected on or off")
    return text.strip().lower() == "on"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidParameter(f"on: got {text[:40]!r}, expected a day as YYYY-MM-DD") from None


def _section(name: str) -> SectionKind:
    try:
        return SectionKind(name.strip().lower())
    except ValueError:
        raise UnknownSection(f"section: got {name[:40]!r}, expected {_names(SectionKind)}") from None


def _names(values: Iterable[str]) -> str:
    *most, last = [str(value) for value in values]
    return f"{', '.join(most)} or {last}"
