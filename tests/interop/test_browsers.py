"""What real browsers do when a certificate is requested late (docs/BROWSERS.md): by the access records, the version of
TLS and HTTP of each request, and that no byte of a body was sent twice."""

import pathlib

import pytest

from harness import browsers
from harness.pki import Issuer, make_impostor
from ports import free_port

TOP = pathlib.Path(__file__).resolve().parents[2]
SIZES = {"1k": 1 << 10, "1m": 1 << 20, "50m": 50 << 20}
LATE = {"when": "request"}
# A certificate that the server accepts; none; one of a CA that the server does not name; one of another CA with the
# same name.
IDENTITIES = {"client": "accepted", None: "no-certificate", "stranger": "no-certificate", "impostor": "untrusted"}


@pytest.fixture(scope="module")
def stores(pki):
    """The PKI, with the certificates of IDENTITIES."""
    make_impostor(pki, "/CN=Thaw Throwaway CA")
    return pki


@pytest.fixture
def visit(stores, tmp_path):
    """visit(name, identity, url): starts a browser that shows this page."""
    running = []

    def start(name, identity, url):
        folder = tmp_path / f"browser{len(running)}"
        folder.mkdir()
        running.append(browsers.BROWSERS[name](folder, stores, identity))
        running[-1].open(url)
        return running[-1]

    yield start
    for one in running:
        one.close()


def fetch(browser, target, size):
    """The page's script sends a PUT with a body of `size` bytes. Returns the status."""
    return browser.evaluate(f"fetch('{target}', {{method: 'PUT', body: new Uint8Array({size})}}).then(answer => answer.status)")


def submit(browser, target, size):
    """Submits a form with a file of `size` bytes to target, which the browser then shows."""
    browser.evaluate(
        "(() => { const form = document.createElement('form'), file = document.createElement('input'),"
        " gathered = new DataTransfer();"
        f" form.method = 'post'; form.enctype = 'multipart/form-data'; form.action = '{target}';"
        f" gathered.items.add(new File([new Uint8Array({size})], 'upload'));"
        " file.type = 'file'; file.name = 'upload'; file.files = gathered.files;"
        " form.append(file); document.body.append(form); setTimeout(() => form.submit()); })()"
    )


def records(gateway, mark):
    """Waits until a request whose target ends with `mark` has a response that is not a redirect. Returns the access
    records of all such requests."""
    wanted = lambda record: (record["target"] or "").endswith(mark)  # noqa: E731
    assert gateway.wait_records(lambda record: wanted(record) and record["status"] not in (0, 307))
    return [record for record in gateway.records if wanted(record)]


def over(record):
    return record["protocol"], record["tls"]


def check_ask(record, verdict):
    ask = record["ask"]
    assert (ask["means"], ask["moment"]) == ("handshake", "handshake")
    assert record["status"] == (200 if verdict == "accepted" else 403)
    assert verdict in (ask["verdict"], ask["reason"])
    assert (record["certificate"] is not None) == (verdict == "accepted")


def check_once(came, size, exactly, verdict):
    """No body bytes arrived before the answered request; if that was accepted, its body arrived completely."""
    *before, last = came
    assert [record["body_in"] for record in before] == [0] * len(before)
    if verdict == "accepted":
        assert last["body_in"] == size if exactly else size < last["body_in"] < size + 1024
    else:  # refused as soon as its head had arrived
        assert last["body_in"] <= size + 1024


def cells(*quick):
    """All cells; those that are not listed run only with --full."""
    for browser in browsers.BROWSERS:
        for how in ("fetch", "form"):
            for size in SIZES:
                for identity in IDENTITIES:
                    cell = (browser, how, size, identity)
                    marks = () if cell in quick else pytest.mark.full
                    yield pytest.param(*cell, id="-".join(map(str, cell)), marks=marks)


SEND = {"fetch": fetch, "form": submit}


