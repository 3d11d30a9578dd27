"""Attributes that titles and queries say: sides, contrast, and what else tells sibling codes apart."""

from __future__ import annotations

import pytest

from index.attributes import ATTRIBUTES, NAMES, attributes_of, value_of, without
from index.records import Character, CodeSystem, Document

# Attribute → title, and the value that it says; nothing where it says none.
CASES = {
    "laterality": (
        ("Replacement of Right Hip Joint with Synthetic Substitute, Uncemented, Open Approach", "right"),
        ("Hearing aid, digital, binaural, bte", "bilateral"),
        ("Hearing aid, monaural, in the ear", "unilateral"),
        ("Excision of Left Upper Lung Lobe, Percutaneous Endoscopic Approach, Diagnostic", "left"),
        ("Excision of Bilateral Vas Deferens, Open Approach", "bilateral"),
        ("Bypass Left External Iliac Artery to Bilateral Internal Iliac Arteries, Open Approach", "bilateral"),
        ("Percutaneous sacroplasty, unilateral, bone cement injected", "unilateral"),
        ("Screening mammogram of both breasts", "bilateral"),
        ("Vasectomy on one or both sides", ""),
        ("Resection of Gallbladder, Open Approach", ""),
        ("bright leftover cleft", ""),
    ),
    "approach": (
        ("Resection of Gallbladder, Open Approach", "open"),
        ("Resection of Gallbladder, Percutaneous Endoscopic Approach", "percutaneous endoscopic"),
        ("Supplement Sacrum with Synthetic Substitute, Percutaneous Approach", "percutaneous"),
        ("Inspection of Stomach, Via Natural or Artificial Opening", "natural opening"),
        ("Inspection of Stomach, Via Natural or Artificial Opening Endoscopic", "natural opening endoscopic"),
        ("Resection of Uterus, Via Natural or Artificial Opening With Percutaneous Endoscopic Assistance",
         "endoscopic assistance"),
        ("Delivery of Products of Conception, External Approach", "external"),
        ("laparoscopic gallbladder removal", "percutaneous endoscopic"),
        ("Standard wheelchair", ""),
    ),
    "contrast": (
        ("CT scan of the head with intravenous contrast only", "with contrast"),
        ("Fluoroscopy of Portal and Splanchnic Veins using Low Osmolar Contrast", "with contrast"),
        ("Magnetic resonance angiography without contrast, pelvis", "without contrast"),
        ("CT scan of the head, plain study with no intravenous contrast", "without contrast"),
        ("MRI of the brain performed without any gadolinium contrast", "without contrast"),
        ("MRI of the brain, without contrast and then with gadolinium", "without then with contrast"),
        ("CT head without contrast material, followed by contrast material and further sections",
         "without then with contrast"),
        ("CT head with and without contrast", "without then with contrast"),
        ("MRI of Bilateral Renal Arteries using Other Contrast, Unenhanced and Enhanced", "without then with contrast"),
        ("CT scan of the head, plain images then repeat images after contrast", "without then with contrast"),
        ("Non-contrast CT of the chest", "without contrast"),
        ("X-ray of the chest, two views", ""),
    ),
    "occurrence": (
        ("Biopsy of the skin, each additional lesion", "each additional"),
        ("Biopsy of the skin, each further lesion after the first (add-on)", "each additional"),
        ("Biopsy of the skin, first or only lesion", "first"),
        ("Initial preventive examination", "first"),
        ("Critical care, subsequent, by telehealth", "subsequent"),
        ("Cystoscopy, doing nothing further through it", ""),
    ),
    "biopsy": (
        ("Excision of Left Ovary, Via Natural or Artificial Opening Endoscopic, Diagnostic", "with biopsy"),
        ("Colonoscopy with biopsies", "with biopsy"),
        ("diagnostic paracentesis", "with biopsy"),
        ("Diagnostic colonoscopy without biopsy or treatment", "without biopsy"),
        ("Diagnostic bronchoscopy, no biopsy or treatment", "without biopsy"),
        ("Diagnostic upper endoscopy", ""),
        ("Diagnostic mammogram of one breast", ""),
    ),
    "purpose": (
        ("Inspection of Left Knee Joint, Percutaneous Endoscopic Approach", "inspection"),
        ("Excision of Left Knee Joint, Percutaneous Endoscopic Approach", ""),
    ),
    "count": (
        ("Dilation of Coronary Artery, One Artery with Intraluminal Device", "one"),
        ("Bypass Coronary Artery, Two Arteries from Aorta", "two"),
        ("Fusion of 2 or more Cervical Vertebral Joints", "two"),
        ("Dilation of Left Popliteal Artery with Three Drug-eluting Intraluminal Devices", "three"),
        ("Bypass Coronary Artery, Four or More Arteries from Coronary Artery", "four or more"),
        ("Dilation of Coronary Artery, Four or More Arteries with Two Intraluminal Devices", "four or more"),
        ("Endoscopy with one or more tissue samples taken", ""),
        ("Fusion of bones", ""),
    ),
    "material": (
        ("Replacement of Finger Nail with Nonautologous Tissue Substitute", "nonautologous"),
        ("Replacement of Median Nerve with Autologous Tissue Substitute", "autologous"),
        ("Revision of Zooplastic Tissue in Mitral Valve", "zooplastic"),
        ("hernia repair with mesh", "synthetic"),
        ("Repair of Mitral Valve", ""),
    ),
    "device": (
        ("Dilation of Coronary Artery, One Artery with Drug-eluting Intraluminal Device", "drug-eluting"),
        ("Insertion of Intraluminal Device into Left Radial Artery", "intraluminal"),
        ("Occlusion of Transverse Colon with Extraluminal Device", "extraluminal"),
        ("Drainage of Bladder with Drainage Device", "drainage device"),
        ("Insertion of Infusion Device into Coronary Vein", "infusion device"),
        ("Reposition Left Tibia with Intramedullary Internal Fixation Device", "intramedullary"),
        ("Reposition Left Tibia with Internal Fixation Device", "internal fixation"),
        ("Reposition Left Tibia with Hybrid External Fixation Device", "external fixation"),
        ("Fusion of Lumbar Vertebral Joint with Interbody Fusion Device", "interbody fusion"),
        ("L4-L5 fusion with cage", "interbody fusion"),
        ("rib cage", ""),
        ("nailing of the femur", "intramedullary"),
        ("Drainage of Toe Nail, External Approach", ""),
        ("nail bed repair", ""),
        ("Reposition Left Tibia", ""),
    ),
    "age": (
        ("Tonsil removal, patient aged 12 or older", "adult"),
        ("72 yo man with a hernia", "adult"),
        ("Tonsil and adenoid removal in a child younger than 12", "child"),
        ("tonsils out, 7 year old", "child"),
        ("knee replacement", ""),
    ),
    "cement": (
        ("Replacement of Right Knee Joint with Synthetic Substitute, Cemented", "cemented"),
        ("Replacement of Right Knee Joint with Synthetic Substitute, Uncemented", "uncemented"),
        ("press-fit right hip replacement", "uncemented"),
        ("hip replacement without cement", "uncemented"),
        ("hip replacement", ""),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "title", "expected"), [(name, *case) for name, cases in CASES.items() for case in cases]
)
def test_a_title_says_the_value(name: str, title: str, expected: str) -> None:
    """Upper case or lower, whole words only, the more telling value first."""
    assert value_of(name, title) == expected
    assert value_of(name, title.upper()) == expected


