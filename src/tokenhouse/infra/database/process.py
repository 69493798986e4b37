"""Operating system details of running PostgreSQL: not as root, found by its folder, guarded by file locks."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_USER = "tokenhouse-postgres"


class StartError(RuntimeError):
    """The database cannot be started or served; the message says what to do."""


class Lock:
    """An advisory lock on a file, freed by the system when the process dies."""

    def __init__(self, path: Path) -> None:
        """Open the file; nothing is locked yet."""
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pid = os.getpid()

    def exclusive(self, wait_seconds: float = 0.0) -> bool:
        """Take it alone within ``wait_seconds``; return whether that worked."""
        return self._take(fcntl.LOCK_EX, wait_seconds)

    def shared(self, wait_seconds: float = 0.0) -> bool:
        """Take it beside other sharers within ``wait_seconds``; return whether that worked."""
        return self._take(fcntl.LOCK_SH, wait_seconds)

    def close(self) -> None:
        """Free the lock. In a forked child only the child's copy goes: the parent keeps the lock."""
        if self._descriptor is not None:
            if os.getpid() == self._pid:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self, kind: int, wait_seconds: float) -> bool:
        if self._descriptor is None:
            return False
        end = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= end:
                    return False
                time.sleep(0.02)
            else:
                return True


class Runner:
    """Runs PostgreSQL's programs as a user it accepts: it refuses root.

    As root, the programs run in a user namespace that maps root to an ordinary id: every file stays root's
    and nothing needs another owner or mode. Where namespaces are forbidden (many containers), they run as a
    system user who owns the server's folder.
    """

    def __init__(self, data_dir: Path, programs: Path) -> None:
        """Find out how to run the programs of folder ``programs`` on ``data_dir``. Raises StartError."""
        self._prefix: list[str] = []
        self.account: pwd.struct_passwd | None = None
        if os.geteuid() != 0:
            return
        namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
        probe = [*namespace, "sh", "-c", 'test -w "$1" && "$2" --version', "sh"]
        if shutil.which("unshare") and _succeeds([*probe, str(data_dir), str(programs / "postgres")]):
            self._prefix = namespace
            return
        self.account = _system_user()
        _let_in(data_dir, self.account)
        reach = ["sh", "-c", 'test -x "$1" && "$2" --version', "sh"]
        if not _succeeds([*reach, str(data_dir), str(programs / "postgres")], self.account):
            raise StartError(
                f"PostgreSQL does not run as root, and user {_USER} cannot reach {data_dir} or {programs}. "
                "Start Tokenhouse as an ordinary user, or move both to folders that others may enter."
            )

    def own(self, path: Path) -> None:
        """As root, give ``path`` and all in it to the user that the programs run as, if it is another's."""
        user, group = (self.account.pw_uid, self.account.pw_gid) if self.account else (0, 0)
        if os.geteuid() != 0 or path.stat().st_uid == user:
            return
        os.chown(path, user, group)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder, name), user, group, follow_symlinks=False)

    def run(
        self, command: Sequence[str | Path], *, timeout_seconds: float, output: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in its own session, without our descriptors or PG* variables.

        Its output goes to ``output`` or nowhere: a server would keep a pipe of ours open.
        """
        with output.open("wb") if output is not None else Path(os.devnull).open("wb") as target:
            return _run([*self._prefix, *map(str, command)], self.account, timeout_seconds, target)


def is_running(pid: int) -> bool:
    """Tell whether the process lives. A zombie that nobody reaps (containers without init) does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
    except (OSError, IndexError):
        return False
    else:
        return state not in {"Z", "X"}
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def servers_of(folder: Path) -> list[int] | None:
    """Return the ids of the PostgreSQL processes that work in ``folder``; None where that cannot be known."""
    if not Path("/proc/self/cwd").exists() or not folder.exists():
        return None
    found = []
    wanted = os.path.realpath(folder)
    owner = folder.stat().st_uid
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            ours = entry.stat().st_uid == owner and (entry / "comm").read_text("utf-8", "replace")
            if not ours or not ours.startswith("postgres") or not is_running(int(entry.name)):
                continue
            if os.path.realpath(entry / "cwd", strict=True) == wanted:
                found.append(int(entry.name))
        except PermissionError:  # root without the right to look at another user's processes
            return None
        except OSError:
            continue  # it ended meanwhile
    return found


def end(pid: int, number: signal.Signals, wait_seconds: float) -> bool:
    """Signal the process and wait for its end; return whether it ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return True
    stop = time.monotonic() + wait_seconds
    while is_running(pid):
        if time.monotonic() >= stop:
            return False
        time.sleep(0.01)
    return True


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Leave out what libpq and PostgreSQL would obey."""
    return {k: v for k, v in ours.items() if not k.startswith(("PG", "LC_"))} | {"LC_ALL": "C", "TZ": "UTC"}


def _run(
    command: Sequence[str], account: pwd.struct_passwd | None, timeout_seconds: float, output: IO[bytes] | int
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=_environment(os.environ),
        start_new_session=True,
        timeout=timeout_seconds,
        check=False,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        cwd="/" if account else None,
    )


def _succeeds(command: Sequence[str], account: pwd.struct_passwd | None = None) -> bool:
    try:
        return _run(command, account, 10, subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_USER)
    except KeyError:
        pass
    options = ["--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin"]
    if shutil.which("useradd") and _succeeds(["useradd", *options, _USER]):
        return pwd.getpwnam(_USER)
    raise StartError(
        "PostgreSQL does not run as root, and neither user namespaces nor useradd work here. "
        "Start Tokenhouse as an ordinary user, or set TOKENHOUSE_DATABASE_URL to a PostgreSQL server."
    )


def _let_in(data_dir: Path, account: pwd.struct_passwd) -> None:
    """Let the user pass through our own folder (not list it). Folders above it are not ours to change."""
    if data_dir.stat().st_uid == 0 and not data_dir.stat().st_mode & 0o001:
        os.chown(data_dir, 0, account.pw_gid)
        data_dir.chmod(0o710)
