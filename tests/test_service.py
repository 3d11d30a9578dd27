"""The running service follows what is published, and goes on with what is good."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from index.build import build
from search.app import create_app
from search.settings import PREFIX, Settings, SettingsError


def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """A home of its own with the built snapshot."""
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def _client(home: Path) -> TestClient:
    return TestClient(create_app(Settings(home=home, reload_seconds=0.05)), raise_server_exceptions=False)


def test_a_new_snapshot_is_taken_up_while_requests_go_on(copy: Path, tmp_path: Path) -> None:
    """No request fails, and the new code is found without a restart."""
    page = tmp_path / "99999.md"
    page.write_text('---\nsystem: cpt\ncode: "99999"\ntitle: Moonbeam therapy\n---\n\n## Summary\nMoonbeams.\n')
    with _client(copy) as client:
        before = client.get("/api/status").json()["snapshot"]
        build([page], copy)

        def taken_up() -> bool:
            answer = client.get("/api/search", params={"q": "moonbeam therapy"})
            assert answer.status_code == 200
            return bool(answer.json()["hits"][0]["code"] == "99999")

        _until(taken_up)
        assert client.get("/api/status").json()["snapshot"] != before


def test_a_damaged_snapshot_is_refused_and_the_old_one_serves(copy: Path) -> None:
    """The status says why; queries are answered all the time."""
    with _client(copy) as client:
        before = client.get("/api/status").json()["snapshot"]
        later = copy / "snapshots" / f"9999{before[4:]}"
        shutil.copytree(copy / "snapshots" / before, later)
        vectors = later / "vectors.npy"
        vectors.write_bytes(vectors.read_bytes()[:-1] + b"\x00")
        (copy / "current").unlink()
        (copy / "current").symlink_to(later.relative_to(copy))
        _until(lambda: bool(client.get("/api/status").json()["refused"]))
        status = client.get("/api/status").json()
        assert status["snapshot"] == before
        assert "vectors.npy is damaged" in status["refused"][0]
        assert client.get("/api/search", params={"q": "knee"}).json()["hits"]


def test_a_service_started_on_a_damaged_snapshot_serves_the_one_before(copy: Path) -> None:
    """It starts, serves the older one, and says why it refused the other."""
    good = (copy / "current").readlink().name
    later = copy / "snapshots" / f"9999{good[4:]}"
    shutil.copytree(copy / "snapshots" / good, later)
    (later / "manifest.json").write_text("{")
    (copy / "current").unlink()
    (copy / "current").symlink_to(later.relative_to(copy))
    with _client(copy) as client:
        status = client.get("/api/status").json()
        assert status["snapshot"] == good
        assert "manifest.json can't be read" in status["refused"][0]


def test_a_service_without_an_index_is_alive_and_not_ready(tmp_path: Path) -> None:
    """It says how to build one, and is ready as soon as there is one."""
    with _client(tmp_path) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "rebuild_index" in answer.json()["message"]
        assert client.get("/api/search", params={"q": "knee"}).status_code == 503


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    """Every setting can be given; what is not given keeps its default."""
    given = {f"{PREFIX}HOME": str(tmp_path), f"{PREFIX}PORT": "9000", f"{PREFIX}RELOAD_SECONDS": "0.5", "PATH": "x"}
    assert Settings.from_environment(given) == Settings(home=tmp_path, port=9000, reload_seconds=0.5)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "ninety"), ("PORT", "70000"), ("RELOAD_SECONDS", "nan"), ("PROT", "8000")]
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    """A bad value, or a name that is none, stops the start."""
    with pytest.raises(SettingsError, match=f"{PREFIX}{name}"):
        Settings.from_environment({PREFIX + name: value})
