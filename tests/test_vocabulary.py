"""Words that the index knows, and which of them a misspelt one most likely is."""

from __future__ import annotations

from pathlib import Path
from random import Random
from string import ascii_lowercase

import pytest

from index.records import CodeKind, CodeSystem, Passage, SectionKind
from index.vocabulary import Vocabulary, words_of, write


def _vocabulary(folder: Path, *texts: str, english: tuple[str, ...] = ()) -> Vocabulary:
    """The vocabulary of passages with these texts, written and read back."""
    passages = [
        Passage(CodeSystem.CPT, CodeKind.PROCEDURE, SectionKind.TITLE, text, (number,))
        for number, text in enumerate(texts)
    ]
    write(folder, passages)
    return Vocabulary(folder, english)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left HIP, replaced", ["left", "hip", "replaced"]),
        ("Ménière’s sac", ["meniere", "sac"]),  # a single letter is no word
        ("2-vessel CABG x4 at L4-5", ["vessel", "cabg", "at"]),
        ("0FT44ZZ", ["ft", "zz"]),
        ("snake_case", ["snake", "case"]),
        ("x-ray", ["ray"]),
        ("Straße", ["strasse"]),
        ("", []),
        ("12 34 !", []),
    ],
)
def test_words_are_letters_without_case_and_accents(text: str, expected: list[str]) -> None:
    """At least two letters in a row; digits and signs part words."""
    assert words_of(text) == expected


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("sacrm", "sacrum"),  # a letter left out
        ("sacrumm", "sacrum"),  # one too many
        ("sacram", "sacrum"),  # another one
        ("sarcum", "sacrum"),  # two swapped
        ("kyphoplasy", "kyphoplasty"),
        ("kyhpoplasti", "kyphoplasty"),  # a swap and another letter
        ("kyphplsty", "kyphoplasty"),  # two left out
    ],
)
def test_the_nearest_word_is_an_edit_or_two_away(tmp_path: Path, misspelt: str, meant: str) -> None:
    """A swap of neighbours is one edit."""
    assert _vocabulary(tmp_path, "sacrum", "kyphoplasty").nearest(misspelt) == meant


def test_no_misspelling_is_too_far_for_the_sieve_of_letters(tmp_path: Path) -> None:
    """Words of letters by lot, far from each other: with an edit, in a long word two, each is still found."""
    random = Random(7)
    words = ["".join(random.sample(ascii_lowercase, length)) for length in range(6, 15) for _ in range(20)]
    vocabulary = _vocabulary(tmp_path, *words)
    for word in words:
        misspelt = word
        for _ in range(1 if len(word) < 9 else 2):  # one shorter counts as short
            place, letter = random.randrange(len(misspelt)), random.choice(ascii_lowercase)
            before, behind = misspelt[:place], misspelt[place + 1 :]
            misspelt = random.choice((before + behind, before + letter + misspelt[place:], before + letter + behind))
        assert vocabulary.nearest(misspelt) == word


@pytest.mark.parametrize(
    "word",
    [
        "sacemr",  # two edits in a short word
        "scarmu",
        "kyfoplasti",  # three in a long one: f for p, h left out, i for y
        "gallbladder",
    ],
)
def test_a_word_that_is_farther_away_has_no_nearest(tmp_path: Path, word: str) -> None:
    """One edit in a word of fewer than eight letters, two in a longer one."""
    assert _vocabulary(tmp_path, "sacrum", "kyphoplasty").nearest(word) is None


def test_a_short_word_is_left(tmp_path: Path) -> None:
    """Four letters have too many neighbours; five may be corrected."""
    vocabulary = _vocabulary(tmp_path, "knee", "elbow")
    assert vocabulary.nearest("kneo") is None
    assert vocabulary.nearest("kneee") == "knee"
    assert vocabulary.nearest("elbov") == "elbow"


def test_fewer_edits_win_over_a_more_frequent_word(tmp_path: Path) -> None:
    """“Vertabra” is one edit from “vertebra” and two from “vertebral”, however often that stands."""
    vocabulary = _vocabulary(tmp_path, "vertebra", "vertebral", "vertebral body", "vertebral disc")
    assert vocabulary.nearest("vertabra") == "vertebra"


def test_the_same_first_letter_wins_over_a_more_frequent_word(tmp_path: Path) -> None:
    """“Ranal” is one edit from “renal” and from “canal”; people seldom get the first letter wrong."""
    vocabulary = _vocabulary(tmp_path, "renal", "canal", "ear canal", "spinal canal")
    assert vocabulary.nearest("ranal") == "renal"
    assert vocabulary.nearest("banal") == "canal"


def test_of_equally_near_words_the_most_frequent_wins(tmp_path: Path) -> None:
    """“Caudal” and “causal” are one edit from “caugal”; caudal stands in more passages."""
    assert _vocabulary(tmp_path, "causal", "caudal", "caudal block").nearest("caugal") == "caudal"


def test_a_word_counts_once_for_a_passage(tmp_path: Path) -> None:
    """Three times in one passage is less than once in each of two."""
    assert _vocabulary(tmp_path, "causal causal causal", "caudal", "caudal block").nearest("caugal") == "caudal"


def test_known_are_the_words_of_the_index_and_of_english(tmp_path: Path) -> None:
    """Folded; English words are known, but nothing is corrected to one."""
    vocabulary = _vocabulary(tmp_path, "Ménière disease", english=("flight",))
    assert "meniere" in vocabulary
    assert "flight" in vocabulary
    assert "sacrum" not in vocabulary
    assert vocabulary.nearest("flihgt") is None


def test_an_empty_index_has_no_nearest_word(tmp_path: Path) -> None:
    """It is written and read like any other."""
    vocabulary = _vocabulary(tmp_path)
    assert vocabulary.nearest("sacrum") is None
    assert "sacrum" not in vocabulary
