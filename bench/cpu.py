"""Processor time of PostgreSQL and of process groups, from /proc. Zero where there is no /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _stats() -> list[tuple[int, list[str]]]:
    """Return (process id, the fields of its stat file after its name) of every process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found.append((int(entry.name), (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()))
        except OSError:
            continue  # it ended meanwhile
    return found


def of_server(postmaster: int | None) -> float:
    """Return the seconds that a PostgreSQL server has used, its ended backends included."""
    seconds = 0
    for pid, fields in _stats():
        if pid == postmaster:
            seconds += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            seconds += sum(map(int, fields[11:13]))
    return seconds / _TICKS


def of_group(leader: int) -> float:
    """Return the seconds that the living processes of a group have used."""
    return sum(sum(map(int, fields[11:13])) for _, fields in _stats() if int(fields[2]) == leader) / _TICKS
