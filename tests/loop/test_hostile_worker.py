"""A worker under an attacker's control. The test is the attacker: as root it does in the worker what the attacker's
code could do.

Whatever a worker writes to the memory and the sockets that it shares with the master, the master stays intact, and no
process gets rights that it did not have.
"""

import ctypes
import os
import pathlib
import select
import signal
import socket
import struct
import threading

import pytest
from peer import Client, wait
from test_admin import by_name, get, is_ready
from test_privileges import USER, as_root, is_the_user, status
from test_reload import reloaded

SYS_PIDFD_GETFD = 438  # on all architectures
PAGE = 4096
EACH_MAP = 1 << 20  # bytes overwritten at the beginning of each map, where control data would be


def shared_maps(pid):
    """The (from, to) ranges of shared memory that a process can write to."""
    maps = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return [tuple(int(end, 16) for end in field[0].split("-")) for field in maps if field[1] == "rw-s"]


def private_memory(pid):
    """The address of private memory that a process can write to: in its heap or, if the sanitizer has its own
    allocator, in its data."""
    maps = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
    writable = {field[-1]: int(field[0].split("-")[0], 16) for field in maps if field[1] == "rw-p"}
    return writable.get("[heap]", min(writable.values()))


def overwrite(pid, word):
    """Overwrites each 8 bytes of the shared memory with `word`."""
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
    "pointers to the master's memory": private_memory,
    "the master's process id": lambda master: master << 32 | master,
    "large numbers": lambda master: 1 << 20 | 1 << 52,
    "small numbers": lambda master: 1025 | 1025 << 32,
    "zeros": lambda master: 0,
}


@as_root
@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS.keys())
def test_shared_memory_that_a_worker_overwrites(serve, settings, tmp_path, word):
    """Once the root master used pointers and sizes from this memory: a worker could choose where the master wrote, and
    its successor ran as root."""
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
    assert gateway.wait_messages("worker-killed", pid=worker, signal=9)
    replaced(gateway, worker)

    # What a worker writes to free places must not reach the workers of the next configuration.
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
    wait("two workers, the old ones of a reload having ended", lambda: len(by_name(gateway, "thaw-worker")) == 2)
    wait("the admin process of before the reload to end", lambda: len(by_name(gateway, "thaw-admin")) <= 1)
    workers = by_name(gateway, "thaw-worker")
    for pid in [*workers, *by_name(gateway, "thaw-admin")]:
        is_the_user(pid)


# ---- its channel to the master


def steal(pid, fd):
    """Copies a descriptor of another process into this one (pidfd_getfd(2), which Python does not support here)."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    mine = libc.syscall(SYS_PIDFD_GETFD, process, fd, 0)
    os.close(process)
    assert mine >= 0, os.strerror(ctypes.get_errno())
    return mine


def channel(pid):
    """The worker's end of its channel: its only SOCK_SEQPACKET socket."""
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if not os.readlink(link).startswith("socket:"):
            continue
        one = socket.socket(fileno=steal(pid, int(link.name)))
        if one.family == socket.AF_UNIX and one.type == socket.SOCK_SEQPACKET:
            return one
        one.close()
    raise AssertionError("no channel")


def replaced(gateway, worker):
    wait("a new worker", lambda: worker not in (now := by_name(gateway, "thaw-worker")) and len(now) == 2)
    wait("it to serve", lambda: Client(gateway).get_json())
    everybody_is_whole(gateway)


@as_root
@pytest.mark.parametrize(
    "message",
    [b"?", b"\xff\xff\xff\xff", b"a" * 65536, struct.pack("=i", 1)],
    ids=["unknown", "negative", "large", "process id"],
)
def test_a_worker_that_sends_an_invalid_message_is_ended(serve, settings, message):
    gateway = serve("-c", settings(workers=2, more=f"user: {USER}\n"))
    worker = by_name(gateway, "thaw-worker")[0]
    with channel(worker) as mine:
        mine.send(message)
    assert gateway.wait_messages("worker-protocol", pid=worker)
    replaced(gateway, worker)


@as_root
def test_descriptors_that_a_worker_sends_are_closed(serve, settings):
    gateway = serve("-c", settings(workers=2, more=f"user: {USER}\n"))
    worker = by_name(gateway, "thaw-worker")[0]
    reader, writer = os.pipe()
    with channel(worker) as mine:
        socket.send_fds(mine, [b"a"], [writer])
    os.close(writer)
    assert os.read(reader, 1) == b""  # no other process has it
    os.close(reader)
    everybody_is_whole(gateway)


@as_root
def test_a_worker_that_closes_its_channel_harms_itself_only(serve, settings):
    gateway = serve("-c", settings(workers=2, more=f"user: {USER}\n"))
    worker, other = by_name(gateway, "thaw-worker")
    with channel(worker) as mine:
        mine.shutdown(socket.SHUT_RDWR)
    reloaded(gateway)
    wait("the old workers to end", lambda: not {worker, other} & set(gateway.workers()))
    everybody_is_whole(gateway)


@as_root
def test_a_worker_that_floods_its_channel_does_not_hold_up_the_master(serve, settings):
    gateway = serve("-c", settings(workers=2, more=f"user: {USER}\n"))
    worker, other = by_name(gateway, "thaw-worker")
    over = threading.Event()

    def flood(mine):
        """The descriptor must stay non-blocking: the worker shares it, and would block otherwise."""
        while not over.is_set():
            try:
                mine.send(b"a")
            except BlockingIOError:
                select.select([], [mine], [], 0.1)
            except OSError:
                return

    with channel(worker) as mine:
        floods = [threading.Thread(target=flood, args=(mine,), daemon=True) for _ in range(2)]
        for one in floods:
            one.start()
        try:
            os.kill(other, signal.SIGKILL)
            replaced(gateway, other)
            reloaded(gateway)
            wait("the old workers to end", lambda: worker not in gateway.workers())
        finally:
            over.set()
    for one in floods:
        one.join()
    everybody_is_whole(gateway)
