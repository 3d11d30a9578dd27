"""Suggestions while one types."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from index.build import Report
from index.snapshot import open_snapshot
from index.text import fold
from search.suggest import SHORTEST, Suggester


@pytest.fixture(scope="module")
def suggester(built: Report) -> Suggester:
    """The names of the built snapshot."""
    return Suggester(open_snapshot(built.folder))


def test_whole_names_come_before_words_inside_names(suggester: Suggester) -> None:
    """Short before long, and every one begins so or has a word that does."""
    found = [fold(suggestion.text) for suggestion in suggester.suggest("knee re", 8)]
    begins = [text.startswith("knee re") for text in found]
    assert any(begins)
    assert begins == sorted(begins, reverse=True)
    assert all("knee re" in text for text in found)
    assert len(found) == len(set(found))


def test_every_name_is_found_by_its_beginning(suggester: Suggester, built: Report) -> None:
    """Against a plain look at all phrases: nothing that begins so is missing, nothing else is there."""
    phrases = open_snapshot(built.folder).phrases
    expected = {fold(phrase.text) for _, phrase in phrases if fold(phrase.text).startswith("sacro")}
    found = {fold(suggestion.text) for suggestion in suggester.suggest("sacro", 400)}
    assert expected
    assert expected <= found
    assert all("sacro" in text for text in found)


def test_codes_are_found_by_their_beginning(suggester: Suggester) -> None:
    """In any case and with hyphens, with their titles; one that is whole is no suggestion."""
    assert [found.code for found in suggester.suggest("0q-u1", 8) if found.kind == "code"] == ["0QU10JZ", "0QU13JZ"]
    first = suggester.suggest("e06", 8)[0]
    assert (first.system, first.code, first.kind) == ("hcpcs", "E0601", "code")
    assert first.title.startswith("Continuous positive airway pressure")
    assert not [found for found in suggester.suggest("0201T", 8) if found.kind == "code"]


def test_a_name_of_one_code_says_which(suggester: Suggester) -> None:
    """And one that is only other words says these."""
    sacroplasty = next(found for found in suggester.suggest("percutaneous sacrop", 8) if found.codes == 1)
    assert sacroplasty.code
    assert any(found.words for found in suggester.suggest("collarb", 8))


@pytest.mark.parametrize("typed", ["", "k", " k ", "zzzzqq", "%", "\x00", "é", "ÿÿÿÿ", "\U0010ffff" * 40, "k" * 900])
def test_anything_can_be_typed(suggester: Suggester, typed: str) -> None:
    """Fewer letters than `SHORTEST`, and what no name begins with, suggest nothing."""
    assert SHORTEST == 2
    assert suggester.suggest(typed, 8) == []


def test_accents_and_case_do_not_matter(suggester: Suggester) -> None:
    """As in search."""
    plain = suggester.suggest("cholecyst", 8)
    assert plain
    assert plain == suggester.suggest("  CHÖLÉCYST", 8)


def test_names_take_little_memory(suggester: Suggester) -> None:
    """Forty bytes for each word that a name begins with or holds."""
    assert 0 < suggester.size < 30_000_000


def test_the_route_answers_in_the_documented_shape(client: TestClient) -> None:
    """With a limit that is checked."""
    found = client.get("/api/suggest", params={"q": "sacro", "limit": 3}).json()["suggestions"]
    assert 0 < len(found) <= 3
    assert set(found[0]) == {"text", "kind", "codes", "system", "code", "title", "words"}
    assert client.get("/api/suggest", params={"q": "sacro", "limit": 0}).json()["code"] == "out_of_range"
    assert client.get("/api/suggest", params={"q": ""}).json() == {"suggestions": []}