@pytest.mark.parametrize(
    "name,how,size,identity",
    cells(
        ("chromium", "fetch", "1m", "client"),
        ("firefox", "fetch", "1m", "client"),
        ("chromium", "form", "1m", None),
        ("firefox", "form", "1m", "impostor"),
    ),
)
def test_late_route_is_asked_in_the_handshake_on_demand(name, how, size, identity, serve, visit):
    gateway = serve(routes=(("/late", LATE),))
    browser = visit(name, identity, gateway.url("/?page"))
    assert over(gateway.record("/?page")) == ("HTTP/2.0", "TLSv1.3")
    SEND[how](browser, "/late?up", SIZES[size])
    came = records(gateway, "/late?up")
    *away, last = came
    assert away and all((*over(record), record["status"]) == ("HTTP/2.0", "TLSv1.3", 0) for record in away)
    assert over(last) == ("HTTP/1.1", "TLSv1.3")
    assert last["ask"]["on_demand"] is True
    check_ask(last, IDENTITIES[identity])
    check_once(came, SIZES[size], how == "fetch", IDENTITIES[identity])


PAST = ("20250101000000Z", "20250102000000Z")


@pytest.mark.parametrize("validity,status", ((None, 200), (PAST, 403)), ids=("valid", "expired"))
@pytest.mark.parametrize("name", browsers.BROWSERS)
def test_an_expired_certificate_is_not_sent_and_the_page_says_so(name, validity, status, serve, pki, tmp_path):
    issuer = Issuer(tmp_path)
    root = issuer.new("site", ca=True)
    issuer.new("visitor", by=root, validity=validity)
    for file in ("ca.pem", "server.pem", "server.key"):  # the files that a store is made of
        (tmp_path / file).write_text((pki / file).read_text())
    gateway = serve(routes=(("/late", {**LATE, "ca": root}),))
    folder = tmp_path / "browser"
    folder.mkdir()
    browser = browsers.BROWSERS[name](folder, tmp_path, "visitor")
    try:
        browser.open(gateway.url("/late?visit"))
        text = browser.evaluate("document.documentElement.innerText")
    finally:
        browser.close()
    last = records(gateway, "/late?visit")[-1]
    assert (last["status"], last["ask"]["reason"]) == (status, "none" if status == 200 else "no-certificate")
    assert ("have not expired" in text) == (status == 403)


@pytest.mark.parametrize(
    "name,how,size,identity", cells(("chromium", "form", "1k", "client"), ("firefox", "fetch", "1k", "client"))
)
def test_handshake_host_keeps_http2(name, how, size, identity, serve, visit):
    # The page is open to all: that of a refusal forbids its scripts and forms everything.
    gateway = serve(routes=(("/closed", {"when": "handshake"}),))
    browser = visit(name, identity, gateway.url("/?page"))
    SEND[how](browser, "/closed?up", SIZES[size])
    came = records(gateway, "/closed?up")
    assert [over(record) for record in came] == [("HTTP/2.0", "TLSv1.3")]
    check_ask(came[0], IDENTITIES[identity])
    check_once(came, SIZES[size], how == "fetch", IDENTITIES[identity])


@pytest.mark.parametrize("name,how,size,identity", cells())
def test_elsewhere_is_not_needed_by_browsers(name, how, size, identity, serve, visit):
    """A client that cannot be asked is redirected elsewhere. A browser can be asked, on demand, so it is not
    redirected."""
    gateway = serve(routes=(("/late", {**LATE, "elsewhere": "https://other.test"}),))
    browser = visit(name, identity, gateway.url("/?page"))
    SEND[how](browser, "/late?up", SIZES[size])
    came = records(gateway, "/late?up")
    assert not [record for record in came if record["status"] == 307]
    check_ask(came[-1], IDENTITIES[identity])
    check_once(came, SIZES[size], how == "fetch", IDENTITIES[identity])


@pytest.mark.parametrize("name", browsers.BROWSERS)
def test_elsewhere_gets_a_form_where_a_browser_cannot_be_asked(name, serve, visit):
    """TLS 1.3 only and no HTTP/2, so the handshake on demand is impossible: a 307 to a host that asks in each
    handshake."""
    port = free_port()
    gateway = serve(
        routes=(("/late", {**LATE, "elsewhere": f"https://handshake.localhost:{port}"}),),
        hosts=(("handshake.localhost", {"when": "handshake"}),),
        host={"http2": "off"},
        top={"tls": "{ versions: [ '1.3' ] }"},
        listens=(f"127.0.0.1:{port}",),
    )
    browser = visit(name, "client", gateway.url("/?page"))
    submit(browser, "/late?up", SIZES["1m"])
    came = records(gateway, "/late?up")
    assert [(*over(record), record["status"]) for record in came] == [
        ("HTTP/1.1", "TLSv1.3", 307),
        ("HTTP/2.0", "TLSv1.3", 200),
    ]
    check_ask(came[-1], "accepted")
    assert SIZES["1m"] < came[-1]["body_in"] < SIZES["1m"] + 1024


