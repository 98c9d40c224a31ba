"""The figures that must hold, measured on a running gateway. They are printed at the end of the test run."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from harness.gateway import MemoryWatch
from harness.process import kill_group, popen
from harness.rawtls import Raw

MIB = 2**20
LIMIT = 120.0  # a watchdog, not a measure of speed
FULL_LIMIT = 900.0
ASKS = {"when": "request", "timeout": "300s"}


def wait_until(what, holds, limit=LIMIT):
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end, f"never came: {what() if callable(what) else what}"
        time.sleep(0.02)


class Withholding:
    """Clients that have sent a whole request and read nothing, so they never answer; they stay until the block ends."""

    def __init__(self, programs, gateway, mode, tls, size, record, count, source):
        argv = [*programs.writefirst(), mode, str(gateway.port), str(gateway.pki), tls, "/late?withheld"]
        argv += [str(size), str(record), str(count), source]
        self._process = popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        line = self._process.stdout.readline()
        assert line.startswith(b"ready "), self._process.stderr.read().decode()
        self.sent, self.broken = (int(n) for n in line.split()[1:])
        return self

    def __exit__(self, *_):
        kill_group(self._process)


def _queued(port):
    """Bytes in flight to the gateway: not yet sent by a client's socket, or not yet read from the gateway's."""
    gateway_end = f"0100007F:{port:04X}"  # with the address, because a client's own port may have the same number
    total = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        sending, receiving = (int(n, 16) for n in fields[4].split(":"))
        if fields[3] == "01" and fields[1] == gateway_end:
            total += receiving
        elif fields[3] == "01" and fields[2] == gateway_end:
            total += sending
    return total


def _sleeping(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def settled_memory(gateway):
    """The resident memory when all sent bytes have been read and the workers sleep."""
    samples = []

    def still():
        if _queued(gateway.port) or not all(_sleeping(pid) for pid in gateway.workers()):
            samples.clear()
            return False
        samples.append(gateway.memory())
        return len(samples) >= 5 and len({s.own for s in samples[-5:]}) == 1

    def words():
        states = [_sleeping(pid) for pid in gateway.workers()]
        last = [s.own for s in samples[-5:]]
        return f"memory at rest: {_queued(gateway.port)} bytes queued, workers asleep {states}, last samples {last}"

    wait_until(words, still)
    return samples[-1]


def upload_large(gateway, programs, tls, size, limit):
    argv = [*programs.writefirst(), "finish", str(gateway.port), str(gateway.pki), tls, "/late?large"]
    process = popen([*argv, str(size), "16384", "1", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as frozen:
        kill_group(process)
        raise AssertionError("frozen") from frozen
    assert process.returncode == 0, err.decode()
    digest, _, rest = out.decode().partition(" ")
    assert rest.startswith("whole"), out[-400:]
    assert f'"body_sha256": "{digest}"' in rest, rest[-600:]
    assert "Thaw Demo Client" in rest
    return time.monotonic() - began


@pytest.mark.memory
@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize(
    "mib", (512, pytest.param(4096, marks=pytest.mark.full)), ids=("512MiB", "4GiB")
)
def test_large_upload_in_little_memory(mib, tls, serve, programs, figure):
    """A write-first client: its whole body is held, mostly on the disk, before it answers."""
    spool = {"memory": "64MiB", "disk": "8GiB", "per_client": "100%"}
    gateway = serve(certificate={**ASKS, "max_body": "5GiB"}, spool=spool)
    before = gateway.memory()
    with MemoryWatch(gateway) as watch:
        took = upload_large(gateway, programs, tls, mib * MIB, FULL_LIMIT if mib > 512 else LIMIT)
    story = gateway.record("/late?large")["ask"]
    figure(
        f"{mib} MiB write-first to /late, TLS {tls}, spool.memory 64 MiB: {took:.1f} s, peak {watch.peak}, idle {before}"
        f"; {story['to_memory'] / MIB:.0f} MiB to memory, {story['to_disk'] / MIB:.0f} MiB to disk"
    )
    assert story["drained"] == mib * MIB
    assert watch.peak.rss < 128 * MIB


@pytest.mark.memory
@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_one_byte_records(tls, serve, programs, figure):
    """128 KiB in one-byte TLS records, withheld: less than 1 MiB each, compared with the same number of idle
    connections."""
    count, size = 50, 128 * 1024
    gateway = serve(certificate=ASKS, spool={"memory": "256MiB", "disk": "0", "per_client": "100%"})
    with Withholding(programs, gateway, "idle", tls, 0, 1, count, "127.1.0.1"):
        idle = settled_memory(gateway)
    with Withholding(programs, gateway, "withhold", tls, size, 1, count, "127.1.0.1") as clients:
        assert (clients.sent, clients.broken) == (count, 0)
        held = settled_memory(gateway)
    cost = (held.own - idle.own) / count
    stories = [r["ask"] for r in gateway.wait_records(lambda r: r["target"] == "/late?withheld", count)]
    figure(f"128 KiB in one-byte records, withheld, TLS {tls}: {cost / 1024:.0f} KiB a connection over an idle one")
    assert len(stories) == count and all(s["drained"] == size and s["verdict"] == "cancelled" for s in stories)
    assert cost < MIB


@pytest.mark.memory
@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_withheld_certificates(tls, serve, programs, payloads, figure):
    """200 clients with different addresses withhold 1 MiB each; spool.memory holds, and an honest client is served."""
    count = 200
    gateway = serve(certificate=ASKS, spool={"memory": "64MiB", "disk": "2GiB"})
    with Withholding(programs, gateway, "idle", tls, 0, 16384, count, "127.1.0.1"):
        idle = settled_memory(gateway)
    with Withholding(programs, gateway, "withhold", tls, MIB, 16384, count, "127.1.0.1") as clients:
        assert (clients.sent, clients.broken) == (count, 0)
        with MemoryWatch(gateway) as watch, Raw(gateway, tls, source="127.2.0.1") as honest:
            answer = honest.ask("PUT", "/late?honest", payloads["50m"].data()).json()
        assert answer["body_sha256"] == payloads["50m"].sha256
        assert answer["certificate"]["subject"] == "CN=Thaw Demo Client"
        held = settled_memory(gateway)
    stories = [r["ask"] for r in gateway.wait_records(lambda r: r["target"] == "/late?withheld", count)]
    to_memory = sum(s["to_memory"] for s in stories)
    figure(
        f"200 x 1 MiB withheld, TLS {tls}, spool.memory 64 MiB: {to_memory / MIB:.1f} MiB of them in memory, "
        f"{(held.own - idle.own) / MIB:.1f} MiB resident over 200 idle connections, peak {watch.peak}"
    )
    assert len(stories) == count and all(s["drained"] == MIB for s in stories)
    assert to_memory <= 64 * MIB
    assert held.own - idle.own <= (64 + 8) * MIB  # the 8 MiB are for what each connection needs besides its body


def test_one_address_withholds(serve, programs, payloads, figure):
    """The same from one address, without disk: it gets its share and no more, for its latest requests; others are
    served."""
    gateway = serve(certificate=ASKS, spool={"memory": "64MiB", "disk": "0", "per_client": "25%"})
    with Withholding(programs, gateway, "withhold", "1.3", MIB, 16384, 200, "-"):
        refused = gateway.wait_records(lambda r: r["status"] == 503, 200 - 16)
        with Raw(gateway, "1.2", source="127.2.0.1") as honest:
            answer = honest.ask("PUT", "/late?honest", payloads["1m"].data()).json()
        assert answer["body_sha256"] == payloads["1m"].sha256
    assert {r["ask"]["reason"] for r in refused} <= {"budget-client", "budget-pressure"}
    figure(f"200 x 1 MiB withheld from one address, share 16 MiB: {len(refused)} refused with 503")
    assert len(refused) >= 200 - 16


def _inode_of(local_port, port):
    """The inode of the gateway's end of that connection."""
    ends = (f"0100007F:{port:04X}", f"0100007F:{local_port:04X}")
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1], fields[2]) == ends:
            return fields[9]
    return None


