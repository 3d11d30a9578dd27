"""scripts/serve as a user starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from search.settings import PREFIX

SERVE = Path(__file__).parent.parent / "scripts" / "serve"


def test_serve_builds_the_first_index_says_where_to_click_and_logs_no_query(tmp_path: Path) -> None:
    """From an empty home to an answer at the address it prints; the log does not hold what was asked."""
    log = tmp_path / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [sys.executable, SERVE, "--home", tmp_path / "home", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
        assert server.stdout is not None
        address = next(found[1] for line in server.stdout if (found := re.search(r"Search: (http://\S+/)", line)))
        with urllib.request.urlopen(f"{address}api/search?q=secretword+knee") as answer:
            assert json.load(answer)["hits"]
        server.send_signal(signal.SIGINT)
        printed = server.stdout.read()
        assert server.wait(20) in (0, -signal.SIGINT)
        server.stdout.close()
    assert "secretword" not in printed + log.read_text()


def test_several_processes_serve_one_address_and_one_that_dies_is_replaced(home: Path) -> None:
    """Two processes answer at the address that is told; after one is killed, answers go on and it comes back."""
    command = [sys.executable, str(SERVE), "--home", str(home), "--port", "0", "--processes", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        address = next(found[1] for line in server.stdout if (found := re.search(r"Search: (http://\S+/)", line)))
        members = _children(server.pid)
        assert len(members) == 2
        os.kill(int(members[0]), signal.SIGKILL)
        end = time.monotonic() + 60
        while (now := _children(server.pid)) == members or len(now) < 2:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert members[1] in now
        with urllib.request.urlopen(f"{address}readyz") as answer:
            assert json.load(answer)["status"] == "ready"
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert not _children(server.pid)


def _children(process: int) -> list[str]:
    """Returns the ids of the processes that one has started; none of one that has ended."""
    path = Path(f"/proc/{process}/task/{process}/children")
    return path.read_text().split() if path.exists() else []


def test_a_bad_setting_stops_the_start() -> None:
    """The variable is named."""
    environment = {**os.environ, f"{PREFIX}PORT": "many"}
    done = subprocess.run([sys.executable, SERVE], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{PREFIX}PORT: got 'many', expected a number from 0 to 65535" in done.stderr
