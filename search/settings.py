"""Settings of the service, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "PROCEDURE_SEARCH_"
DEFAULT_HOME = Path(__file__).resolve().parent.parent / ".home"


class SettingsError(ValueError):
    """A setting with a value that can't be used; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`home`: where snapshots live. `reload_seconds`: how often a running service looks for a new one.

    `processes`: how many serve, each with its share of the cores.
    """

    home: Path = DEFAULT_HOME
    host: str = "127.0.0.1"
    port: int = 8000
    reload_seconds: float = 1.0
    processes: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Returns the settings, defaults where a variable is not set.

        Raises:
            SettingsError: a variable holds what can't be used, or is not one of ours.
        """
        given = {name.removeprefix(PREFIX): value for name, value in environment.items() if name.startswith(PREFIX)}
        default = cls()
        settings = cls(
            home=Path(given.pop("HOME", default.home)).expanduser().resolve(),
            host=given.pop("HOST", default.host),
            port=int(_number("PORT", given.pop("PORT", default.port), 0, 65535)),
            reload_seconds=_number("RELOAD_SECONDS", given.pop("RELOAD_SECONDS", default.reload_seconds), 0.05, 3600),
            processes=int(_number("PROCESSES", given.pop("PROCESSES", default.processes), 1, 64)),
        )
        given.pop("RELEASES", None)  # read by the tests: the folder of the real releases
        if given:
            known = "HOME, HOST, PORT, PROCESSES, RELOAD_SECONDS"
            raise SettingsError(f"{PREFIX}{min(given)} is no setting: expected one of {known}")
        return settings


def _number(name: str, value: str | float, least: float, most: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise SettingsError(f"{PREFIX}{name}: got {value!r}, expected a number from {least:g} to {most:g}")
    return number
