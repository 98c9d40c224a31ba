"""What the master does: worker deaths, signals, and a graceful stop."""

import json
import os
import pathlib
import signal
import socket

from messages import logged
from peer import LIMIT, Client, clients_on_both, is_running, tcp_rows, wait

MIB = 1 << 20


def begin_upload(gateway, path, length, part):
    """Begins an upload: the gateway has certainly read something, and the upload is not complete."""
    client = Client(gateway)
    client.begin(path, length)
    client.send(bytes(part))
    return client


def finish_upload(client, length, part):
    client.send(bytes(length - part))
    status, body = client.response()
    return status, json.loads(body)


def test_killing_a_worker_loses_its_own_connections_only(serve, settings):
    gateway = serve("-c", settings(workers=2))
    held = clients_on_both(gateway)
    victim, survivor = held
    os.kill(victim, signal.SIGKILL)
    assert held[victim].get() is None
    wait("a new worker", lambda: len([w for w in gateway.workers() if w != victim]) == 2)
    wait("the message", lambda: logged(gateway, "worker-killed", pid=victim, signal=9))
    assert held[survivor].get_json("/late")["certificate"]["subject"] == "CN=Thaw Demo Client"
    assert held[survivor].worker(gateway) == survivor
    again = clients_on_both(gateway)
    assert survivor in again and victim not in again
    for client in again.values():
        assert client.get_json()["path"] == "/"


def test_workers_that_keep_dying_are_replaced(serve, settings):
    gateway = serve("-c", settings(workers=1))
    for _ in range(4):
        (victim,) = wait("a worker", lambda: gateway.workers())
        os.kill(victim, signal.SIGKILL)
        wait("it to be gone", lambda: victim not in gateway.workers())
    assert Client(gateway).get_json()["path"] == "/"


def test_a_dead_worker_s_budget_is_given_back(serve, settings):
    """A withheld certificate holds most of the spool, so a second one ends it. After the death of its worker another
    upload fits."""
    gateway = serve("-c", settings(workers=1, spool="{ memory: 4MiB, per_client: 100% }"))
    length = 3 * MIB
    holder = withhold(gateway, length)
    wait_held(gateway, holder)
    second = withhold(gateway, length)
    wait_held(gateway, second)
    assert holder.response()[0] == 503
    (victim,) = gateway.workers()
    os.kill(victim, signal.SIGKILL)
    wait("a new worker", lambda: gateway.workers() and gateway.workers() != [victim])
    honest = begin_upload(gateway, "/late", length, MIB)
    status, body = finish_upload(honest, length, MIB)
    assert (status, body.get("body_bytes")) == (200, length), body
    assert body["certificate"]["subject"] == "CN=Thaw Demo Client"
    holder.close()
    second.close()


def withhold(gateway, length):
    """A client that sends a body and reads nothing, so it never answers the request for its certificate."""
    client = Client(gateway)
    client.begin("/late", length)
    client.send(bytes(length))
    return client


def wait_held(gateway, client):
    """Waits until the gateway has read everything that the client has sent: nothing is in flight."""
    ends = f"{client.server_port:04X}", f"{client.port:04X}"

    def row(these):
        return next((row for row in tcp_rows() if row.ends == these), None)

    def read():
        """The order matters: bytes that have left the client's socket are then in the server's. One reading of both
        rows is not atomic."""
        here = row(ends[::-1])
        if here is None or int(here.unsent, 16) != 0:
            return False
        there = row(ends)
        return there is not None and int(there.unread, 16) == 0

    wait("the body to be read", read)


def test_sigterm_lets_an_upload_end(serve, settings):
    gateway = serve("-c", settings(workers=2))
    length, part = 8 * MIB, MIB
    idle = Client(gateway)
    idle.get_json()
    upload = begin_upload(gateway, "/late", length, part)
    wait_held(gateway, upload)
    gateway.process.send_signal(signal.SIGTERM)
    assert idle.response() is None  # an idle connection is closed at once
    wait("new connections to be refused", lambda: refuses(gateway))
    status, body = finish_upload(upload, length, part)
    assert (status, body.get("body_bytes")) == (200, length), body
    assert body["certificate"]["subject"] == "CN=Thaw Demo Client"
    upload.close()
    idle.close()
    assert gateway.process.wait(LIMIT) == 0
    assert gateway.record("/late")["status"] == 200


def refuses(gateway):
    try:
        socket.create_connection(("127.0.0.1", gateway.port), LIMIT).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_sigterm_answers_what_is_under_way_and_ends(serve, settings):
    gateway = serve("-c", settings(workers=2))
    workers = gateway.workers()
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    gateway.process.send_signal(signal.SIGTERM)
    wait("the stop", lambda: logged(gateway, "stopping"))
    assert gateway.process.poll() is None
    gateway.process.send_signal(signal.SIGTERM)
    assert_dismissed(gateway, upload, "/late", MIB)
    assert gateway.process.wait(LIMIT) == 0
    assert not [w for w in workers if is_running(w)]


