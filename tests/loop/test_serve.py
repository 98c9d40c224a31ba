"""Listening, distributing connections among workers, and logs."""

import json
import os
import pathlib
import re
import shlex
import socket
import subprocess

import pytest
from harness.gateway import binary
from harness.process import kill_group, popen, run
from messages import LISTENING, at_level, pattern, logged, has_message
from peer import LIMIT, Client, clients_on_both, wait


def test_ready_lines_name_the_real_ports(serve, tmp_path):
    path = tmp_path / "thaw.sock"
    gateway = serve(
        "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--listen", f"unix:{path}", "--listen", "127.0.0.1:0",
        listeners=3,
    )  # fmt: skip
    lines = logged(gateway, "listening")
    assert len(lines) == 4
    v4, v6, other = gateway.ports
    assert len({v4, other}) == 2 and 0 not in gateway.ports
    for line, address in zip(lines, (f"127.0.0.1:{v4}", f"[::1]:{v6}", f"unix:{path}")):
        assert has_message(line, "listening", address=address)
    assert Client(gateway, v4).get_json()["path"] == "/"
    assert Client(gateway, v6, socket.AF_INET6).get_json()["path"] == "/"
    assert Client(gateway, family=socket.AF_UNIX, address=str(path)).get_json()["path"] == "/"
    gateway.stop()
    assert not path.exists()


def test_the_curl_command_that_it_prints_works(serve, tmp_path):
    gateway = serve()
    line = wait("the curl line", lambda: [m for m in gateway.messages if m.startswith("  curl ")])[0]
    (tmp_path / "file").write_bytes(os.urandom(3_000_000))
    words = [str(tmp_path / "file") if w == "FILE" else w for w in shlex.split(line)]
    code, out, err, late = run([*words, "--silent", "--show-error"], LIMIT)
    assert (code, late) == (0, False), err
    report = json.loads(out)
    assert report["certificate"]["subject"] == "CN=Thaw Demo Client"
    assert report["body_bytes"] == 3_000_000


def not_of_root(messages):
    """The messages, without the warning about root that the tests cause if they run as root and the configuration names
    no other user."""
    return [message for message in messages if not has_message(message, "workers-are-root")]


def test_listen_replaces_the_configuration_s(serve, settings):
    gateway = serve("-c", settings(), "--listen", "[::1]:0")
    assert has_message(not_of_root(gateway.messages)[0], "listening", address=f"[::1]:{gateway.port}")
    assert len(logged(gateway, "listening")) == 1
    assert Client(gateway, family=socket.AF_INET6).get_json()["path"] == "/"


def test_both_workers_serve_and_share_the_load(serve, settings):
    gateway = serve("-c", settings(workers=2))
    assert len(gateway.workers()) == 2
    clients = [Client(gateway) for _ in range(40)]
    held = [c.worker(gateway) for c in clients]
    for client in clients:
        assert client.get_json()["method"] == "GET"
    # A worker that is more than a few connections ahead leaves new ones to the other, so 40 for one worker would be no
    # coincidence.
    assert set(held) == set(gateway.workers())
    for client in clients:
        client.close()


def test_one_worker_for_each_processor(serve):
    assert len(serve().workers()) == len(os.sched_getaffinity(0))


def test_the_access_log_in_a_file(serve, settings, tmp_path):
    log = tmp_path / "access.log"
    log.write_text('{"target": "/from-before"}\n')
    gateway = serve("-c", settings(log=f"{{ access: '{log}' }}"))
    held = clients_on_both(gateway)
    for number in range(200):
        for client in held.values():
            client.get_json(f"/file?{number}")
    for client in held.values():
        client.close()
    gateway.stop()
    targets = [json.loads(line)["target"] for line in log.read_text().splitlines()]
    assert targets[0] == "/from-before"
    assert sorted(targets[1:]) == sorted(f"/file?{n}" for n in range(200) for _ in held)
    assert not gateway.records


