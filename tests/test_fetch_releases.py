"""Fetching releases, from a server on this machine with the official paths."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "fetch_releases.py"


def _zip(**members: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"folder/{name.replace('__', '.')}", text)
    return content.getvalue()


FILES = {
    "2026-icd-10-pcs-order-file-long-and-abbreviated-titles.zip": _zip(icd10pcs_order_2026__txt="00001"),
    "2026-icd-10-pcs-code-tables-and-index.zip": _zip(
        icd10pcs_tables_2026__xml="<tables/>", icd10pcs_index_2026__xml="<index/>", readme__pdf="x"
    ),
    "january-2026-alpha-numeric-hcpcs-file.zip": _zip(
        HCPC2026_JAN_ANWEB__txt="A" * 100_000, proc_notes_JAN2026__txt="notes", HCPC2026_JAN_ANWEB__xlsx="x"
    ),
}


class CmsServer(BaseHTTPRequestHandler):
    """Serves `FILES` with byte ranges; `failures` answers are cut off in the middle before one is whole."""

    failures = 0
    asked: list[tuple[str, str]] = []  # noqa: RUF012 (one server a test)

    def do_GET(self) -> None:
        name = self.path.removeprefix("/files/zip/")
        first = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        CmsServer.asked.append((name, self.headers.get("Range") or ""))
        if name not in FILES:
            self.send_error(404)
            return
        content = FILES[name][first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if CmsServer.failures:
            CmsServer.failures -= 1
            content = content[: len(content) // 2]
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def base() -> Iterator[str]:
    """The address of the running server."""
    CmsServer.failures, CmsServer.asked = 0, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), CmsServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/files/zip/"
    server.shutdown()
    server.server_close()


def _fetch(folder: Path, base: str, on: str = "2026-03-31") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(folder), "--base", base, "--on", on]
    return subprocess.run(command, capture_output=True, text=True)


def test_releases_are_laid_out_for_the_rebuild(base: str, tmp_path: Path) -> None:
    """The zips of that day, what a rebuild reads out of them, and the hash of each file."""
    done = _fetch(tmp_path, base)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        *FILES,
        "icd10pcs_tables_2026.xml",
        "icd10pcs_index_2026.xml",
        "HCPC2026_JAN_ANWEB.txt",
        "proc_notes_JAN2026.txt",
        "SHA256SUMS",
    }
    digest = hashlib.sha256(b"<tables/>").hexdigest()
    assert f"{digest}  icd10pcs_tables_2026.xml" in (tmp_path / "SHA256SUMS").read_text().splitlines()


def test_a_broken_download_goes_on_where_it_was(base: str, tmp_path: Path) -> None:
    """The second attempt asks for the bytes that are missing, and the file is whole."""
    CmsServer.failures = 1
    done = _fetch(tmp_path, base)
    name = next(iter(FILES))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name).read_bytes() == FILES[name]
    assert CmsServer.asked[:2] == [(name, ""), (name, f"bytes={len(FILES[name]) // 2}-")]
    assert "attempt 1 of 4: the connection ended after" in done.stderr


def test_what_is_there_is_not_fetched_again(base: str, tmp_path: Path) -> None:
    """A second run asks the server for nothing."""
    _fetch(tmp_path, base)
    asked = len(CmsServer.asked)
    assert _fetch(tmp_path, base).returncode == 0
    assert len(CmsServer.asked) == asked


def test_a_release_that_moved_is_told(base: str, tmp_path: Path) -> None:
    """A 404 is not tried again, and names the address."""
    done = _fetch(tmp_path, base, on="2030-01-01")
    assert done.returncode == 2
    assert "2030-icd-10-pcs-order-file" in done.stderr
    assert "404" in done.stderr
    assert len(CmsServer.asked) == 1


def test_no_network_is_told(tmp_path: Path) -> None:
    """Nothing listens there: the message asks for the network."""
    done = _fetch(tmp_path, "http://127.0.0.1:1/")
    assert done.returncode == 2
    assert "no connection" in done.stderr
    assert "is there a network?" in done.stderr
