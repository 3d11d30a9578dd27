"""What the README names exists, and nothing that exists is missing from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from search.app import create_app
from search.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_route_is_named_and_every_named_route_exists() -> None:
    """By method and path."""
    spec = create_app(Settings()).openapi()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in spec.items() for method in methods}
    named = {f"{method} {path.split('?')[0]}" for method, path in re.findall(r"`(GET|POST) (/[^`]*)`", README)}
    assert served <= named
    pages = {"GET /", "GET /codes/{system}/{code}", "GET /compare", "GET /list", "GET /status"}
    assert named - served == {"GET /openapi.json", *pages}


def test_every_setting_is_named_with_its_default() -> None:
    """As a row of the table of settings."""
    named = dict(re.findall(rf"\| `{PREFIX}([A-Z_]+)` \|[^|]*\| `([^`]*)` \|", README))
    default = Settings()
    assert named == {
        "HOME": default.home.name,
        "HOST": default.host,
        "PORT": str(default.port),
        "PROCESSES": str(default.processes),
        "RELOAD_SECONDS": f"{default.reload_seconds:g}",
    }


def test_every_script_that_is_named_exists_and_explains_itself() -> None:
    """Each answers --help; but for the one that runs the tests."""
    named = set(re.findall(r"scripts/([a-z_]+(?:\.py)?)(?![\w/])", README))
    for name in named - {"test", "train_ranking.py"}:  # that one would install what it trains with
        command = [sys.executable, str(ROOT / "scripts" / name), "--help"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"})
        assert done.returncode == 0, done.stderr
        assert "usage" in done.stdout
    scripts = (path for path in (ROOT / "scripts").iterdir() if path.is_file())
    shipped = {path.name for path in scripts if os.access(path, os.X_OK)}
    assert shipped == named


def test_options_of_the_rebuild_are_named() -> None:
    """Each option of the script is a row of the table, and no other."""
    command = [sys.executable, str(ROOT / "scripts" / "rebuild_index.py"), "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    section = README.split("## Rebuild the index")[1].split("## ")[0]
    assert set(re.findall(r"--[a-z]+", told)) - {"--help"} == set(re.findall(r"\| `(--[a-z]+)", section))


def test_the_top_level_is_as_promised() -> None:
    """pyproject.toml, search, index, scripts, tests, README.md, LICENSE, CHANGELOG.md and dotfiles; nothing else."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {name.split("/")[0] for name in tracked.splitlines()}
    assert {name for name in top if not name.startswith(".")} == {
        "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "index", "search", "scripts", "tests",
    }  # fmt: skip
