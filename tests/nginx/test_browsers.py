"""What real browsers do with locations that ask (docs/NGINX.md), by nginx's access records."""

import pytest
from harness import browsers
from harness.pki import make_impostor

BASE = "listen 127.0.0.1:{port} ssl%s; server_name localhost; thaw_certificate_authority {pki}/ca.pem;"
LATE = "location / {{ default_type text/html; return 200 '<title>page</title>'; }} location /late {{ thaw_client_certificate request; proxy_pass http://app; }}"
SIZE = 20 << 20
# What is trusted, what nobody has, one of a CA that the server does not name, one of another CA of the same name.
IDENTITIES = {"client": "none", None: "no-certificate", "stranger": "no-certificate", "impostor": "untrusted"}


@pytest.fixture(scope="module")
def stores(pki):
    make_impostor(pki, "/CN=Thaw Throwaway CA")
    return pki


@pytest.fixture
def visit(stores, tmp_path):
    """visit(kind, identity, url): a browser that shows this page."""
    running = []

    def start(kind, identity, url):
        folder = tmp_path / f"browser{len(running)}"
        folder.mkdir()
        running.append(kind(folder, stores, identity))
        running[-1].open(url)
        return running[-1]

    yield start
    for one in running:
        one.close()


def fetch(browser, target, size):
    return browser.evaluate(f"fetch('{target}', {{method: 'PUT', body: new Uint8Array({size})}}).then(answer => answer.status)")


def submit(browser, target, size):
    """A form with a file, which the browser goes to."""
    browser.evaluate(
        "(() => { const form = document.createElement('form'), file = document.createElement('input'), gathered = new DataTransfer();"
        f" form.method = 'post'; form.enctype = 'multipart/form-data'; form.action = '{target}';"
        f" gathered.items.add(new File([new Uint8Array({size})], 'upload')); file.type = 'file'; file.name = 'upload'; file.files = gathered.files;"
        " form.append(file); document.body.append(form); setTimeout(() => form.submit()); })()"
    )


def go_to(browser, target, _):
    browser.evaluate(f"void setTimeout(() => {{ location.href = '{target}'; }})")


HOW = {"page": go_to, "fetch": fetch, "form": submit}


QUICK = {("chromium", "h1", "fetch", "client"), ("chromium", "h2", "form", None), ("firefox", "h2", "fetch", "client"), ("firefox", "h1", "page", "impostor")}


def cells():
    """All of them; those that are not in QUICK are for --full."""
    for name in browsers.BROWSERS:
        for http in ("h1", "h2"):
            for how in HOW:
                for identity in IDENTITIES:
                    cell = (name, http, how, identity)
                    yield pytest.param(*cell, id="-".join(map(str, cell)), marks=() if cell in QUICK else pytest.mark.full)


@pytest.mark.parametrize("name, http, how, identity", cells())
def test_browser_is_asked_and_answered(name, http, how, identity, nginx, inspector, visit):
    one = nginx(BASE % (" http2" if http == "h2" else "") + LATE)
    browser = visit(browsers.BROWSERS[name], identity, one.url("/?page"))
    target = f"/late?up&{name}-{http}-{how}-{identity}"
    HOW[how](browser, target, SIZE)
    final = lambda record: record["target"] == target and record["status"] in (200, 403)  # noqa: E731
    one.wait(lambda: [record for record in one.records() if final(record)], "the answer")
    page = one.record("/?page")
    assert (page["http"], page["tls"]) == ("HTTP/2.0" if http == "h2" else "HTTP/1.1", "TLSv1.2")
    *before, last = [record for record in one.records() if record["target"] == target]
    # Reset on HTTP/2, and left when it was asked for the first time: nothing of it reached the upstream.
    assert {record["status"] for record in before} <= {421, 499} and (421 in [record["status"] for record in before]) == (http == "h2")
    assert last["reason"] == IDENTITIES[identity] and last["status"] == (403 if identity != "client" else 200)
    assert (last["http"], last["means"]) == ("HTTP/1.1", "renegotiation")
    arrived = inspector.requests(target)
    assert len(arrived) == (identity == "client")
    if arrived and how != "page":
        assert 0 <= arrived[0]["body_bytes"] - SIZE < 1024


