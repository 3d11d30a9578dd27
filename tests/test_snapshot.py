"""Snapshots: whole or refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from index import snapshot
from index.build import Report
from index.snapshot import SnapshotError


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """A home of its own with the built snapshot."""
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def _second(copy: Path) -> Path:
    """Adds a later snapshot of the same content, makes it current, and returns its folder."""
    live = snapshot.current(copy)
    assert live is not None
    later = live.with_name(f"99991231T000000000000-{live.name[-8:]}")
    shutil.copytree(live, later)
    (copy / "current").unlink()
    (copy / "current").symlink_to(later.relative_to(copy))
    return later


def _files(folder: Path) -> list[str]:
    return sorted(json.loads((folder / "manifest.json").read_text())["files"])


def test_the_manifest_says_what_is_inside(built: Report) -> None:
    """Model, releases with versions and hashes, counts, and a checksum for every file."""
    manifest = snapshot.verify(built.folder)
    assert manifest.model["name"] == "procedure-MiniLM-L6"
    assert {(release.system, release.version) for release in manifest.releases} >= {
        ("icd10pcs", "2026"),
        ("hcpcs", "2026-01"),
        ("cpt", "bundled"),
    }
    assert manifest.counts["hcpcs"]["modifier"] == 1
    assert {"vectors.npy", "documents.jsonl", "passages.npz", "encoder/model.onnx"} <= set(manifest.files)


def test_a_damaged_file_is_found_whichever_it_is(copy: Path) -> None:
    """One flipped byte in any file and the snapshot is refused by that file's name."""
    live = snapshot.current(copy)
    assert live is not None
    for name in _files(live):
        path = live / name
        content = path.read_bytes()
        if not content:
            continue
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(SnapshotError, match=f"{name} is damaged"):
            snapshot.verify(live)
        path.write_bytes(content)
    snapshot.verify(live)


def test_a_missing_file_is_named(copy: Path) -> None:
    """The message says which."""
    live = snapshot.current(copy)
    assert live is not None
    (live / "vectors.npy").unlink()
    with pytest.raises(SnapshotError, match=r"vectors\.npy is missing"):
        snapshot.open_snapshot(live)


def test_another_version_is_refused(copy: Path) -> None:
    """A snapshot of an older format says what to do."""
    live = snapshot.current(copy)
    assert live is not None
    manifest = json.loads((live / "manifest.json").read_text())
    (live / "manifest.json").write_text(json.dumps({**manifest, "format": 0}))
    with pytest.raises(SnapshotError, match=r"got format 0.*rebuild"):
        snapshot.verify(live)


def test_the_best_of_what_is_left_is_opened(copy: Path) -> None:
    """With the current one damaged the one before it is opened, and the reason is told."""
    live = snapshot.current(copy)
    later = _second(copy)
    (later / "keys.npy").write_bytes(b"")
    opened, refused = snapshot.open_best(copy)
    assert live is not None
    assert opened.manifest.id == live.name
    assert len(refused) == 1
    assert "keys.npy is damaged" in refused[0]


def test_nothing_to_open_says_how_to_build(tmp_path: Path) -> None:
    """An empty home is no crash."""
    with pytest.raises(SnapshotError, match=r"no index in .*rebuild_index"):
        snapshot.open_best(tmp_path)


def test_rolling_back_goes_to_the_one_before(copy: Path) -> None:
    """The older snapshot is current afterwards; a second roll-back has nowhere to go."""
    live = snapshot.current(copy)
    _second(copy)
    assert snapshot.rollback(copy) == live
    assert snapshot.current(copy) == live
    with pytest.raises(SnapshotError, match="no older snapshot"):
        snapshot.rollback(copy)


def test_one_build_at_a_time(tmp_path: Path) -> None:
    """A second writer is told at once that there is another."""
    refused = pytest.raises(SnapshotError, match="another build is running")
    with snapshot.locked(tmp_path), refused, snapshot.locked(tmp_path):
        pass


def test_old_snapshots_go_when_a_new_one_is_published(copy: Path, built: Report) -> None:
    """Three stay: the newest and two to go back to."""
    for number in range(4):
        with snapshot.locked(copy):
            staging = snapshot.stage(copy)
            shutil.copytree(built.folder, staging, dirs_exist_ok=True)
            manifest = snapshot.verify(staging)
            published = snapshot.publish(copy, staging, replace(manifest, id=f"9999-{number}"))
    assert [folder.name for folder in snapshot.published(copy)] == ["9999-3", "9999-2", "9999-1"]
    assert snapshot.current(copy) == published
