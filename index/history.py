"""Several releases of one code system become one document per code, which knows its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from index.records import Action, Change, CodeSystem, Document
from index.sources import Reading


def release_date(system: CodeSystem, version: str) -> date:
    """Returns the first day on which a release is in force.

    >>> release_date(CodeSystem.ICD10PCS, "2026"), release_date(CodeSystem.HCPCS, "2026-04")
    (datetime.date(2025, 10, 1), datetime.date(2026, 4, 1))
    """
    year, _, month = version.partition("-")
    if system is CodeSystem.ICD10PCS:
        return date(int(year) - 1, 10, 1)  # the federal fiscal year
    return date(int(year), int(month or 1), 1)


def joined(readings: Sequence[Reading]) -> list[Document]:
    """Returns one document per code that any of these releases of one system holds.

    The newest release that holds a code gives its title; what it is silent on (dates, attributes) comes from
    the release before. A code that a later release no longer holds, or says is terminated, is deleted. Two
    files of one version are one release.
    """
    held: dict[str, Document] = {}
    versions: dict[str, dict[str, Document]] = {}
    for reading in sorted(readings, key=lambda reading: reading.release.version):
        versions.setdefault(reading.release.version, {}).update(
            {document.code: document for document in reading.documents}
        )
    system = CodeSystem(readings[0].release.system)
    for number, (release, listed) in enumerate(versions.items()):
        since = release_date(system, release)
        for code, document in listed.items():
            if code in held:
                held[code] = _revised(held[code], document, release, since)
            elif number:
                added = Change(Action.ADDED, release, document.effective or since)
                held[code] = replace(document, effective=document.effective or since, history=(added,))
            else:
                held[code] = document
        for code, document in held.items():
            if code not in listed and document.terminated is None:
                deleted = Change(Action.DELETED, release, since, document.title)
                held[code] = replace(
                    document, terminated=since - timedelta(days=1), history=(*document.history, deleted)
                )
    return list(held.values())


def _revised(old: Document, new: Document, release: str, since: date) -> Document:
    """Returns a code's document after a release that holds it too."""
    changes = list(old.history)
    # A release that lists a code whose last day has passed, and gives no last day itself, has taken it up again.
    expired = old.terminated is not None and old.terminated < since
    terminated = new.terminated or (None if expired else old.terminated)
    if expired and terminated is None:
        changes.append(Change(Action.ADDED, release, since))
    elif new.title != old.title:
        changes.append(Change(Action.REVISED, release, since, old.title))
    if new.terminated and old.terminated is None:
        changes.append(Change(Action.DELETED, release, new.terminated + timedelta(days=1), old.title))
    return replace(
        new,
        short_title=new.short_title or old.short_title,
        attributes=new.attributes or old.attributes,
        effective=new.effective or old.effective,
        terminated=terminated,
        history=tuple(changes),
    )
