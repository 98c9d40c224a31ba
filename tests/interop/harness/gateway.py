"""`thaw serve` under test: starts it on a free loopback port, collects its access log, and samples its memory."""

import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

from messages import LISTENING, has_message

from .process import kill_group, popen

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_LIMIT = RECORD_LIMIT = 60.0  # watchdogs, not measures of speed


def binary():
    return pathlib.Path(os.environ.get("THAW", ROOT / "build" / "release" / "thaw"))


@dataclass
class Memory:
    """Resident bytes of all processes of the gateway together. Tests compare `own`: it excludes pages of files (the
    program and its libraries), because the system shares their count among the processes that map them, so unrelated
    processes would change it."""

    rss: int = 0  # shared pages counted once for each process
    own: int = 0  # shared pages counted once, without pages of files
    processes: int = 0

    def most(self, other):
        return Memory(max(self.rss, other.rss), max(self.own, other.own), max(self.processes, other.processes))

    def __str__(self):
        return f"RSS {self.rss / 2**20:.1f} MiB, own {self.own / 2**20:.1f} MiB ({self.processes} processes)"


def children(pid):
    """Reads the list until it is the same twice: if a child ends meanwhile, the system may omit another one
    (proc(5))."""
    before = None
    while True:
        try:
            now = [int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []
        if now == before:
            return now
        before = now


def _limited(files):
    return [] if files is None else ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]


def _memory_of(pid):
    rss = own = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Rss":
            rss = int(value.split()[0]) * 1024
        elif name in ("Pss_Anon", "Pss_Shmem"):
            own += int(value.split()[0]) * 1024
    return rss, own


def memory_of(pid):
    """The memory of that process and its children."""
    total = Memory()
    for each in [pid, *children(pid)]:
        try:
            rss, own = _memory_of(each)
        except OSError:
            continue
        total.rss += rss
        total.own += own
        total.processes += 1
    return total