def _holder(gateway, client):
    """The process id of the worker that holds that client's connection."""
    # /proc/net/tcp may omit a connection while others come and go.
    inode = next(filter(None, (_inode_of(client.local_port, gateway.port) for _ in range(100))), None)
    for pid in gateway.workers():
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(entry) == f"socket:[{inode}]":
                    return pid
            except OSError:
                continue
    raise AssertionError("no worker holds the connection")


def _connected_to_all(gateway, each):
    """That many clients for each worker, by the worker's process id. The workers themselves decide which one
    accepts."""
    clients = {pid: [] for pid in gateway.workers()}
    for _ in range(1000):
        client = Raw(gateway, "1.2")
        assert client.ask("GET", "/.well-known/thaw/prime").status == 204
        clients.setdefault(_holder(gateway, client), []).append(client)
        if all(len(some) >= each for some in clients.values()):
            break
    assert all(len(some) >= each for some in clients.values()), {pid: len(some) for pid, some in clients.items()}
    return clients


def _close(clients):
    for some in clients.values():
        for client in some:
            client.tls.close()


def test_killed_worker(serve, payloads, figure):
    """kill -9 of a worker ends only its own connections; a new worker replaces it."""
    gateway = serve(certificate=ASKS, workers=2)
    body = payloads["1m"].data()
    wait_until("two workers", lambda: len(gateway.workers()) == 2)
    clients = _connected_to_all(gateway, 2)
    victim, survivor = clients
    for client in clients[victim] + clients[survivor]:
        assert client.send(client.head("PUT", "/late", f"Content-Length: {len(body)}"), body[: len(body) // 2])
    os.kill(victim, signal.SIGKILL)
    for client in clients[survivor]:  # in the middle of their uploads
        client.send(body[len(body) // 2 :])
        assert client.read().json()["body_sha256"] == payloads["1m"].sha256
    for client in clients[victim]:
        assert client.ended()
    wait_until("a new worker", lambda: len(set(gateway.workers()) - {victim}) == 2)
    assert survivor in gateway.workers() and gateway.process.poll() is None
    _close(_connected_to_all(gateway, 1))  # the new worker serves, too
    lost, kept = len(clients[victim]), len(clients[survivor])
    figure(f"worker killed: its {lost} connections lost; {kept} uploads of the other one completed; a new worker serves")
    _close(clients)


def test_killed_worker_gives_back(serve, programs, payloads):
    """The spool budget of a killed worker is available again."""
    gateway = serve(certificate=ASKS, workers=1, spool={"memory": "64MiB", "disk": "0", "per_client": "100%"})
    with Withholding(programs, gateway, "withhold", "1.2", MIB, 16384, 48, "127.1.0.1") as clients:
        assert clients.broken == 0
        (worker,) = gateway.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until("a new worker", lambda: gateway.workers() not in ([], [worker]))
        with Raw(gateway, "1.2") as client:
            answer = client.ask("PUT", "/late", payloads["50m"].data()).json()
        assert answer["body_sha256"] == payloads["50m"].sha256


def test_orderly_end(serve, payloads):
    """SIGTERM: the current request is answered, then all processes end."""
    gateway = serve(certificate=ASKS, workers=2)
    body = payloads["50m"].data()
    with Raw(gateway, "1.2") as client:
        client.send(client.head("PUT", "/late", f"Content-Length: {len(body)}"), body[: len(body) // 2])
        _holder(gateway, client)
        gateway.process.terminate()
        client.send(body[len(body) // 2 :])
        assert client.read().json()["body_sha256"] == payloads["50m"].sha256
    assert gateway.process.wait(timeout=LIMIT) == 0


def test_killed_master(serve):
    """No process remains that keeps the port."""
    gateway = serve(workers=2)
    wait_until("two workers", lambda: len(gateway.workers()) == 2)
    workers = gateway.workers()
    with Raw(gateway) as client:
        assert client.ask("GET", "/").status == 200
        gateway.process.kill()
        wait_until("the workers' end", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers))
        assert client.ended()
