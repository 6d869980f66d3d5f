"""Print runs over SFTP: one ZIP file a run, renamed into place when the print house has all of it.

The host's key is pinned: a print house with another key gets nothing. Each call is a connection of its own; a run is
a matter of minutes, and nothing is kept open between two.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from posixpath import join
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncssh

from dunning.gateways.base import NotTaken, Unclear
from dunning.gateways.print_run import UNFINISHED, Run, archive_of, is_forgotten

Told = TypeVar("Told")


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """Where runs are sent, as whom, and the key it must show."""

    host: str
    port: int
    user: str
    folder: str
    host_key: str
    password: str = field(default="", repr=False)
    key_file: str = ""
    timeout_seconds: float = 60.0

    @classmethod
    def from_url(cls, url: str) -> Host:
        """`sftp://user@host:22/folder?host_key=ssh-ed25519+AAAA…&key_file=…`; the key as in a known_hosts file."""
        parts = urlsplit(url)
        if parts.scheme != "sftp" or not parts.hostname or not parts.username:
            raise ValueError("A print house is given as sftp://user@host/folder")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := options.keys() - {"host_key", "key_file", "timeout"}:
            raise ValueError(f"Unknown options of the print house: {', '.join(sorted(unknown))}")
        if "host_key" not in options:
            raise ValueError("Name the print house's key: ?host_key=ssh-ed25519+AAAA…")
        try:
            asyncssh.import_public_key(options["host_key"])
        except asyncssh.KeyImportError as problem:
            raise ValueError(f"Not a host key: {problem}") from problem
        return cls(
            host=parts.hostname,
            port=parts.port or 22,
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            folder=unquote(parts.path) or "/",
            host_key=options["host_key"],
            key_file=options.get("key_file", ""),
            timeout_seconds=float(options.get("timeout", "60")),
        )


class LettersSftpGateway:
    """Hands runs to a print house's SFTP server."""

    knows_keys = True

    def __init__(self, host: Host) -> None:
        self._host = host

    def lay_out(self, run: Run, /) -> None:
        async def send(files: asyncssh.SFTPClient) -> None:
            unfinished = join(self._host.folder, UNFINISHED)
            await files.makedirs(unfinished, exist_ok=True)
            for left in await files.listdir(unfinished):
                if is_forgotten(left, at=run.made_at):
                    await files.remove(join(unfinished, left))
            async with files.open(self._unfinished(run.name), "wb") as file:
                await file.write(archive_of(run))
                with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                    await file.fsync()

        self._do(send)

    def release(self, name: str, /) -> str:
        asked = False

        async def rename(files: asyncssh.SFTPClient) -> None:
            nonlocal asked
            asked = True
            try:
                await files.posix_rename(self._unfinished(name), join(self._host.folder, _file(name)))
            except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
                raise
            except asyncssh.SFTPError:
                asked = False  # an answer: it was not done
                raise

        try:
            self._do(rename)
        except NotTaken as problem:
            if asked:
                raise Unclear(problem.detail) from problem
            raise
        return _file(name)

    def discard(self, name: str, /) -> None:
        async def remove(files: asyncssh.SFTPClient) -> None:
            with contextlib.suppress(asyncssh.SFTPNoSuchFile):
                await files.remove(self._unfinished(name))

        self._do(remove)

    def is_waiting(self, name: str, /) -> bool:
        async def look(files: asyncssh.SFTPClient) -> bool:
            return await files.exists(self._unfinished(name))

        return self._do(look)

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _unfinished(self, name: str) -> str:
        return join(self._host.folder, UNFINISHED, _file(name))

    def _do(self, what: Callable[[asyncssh.SFTPClient], Awaitable[Told]]) -> Told:
        try:
            return asyncio.run(self._connected(what))
        except (asyncssh.Error, OSError) as problem:
            raise NotTaken(_said(problem)) from problem

    async def _connected(self, what: Callable[[asyncssh.SFTPClient], Awaitable[Told]]) -> Told:
        host = self._host
        async with (
            asyncio.timeout(host.timeout_seconds),
            asyncssh.connect(
                host.host,
                host.port,
                username=host.user,
                password=host.password or None,
                client_keys=[host.key_file] if host.key_file else None,
                known_hosts=([asyncssh.import_public_key(host.host_key)], [], []),
                agent_path=None,
                config=None,
            ) as line,
            line.start_sftp_client() as files,
        ):
            return await what(files)


def _file(name: str) -> str:
    return f"{name}.zip"


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:300]