class FirefoxThatAsks(browsers.Firefox):
    """Asks its user for a certificate."""

    ARGUMENTS = ("-remote-allow-system-access",)

    def __init__(self, folder, pki, identity):
        super().__init__(folder, pki, identity)
        self.chrome("Services.prefs.setStringPref('security.default_personal_cert', 'Ask Every Time'); return true;")

    def chrome(self, script):
        """The value of a script in the browser's own window."""
        self.call("Marionette:SetContext", value="chrome")
        try:
            return self.call("WebDriver:ExecuteScript", script=script, args=[])["value"]
        finally:
            self.call("Marionette:SetContext", value="content")


# Whether the dialog is there, and set up.
DIALOG = """
for (const browser of [...document.querySelectorAll('browser.dialogFrame'), ...Services.wm.getEnumerator(null)]) {
    const page = browser.contentDocument ?? browser.document;
    const dialog = page?.location.href.includes('clientauthask') && page.querySelector('dialog');
    if (dialog?._buttons) { %s return true; }
}
return false;
"""
CANCEL, LOOK = DIALOG % "dialog.cancelDialog();", DIALOG % ""


def test_user_of_firefox_cancels_the_choice(nginx, visit):
    """Nothing is given: a readable 403."""
    one = nginx(BASE % "" + LATE)
    browser = visit(FirefoxThatAsks, "client", one.url("/?page"))
    browser.evaluate("void fetch('/late?cancelled', {method: 'PUT', body: new Uint8Array(%d)}).then(answer => { window.status_of = answer.status; })" % SIZE)
    one.wait(lambda: browser.chrome(CANCEL), "the dialog")
    one.wait(lambda: browser.chrome(CANCEL) or browser.evaluate("window.status_of"), "an answer")
    record = [each for each in one.records() if each["target"] == "/late?cancelled"][-1]
    assert (record["status"], record["verdict"], record["reason"]) == (403, "declined", "no-certificate")


UNDECIDED = "void fetch('/late?undecided', {method: 'PUT', body: 'x'}).then(answer => { window.status_of = answer.status; })"


@pytest.mark.parametrize("send_timeout, late", [("1s", False), ("60s", True)], ids=["never", "late"])
def test_user_of_firefox_does_not_choose_in_time(send_timeout, late, nginx, visit):
    """Other requests are served meanwhile. The 403 can only be written once the client has ended the renegotiation (RFC
    5246 7.4): within send_timeout."""
    one = nginx(BASE % "" + f"send_timeout {send_timeout};" + LATE.replace("request;", "request; thaw_timeout 3s;"))
    browser = visit(FirefoxThatAsks, "client", one.url("/?page"))
    browser.evaluate(UNDECIDED)
    one.wait(lambda: browser.chrome(LOOK), "the dialog")
    assert browser.evaluate("fetch('/?beside').then(answer => answer.status)") == 200
    one.wait(lambda: "timed-out (no-answer)" in one.errors(), "the verdict")
    if late:
        browser.chrome(CANCEL)
        assert one.wait(lambda: browser.evaluate("window.status_of"), "the response") == 403
    # Firefox may have left another connection, when it was asked for the first time.
    of_verdict = lambda record: record["target"] == "/late?undecided" and record["status"] != 499  # noqa: E731
    [record] = one.wait(lambda: [each for each in one.records() if of_verdict(each)], "the record")
    assert (record["status"], record["verdict"], record["reason"]) == (403, "timed-out", "no-answer")


def test_user_of_chromium_does_not_choose(nginx, visit):
    """It has left the connection on which it was asked: nothing waits at nginx, and other requests are served."""
    one = nginx(BASE % "" + LATE)
    browser = visit(browsers.ChromiumThatAsks, "client", one.url("/?page"))
    browser.evaluate("void fetch('/late?undecided', {method: 'PUT', body: 'x'}).finally(() => { window.over = true; })")
    record = one.record("/late?undecided")
    assert (record["status"], record["verdict"], record["reason"]) == (499, "cancelled", "connection")
    assert browser.evaluate("fetch('/?beside').then(answer => answer.status)") == 200
    assert browser.evaluate("window.over") is None
