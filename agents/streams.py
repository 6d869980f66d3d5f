"""What is pushed to browsers: how many streams a process keeps open, how long each waits, and that they end in time.

A stream holds one thread of the web server for as long as it lasts. So there are few of them, the others are asked to
come again; each ends by itself, and all of them at once when the process is told to stop.
"""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress

#: So many streams at once in one process: the web server has ``THREADS``, and pages keep the rest.
MOST = 2
THREADS = 5


class Streams:
    """The streams of one process."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most, self._taken, self._lock = most, 0, threading.Lock()
        # What a signal writes here nobody reads: it wakes whoever waits, now and from then on.
        self._woken, self._wakes = socket.socketpair()
        self._woken.setblocking(False)
        self._wakes.setblocking(False)

    def take(self) -> bool:
        """Whether there is room for one more; it is then taken until ``give_back``."""
        with self._lock:
            if self._taken >= self._most:
                return False
            self._taken += 1
            return True

    def has_room(self) -> bool:
        """Whether one more would find a place now."""
        return self._taken < self._most

    def give_back(self) -> None:
        with self._lock:
            self._taken -= 1

    def wait(self, seconds: float) -> bool:
        """Wait for so long; at once False, for good, when the process is told to stop."""
        told = select.poll()
        told.register(self._woken, select.POLLIN)
        return not told.poll(seconds * 1_000)

    def stop(self) -> None:
        """End every stream of this process, and every later one at its first wait."""
        with suppress(BlockingIOError):
            self._wakes.send(b"\0")

    def stop_on_signals(self) -> None:
        """From now on end them when a signal that Python handles arrives (SIGTERM, SIGINT).

        Only the main thread may ask for it, and whoever handles the signal still does.
        """
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)


class Stream:
    """What one browser is sent, in a place that was taken: it is free again once this ends, however it does."""

    def __init__(self, frames: Generator[bytes], *, of: Streams) -> None:
        self._frames = frames
        self._of = of
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._frames)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Asked for by the web server when the browser has gone; a second time it does nothing."""
        if self._is_open:
            self._is_open = False
            self._frames.close()
            self._of.give_back()

    def __del__(self) -> None:
        self.close()


#: Those of this process.
OPEN = Streams()
