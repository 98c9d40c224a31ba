"""A worker that was taken over. The test is the attacker: as root it does in the worker's name what its code could do.

Whatever a worker writes to what it shares with the master, the master stays whole, and no process gets rights that it
did not have.
"""

import os
import pathlib
import signal
import struct

import pytest
from peer import Client, wait
from test_admin import by_name, get, is_ready
from test_privileges import USER, as_root, is_the_user, status
from test_reload import reloaded
from test_supervision import said

PAGE = 4096
EACH_MAP = 1 << 20  # bytes that are overwritten at a map's beginning, where control data would be


def shared_maps(pid):
    """(from, to) of the memory that a process shares and can write to."""
    maps = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return [tuple(int(end, 16) for end in field[0].split("-")) for field in maps if field[1] == "rw-s"]


def heap(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[heap]"):
            return int(line.split("-")[0], 16)
    raise AssertionError("no heap")


def overwrite(pid, word):
    """Each 8 bytes of the shared memory become `word`."""
    bytes_ = struct.pack("=Q", word) * (PAGE // 8)
    maps = shared_maps(pid)
    assert maps
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for begin, end in maps:
            for page in range(begin, min(end, begin + EACH_MAP), PAGE):
                memory.seek(page)
                memory.write(bytes_)


WORDS = {
    "all ones": lambda master: (1 << 64) - 1,
    "pointers to nowhere": lambda master: 0x4141414141414141,
    "pointers to the master's heap": heap,
    "the master's process id": lambda master: master << 32 | master,
    "large numbers": lambda master: 1 << 20 | 1 << 52,
    "small numbers": lambda master: 1025 | 1025 << 32,
    "zeros": lambda master: 0,
}


@as_root
@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS.keys())
def test_shared_memory_that_a_worker_overwrites(serve, settings, tmp_path, word):
    """Pointers and sizes there once made the root master write where a worker said, and its successor root."""
    admin = tmp_path / "admin"
    more = f"user: {USER}\nadmin: unix:{admin}\n"
    gateway = serve("-c", settings(workers=2, more=more))
    master = gateway.process.pid
    wait("it to be ready", lambda: is_ready(admin))
    worker = by_name(gateway, "thaw-worker")[0]
    overwrite(worker, word(master))
    for target in ("/metrics", "/status.json", "/readyz", "/"):
        get(admin, target)
    os.kill(worker, signal.SIGKILL)
    wait("a new worker", lambda: worker not in (now := by_name(gateway, "thaw-worker")) and len(now) == 2)
    wait("the message", lambda: said(gateway, f"worker {worker} was ended by signal 9"))
    wait("it to serve", lambda: Client(gateway).get_json())
    everybody_is_whole(gateway)

    # What it wrote to places that are still free does not wait there for the workers of the next configuration.
    overwrite(by_name(gateway, "thaw-worker")[0], word(master))
    old = by_name(gateway, "thaw-worker")
    reloaded(gateway)
    wait("the old workers to end", lambda: not set(old) & set(gateway.workers()))
    everybody_is_whole(gateway)
    client = Client(gateway)
    client.begin("/late", 1 << 20)
    client.send(bytes(1 << 20))
    assert client.response()[0] == 200
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(60) == 0


def everybody_is_whole(gateway):
    assert gateway.process.poll() is None
    assert status(gateway.process.pid)["Uid"].split() == ["0"] * 4
    workers = by_name(gateway, "thaw-worker")
    assert len(workers) == 2
    for pid in [*workers, *by_name(gateway, "thaw-admin")]:
        is_the_user(pid)
