"""Several releases of one system, joined."""

from __future__ import annotations

from datetime import date

import pytest

from index.history import joined, release_date
from index.records import Action, Attribute, Change, CodeSystem, Document, Release
from index.sources import Reading


def _release(system: CodeSystem, version: str, *documents: Document) -> Reading:
    return Reading(Release(system, version, f"{version}.txt", "0", len(documents)), documents, ())


def _pcs(version: str, **titles: str) -> Reading:
    """Returns a release of ICD-10-PCS; `titles` by code, each with an underscore before it."""
    return _release(
        CodeSystem.ICD10PCS,
        version,
        *(Document(CodeSystem.ICD10PCS, code[1:], title) for code, title in titles.items()),
    )


def _hcpcs(version: str, *documents: Document) -> Reading:
    return _release(CodeSystem.HCPCS, version, *documents)


def _code(title: str, *, effective: date | None = None, terminated: date | None = None) -> Document:
    return Document(CodeSystem.HCPCS, "E0601", title, effective=effective, terminated=terminated)


def _by_code(*readings: Reading) -> dict[str, Document]:
    return {document.code: document for document in joined(readings)}


@pytest.mark.parametrize(
    ("system", "version", "first_day"),
    [
        (CodeSystem.ICD10PCS, "2026", date(2025, 10, 1)),
        (CodeSystem.HCPCS, "2026-01", date(2026, 1, 1)),
        (CodeSystem.HCPCS, "2025-10", date(2025, 10, 1)),
        (CodeSystem.CPT, "2026", date(2026, 1, 1)),
    ],
)
def test_a_release_is_in_force_from_its_first_day(system: CodeSystem, version: str, first_day: date) -> None:
    """ICD-10-PCS begins with the fiscal year in October, HCPCS with its quarter, CPT with the year."""
    assert release_date(system, version) == first_day


def test_one_release_has_no_history() -> None:
    """What a single release holds was not changed by it, a code with a last day neither."""
    documents = (_code("Device", effective=date(1993, 1, 1), terminated=date(2026, 12, 31)),)
    assert joined([_hcpcs("2026-01", *documents)]) == list(documents)


def test_codes_are_added_revised_and_deleted_between_two_releases() -> None:
    """Each change has its release, its first day and the title before; what stays the same has no history."""
    held = _by_code(
        _pcs("2025", _0FT40ZZ="Stays", _0FT44ZZ="Old title", _0FT4FZZ="Goes"),
        _pcs("2026", _0FT40ZZ="Stays", _0FT44ZZ="New title", _0QU13JZ="Comes"),
    )
    since = date(2025, 10, 1)
    assert held == {
        "0FT40ZZ": Document(CodeSystem.ICD10PCS, "0FT40ZZ", "Stays"),
        "0FT44ZZ": Document(
            CodeSystem.ICD10PCS,
            "0FT44ZZ",
            "New title",
            history=(Change(Action.REVISED, "2026", since, "Old title"),),
        ),
        "0FT4FZZ": Document(
            CodeSystem.ICD10PCS,
            "0FT4FZZ",
            "Goes",
            history=(Change(Action.DELETED, "2026", since, "Goes"),),
            terminated=date(2025, 9, 30),
        ),
        "0QU13JZ": Document(
            CodeSystem.ICD10PCS,
            "0QU13JZ",
            "Comes",
            history=(Change(Action.ADDED, "2026", since),),
            effective=since,
        ),
    }


def test_the_order_of_the_readings_does_not_matter() -> None:
    """Releases are joined in the order of their versions, however they are given."""
    releases = [_pcs("2024", _0FT="One"), _pcs("2025", _0FT="Two"), _pcs("2026", _0FT="Three")]
    (document,) = joined([releases[2], releases[0], releases[1]])
    assert (document.title, document.history) == (
        "Three",
        (
            Change(Action.REVISED, "2025", date(2024, 10, 1), "One"),
            Change(Action.REVISED, "2026", date(2025, 10, 1), "Two"),
        ),
    )


