"""A program with its own terminal, on which it can prompt for secrets."""

import fcntl
import os
import pty
import subprocess
import termios
import threading

from .process import die_with_parent, kill_group

LIMIT = 60.0


class Terminal:
    """Runs the program in its own session; its standard streams are not the terminal."""

    def __init__(self, argv, env=None):
        self._master, self._slave = pty.openpty()
        self.shown = b""  # the terminal's output
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=self._take, pass_fds=(self._slave,), env={**os.environ, **(env or {})})
        self._watchdog = threading.Timer(LIMIT, kill_group, (self.process,))
        self._watchdog.start()

    def _take(self):
        die_with_parent()
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)

    def wait_for(self, words):
        while words not in self.shown:
            self.shown += os.read(self._master, 1024)

    def type(self, line):
        os.write(self._master, line)

    @property
    def echoes(self):
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def end(self):
        """Returns (exit code, standard output, standard error)."""
        out, err = self.process.communicate()
        self._watchdog.cancel()
        os.set_blocking(self._master, False)
        try:
            self.shown += os.read(self._master, 65536)
        except OSError:
            pass
        return self.process.returncode, out, err.decode("utf-8", "replace")

    def close(self):
        self._watchdog.cancel()
        kill_group(self.process)
        os.close(self._master)
        os.close(self._slave)
