"""Attributes that tell sibling codes apart, found in titles and in queries by one set of patterns."""

from __future__ import annotations

import re
from collections.abc import Mapping

from index.records import CodeSystem, Document

# Each attribute's values with the words that say them in a title, the more telling first: "without contrast"
# also holds "contrast". A title's value is the first that matches.
ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "laterality": {
        "bilateral": r"bilateral|binaural|(?<!or )both (?:sides|eyes|ears|knees|breasts|menisci)",
        "unilateral": r"unilateral|monaural|one side",
        "left": (
            r"(?<!was )(?<!were )(?<!is )(?<!be )left"
            r"(?! (?:main|ventric\w*|atri\w*|heart|in (?:place|situ)|behind|open|over|with|indwelling))"
        ),
        "right": r"right(?! (?:ventric\w*|atri\w*|heart))",
    },
    "approach": {
        "endoscopic assistance": r"with percutaneous endoscopic assistance",
        "percutaneous endoscopic": r"percutaneous endoscopic|laparoscop\w*|arthroscop\w*|thoracoscop\w*",
        "natural opening endoscopic": r"via natural or artificial opening endoscopic",
        "natural opening": r"via natural or artificial opening",
        "percutaneous": r"percutaneous(?: approach)?",
        "open": r"open(?: approach)?",
        "external": r"external approach",
    },
    "contrast": {
        "without then with contrast": (
            r"without.{0,40}(?:(?:then|and) with|followed by).{0,20}(?:contrast|dye|gadolinium)|"
            r"with(?: and |/| & )without.{0,20}(?:contrast|dye)|unenhanced and enhanced|plain \w+ then.{0,40}contrast"
        ),
        "without contrast": r"(?:without|no) (?:the use of |any )?(?:\w+ )?(?:contrast|dye)|unenhanced|non-?contrast",
        "with contrast": r"(?:with|using) (?:\w+ ){0,2}(?:contrast|dye)|enhanced",
    },
    "occurrence": {
        "each additional": r"each (?:additional|further)|add-on",
        "subsequent": r"subsequent",
        "first": r"first|initial|single or first",
    },
    "biopsy": {
        "without biopsy": r"(?:without|no) biopsy",
        # A diagnostic look inside, or mammogram, takes no tissue.
        "with biopsy": r"biops(?:y|ies)|diagnostic(?! (?:\w+ )?(?:\w*scop\w+|mammogra\w+))",
    },
    # Nearly all codes treat; of those that only look, the title says so.
    "purpose": {"inspection": r"inspection of"},
    "count": {
        "four or more": r"four or more|4 or more",
        "three": r"three (?:arteries|sites|vessels|or more)|three",
        "two": r"two (?:arteries|sites|vessels|or more)|2 or more|two",
        "one": r"one (?:artery|site|vessel)|single level|one(?! or (?:more|both))",
    },
    "material": {
        "nonautologous": r"nonautologous|allograft|donor|cadaver\w*",
        "autologous": r"autologous|autograft|own (?:skin|bone|vein|tissue)",
        "zooplastic": r"zooplastic|porcine|bovine|pig|cow|bioprosthetic|tissue valve",
        "synthetic": r"synthetic|mesh|mechanical|prosthe\w*|plastic|metal",
    },
    "device": {
        "drug-eluting": r"drug[- ]eluting|drug[- ]coated|\bDES\b",
        "drainage device": r"drainage device",
        "infusion device": r"infusion device",
        "intraluminal": r"intraluminal device|\bstents?\b|bare[- ]metal",
        "extraluminal": r"extraluminal device|\bclips?\b|\bband(?:ing)?\b",
        "intramedullary": (
            r"intramedullary|(?<!finger )(?<!toe )\bnail(?:ing)?\b(?! (?:bed|plate|avuls\w*))|"
            r"\brodd?(?:ing)?\b|\bIMN\b"
        ),
        "interbody fusion": r"interbody|(?<!rib )\bcages?\b(?! (?:around|outside))",
        "external fixation": r"external fixat\w*|ex[- ]?fix",
        "internal fixation": r"internal fixat\w*|\bplates?\b|\bscrews?\b|\bORIF\b|\bpinn?(?:ing|s)?\b",
    },
    "age": {
        "child": (
            r"p(?:a?e)diatric|infants?|newborn|neonat\w*|child(?:ren|'s)?|toddler|"
            r"(?:under|younger than)(?: age)? (?:5|12)|(?:[0-9]|1[01])[- ]?(?:years?|yrs?|y)[- ]?(?:old|o)"
        ),
        "adult": (
            r"adults?|aged? (?:5|12|18) (?:years )?(?:and|or) (?:over|older)|(?:12|18) years (?:and|or) older|"
            r"(?:1[2-9]|[2-9][0-9])[- ]?(?:years?|yrs?|y)[- ]?(?:old|o)"
        ),
    },
    "cement": {"uncemented": r"uncemented|cementless|press[- ]fit|without cement", "cemented": r"cemented|with cement"},
}

NAMES = tuple(ATTRIBUTES)
_COMPILED = {
    name: {value: re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE) for value, pattern in values.items()}
    for name, values in ATTRIBUTES.items()
}


def value_of(name: str, title: str) -> str:
    """Returns the title's value of an attribute, or nothing.

    >>> value_of("contrast", "CT head without contrast, then with contrast")
    'without then with contrast'
    """
    return next((value for value, pattern in _COMPILED[name].items() if pattern.search(title)), "")


def values_of(name: str, text: str) -> frozenset[str]:
    """Returns all values of an attribute that a text says."""
    return frozenset(value for value, pattern in _COMPILED[name].items() if pattern.search(text))


def without(name: str, value: str, title: str) -> str:
    """Returns the title without the words that say the value."""
    return _COMPILED[name][value].sub(" ", title, count=1)


def attributes_of(document: Document) -> dict[str, str]:
    """Returns the value of each attribute that a code's title says.

    In ICD-10-PCS what is not said is meant: imaging without contrast, a procedure without a device or biopsy.
    """
    found = {name: value for name in NAMES if (value := value_of(name, document.title))}
    if document.system is CodeSystem.ICD10PCS and document.characters:
        if document.code[0] == "B" and document.characters[4].axis == "Contrast":
            found.setdefault("contrast", "without contrast")
        if document.code[0] == "0":
            found.setdefault("biopsy", "without biopsy")
    return found
