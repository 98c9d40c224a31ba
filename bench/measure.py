"""What is measured, and how: the kinds of work, the kernel's CPU accounting of a server's processes, one
measurement."""

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import statistics
import subprocess
import threading
import time
import urllib.request

from peers import Failed, end, spawn

TICK = os.sysconf("SC_CLK_TCK")
TICK_SLACK = 0.02  # seconds for each process by which the two ways of counting may differ
SETTLE_LIMIT = 5.0
IDLE_BEFORE = 2.0  # seconds that connections are idle before memory is read: servers free some by then
LOAD_LIMIT = 120.0
SAMPLE_PAUSE = 0.03
KIB, MIB = 1024, 1024 * 1024


# --- the kinds of work


@dataclasses.dataclass
class Work:
    """cost: the factor from CPU seconds for one request to the figure in the table."""

    name: str
    unit: str
    factor: float
    connections: int
    what: str
    body: int = 0
    fresh: bool = False
    certificate: str = ""  # "", handshake, late
    idle: bool = False
    streams: int = 0  # concurrent HTTP/2 streams on each connection
    response: int = 0  # bytes of a response's body; 0: two
    tls12: bool = False
    resumed: bool = False  # each connection resumes the client's session


WORKS = [
    Work("get", "us/request", 1e6, 32, "small GET on 32 kept connections"),
    Work("get2", "us/request", 1e6, 4, "small GET over HTTP/2, on 4 kept connections, 8 at a time on each", streams=8),
    Work("get64m", "ms/MiB", 1e3 / 64, 2, "GET of 64 MiB on 2 kept connections", response=64 * MIB),
    Work("put1m", "ms/MiB", 1e3, 8, "PUT of 1 MiB on 8 kept connections", MIB),
    Work("put64m", "ms/MiB", 1e3 / 64, 2, "PUT of 64 MiB on 2 kept connections", 64 * MIB),
    Work("handshake", "us each", 1e6, 8, "full handshake and a GET, 8 at a time", fresh=True),
    Work("handshake12", "us each", 1e6, 8, "the same over TLS 1.2", fresh=True, tls12=True),
    Work("resumed", "us each", 1e6, 8, "resumed handshake and a GET, 8 at a time", fresh=True, resumed=True),
    Work("resumed12", "us each", 1e6, 8, "the same over TLS 1.2", fresh=True, tls12=True, resumed=True),
    Work("handshake-cert", "us each", 1e6, 8, "full handshake with a client certificate, and a GET", 0, True, "handshake"),
    Work("late100k", "ms/request", 1e3, 8, "handshake, late certificate, PUT of 100 KiB", 100 * KIB, True, "late"),
    Work("late1m", "ms/request", 1e3, 4, "the same, 1 MiB", MIB, True, "late"),
    Work("late64m", "ms/request", 1e3, 2, "the same, 64 MiB", 64 * MIB, True, "late"),
    Work("idle", "KiB/conn.", 1, 0, "resident memory for each kept connection that did one GET", idle=True),
    Work("idle2", "KiB/conn.", 1, 0, "the same over HTTP/2", idle=True, streams=1),
]


# --- the kernel's accounting


def _processes(root):
    """root and all its current descendants."""
    found, fresh = [], [root]
    while fresh:
        pid = fresh.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                fresh += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        except OSError:
            pass  # it has just ended; its time is in its parent's account
    return found


@dataclasses.dataclass
class Cpu:
    """CPU time of a server's processes in seconds: utime and stime, with those of children that have ended and been
    awaited; and, more precise, the seconds of each current thread (schedstat counts nanoseconds)."""

    seconds: float = 0.0
    processes: int = 0
    threads: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, root):
        cpu, pids = cls(), _processes(root)
        for pid in pids:
            try:
                times = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
                cpu.seconds += sum(map(int, times)) / TICK
                for task in os.listdir(f"/proc/{pid}/task"):
                    told = pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()
                    cpu.threads[(pid, task)] = int(told[0]) / 1e9
            except OSError:
                continue
        cpu.processes = len(pids)
        return cpu

    def since(self, before):
        """CPU seconds since `before`. Uses the more precise count if it is complete: no thread has ended, and both
        counts agree."""
        coarse = self.seconds - before.seconds
        if not self.threads.keys() >= before.threads.keys():
            return coarse
        fine = sum(self.threads.values()) - sum(before.threads.values())
        return fine if abs(fine - coarse) <= TICK_SLACK * self.processes else coarse


