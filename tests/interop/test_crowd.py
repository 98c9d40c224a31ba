"""Clients that send a body and withhold their certificate, beside an honest client, which must be served every time."""

import http.client
import threading

import pytest

from harness.rawtls import Raw, context
from test_must_hold import Withholding, wait_until

MIB = 2**20
KIB = 1024
ASKS = {"when": "request", "timeout": "300s"}
SMALL = {"memory": "2MiB", "disk": "12MiB"}  # for 400 clients with 64 KiB: half of the bytes that they send
NO_DISK = {"memory": "8MiB", "disk": "0"}
ADDRESSES = (5, 16, 100, 400)
FULL_ADDRESSES = (5, 16, 1000, 10000)


class Honest(threading.Thread):
    """Uploads from its own address until the block ends, each time on a new connection."""

    def __init__(self, gateway, sizes, source="127.9.0.1"):
        super().__init__(daemon=True)
        self.gateway, self.sizes, self.source = gateway, sizes, source
        self.statuses, self._over = [], threading.Event()
        self._contexts = [context(gateway.pki, tls) for tls in ("1.2", "1.3")]

    def upload(self, number):
        body = bytes(self.sizes[number % len(self.sizes)])
        with Raw(self.gateway, ctx=self._contexts[number % 2], source=self.source) as client:
            return client.ask("PUT", "/late?honest", body).status

    def run(self):
        number = 0
        while not self._over.is_set() or number < 2 * len(self.sizes):
            try:
                self.statuses.append(self.upload(number))
            except (OSError, AssertionError) as broken:
                self.statuses.append(repr(broken))
            number += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()


def crowd(gateway, programs, count, addresses, size):
    """The honest client's statuses while the crowd arrives and while it stays."""
    with Honest(gateway, (0, 1, 64 * KIB, MIB)) as early:
        with Withholding(programs, gateway, "withhold", "1.3", size, 16384, count, f"127.1.0.1/{addresses}") as clients:
            with Honest(gateway, (1, 64 * KIB, MIB), source="127.9.0.2") as late:
                pass
    assert clients.sent + clients.broken == count
    return early.statuses + late.statuses


def ended(gateway):
    return [r for r in gateway.records if r.get("ask", {}).get("reason") == "budget-pressure"]


def refused(gateway):
    """Why uploads of the honest client were not served, as one text, which an assertion shows completely."""
    of = [r for r in gateway.records if r.get("target") == "/late?honest" and r["status"] != 200]
    asks = [(r, r.get("ask") or {}) for r in of]
    return "; ".join(
        f"{r['status']} {a.get('verdict')} {a.get('reason')} after {r['ms']} ms, {r['body_in']} bytes" for r, a in asks
    )


@pytest.mark.parametrize("addresses", ADDRESSES)
@pytest.mark.parametrize("spool", (SMALL, NO_DISK), ids=("disk", "memory"))
def test_honest_beside_a_crowd(addresses, spool, serve, programs, figure):
    gateway = serve(certificate=ASKS, spool=spool)
    statuses = crowd(gateway, programs, 400, addresses, 64 * KIB)
    assert set(statuses) == {200}, refused(gateway)
    assert ended(gateway), "the crowd was not large enough"
    assert {r["status"] for r in ended(gateway)} == {503}
    figure(f"400 withheld from {addresses} addresses: {len(statuses)} of {len(statuses)} honest uploads got 200")


@pytest.mark.full
@pytest.mark.parametrize("size", (1, 64 * KIB, MIB), ids=("1", "64k", "1m"))
@pytest.mark.parametrize("addresses", FULL_ADDRESSES)
def test_honest_beside_ten_thousand(addresses, size, serve, programs, figure):
    gateway = serve(certificate=ASKS)
    statuses = crowd(gateway, programs, 10000, addresses, size)
    figure(
        f"10,000 withheld of {size} bytes from {addresses} addresses, default spool: "
        f"{statuses.count(200)} of {len(statuses)} honest uploads got 200; {len(ended(gateway))} ended for them"
    )
    assert set(statuses) == {200}, refused(gateway)