def test_every_attribute_and_value_has_a_title_here() -> None:
    """None is left untested."""
    assert tuple(CASES) == NAMES
    said = {(name, value) for name, cases in CASES.items() for _, value in cases if value}
    assert said == {(name, value) for name, values in ATTRIBUTES.items() for value in values}


@pytest.mark.parametrize(
    "title",
    [
        "Dilation of left main coronary artery",
        "Excision of Right Ventricle",
        "pacemaker leads in the right atrium and right ventricle",
        "Closure of the left atrial appendage",
        "Left heart catheterization",
        "left ventricular assist device",
    ],
)
def test_chambers_of_the_heart_and_the_left_main_artery_are_no_sides(title: str) -> None:
    """There is one of each."""
    assert value_of("laterality", title) == ""


def test_a_side_beside_a_chamber_counts() -> None:
    """The femoral vein has two, the ventricle one."""
    assert value_of("laterality", "right ventricular lead through the left femoral vein") == "left"


def test_a_title_can_be_read_without_a_value() -> None:
    """The words that say it are gone, once, and what is left says no such thing."""
    title = "Resection of Gallbladder, Open Approach"
    assert without("approach", "open", title) == "Resection of Gallbladder,  "


def _characters(*values: tuple[str, str]) -> tuple[Character, ...]:
    return tuple(Character(axis, "Z", label) for axis, label in values)