def settled(root):
    """The CPU account once the server is idle: none of its threads has run for a while."""
    limit = time.monotonic() + SETTLE_LIMIT
    last = Cpu.of(root)
    while time.monotonic() < limit:
        time.sleep(SAMPLE_PAUSE)
        cpu = Cpu.of(root)
        if sum(cpu.threads.values()) - sum(last.threads.values()) < 1e-4:
            return cpu
        last = cpu
    return last


def resident(root):
    """Resident bytes: the proportional set sizes of all its processes."""
    total = 0
    for pid in _processes(root):
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * KIB for line in lines if line.startswith("Pss:"))
    return total


class Peak(threading.Thread):
    """The highest memory of a server while this thread runs, sampled."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.most, self.over = root, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            self.most = max(self.most, resident(self.root))
            self.over.wait(SAMPLE_PAUSE)

    def stop(self):
        self.over.set()
        self.join()
        return self.most


# --- our own programs


class Sink:
    """The upstream of all servers."""

    def __init__(self, program, cores):
        self.process = spawn([program], cores, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise Failed("bench-sink did not start")
        self.port = int(line)

    def counters(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/bench-counters", timeout=10) as response:
            return json.load(response)

    def stop(self):
        end(self.process)


class Load:
    """bench-load, controlled by lines on its standard input."""

    def __init__(self, program, cores, arguments):
        self.process = spawn(
            [program, *arguments], cores, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], LOAD_LIMIT)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            end(self.process)
            raise Failed(self.process.stderr.read().decode(errors="replace").strip() or "bench-load said nothing")
        return line.decode()

    def go(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return json.loads(self.line())

    def finish(self):
        self.process.stdin.close()
        if self.process.wait(LOAD_LIMIT) != 0:
            raise Failed(self.process.stderr.read().decode(errors="replace").strip())

    def stop(self):
        end(self.process)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


# --- one measurement


def asks(peer, work):
    """When this peer asks for the certificate in this work: never, at the handshake, or late."""
    return "handshake" if work.certificate == "late" and not peer.asks_late else work.certificate


def load_arguments(setting, peer, work, seconds, give_certificate=True):
    asked = asks(peer, work)
    handshake = asked == "handshake"
    port, name = (peer.certificate_port, peer.certificate_name) if handshake else (peer.port, "localhost")
    if work.streams:
        port, name = peer.h2_port, peer.h2_name
    arguments = ["--port", port, "--name", name, "--streams", work.streams]
    arguments += ["--ca", setting.pki / "ca.pem", "--path", "/late" if asked == "late" else "/"]
    arguments += ["--connections", work.connections, "--body", work.body, "--seconds", seconds]
    if work.certificate and give_certificate:
        arguments += ["--certificate", setting.pki / "client.pem", "--key", setting.pki / "client.key"]
    arguments += ["--response", work.response] if work.response else []
    chosen = {"--fresh": work.fresh, "--tls12": work.tls12, "--resume": work.resumed}
    return arguments + [name for name, wanted in chosen.items() if wanted]


def check(setting, peer, work, done, before, after):
    """Checks that the reported work has arrived upstream, with the right identity; raises Failed with the
    difference."""
    count, problems = done["done"], []
    if setting.behind(peer):
        told = {key: after[key] - before[key] for key in after}
        identified = count if work.certificate else 0
        for key, value in {"requests": count, "body": count * work.body, "identified": identified, "bad": 0}.items():
            if told[key] != value:
                problems.append(f"{key}: {told[key]} at the upstream, {value} sent")
        kept = 2 * work.connections * max(work.streams, 1) + count // 10  # each of two workers has its own pool
        if told["connections"] > kept:
            problems.append(f"{told['connections']} connections to the upstream for {count} requests: not kept")
    if done["asked"] != (count if work.certificate else 0):
        problems.append(f"asked {done['asked']} times for a certificate in {count} requests")
    if done["connections"] != (count if work.fresh else 0):
        problems.append(f"{done['connections']} new connections for {count} requests")
    if done["resumed"] != (count if work.resumed else 0):
        problems.append(f"{done['resumed']} resumed sessions for {count} requests")
    if count < work.connections:
        problems.append(f"only {count} requests")
    if problems:
        raise Failed("; ".join(problems))


@contextlib.contextmanager
def loading(setting, peer, work, seconds):
    """A load whose first requests are done. A failure names the peer and the work."""
    load = Load(setting.load, setting.load_cores, load_arguments(setting, peer, work, seconds))
    try:
        load.line()
        yield load
        load.finish()
    except Failed as failed:
        raise Failed(f"{peer.name}, {work.name}: {failed}\n{peer.messages()}") from failed
    finally:
        load.stop()


def measure(setting, sink, peer, work):
    """One round of a timed work: the work done, and its cost for the server."""
    root = peer.process.pid
    with loading(setting, peer, work, setting.seconds) as load:
        before, counted = settled(root), sink.counters()
        peak = Peak(root)
        peak.start()
        try:
            done = load.go()
        finally:
            most = peak.stop()
        cost = settled(root).since(before)
        check(setting, peer, work, done, counted, sink.counters())
    return {**done, "cpu": cost, "cost": cost / done["done"] * work.factor, "peak": most}


def measure_idle(setting, sink, peer, work):
    """Resident memory for each connection, beyond that of a lightly used server. Checks that all connections still work
    afterwards."""
    root = peer.process.pid
    with loading(setting, peer, dataclasses.replace(work, connections=16), 0.2) as load:
        load.go()
    settled(root)
    base = resident(root)
    many = dataclasses.replace(work, connections=setting.idle)
    with loading(setting, peer, many, 0.001) as load:
        time.sleep(IDLE_BEFORE)
        settled(root)
        held, counted = resident(root), sink.counters()
        done = load.go()
        settled(root)
        check(setting, peer, many, done, counted, sink.counters())
    return {**done, "base": base, "peak": held, "cost": (held - base) / setting.idle / KIB}


def check_refusal(setting, sink, peer, work):
    """Checks that a certificate is really required: without one nothing reaches the upstream."""
    one = dataclasses.replace(work, connections=1)
    before = sink.counters()["requests"]
    load = Load(setting.load, setting.load_cores, load_arguments(setting, peer, one, 0, give_certificate=False))
    try:
        load.line()
        problem = "was answered with 200"
    except Failed:
        problem = "reached the upstream" if sink.counters()["requests"] != before else None
    finally:
        load.stop()
    if problem is not None:
        raise Failed(f"{peer.name}, {work.name}: a request without a certificate {problem}")


@dataclasses.dataclass
class Busy:
    """CPU seconds of the whole machine, and of this process and the children that it has waited for."""

    at: float
    machine: float
    ours: float

    def elsewhere_since(self, before):
        """The share of the machine that all other processes used."""
        elsewhere = (self.machine - before.machine) - (self.ours - before.ours)
        return max(elsewhere, 0) / max((self.at - before.at) * os.cpu_count(), 1e-9)


def busy():
    """The current values: user, nice, system, irq and softirq of /proc/stat (proc(5))."""
    told = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system
    return Busy(time.monotonic(), sum(int(told[i]) for i in (1, 2, 3, 6, 7)) / TICK, ours)


def summary(values):
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
