"""The embedded server's configuration. Durability stays as PostgreSQL sets it: safe."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT = 5432
_MEBIBYTE = 1 << 20
_HEADING = "# Written by Tokenhouse at each start. Put your own settings in postgresql.conf.\n"


def configuration(pg_config: Path, socket_folder: str, port: int, settings: Mapping[str, str]) -> str:
    """Return the text of ``tokenhouse.conf``; ``settings`` wins over ours.

    ``pg_config`` tells what the server was built with. A port other than 5432 is listened to by TCP as well.
    """
    shared = max(128, min(2048, memory_bytes() // 4 // _MEBIBYTE))
    values = {
        "listen_addresses": "" if port == DEFAULT_PORT else "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": f'"{socket_folder}"',
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "max_connections": "100",
        "shared_buffers": f"{shared}MB",
        # Recovery replays at most this much: seconds, where four times as much takes a quarter of a minute.
        "max_wal_size": "3GB",
        "min_wal_size": "512MB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "wal_compression": "lz4" if _has_lz4(pg_config) else "off",  # pglz costs more than it saves
        "jit": "off",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "16",
        "autovacuum_naptime": "30s",
        "autovacuum_vacuum_scale_factor": "0.1",
        "autovacuum_analyze_scale_factor": "0.05",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Statements and the values in an error's details may hold personal data: they stay out of the log.
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] %u@%d ",
    } | dict(settings)
    return _HEADING + "".join(f"{name} = '{_escaped(value)}'\n" for name, value in values.items())


def memory_bytes() -> int:
    """Return the memory of the machine or of our container, whichever is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text("ascii")))
        except (OSError, ValueError):
            continue
    return total


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens to at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _has_lz4(pg_config: Path) -> bool:
    done = subprocess.run([pg_config, "--configure"], capture_output=True, timeout=10, check=False)
    return b"--with-lz4" in done.stdout


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
