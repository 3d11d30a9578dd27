"""Filters with counts: how many codes of an unfiltered answer each choice would leave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from index.records import CodeKind, CodeSystem, SectionKind
from index.snapshot import Snapshot
from index.store import KINDS, SECTIONS, SYSTEMS
from search.engine import Answer, SearchEngine
from search.request import SearchRequest, Status

# Choices that are offered: an answer may touch a hundred groups with a code or two each.
MOST_CHOICES = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter, as an address has it, how many codes it leaves, and whether it is chosen."""

    value: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter: the request's parameter, and its choices, those with most codes first."""

    parameter: str
    choices: tuple[Choice, ...]


def facets(engine: SearchEngine, request: SearchRequest) -> tuple[Facet, ...]:
    """Returns the filters of a request, each counted over the codes that the other filters leave.

    What is counted are the codes that the same query finds without any filter, as far as one can page.
    """
    wide = replace(request, system=None, kind=None, section=None, group=None, status=Status.ALL, limit=1, offset=0)
    answer = engine.search(wide)
    positions = np.array(answer.ranked, dtype=np.int64)
    columns = _columns(engine, request, answer, positions)
    chosen = {
        "system": request.system.value if request.system else "",
        "section": request.section.value if request.section else "",
        "kind": request.kind.value if request.kind else "any",
        "group": request.group or "",
        "status": request.status.value,
    }
    every = np.ones(len(positions), dtype=bool)
    # A kind or status that leaves all, and a filter that is not set, has no column.
    passes = {name: columns[name].get(value, ~every if value else every) for name, value in chosen.items()}
    found = []
    for name, values in columns.items():
        others = np.logical_and.reduce([passes[other] for other in passes if other != name])
        choices = [Choice(value, int((held & others).sum()), value == chosen[name]) for value, held in values.items()]
        found.append(Facet(name, _ordered(choices)))
    return tuple(found)


def _ordered(choices: list[Choice]) -> tuple[Choice, ...]:
    """Returns the choices that leave most codes, those first, and any that is chosen."""
    kept = [choice for choice in choices if choice.count or choice.chosen]
    kept.sort(key=lambda choice: (-choice.count, choice.value))
    return tuple(choice for place, choice in enumerate(kept) if place < MOST_CHOICES or choice.chosen)


def _columns(
    engine: SearchEngine, request: SearchRequest, answer: Answer, positions: NDArray[np.int64]
) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Returns, for each filter and value, which of the codes have it."""
    snapshot, groups = engine.snapshot, engine.groups
    titles = snapshot.passages.titles[positions]
    systems, kinds = snapshot.passages.system[titles], snapshot.passages.kind[titles]
    numbers = groups.numbers[positions]
    every = np.ones(len(positions), dtype=bool)
    return {
        "system": {system.value: systems == SYSTEMS.index(system) for system in CodeSystem},
        "group": {name: numbers == groups.names.index(name) for name in _named(groups.names, numbers)},
        "section": _sections(snapshot, answer, positions),
        "kind": {**{kind.value: kinds == KINDS.index(kind) for kind in CodeKind}, "any": every},
        "status": {
            Status.ACTIVE.value: snapshot.documents.valid(request.on or date.today())[positions],
            Status.ALL.value: every,
        },
    }


def _named(names: tuple[str, ...], numbers: NDArray[np.int16]) -> list[str]:
    return [names[number] for number in np.unique(numbers).tolist() if names[number]]


def _sections(snapshot: Snapshot, answer: Answer, positions: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Returns which of the codes matched in each section; none for those that were typed."""
    held = {section: np.zeros(len(positions), dtype=bool) for section in SectionKind}
    for retrieved in answer.retrieved:
        sections = np.repeat(snapshot.passages.section[retrieved.passages], np.diff(retrieved.starts))
        for number in np.unique(sections).tolist():
            held[SECTIONS[number]] |= np.isin(positions, retrieved.documents[sections == number])
    return {section.value: found for section, found in held.items()}
