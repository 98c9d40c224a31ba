"""What the master does: workers that die, signals, and an orderly end."""

import json
import os
import signal
import socket

from peer import LIMIT, Client, clients_on_both, is_running, wait

MIB = 1 << 20


def said(gateway, text):
    return [m for m in list(gateway.messages) if text in m]


def begin_upload(gateway, path, length, part):
    """An upload of which the gateway surely has read something, and which is not complete."""
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
    wait("the message", lambda: said(gateway, f"worker {victim} was ended by signal 9"))
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
    """A withheld certificate holds most of the spool; after its worker's death another body fits in."""
    gateway = serve("-c", settings(workers=1, spool="{ memory: 4MiB, per_client: 100% }"))
    length = 3 * MIB
    holder = withhold(gateway, length)
    wait_held(gateway, holder)
    refused = withhold(gateway, length)
    assert refused.response()[0] in (413, 503)
    (victim,) = gateway.workers()
    os.kill(victim, signal.SIGKILL)
    wait("a new worker", lambda: gateway.workers() and gateway.workers() != [victim])
    honest = begin_upload(gateway, "/late", length, MIB)
    status, told = finish_upload(honest, length, MIB)
    assert (status, told.get("body_bytes")) == (200, length), told
    assert told["certificate"]["subject"] == "CN=Thaw Demo Client"
    holder.close()


def withhold(gateway, length):
    """A client that sends a body and reads nothing, so never answers the request for its certificate."""
    client = Client(gateway)
    client.begin("/late", length)
    client.send(bytes(length))
    return client


def wait_held(gateway, client):
    """Until the gateway has read all that the client has sent: nothing is on its way any more."""
    ends = f"{client.server_port:04X}", f"{client.port:04X}"

    def read():
        queues = {}
        for line in open("/proc/net/tcp", encoding="ascii"):
            field = line.split()
            if field[0] != "sl":
                queues[field[1].rpartition(":")[2], field[2].rpartition(":")[2]] = field[4]
        there, back = queues[ends], queues[ends[::-1]]
        return there.partition(":")[2] == "00000000" and back.partition(":")[0] == "00000000"

    wait("the body to be read", read)


def test_sigterm_lets_an_upload_end(serve, settings):
    gateway = serve("-c", settings(workers=2))
    length, part = 8 * MIB, MIB
    idle = Client(gateway)
    idle.get_json()
    upload = begin_upload(gateway, "/late", length, part)
    wait_held(gateway, upload)
    gateway.process.send_signal(signal.SIGTERM)
    assert idle.response() is None  # an idle one is ended at once
    wait("new connections to be refused", lambda: refuses(gateway))
    status, told = finish_upload(upload, length, part)
    assert (status, told.get("body_bytes")) == (200, length), told
    assert told["certificate"]["subject"] == "CN=Thaw Demo Client"
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


def test_a_second_sigterm_ends_it_at_once(serve, settings):
    gateway = serve("-c", settings(workers=2))
    workers = gateway.workers()
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    gateway.process.send_signal(signal.SIGTERM)
    wait("the stop", lambda: said(gateway, "stopping"))
    assert gateway.process.poll() is None
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(LIMIT) == 0
    assert not [w for w in workers if is_running(w)]
    assert upload.response() is None


def test_requests_that_do_not_end_are_cut_off(serve, settings):
    gateway = serve("-c", settings(workers=1, more="stop_timeout: 2s\n"))
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(LIMIT) == 0
    assert said(gateway, "requests under way may end within 2 s")
    assert said(gateway, "cuts off 1 connections that have not ended in 2 s")
    assert upload.response() is None


def test_sigint_stops_as_sigterm_does(serve):
    gateway = serve()
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.process.wait(LIMIT) == 0


def test_a_signal_to_the_whole_group_is_one_stop(serve, settings):
    """As a terminal or a service manager sends it."""
    gateway = serve("-c", settings(workers=2))
    length, part = 4 * MIB, MIB
    upload = begin_upload(gateway, "/", length, part)
    wait_held(gateway, upload)
    os.killpg(gateway.process.pid, signal.SIGTERM)
    wait("the stop", lambda: said(gateway, "stopping"))
    status, told = finish_upload(upload, length, part)
    assert (status, told.get("body_bytes")) == (200, length), told
    upload.close()
    assert gateway.process.wait(LIMIT) == 0


def test_sighup_is_ignored_and_told(serve):
    gateway = serve()
    os.killpg(gateway.process.pid, signal.SIGHUP)
    wait("the message", lambda: said(gateway, "SIGHUP is ignored"))
    assert Client(gateway).get_json()["path"] == "/"


def test_workers_do_not_outlive_their_master(serve, settings):
    gateway = serve("-c", settings(workers=2))
    workers = gateway.workers()
    assert len(workers) == 2
    gateway.process.kill()
    wait("the workers to end", lambda: not [w for w in workers if is_running(w)])
