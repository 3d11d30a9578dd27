"""Queries composed from the tables of ICD-10-PCS: what is done, as a surgeon says it, and where.

Names and judged queries tell of what is often done. A composed query may be of any body part, and its neighbours in
a batch are of others: from these an encoder learns to keep the bladder from the peritoneum.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pairs import Asked

from index.records import CodeKind, CodeSystem, Document
from index.snapshot import Snapshot

# What a root operation is called where it is done. {site} is the body part, {device} what is put in or taken out,
# {to} the qualifier.
OPERATIONS = {
    "Alteration": ("cosmetic surgery of {site}", "{site} lift", "cosmetic reshaping of {site}"),
    "Bypass": (
        "anastomosis of {site} to {to}",
        "{site} to {to} bypass",
        "shunt from {site} to {to}",
        "diversion of {site} to {to}",
    ),
    "Change": ("exchange of {device} in {site}", "replacement of {device} of {site}", "change of {site} {device}"),
    "Control": ("control of bleeding of {site}", "stopping hemorrhage after surgery of {site}"),
    "Creation": ("creation of {site}", "construction of {site}"),
    "Destruction": (
        "destruction of lesion of {site}",
        "ablation of {site}",
        "cauterization of {site}",
        "fulguration of {site}",
        "cryotherapy of {site} lesion",
    ),
    "Detachment": ("amputation of {site}", "amputation through {site}", "disarticulation of {site}"),
    "Dilation": ("dilation of {site}", "stretching of stricture of {site}", "widening of narrowed {site}"),
    "Division": ("division of {site}", "transection of {site}", "cutting of {site}", "incision of {site}"),
    "Drainage": (
        "drainage of {site}",
        "incision and drainage of {site}",
        "aspiration of {site}",
        "incision of {site}",
        "draining fluid from {site}",
        "evacuation of abscess of {site}",
    ),
    "Excision": (
        "excision of lesion of {site}",
        "partial removal of {site}",
        "local excision of {site}",
        "partial excision of {site}",
        "cutting out tumor of {site}",
        "shaving of {site}",
    ),
    "Extirpation": (
        "removal of foreign body from {site}",
        "removal of stone from {site}",
        "removal of clot from {site}",
        "evacuation of hematoma of {site}",
        "incision of {site} with removal of foreign body",
    ),
    "Extraction": ("stripping of {site}", "curettage of {site}", "avulsion of {site}", "debridement of {site}"),
    "Fragmentation": ("lithotripsy of {site}", "breaking up stone in {site}", "crushing of calculus of {site}"),
    "Fusion": ("fusion of {site}", "arthrodesis of {site}", "{site} fusion with {device}"),
    "Insertion": (
        "insertion of {device} in {site}",
        "placement of {device} into {site}",
        "implantation of {device}, {site}",
    ),
    "Inspection": (
        "exploration of {site}",
        "examination of {site}",
        "endoscopy of {site}",
        "exploratory {site} surgery",
    ),
    "Map": ("mapping of {site}",),
    "Occlusion": ("ligation of {site}", "clipping of {site}", "embolization of {site}", "closing off {site}"),
    "Reattachment": ("replantation of {site}", "reattachment of severed {site}"),
    "Release": ("lysis of adhesions of {site}", "release of {site}", "decompression of {site}", "freeing of {site}"),
    "Removal": ("removal of {device} from {site}", "taking out {device} of {site}"),
    "Repair": (
        "repair of {site}",
        "suture of laceration of {site}",
        "closure of fistula of {site}",
        "plastic repair of {site}",
        "suture of {site}",
    ),
    "Replacement": (
        "replacement of {site} with {device}",
        "reconstruction of {site}",
        "graft of {site}",
        "{site} prosthesis",
    ),
    "Reposition": (
        "reduction of displaced {site}",
        "reduction of fracture of {site}",
        "realignment of {site}",
        "transposition of {site}",
        "fixation of {site} in its normal place",
    ),
    "Resection": ("total removal of {site}", "complete excision of {site}", "removal of all of {site}"),
    "Restriction": ("banding of {site}", "narrowing of {site}", "plication of {site}", "cerclage of {site}"),
    "Revision": ("revision of {device} in {site}", "adjustment of {device} of {site}", "repositioning {site} {device}"),
    "Supplement": (
        "repair of {site} with {device}",
        "reinforcement of {site} with {device}",
        "patch graft of {site}",
        "augmentation of {site}",
    ),
    "Transfer": ("transfer of {site}", "{site} flap", "rotation flap of {site}"),
    "Transplantation": ("transplant of {site}", "{site} transplantation"),
    "Plain Radiography": ("x-ray of {site}", "{site} radiograph"),
    "Computerized Tomography (CT Scan)": ("CT of {site}", "CT scan of {site}"),
    "Magnetic Resonance Imaging (MRI)": ("MRI of {site}", "magnetic resonance imaging of {site}"),
    "Ultrasonography": ("ultrasound of {site}", "sonogram of {site}"),
    "Fluoroscopy": ("fluoroscopy of {site}", "contrast x-ray of {site}"),
}
BIOPSY = ("biopsy of {site}", "{site} biopsy")
APPROACHES = {
    "Open": "open",
    "Percutaneous": "percutaneous",
    "Percutaneous Endoscopic": "laparoscopic",
    "Via Natural or Artificial Opening Endoscopic": "endoscopic",
    "External": "closed",
}

DRAWN = 40_000
# The shares of queries that say the approach, and the side where the body part has one.
SAYS_APPROACH, SAYS_SIDE = 0.3, 0.5

_SIDES = {"Left": "left", "Right": "right", "Bilateral": "bilateral"}


def composed(snapshot: Snapshot, drawn: int = DRAWN) -> Iterator[Asked]:
    """Yields so many queries with the codes that they mean: those of the table with what the query says.

    Tables are drawn alike, then a body part of the table, then a code of the two. Without ICD-10-PCS there are none.
    """
    random = np.random.default_rng(7)
    tables = _tables(snapshot)
    names = list(tables)
    for _ in range(drawn if names else 0):
        codes = tables[names[int(random.integers(len(names)))]]
        sites = sorted({code.site for code in codes})
        site = sites[int(random.integers(len(sites)))]
        among = [code for code in codes if code.site == site]
        chosen = among[int(random.integers(len(among)))]
        yield _asked(chosen, among, random)


class _Code:
    """A code as far as a composed query tells of it."""

    def __init__(self, position: int, document: Document) -> None:
        self.position = position
        _, _, operation, site, *_ = document.characters
        labels = {character.axis: character.label for character in document.characters}
        self.operation, self.device = operation.label, labels.get("Device", "").lower()
        self.approach, self.to = labels.get("Approach", ""), labels.get("Qualifier", "").lower()
        name, _, side = site.label.rpartition(", ")
        self.site, self.side = (name, _SIDES[side]) if side in _SIDES else (site.label, "")
        self.called = tuple(included for included in site.includes if len(included) < 40)


def _tables(snapshot: Snapshot) -> dict[str, list[_Code]]:
    tables: dict[str, list[_Code]] = {}
    for position in snapshot.documents.starting_with(CodeSystem.ICD10PCS, ""):
        if snapshot.documents.brief(position).kind is CodeKind.PROCEDURE:
            document = snapshot.documents[position]
            if len(document.characters) == 7 and document.characters[2].label in OPERATIONS:
                tables.setdefault(document.code[:3], []).append(_Code(position, document))
    return tables


def _asked(chosen: _Code, among: list[_Code], random: np.random.Generator) -> Asked:
    diagnostic = chosen.to == "diagnostic"
    templates = BIOPSY if diagnostic else OPERATIONS[chosen.operation]
    template = templates[int(random.integers(len(templates)))]
    right = [code for code in among if (code.to == "diagnostic") == diagnostic]
    names = (chosen.site.lower(), *chosen.called)
    text = names[int(random.integers(len(names)))] if random.random() < 0.5 else names[0]
    if chosen.side and random.random() < SAYS_SIDE:
        text = f"{chosen.side} {text}"
        right = [code for code in right if code.side == chosen.side]
    if "{device}" in template:
        right = [code for code in right if code.device == chosen.device]
    if "{to}" in template:
        right = [code for code in right if code.to == chosen.to]
    query = template.format(site=text, device=chosen.device, to=chosen.to)
    if chosen.approach in APPROACHES and random.random() < SAYS_APPROACH:
        query = f"{APPROACHES[chosen.approach]} {query}"
        right = [code for code in right if code.approach == chosen.approach]
    positions: NDArray[np.int64] = np.array([code.position for code in right], dtype=np.int64)
    return Asked(query, positions, np.full(len(right), 1 / len(right)))