def test_a_code_that_is_taken_up_again_is_valid_again() -> None:
    """Gone in one release and back in the next: deleted, then added, and without a last day."""
    (document,) = joined([_pcs("2024", _0FT="Title"), _pcs("2025"), _pcs("2026", _0FT="Title")])
    assert document.terminated is None
    assert document.history == (
        Change(Action.DELETED, "2025", date(2024, 10, 1), "Title"),
        Change(Action.ADDED, "2026", date(2025, 10, 1)),
    )


def test_a_code_that_stays_away_is_deleted_once() -> None:
    """Two releases without a code: it is deleted by the first of them."""
    (document,) = joined([_pcs("2024", _0FT="Title"), _pcs("2025"), _pcs("2026")])
    assert (document.terminated, document.history) == (
        date(2024, 9, 30),
        (Change(Action.DELETED, "2025", date(2024, 10, 1), "Title"),),
    )


def test_an_hcpcs_termination_date_deletes_the_day_after() -> None:
    """A release that says a code's last day deletes it from the next; a later one without the code adds nothing."""
    (document,) = joined(
        [
            _hcpcs("2025-07", _code("Device")),
            _hcpcs("2025-10", _code("Device", terminated=date(2025, 12, 31))),
            _hcpcs("2026-01"),
        ]
    )
    assert (document.terminated, document.history) == (
        date(2025, 12, 31),
        (Change(Action.DELETED, "2025-10", date(2026, 1, 1), "Device"),),
    )


def test_a_last_day_that_is_to_come_is_kept_from_the_older_release() -> None:
    """A release that lists a code before its last day, and is silent on it, does not take it up again."""
    (document,) = joined(
        [_hcpcs("2025-10", _code("Device", terminated=date(2026, 3, 31))), _hcpcs("2026-01", _code("Device"))]
    )
    assert (document.terminated, document.history) == (date(2026, 3, 31), ())


def test_a_code_that_is_listed_after_its_last_day_is_taken_up_again() -> None:
    """A release that is in force after a code's last day and lists it without one makes it valid again."""
    (document,) = joined(
        [_hcpcs("2025-10", _code("Device", terminated=date(2025, 12, 31))), _hcpcs("2026-01", _code("Device"))]
    )
    assert (document.terminated, document.history) == (None, (Change(Action.ADDED, "2026-01", date(2026, 1, 1)),))


def test_a_code_that_is_still_listed_as_terminated_stays_so() -> None:
    """A release that repeats a last day that has passed changes nothing."""
    gone = _code("Device", terminated=date(2025, 6, 30))
    (document,) = joined([_hcpcs("2025-07", gone), _hcpcs("2025-10", gone)])
    assert document == gone


def test_what_the_newest_release_is_silent_on_comes_from_the_older() -> None:
    """Attributes, short title and first day of the older release stay where the newer gives titles alone."""
    older = Document(
        CodeSystem.HCPCS,
        "E0601",
        "Device",
        short_title="Dev",
        attributes=(Attribute("Coverage", "D"),),
        effective=date(1993, 1, 1),
    )
    (kept,) = joined([_hcpcs("2025-10", older), _hcpcs("2026-01", _code("Device"))])
    assert kept == older
    newer = Document(
        CodeSystem.HCPCS, "E0601", "Device", short_title="Device", attributes=(Attribute("Coverage", "C"),)
    )
    (replaced,) = joined([_hcpcs("2025-10", older), _hcpcs("2026-01", newer)])
    assert (replaced.short_title, replaced.attributes) == ("Device", (Attribute("Coverage", "C"),))
    assert replaced.effective == date(1993, 1, 1)


def test_an_added_code_is_valid_from_its_own_date() -> None:
    """A new code that has a first day is added from then; one without, from the release's first day."""
    dated = _code("Device", effective=date(2026, 2, 15))
    plain = Document(CodeSystem.HCPCS, "E0602", "Pump")
    held = _by_code(_hcpcs("2025-10"), _hcpcs("2026-01", dated, plain))
    assert {code: (document.effective, document.history) for code, document in held.items()} == {
        "E0601": (date(2026, 2, 15), (Change(Action.ADDED, "2026-01", date(2026, 2, 15)),)),
        "E0602": (date(2026, 1, 1), (Change(Action.ADDED, "2026-01", date(2026, 1, 1)),)),
    }