def test_one_byte_costs_little(serve, programs, figure):
    """Four addresses hold much in few requests, a fifth holds one byte in each of many: memory must be left for
    others."""
    gateway = serve(certificate=ASKS, spool={"memory": "8MiB", "disk": "64MiB"})
    with Withholding(programs, gateway, "withhold", "1.3", 4 * MIB, 16384, 4, "127.1.0.1"):
        with Withholding(programs, gateway, "withhold", "1.3", 1, 16384, 600, "127.3.0.1/1"):
            with Honest(gateway, (1, MIB)) as honest:
                pass
    assert set(honest.statuses) == {200}
    assert not ended(gateway)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_slow_upload_beside_another_of_its_address(tls, serve):
    """Honest clients: one upload uses the whole share of its address in the memory, and another one of that address
    must fit."""
    gateway = serve(certificate=ASKS, spool={"memory": "8MiB", "disk": "256MiB"})
    size, sent = 20 * MIB, 0
    with Raw(gateway, tls) as slow:
        slow.send(slow.head("PUT", "/late?slow", f"Content-Length: {size}"))
        while sent < size:
            sent += len(piece := bytes(min(MIB, size - sent)))
            assert slow.send(piece)
            if sent % (4 * MIB) == 0:
                with Raw(gateway, tls) as other:
                    assert other.ask("PUT", "/late?other", bytes(KIB)).status == 200
        assert slow.read().status == 200


@pytest.mark.parametrize("disk", ("64MiB", "0"))
def test_share_of_an_address_in_many_workers(disk, serve, programs):
    """Asks in some workers use up the share of an address. An upload to another worker is served if it is small or is
    repeated."""
    gateway = serve(certificate=ASKS, workers=4, spool={"memory": "8MiB", "disk": disk})
    with Withholding(programs, gateway, "withhold", "1.3", 64 * KIB, 16384, 200, "127.9.0.1"):
        with Honest(gateway, (1, 64 * KIB, MIB if disk != "0" else 1)) as honest:
            pass
    assert set(honest.statuses) == {200}, refused(gateway)
    assert bool(ended(gateway)) == (disk == "0")


def test_parallel_uploads_of_one_address(serve):
    gateway = serve(certificate=ASKS, spool={"memory": "8MiB", "disk": "256MiB"})
    statuses = []

    def upload():
        with Raw(gateway) as client:
            statuses.append(client.ask("PUT", "/late?parallel", bytes(15 * MIB)).status)

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4


@pytest.mark.full
@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_large_uploads_of_one_address(tls, serve, figure):
    """With the default spool: four large uploads at once, and small ones beside them."""
    gateway = serve(certificate=ASKS)
    statuses = []

    def upload():
        client = http.client.HTTPSConnection("127.0.0.1", gateway.port, context=context(gateway.pki, tls), timeout=600)
        client.request("PUT", "/late?large", bytes(200 * MIB))
        statuses.append(client.getresponse().status)
        client.close()

    threads = [threading.Thread(target=upload) for _ in range(4)]
    with Honest(gateway, (1, KIB, MIB), source="127.0.0.1") as honest:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    figure(f"4 x 200 MiB of one address, TLS {tls}: {statuses}; {len(honest.statuses)} small ones beside them")
    assert statuses == [200] * 4
    assert set(honest.statuses) == {200}, refused(gateway)


@pytest.mark.full
def test_slow_upload_of_100_mib(serve):
    """With the default spool, over TLS 1.2: a second client of that address is served during the whole upload."""
    gateway = serve(certificate=ASKS)
    size, sent = 100 * MIB, 0
    with Honest(gateway, (KIB, MIB), source="127.0.0.1") as honest, Raw(gateway, "1.2") as slow:
        slow.send(slow.head("PUT", "/late?slow", f"Content-Length: {size}"))
        while sent < size:
            uploads = len(honest.statuses)
            assert slow.send(bytes(4 * MIB))
            sent += 4 * MIB
            wait_until("an upload beside it", lambda seen=uploads: len(honest.statuses) > seen)
        assert slow.read().status == 200
    assert set(honest.statuses) == {200}, refused(gateway)


def test_who_answers_late_is_served_while_there_is_room(serve, programs):
    """The long deadline for humans stays valid beside a crowd that fits into the spool."""
    gateway = serve(certificate=ASKS, spool={"memory": "2MiB", "disk": "64MiB"})
    with Raw(gateway, "1.3", source="127.9.0.1") as human:
        human.send_request("PUT", "/late?human", bytes(64 * KIB))
        human.wait_bytes()
        with Withholding(programs, gateway, "withhold", "1.3", 64 * KIB, 16384, 300, "127.1.0.1/16"):
            assert human.read().status == 200


def test_memory_is_given_back(serve, programs, figure):
    """When many asks have ended, the workers release most of the memory."""
    gateway = serve(certificate=ASKS)
    with Honest(gateway, (KIB,)):
        pass
    before = gateway.memory()
    with Withholding(programs, gateway, "withhold", "1.3", 16 * KIB, 16384, 1500, "127.1.0.1/16"):
        most = gateway.memory()
    figure(f"1,500 withheld: {before} before, {most} meanwhile")
    assert most.own > before.own + 40 * MIB
    wait_until(
        lambda: f"memory given back: {gateway.memory()}", lambda: gateway.memory().own < before.own + 16 * MIB
    )