def test_the_access_log_on_standard_output(serve):
    gateway = serve()
    client = Client(gateway)
    client.get_json("/out?1")
    client.get_json("/late?2")
    assert gateway.record("/out?1")["status"] == 200
    assert gateway.record("/late?2")["ask"]["verdict"] == "accepted"
    assert not [r for r in gateway.records if "unreadable" in r]


def test_the_level_drops_messages(serve, settings):
    def failed_handshake(gateway):
        with socket.create_connection(("127.0.0.1", gateway.port), LIMIT) as raw:
            raw.sendall(b"\0 is neither TLS nor HTTP")
            while raw.recv(4096):
                pass

    loud = serve("-c", settings(log="{ level: info }"))
    failed_handshake(loud)
    wait("the message", lambda: logged(loud, "handshake-failed", "info: 127.0.0.1:"))
    quiet = serve("-c", settings(log="{ level: warning }"))
    failed_handshake(quiet)
    quiet.stop()
    assert not at_level(quiet, "info")


def test_standard_streams_sent_to_files(settings, tmp_path):
    out, err = tmp_path / "out", tmp_path / "err"
    argv = [str(binary()), "serve", "-c", str(settings(workers=1)), "--listen", "127.0.0.1:0"]
    with out.open("w") as to_out, err.open("w") as to_err:
        process = popen(argv, stdin=subprocess.DEVNULL, stdout=to_out, stderr=to_err)
        try:
            wait("the ready line", lambda: has_message(err.read_text(), "listening"))
            process.terminate()
            assert process.wait(LIMIT) == 0
            to_err.write("behind\n")  # written at the position that the streams share, so it overwrites nothing
        finally:
            kill_group(process)
    lines = not_of_root(err.read_text().splitlines())
    assert LISTENING.match(lines[0])
    assert lines[-1] == "behind" and len(lines) == 3


class Unread:
    """A gateway whose standard output is not read until read() is called."""

    def __init__(self, path, pki):
        self.pki = pathlib.Path(pki)
        self.process = popen(
            [str(binary()), "serve", "-c", str(path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.messages = []
        self.port = int(self.until(LISTENING)["port"])

    def until(self, pattern):
        for line in self.process.stderr:
            self.messages.append(line.decode().rstrip())
            if found := re.search(pattern, self.messages[-1]):
                return found
        raise AssertionError(f"no {pattern} in {self.messages}")


@pytest.fixture
def unread(settings, pki):
    gateway = Unread(settings(workers=1), pki)
    yield gateway
    kill_group(gateway.process)


def test_a_log_that_nobody_reads_blocks_no_worker(unread):
    target = "/" + "x" * 7000
    client = Client(unread)
    for _ in range(400):  # 2.8 MB of records: more than a pipe and the buffer before it can hold
        client.get_json(target)
    unread.until(pattern("records-lost", log="stdout"))
    client.close()
    unread.process.terminate()
    records = [json.loads(line)["target"] for line in unread.process.stdout]
    assert unread.process.wait(LIMIT) == 0
    assert 100 < len(records) < 400
    assert set(records) == {target}


def test_more_connections_than_descriptors(serve, settings, tmp_path, monkeypatch):
    wrapper = tmp_path / "few-files"
    wrapper.write_text(f'#!/bin/sh\nulimit -n 90\nexec {shlex.quote(str(binary()))} "$@"\n')
    wrapper.chmod(0o755)
    path = settings(workers=1)
    monkeypatch.setenv("THAW", str(wrapper))
    gateway = serve("-c", path)
    first = Client(gateway)
    waiting = [socket.create_connection(("127.0.0.1", gateway.port), LIMIT) for _ in range(60)]
    assert gateway.wait_messages("connection-limits", "warning")
    assert Client(gateway).get_json()["path"] == "/"  # the waiting connections make room
    first.close()
    for raw in waiting:
        raw.close()
    assert Client(gateway).get_json()["path"] == "/"
