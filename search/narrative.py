"""Text reduced to what was done: without whose body it was, and long text without history and disposition."""

from __future__ import annotations

import re

# A query of fewer words is taken as it is.
LEAST_WORDS = 14

# What a clause that tells no procedure begins with or holds: history, indication, consent, disposition.
_ASIDE = re.compile(
    r"\b(?:history of|h/o|hx of|known|presented|presents|presenting|complain\w*|suffer\w*|diagnos\w* with|because|"
    r"due to|secondary to|indicat\w*|consent(?:ed)?|was taken to|brought to|taken to|prepped|draped|an?aesthesi\w*|"
    r"anesthesi\w*|time[- ]?out|tolerated|recovery|stable condition|discharge\w*|follow[- ]?up|went home|sent home|"
    r"estimated blood loss|no complications?|sedation|allerg\w*|year[- ]old|y/?o\b|lives? (?:alone|at)|admitted|"
    r"transferred to|was extubated|failed conservative|after months of|who (?:fell|has|had|was)|"
    r"with no (?:conversion|complication)\w*)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?<=[.;!?])\s+|,\s+(?:and\s+)?|\s+(?=(?:because|due to|after which|who|secondary to)\b)")


# Whose body it is: "my grandmother's", or at the beginning "my dad had". Not a child's: that tells the age; and not
# "from his sister", who gives a kidney.
_KIN = (
    r"(?:grand|step|great[- ]?)*(?:mother|father|mom|mum|dad|ma|pa|husband|wife|son|daughter|brother|sister|aunt|uncle)"
)
_WHOSE = re.compile(
    rf"\b(?:my|our|his|her|their)\s+(?:late |elderly |old )?{_KIN}['’]s?\s+(?=\w)|"
    rf"^(?:my|our)\s+(?:late |old )?{_KIN}\s+(?:(?:has|had|got|needs?|is (?:hav|gett)ing|will have)\s+)?(?=\w)",
    re.IGNORECASE,
)


def reduced(text: str) -> str:
    """Returns a text without whose body it was; a long one also without the clauses that tell no procedure.

    One of asides only stays as it is.

    >>> reduced("my grandmother's cracked tailbone was filled with cement")
    'cracked tailbone was filled with cement'

    >>> reduced("A 70 year old man with a history of falls, brought to the OR. The left hip was replaced with a"
    ... " cemented prosthesis. He tolerated it well.")
    'The left hip was replaced with a cemented prosthesis.'
    """
    text = _WHOSE.sub("", text)
    if len(text.split()) < LEAST_WORDS:
        return text
    kept = [clause for clause in _CLAUSE.split(text) if clause.strip() and not _ASIDE.search(clause)]
    return " ".join(kept) if kept else text