@pytest.mark.parametrize("name", browsers.BROWSERS)
def test_websocket_is_not_asked_for_a_certificate(name, serve, visit):
    """The WebSocket uses the page's HTTP/2 connection (RFC 8441), which is never asked."""
    gateway = serve(routes=(("/late", LATE),))
    browser = visit(name, "client", gateway.url("/?page"))
    browser.evaluate(
        "new Promise(done => { const socket = new WebSocket(location.origin.replace('https', 'wss') + '/?socket');"
        " socket.onclose = socket.onerror = () => done(true); })"
    )
    (came,) = records(gateway, "/?socket")
    assert over(came) == ("HTTP/2.0", "TLSv1.3") and came["ask"] is None and came["certificate"] is None
    assert fetch(browser, "/late?up", 1024) == 200
    check_ask(records(gateway, "/late?up")[-1], "accepted")


@pytest.mark.parametrize("http2", ("off", "auto"))
def test_page_that_primes_sends_its_body_once_and_after_the_certificate(http2, serve, visit):
    """The script of docs/WEB-PAGES.md, unchanged."""
    guide = (TOP / "docs/WEB-PAGES.md").read_text()
    script = guide.split("```js\n")[1].split("```")[0]
    gateway = serve(routes=(("/late", LATE),), host={"http2": http2})
    browser = visit("chromium", "client", gateway.url("/?page"))
    size = SIZES["1m"]
    status = browser.evaluate(
        f"(() => {{ {script} return upload('/late?up', new Uint8Array({size})).then(answer => answer.status); }})()"
    )
    assert status == 200
    assert gateway.wait_records(lambda record: record["method"] == "PUT" and record["status"] == 200)
    puts = [record for record in gateway.records if record["method"] == "PUT"]
    assert [record["body_in"] for record in puts] == [size]
    assert puts[0]["certificate"] is not None and puts[0]["ask"]["drained"] == 0


@pytest.mark.parametrize("identity", ("client", None))
@pytest.mark.parametrize("name,version", (("chromium", "HTTP/1.1"), ("firefox", "HTTP/2.0")))
def test_websocket_after_a_late_request_needs_no_choice(name, version, identity, serve, visit):
    """docs/BROWSERS.md: the choice for the late request, a certificate or none, also applies to the WebSocket's
    connection."""
    gateway = serve(routes=(("/late", LATE),))
    browser = visit(name, identity, gateway.url("/?page"))
    assert fetch(browser, "/late?up", 1024) == (200 if identity else 403)
    for count in range(3):
        browser.evaluate(
            "new Promise(done => { const socket = new WebSocket(location.origin.replace('https', 'wss') + '/?socket%d');"
            " socket.onclose = socket.onerror = () => done(true); })" % count
        )
        (came,) = records(gateway, f"/?socket{count}")
        assert over(came) == (version, "TLSv1.3") and came["status"] == 200 and came["ask"] is None


def test_chromium_does_not_prompt_for_a_websocket_while_its_user_chooses(serve, stores, tmp_path):
    """The WebSocket fails, and the late request keeps waiting for the choice."""
    gateway = serve(routes=(("/late", LATE),))
    browser = browsers.ChromiumThatAsks(tmp_path, stores, "client")
    try:
        browser.open(gateway.url("/?page"))
        browser.evaluate("void fetch('/late?up', {method: 'PUT', body: 'x'}).finally(() => { window.over = true; })")
        assert gateway.wait_messages("handshake-failed")  # it was asked, and shows its dialog
        code = browser.evaluate(
            "new Promise(done => { const socket = new WebSocket(location.origin.replace('https', 'wss') + '/?socket');"
            " socket.onclose = event => done(event.code); })"
        )
        assert code == 1006 and browser.evaluate("window.over") is None
    finally:
        browser.close()
    assert not [record for record in gateway.records if (record["target"] or "").endswith("socket")]
