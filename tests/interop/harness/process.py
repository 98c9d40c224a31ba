"""Child processes that cannot outlive the tests."""

import ctypes
import os
import signal
import subprocess

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def popen(argv, **options):
    """subprocess.Popen in its own process group; the process is killed when this process dies."""
    return subprocess.Popen(argv, start_new_session=True, preexec_fn=die_with_parent, **options)


def kill_group(process):
    """Kills the process and its group, and waits for it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(argv, timeout, **options):
    """Returns (exit code, stdout, stderr, timed out); the output is bytes."""
    process = popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    try:
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err, False
    except subprocess.TimeoutExpired:
        kill_group(process)
        out, err = process.communicate()
        return process.returncode, out, err, True
