#!/usr/bin/env python3
"""Downloads the current CMS releases into a folder, as scripts/rebuild_index.py takes them.

What was broken off goes on where it was; what is there already, whole, is not fetched again. The hash of each
file is recorded in the folder's SHA256SUMS.
"""

from __future__ import annotations

import environment

environment.enter()

import argparse  # noqa: E402
import hashlib  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import zipfile  # noqa: E402
from datetime import date  # noqa: E402
from pathlib import Path  # noqa: E402
from urllib.error import HTTPError, URLError  # noqa: E402
from urllib.request import Request, urlopen  # noqa: E402

from tqdm import tqdm  # noqa: E402

CMS = "https://www.cms.gov/files/zip/"

ATTEMPTS = 4
PAUSE = 0.5  # seconds before the second attempt, doubled before each further one
TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16

_QUARTERS = ("january", "april", "july", "october")


def releases(on: date) -> dict[str, str]:
    """Returns the zips of the releases in force on a day, each with the names of the members that are laid out.

    A zip without such names is read as it is. ICD-10-PCS has fiscal years that begin in October.

    >>> list(releases(date(2026, 2, 1)))[2]
    'january-2026-alpha-numeric-hcpcs-file.zip'
    """
    fiscal_year = on.year + (on.month >= 10)
    return {
        f"{fiscal_year}-icd-10-pcs-order-file-long-and-abbreviated-titles.zip": "",
        f"{fiscal_year}-icd-10-pcs-code-tables-and-index.zip": r"icd10pcs_(tables|index|definitions)_[0-9]{4}\.xml",
        f"{_QUARTERS[(on.month - 1) // 3]}-{on.year}-alpha-numeric-hcpcs-file.zip": r"(HCPC|proc_notes).*\.txt",
    }


def main() -> int:
    """Returns 0 when everything is there, 2 when something could not be fetched."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the releases go")
    parser.add_argument(
        "--on", type=date.fromisoformat, default=date.today(), help="the day that they are in force on (%(default)s)"
    )
    parser.add_argument("--base", default=CMS, help="address of the folder on the server (%(default)s)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, members in releases(options.on).items():
            path = options.folder / name
            fetch(options.base + name, path)
            unpack(path, members)
    except (OSError, zipfile.BadZipFile) as error:
        print(f"fetch_releases: {error}", file=sys.stderr)
        return 2
    record(options.folder)
    print(f"Now: scripts/rebuild_index.py {options.folder}")
    return 0


def fetch(url: str, path: Path) -> None:
    """Downloads to `path`, going on with a part that is there; a whole file is left as it is.

    Raises:
        OSError: the server can't be reached, or does not give the file after `ATTEMPTS`.
    """
    if path.exists():
        print(f"{path.name}: is there")
        return
    part = path.with_name(f"{path.name}.part")
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            _go_on(url, part)
        except HTTPError as error:
            if error.code < 500:
                raise OSError(
                    f"{url}: the server answers {error.code} {error.reason}: has the release moved?"
                ) from error
            reason = f"the server answers {error.code} {error.reason}"
        except URLError as error:
            reason = f"no connection ({error.reason}): is there a network?"
        except (OSError, EOFError) as error:
            reason = str(error)
        else:
            part.replace(path)
            return
        print(f"{path.name}: attempt {attempt + 1} of {ATTEMPTS}: {reason}", file=sys.stderr)
    raise OSError(f"{url}: not fetched after {ATTEMPTS} attempts; the last: {reason}")


def _go_on(url: str, part: Path) -> None:
    held = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={held}-"} if held else {})
    with urlopen(request, timeout=TIMEOUT) as answer:
        if held and answer.status != 206:
            held = 0  # the server gives the whole file
        length = answer.headers.get("Content-Length")
        total = held + int(length) if length else None
        with (
            part.open("ab" if held else "wb") as file,
            tqdm(desc=part.stem, initial=held, total=total, unit="B", unit_scale=True, file=sys.stderr) as bar,
        ):
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            if total is not None and file.tell() < total:
                raise EOFError(f"the connection ended after {file.tell():,} of {total:,} bytes")


def unpack(path: Path, names: str) -> None:
    """Lays the members with such names (a regular expression) out beside the zip, without the zip's folders."""
    if not names:
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = Path(member.filename).name
            if re.fullmatch(names, name, re.IGNORECASE):
                (path.parent / name).write_bytes(archive.read(member))


def record(folder: Path) -> None:
    """Writes the SHA-256 of every file, in the form that sha256sum --check reads."""
    rows = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != "SHA256SUMS" and path.suffix != ".part":
            with path.open("rb") as file:
                rows.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (folder / "SHA256SUMS").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
