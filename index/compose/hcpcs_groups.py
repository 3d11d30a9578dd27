"""The groups of HCPCS Level II: which range of codes is about what, in our own words."""

from __future__ import annotations

from bisect import bisect_right

# First code of each group, ascending. A group ends where the next begins; an empty title is a gap.
_GROUPS = (
    ("A0000", "Ambulance and other medical transport"),
    ("A2000", "Skin substitutes and wound matrices"),
    ("A4100", "Skin substitutes, not otherwise specified"),
    ("A4200", "Medical and surgical supplies"),
    ("A4600", "Respiratory, dialysis and other equipment supplies"),
    ("A5000", "Ostomy and incontinence supplies, diabetic shoes"),
    ("A6000", "Dressings, bandages and compression garments"),
    ("A7000", "Respiratory equipment accessories and supplies"),
    ("A8000", "Protective helmets"),
    ("A9000", "Administrative, miscellaneous and investigational items, radiopharmaceuticals and contrast"),
    ("B0000", "Enteral and parenteral nutrition"),
    ("C0000", "Hospital outpatient devices, drugs and services"),
    ("D0000", "Dental procedures"),
    ("E0000", "Durable medical equipment"),
    ("G0000", "Procedures and professional services"),
    ("H0000", "Behavioral health and substance use treatment"),
    ("J0000", "Drugs given other than by mouth"),
    ("J7500", "Immunosuppressive drugs"),
    ("J7600", "Inhalation drugs"),
    ("J8000", "Oral cancer and other oral drugs"),
    ("J9000", "Chemotherapy and other cancer drugs"),
    ("K0000", "Durable medical equipment, regional carriers' codes"),
    ("L0000", "Orthotic devices: spine"),
    ("L1500", "Orthotic devices: lower limb"),
    ("L3000", "Orthopedic shoes and foot orthotics"),
    ("L3600", "Orthotic devices: upper limb, fracture and repair"),
    ("L5000", "Prosthetic devices: lower limb"),
    ("L6000", "Prosthetic devices: upper limb"),
    ("L8000", "Prosthetic devices: breast, implants and others"),
    ("M0000", "Medical services and quality measures"),
    ("P0000", "Pathology, laboratory and blood products"),
    ("Q0000", "Temporary codes: services, drugs and supplies"),
    ("Q4001", "Casting and splinting supplies"),
    ("Q4100", "Skin substitutes"),
    ("Q5000", "Hospice settings and biosimilar drugs"),
    ("Q9000", "Contrast agents and other temporary codes"),
    ("R0000", "Transport of portable diagnostic equipment"),
    ("S0000", "Private payers' codes"),
    ("T0000", "State Medicaid services"),
    ("U0000", "Coronavirus laboratory tests"),
    ("V0000", "Vision services and supplies"),
    ("V5000", "Hearing, speech and language services"),
)
_STARTS = [start for start, _ in _GROUPS]


def group_of(code: str) -> str:
    """Returns the title of the group that a code of five characters is in; nothing for a modifier.

    >>> group_of("E0601")
    'Durable medical equipment'
    """
    return _GROUPS[bisect_right(_STARTS, code) - 1][1] if len(code) == 5 else ""
