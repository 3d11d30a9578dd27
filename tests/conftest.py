"""Small samples in the real release formats, and snapshots built from them with the real model."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from index.build import Report, build
from search.app import create_app
from search.settings import Settings

# code, flag, short title, long title: a few rows of an order file, headers among them.
ORDER_ROWS = (
    ("0FT", "0", "Hepatobiliary System and Pancreas, Resection", "Hepatobiliary System and Pancreas, Resection"),
    ("0FT40ZZ", "1", "Resection of Gallbladder, Open Approach", "Resection of Gallbladder, Open Approach"),
    (
        "0FT44ZZ",
        "1",
        "Resection of Gallbladder, Percutaneous Endoscopic Approach",
        "Resection of Gallbladder, Percutaneous Endoscopic Approach",
    ),
    ("0QU", "0", "Lower Bones, Supplement", "Lower Bones, Supplement"),
    (
        "0QU10JZ",
        "1",
        "Supplement Sacrum with Synthetic Substitute, Open Approach",
        "Supplement Sacrum with Synthetic Substitute, Open Approach",
    ),
    (
        "0QU13JZ",
        "1",
        "Supplement Sacrum with Synthetic Substitute, Perc Approach",
        "Supplement Sacrum with Synthetic Substitute, Percutaneous Approach",
    ),
)


def order_file(rows: tuple[tuple[str, str, str, str], ...] = ORDER_ROWS) -> str:
    """Returns the rows as CMS's order file has them: fixed columns, CRLF."""
    return "".join(
        f"{number:05} {code:7} {flag} {short:60} {long}\r\n"
        for number, (code, flag, short, long) in enumerate(rows, start=1)
    )


def _axis(position: int, title: str, *labels: tuple[str, str], definition: str = "") -> str:
    told = f"<definition>{definition}</definition>" if definition else ""
    values = "".join(f'<label code="{code}">{label}</label>' for code, label in labels)
    return f'<axis pos="{position}" values="{len(labels)}"><title>{title}</title>{values}{told}</axis>'


TABLES = f"""<?xml version="1.0" encoding="utf-8"?>
<ICD10PCS.tabular>
  <version>2026</version>
  <title>2026 ICD-10-PCS Tables</title>
  <pcsTable>
    {_axis(1, "Section", ("0", "Medical and Surgical"))}
    {_axis(2, "Body System", ("F", "Hepatobiliary System and Pancreas"))}
    {_axis(3, "Operation", ("T", "Resection"), definition="Cutting out all of a body part")}
    <pcsRow codes="2">
      {_axis(4, "Body Part", ("4", "Gallbladder"))}
      {_axis(5, "Approach", ("0", "Open"), ("4", "Percutaneous Endoscopic"))}
      {_axis(6, "Device", ("Z", "No Device"))}
      {_axis(7, "Qualifier", ("Z", "No Qualifier"))}
    </pcsRow>
  </pcsTable>
  <pcsTable>
    {_axis(1, "Section", ("0", "Medical and Surgical"))}
    {_axis(2, "Body System", ("Q", "Lower Bones"))}
    {_axis(3, "Operation", ("U", "Supplement"), definition="Putting in material that reinforces a body part")}
    <pcsRow codes="2">
      {_axis(4, "Body Part", ("1", "Sacrum"))}
      {_axis(5, "Approach", ("0", "Open"), ("3", "Percutaneous"))}
      {_axis(6, "Device", ("J", "Synthetic Substitute"))}
      {_axis(7, "Qualifier", ("Z", "No Qualifier"))}
    </pcsRow>
  </pcsTable>
</ICD10PCS.tabular>
"""

