"""The build from files to a published snapshot, and what happens when it is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from index import snapshot
from index.build import Report, build
from index.sources import SourceError

ROOT = Path(__file__).parent.parent

# Builds, and kills itself with SIGKILL when a stage begins, or in the middle of encoding.
KILLED = """
import os, signal, sys
from pathlib import Path
from index.build import build

def observe(stage, done, total):
    if stage == sys.argv[3] and (done > 0 or stage != "encode"):
        os.kill(os.getpid(), signal.SIGKILL)

build([Path(sys.argv[1])], Path(sys.argv[2]), observe=observe)
"""

PAGE = """---
system: cpt
code: "99999"
title: {title}
---

## Summary
{title}, told in one sentence.
"""


def test_counts_are_exact(built: Report) -> None:
    """The small releases hold four codes and five headers of ICD-10-PCS, two HCPCS codes and a modifier."""
    counts = built.manifest.counts
    assert counts["icd10pcs"]["header"] == 5  # 0FT and 0QU, and above them 0, 0F, 0Q; pages bring none
    bundled = {path.stem for path in (ROOT / "index" / "corpus").glob("*.md")}
    assert counts["icd10pcs"]["procedure"] == len(
        {name for name in bundled if name.startswith("icd10pcs")}
        | {f"icd10pcs-{code}" for code in ("0FT40ZZ", "0FT44ZZ", "0QU10JZ", "0QU13JZ")}
    )
    assert counts["hcpcs"]["modifier"] == 1
    assert counts["cpt"]["procedure"] == len({name for name in bundled if name.startswith("cpt")})


def test_a_build_of_the_same_inputs_changes_nothing(home: Path, releases: Path, tmp_path: Path) -> None:
    """The current snapshot stays; with one file more there is a new one, and only its texts are embedded."""
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    before = snapshot.current(tmp_path / "home")
    again = build([releases], tmp_path / "home")
    assert (again.folder, again.readings) == (before, ())
    page = tmp_path / "99999.md"
    page.write_text(PAGE.format(title="A new procedure"))
    more = build([releases, page], tmp_path / "home")
    assert more.folder != before
    assert more.embedded == 2  # its title and its summary


@pytest.mark.parametrize("stage", ["read", "encode", "write", "verify", "publish"])
def test_a_killed_build_leaves_the_old_snapshot_serving(home: Path, tmp_path: Path, stage: str) -> None:
    """Killed when a stage begins, or while it encodes: the old one is current and whole, and the next build is fine."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy, symlinks=True)
    page = tmp_path / "99999.md"
    page.write_text(PAGE.format(title=f"Procedure {stage}"))
    before = snapshot.current(copy)
    killed = subprocess.run([sys.executable, "-c", KILLED, page, copy, stage], cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert snapshot.current(copy) == before
    snapshot.open_best(copy)
    report = build([page], copy)
    assert snapshot.current(copy) == report.folder
    assert not (copy / "staging").exists()


def test_strict_stops_at_a_bad_row_and_changes_nothing(home: Path, tmp_path: Path) -> None:
    """The message names file and line; the current snapshot is the one before."""
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    before = snapshot.current(tmp_path / "home")
    bad = tmp_path / "icd10pcs_order_2026.txt"
    bad.write_text(f"00001 0FT4OZZ 1 {'x':60} Letter O in the code\n")
    with pytest.raises(SourceError, match=r"icd10pcs_order_2026.txt:1: got code '0FT4OZZ'"):
        build([bad], tmp_path / "home", strict=True)
    assert snapshot.current(tmp_path / "home") == before


def test_the_command_says_what_it_did(home: Path, tmp_path: Path) -> None:
    """rebuild_index.py names what it read, skipped and wrote, lists snapshots and rolls back."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy, symlinks=True)
    page = tmp_path / "99999.md"
    page.write_text(PAGE.format(title="A new procedure"))

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, ROOT / "scripts" / "rebuild_index.py", "--home", copy, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"})

    done = run(page)
    assert done.returncode == 0, done.stderr
    assert "read: 99999.md: cpt page, 1 entries" in done.stdout
    assert "embedded anew" in done.stdout
    assert "peak memory" in done.stdout
    assert run("--list").stdout.count("\n") == 2
    rolled = run("--rollback")
    assert "current is now" in rolled.stdout
    wrong = run(tmp_path / "nothing.txt")
    assert (wrong.returncode, "nothing.txt: does not exist" in wrong.stderr) == (2, True)