class Gateway:
    """One running `thaw serve`. `port` is the first port on which it reports that it listens; `ports` has all."""

    def __init__(self, arguments, pki, log_dir, listeners=1, files=None):
        """files: the limit of descriptors for each process; None: the limit of this process."""
        self.pki = pathlib.Path(pki)
        self.messages = []
        self.records, self.lines = [], []  # the lines of the access log as written
        self._news = threading.Condition()
        self.process = popen(
            [*_limited(files), str(binary()), "serve", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=log_dir,
        )
        ports = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read_messages, args=(ports,), daemon=True),
            threading.Thread(target=self._read_records, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.ports = []
        while len(self.ports) < listeners:
            try:
                port = ports.get(timeout=START_LIMIT)
            except queue.Empty:
                port = None
            if port is None:
                self.stop()
                raise AssertionError("thaw serve did not start: " + "\n".join(self.messages))
            self.ports.append(port)
        self.port = self.ports[0]

    def _read_messages(self, ports):
        for line in self.process.stderr:
            text = line.decode("utf-8", "replace").rstrip()
            with self._news:
                self.messages.append(text)
                self._news.notify_all()
            found = LISTENING.search(text)
            if found:
                ports.put(int(found["port"]))
        ports.put(None)

    def _read_records(self):
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
            try:
                record = json.loads(line)
            except ValueError:
                record = {"unreadable": line.decode("utf-8", "replace")}
            with self._news:
                self.records.append(record)
                self._news.notify_all()

    def url(self, path, host="localhost", port=None):
        return f"https://{host}:{port or self.port}{path}"

    def _wait(self, kept, want, count):
        end = time.monotonic() + RECORD_LIMIT
        with self._news:
            while True:
                found = [one for one in kept if want(one)]
                left = end - time.monotonic()
                if len(found) >= count or left <= 0:
                    return found
                self._news.wait(left)

    def wait_records(self, want, count=1):
        """Waits for `count` access records for which want(record) is true, and returns them. At the limit it returns
        those that exist."""
        return self._wait(self.records, want, count)

    def wait_messages(self, code, *parts, **values):
        """Waits for a message with that code of tests/messages.py (None: any), these parts and values, and returns all such messages.
        At the limit it returns none."""

        def wanted(text):
            return has_message(text, code, *parts, **values) if code else all(part in text for part in parts)

        return self._wait(self.messages, wanted, 1)

    def complaints(self):
        """The output of sanitizers."""
        return [text for text in self.messages if "Sanitizer" in text or "runtime error" in text]

    def record(self, mark):
        """The only access record whose target ends with `mark`."""
        found = self.wait_records(lambda r: (r.get("target") or "").endswith(mark))
        assert len(found) == 1, f"{len(found)} access records for {mark}, not one"
        return found[0]

    def workers(self):
        return children(self.process.pid)

    def sanitized(self):
        """Whether it is built with AddressSanitizer: then the memory of its allocator is not that of Thaw."""
        return "libasan" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def memory(self):
        return memory_of(self.process.pid)

    def stop(self):
        """Stops it gracefully, or by force if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                pass
        kill_group(self.process)
        for reader in self._readers:
            reader.join(timeout=5)


class MemoryWatch:
    """Samples the memory in a thread until the block ends; `peak` is the maximum."""

    def __init__(self, gateway, every=0.05):
        self._gateway, self._every = gateway, every
        self._over = threading.Event()
        self.peak = gateway.memory()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self._over.wait(self._every):
            self.peak = self.peak.most(self._gateway.memory())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self.peak = self.peak.most(self._gateway.memory())


@dataclass
class Settings:
    """A configuration file for one special case: the throwaway PKI, one default host, and the changes for the case."""

    pki: pathlib.Path
    certificate: dict = field(default_factory=dict)  # client_certificate of the host
    routes: tuple = ()  # (path, client_certificate) or (path, client_certificate, methods); in addition to '/'
    spool: dict = field(default_factory=dict)
    workers: object = "auto"
    host: dict = field(default_factory=dict)  # more keys of the host
    listens: tuple = ("127.0.0.1:0",)
    hosts: tuple = ()  # more hosts: (name, client_certificate) pairs
    upstreams: dict = field(default_factory=dict)  # name: the text of its mapping in YAML's flow style
    upstream: str = "builtin:inspect"  # of all routes
    top: dict = field(default_factory=dict)  # more keys of the file
    proxy_protocol: bool = False

    def text(self):
        lines = [f"workers: {self.workers}", "listen:"]
        more = "\n    proxy_protocol: true" if self.proxy_protocol else ""
        lines += [f"  - address: '{a}'{more}" for a in self.listens]
        spool = {"memory": "256MiB", "disk": "8GiB", **self.spool}
        lines += ["spool:"] + [f"  {k}: {v}" for k, v in spool.items()]
        lines += ["log: { access: stdout, format: json, level: info }", "hosts:"]
        lines += self._host("'*'", self.certificate, self.routes, self.host)
        for name, certificate in self.hosts:
            lines += self._host(name, certificate, (), {})
        if self.upstreams:
            lines += ["upstreams:"] + [f"  {name}: {text}" for name, text in self.upstreams.items()]
        lines += [f"{k}: {v}" for k, v in self.top.items()]
        return "\n".join(lines) + "\n"

    def _host(self, name, certificate, routes, more):
        lines = [f"  - name: {name}", f"    certificate: {self.pki}/server.pem", f"    key: {self.pki}/server.key"]
        lines += [f"    {k}: {v}" for k, v in more.items()]
        lines += ["    client_certificate:"]
        lines += [f"      {k}: {v}" for k, v in {"ca": f"{self.pki}/ca.pem", **certificate}.items()]
        lines += ["    routes:"]
        for path, own, *methods in [("/", {}), *routes]:
            lines += [f"      - path: {path}", f"        upstream: {self.upstream}"]
            lines += [f"        methods: [ {', '.join(names)} ]" for names in methods]
            if own:
                inner = ", ".join(f"{k}: {v}" for k, v in own.items())
                lines += [f"        client_certificate: {{ {inner} }}"]
        lines += ["      - path: /.well-known/thaw/prime", "        client_certificate: { when: request }"]
        lines += ["        upstream: builtin:prime"]
        return lines