DEFINITIONS = """<?xml version="1.0" encoding="utf-8"?>
<ICD10PCS.definitions>
  <version>2026</version>
  <title>2026 ICD-10-PCS Definitions</title>
  <section code="0">
    <title>Medical and Surgical</title>
    <axis pos="3">
      <title>Operation</title>
      <terms>
        <title>Resection</title>
        <definition>Cutting out or off, without replacement, all of a body part</definition>
        <includes>Total nephrectomy, total lobectomy of lung</includes>
      </terms>
    </axis>
    <axis pos="4">
      <title>Body Part</title>
      <terms><title>Sacrum</title><includes>Sacral ala</includes></terms>
    </axis>
    <axis pos="5">
      <title>Approach</title>
      <terms><title>Percutaneous</title><definition>Entry, by puncture, of instrumentation</definition></terms>
    </axis>
    <axis pos="6">
      <title>Device</title>
      <terms>
        <title>Synthetic Substitute in Lower Bones</title>
        <includes>Bone cement(tm)</includes>
      </terms>
    </axis>
  </section>
</ICD10PCS.definitions>
"""

INDEX = """<?xml version="1.0" encoding="utf-8"?>
<ICD10PCS.index>
  <version>2025</version>
  <title>2025 ICD-10-PCS Index</title>
  <letter>
    <title>C</title>
    <mainTerm>
      <title>Cholecystectomy</title>
      <see>Excision, Gallbladder<codes>0FB4</codes></see>
      <see>Resection, Gallbladder<codes>0FT4</codes></see>
    </mainTerm>
    <mainTerm>
      <title>Gallbladder removal</title>
      <see>Cholecystectomy</see>
    </mainTerm>
    <mainTerm>
      <title>Os sacrum</title>
      <use>Sacrum</use>
    </mainTerm>
    <mainTerm>
      <title>Reinforcement</title>
      <term level="1"><title>Bone</title><see>Supplement, Lower Bones<tab>0QU</tab></see></term>
      <term level="1"><title>Nowhere</title><see>Levitation</see></term>
    </mainTerm>
  </letter>
</ICD10PCS.index>
"""

HCPCS_CSV = """HCPCS_CODE,SHORT_DESCRIPTION,LONG_DESCRIPTION
E0601,Cont airway pressure device,Continuous positive airway pressure (cpap) device
G0105,Colorectal scrn; hi risk ind,Colorectal cancer screening; colonoscopy on individual at high risk
LT,Left side,Left side (used to identify procedures performed on the left side of the body)
"""


def fixed_width(code: str, record: str, long: str, **columns: str) -> str:
    """Returns one line of the fixed-width HCPCS release; `columns` as c<first column, from 1>=value."""
    line = list(f"{code:>5}00100{record}{long:80}".ljust(320))
    for name, value in columns.items():
        start = int(name[1:]) - 1
        line[start : start + len(value)] = value
    return "".join(line) + "\r\n"


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small releases: ICD-10-PCS with all its files, and HCPCS."""
    folder = tmp_path_factory.mktemp("releases")
    with zipfile.ZipFile(folder / "2026-icd-10-pcs-order-file.zip", "w") as archive:
        archive.writestr("icd10pcs_order_2026.txt", order_file())
        archive.writestr("order_addenda_2026.txt", "Add:         0FT44ZZ")
    (folder / "icd10pcs_tables_2026.xml").write_text(TABLES, encoding="utf-8")
    (folder / "icd10pcs_definitions_2026.xml").write_text(DEFINITIONS, encoding="utf-8")
    (folder / "icd10pcs_index_2025.xml").write_text(INDEX, encoding="utf-8")
    (folder / "HCPC2026_JAN_codes.csv").write_text(HCPCS_CSV, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, releases: Path) -> Report:
    """The report of a build of the bundled corpus and the small releases."""
    return build([releases], tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def home(built: Report) -> Path:
    """A home whose current snapshot is `built`; tests that change it take a copy."""
    return built.folder.parent.parent


@pytest.fixture(scope="session")
def client(home: Path) -> Iterator[TestClient]:
    """A client of the service over `home`."""
    with TestClient(create_app(Settings(home=home)), raise_server_exceptions=False) as started:
        yield started