def assert_dismissed(gateway, upload, path, sent):
    """Checks that the upload was answered with 503, and that the record agrees."""
    status, body = upload.response()
    assert (status, json.loads(body)["reason"]) == (503, "stopping")
    assert int(upload.fields[b"retry-after"]) > 0
    assert upload.fields[b"connection"] == b"close"
    upload.close()
    record = gateway.record(path)
    assert (record["status"], record["body_in"]) == (503, sent)
    assert "stop_timeout" in record["note"]
    if path == "/late":
        assert record["ask"]["verdict"] in ("cancelled", "accepted")
        assert record["ask"]["drained"] + record["body_in"] >= sent
    return record


def test_a_third_sigterm_ends_at_once(serve, settings):
    gateway = serve("-c", settings(workers=1))
    upload = begin_upload(gateway, "/", 8 * MIB, MIB)
    wait_held(gateway, upload)
    (worker,) = gateway.workers()
    os.kill(worker, signal.SIGSTOP)
    for _ in range(3):
        gateway.process.send_signal(signal.SIGTERM)
        wait("the signal to be taken", lambda: not pending(gateway.process.pid, signal.SIGTERM))
    assert gateway.process.wait(LIMIT) == 0
    assert upload.response() is None


def pending(pid, number):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("ShdPnd:"):
            return bool(int(line.split()[1], 16) & 1 << (number - 1))
    return False


def test_requests_that_do_not_end_are_answered(serve, settings):
    """A partial head, a withheld certificate and a partial body get an answer; a connection without a request is
    closed."""
    gateway = serve("-c", settings(workers=1, more="stop_timeout: 2s\n"))
    head = Client(gateway)
    head.send(b"GET /head HTTP/1.1\r\nHost: loc")
    silent = socket.create_connection(("127.0.0.1", gateway.port), LIMIT)
    held = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, held)
    passing = begin_upload(gateway, "/passing", 8 * MIB, MIB)
    wait_held(gateway, passing)
    gateway.process.send_signal(signal.SIGTERM)
    assert_dismissed(gateway, held, "/late", MIB)
    assert_dismissed(gateway, passing, "/passing", MIB)
    assert head.response()[0] == 503
    assert silent.recv(1) == b""
    head.close()
    silent.close()
    assert gateway.process.wait(LIMIT) == 0
    assert gateway.wait_messages("stopping", seconds=2)
    assert gateway.wait_messages("stop-timeout", " 2 s ", "stop_timeout")
    assert gateway.wait_records(lambda r: r["status"] == 503, 3)


def test_a_client_that_does_not_read_its_answer_holds_up_no_stop(serve, settings):
    gateway = serve("-c", settings(workers=1, more="stop_timeout: 1s\n"))
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(LIMIT) == 0
    assert gateway.record("/late")["status"] == 503
    upload.close()


def test_sigint_stops_as_sigterm_does(serve):
    gateway = serve()
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.process.wait(LIMIT) == 0


def test_a_signal_to_the_whole_group_is_one_stop(serve, settings):
    """As a terminal or a service manager sends the signal."""
    gateway = serve("-c", settings(workers=2))
    length, part = 4 * MIB, MIB
    upload = begin_upload(gateway, "/", length, part)
    wait_held(gateway, upload)
    os.killpg(gateway.process.pid, signal.SIGTERM)
    wait("the stop", lambda: logged(gateway, "stopping"))
    status, body = finish_upload(upload, length, part)
    assert (status, body.get("body_bytes")) == (200, length), body
    upload.close()
    assert gateway.process.wait(LIMIT) == 0


def test_sighup_is_ignored_and_logged(serve):
    gateway = serve()
    os.killpg(gateway.process.pid, signal.SIGHUP)
    wait("the message", lambda: logged(gateway, "sighup-ignored"))
    assert Client(gateway).get_json()["path"] == "/"


def test_workers_do_not_outlive_their_master(serve, settings):
    gateway = serve("-c", settings(workers=2))
    workers = gateway.workers()
    assert len(workers) == 2
    gateway.process.kill()
    wait("the workers to end", lambda: not [w for w in workers if is_running(w)])


# ---- workers that make no progress


def test_a_stopped_worker_is_ended_and_replaced(serve, settings):
    gateway = serve("-c", settings(workers=2, more="worker_timeout: 1s\n"))
    held = clients_on_both(gateway)
    victim, survivor = held
    os.kill(victim, signal.SIGSTOP)
    assert held[victim].response() is None  # its connections are closed, and do not hang for ever
    assert gateway.wait_messages("worker-stuck", pid=victim, seconds=1)
    wait("a new worker", lambda: victim not in (now := gateway.workers()) and len(now) == 2)
    assert held[survivor].get_json("/late")["certificate"]["subject"] == "CN=Thaw Demo Client"
    again = clients_on_both(gateway)
    assert survivor in again
    assert len(logged(gateway, "worker-stuck")) == 1


def test_a_stopped_worker_of_an_earlier_configuration_is_ended(serve, settings):
    gateway = serve("-c", settings(workers=1, more="worker_timeout: 1s\nstop_timeout: 24h\n"))
    (old,) = gateway.workers()
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    gateway.process.send_signal(signal.SIGHUP)
    wait("the new worker", lambda: len(gateway.workers()) == 2)
    wait("the old one to retire", lambda: Client(gateway).worker(gateway) != old)
    os.kill(old, signal.SIGSTOP)
    assert upload.response() is None
    wait("it to be gone", lambda: old not in gateway.workers())
    assert Client(gateway).get_json()["path"] == "/"