IMAGING = _characters(
    ("Section", "Imaging"),
    ("Body System", "Central Nervous System"),
    ("Root Type", "Computerized Tomography (CT Scan)"),
    ("Body Part", "Brain"),
    ("Contrast", "None"),
    ("Qualifier", "None"),
    ("Qualifier", "None"),
)
SURGERY = _characters(
    ("Section", "Medical and Surgical"),
    ("Body System", "Hepatobiliary System and Pancreas"),
    ("Operation", "Resection"),
    ("Body Part", "Gallbladder"),
    ("Approach", "Open"),
    ("Device", "No Device"),
    ("Qualifier", "No Qualifier"),
)


def test_imaging_of_icd10pcs_is_without_contrast_unless_said() -> None:
    """Its titles say contrast only where there is some."""
    plain = Document(CodeSystem.ICD10PCS, "B020ZZZ", "Computerized Tomography (CT Scan) of Brain", characters=IMAGING)
    assert attributes_of(plain) == {"contrast": "without contrast"}
    title = "Computerized Tomography (CT Scan) of Brain using Low Osmolar Contrast"
    enhanced = Document(CodeSystem.ICD10PCS, "B0201ZZ", title, characters=IMAGING)
    assert attributes_of(enhanced) == {"contrast": "with contrast"}


def test_imaging_without_an_axis_for_contrast_says_nothing_of_it() -> None:
    """The axis of a table decides, not the section alone."""
    other = (*IMAGING[:4], Character("Qualifier", "Z", "None"), *IMAGING[5:])
    document = Document(CodeSystem.ICD10PCS, "B020ZZZ", "Imaging of Brain", characters=other)
    assert attributes_of(document) == {}


def test_surgery_of_icd10pcs_takes_no_biopsy_unless_said() -> None:
    """“Diagnostic” says that it does."""
    title = "Resection of Gallbladder, Open Approach"
    plain = Document(CodeSystem.ICD10PCS, "0FT40ZZ", title, characters=SURGERY)
    assert attributes_of(plain) == {"approach": "open", "biopsy": "without biopsy"}
    biopsy = Document(CodeSystem.ICD10PCS, "0FB40ZX", "Excision of Gallbladder, Diagnostic", characters=SURGERY)
    assert attributes_of(biopsy) == {"biopsy": "with biopsy"}


@pytest.mark.parametrize(
    "document",
    [
        Document(CodeSystem.ICD10PCS, "0FT40ZZ", "Resection of Gallbladder, Open Approach"),  # a page's alone
        Document(CodeSystem.CPT, "47600", "Open gallbladder removal"),
        Document(CodeSystem.HCPCS, "B0000", "Open gallbladder removal"),
    ],
)
def test_only_what_is_said_is_meant_elsewhere(document: Document) -> None:
    """Other systems, and codes whose characters no table tells, leave unsaid what they leave unsaid."""
    assert attributes_of(document) == {"approach": "open"}
