"""`thaw probe` against real servers: each diagnosis is compared with the server's configuration, boundaries to the
byte. Also against things that are not servers."""

import concurrent.futures
import contextlib
import errno
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import xml.etree.ElementTree

import pytest
from harness import rawtls
from harness.gateway import binary
from harness.process import popen
from harness.relay import Relay
from messages import MESSAGES, has_message

KIB, MIB = 2**10, 2**20
WATCHDOG = 120  # ends a probe that hangs
FREEZES, LIMITED, FINE, UNTOLD = 2, 1, 0, 3
TLS = ("tls12", "tls13")
STYLES = ("reads_while_writing", "writes_first")
QUICK = ("--hold", "0s", "--stall", "3s", "--max-body", "1MiB")


def argv(url, pki, *options, identity="client"):
    made = [str(binary()), "probe", url, "--ca", str(pki / "ca.pem"), "--quiet", *options]
    if identity:
        made += ["--cert", str(pki / f"{identity}.pem"), "--key", str(pki / f"{identity}.key")]
    return made


def look(url, pki, *options, **more):
    """Runs a probe, and returns its JSON; the exit code must be that of the verdict."""
    done = subprocess.run(argv(url, pki, "--json", *options, **more), capture_output=True, timeout=WATCHDOG)
    assert done.stdout, done.stderr.decode()
    report = json.loads(done.stdout)
    assert done.returncode == report["code"], done.stderr.decode()
    return report


# The probes that are made: a server of harness/late_servers.py, and options. They mostly wait for bytes that do not
# arrive, so some run in parallel.
PROBES = {
    "apache": ("apache", {}, "/late/x", "--hold", "4s"),
    "apache-raised": ("apache", {"limit": 300000}, "/late/x"),
    "apache-unreached": ("apache", {"limit": 16 * MIB}, "/late/x"),
    "apache-handshake": ("apache", {"ask": "handshake"}, "/late/x"),
    "apache-http2": ("apache", {"http2": True}, "/late/x", "--tls", "1.2"),
    "apache-open": ("apache", {}, "/open/x"),
    "tomcat": ("tomcat", {}, "/late/x", "--stall", "6s"),
    "tomcat-13": ("tomcat", {"tls": "1.3"}, "/late/x", "--stall", "6s"),
    "tomcat-raised": ("tomcat", {"limit": 100000}, "/late/x", "--tls", "1.2", "--stall", "6s"),
    "tomcat-handshake": ("tomcat", {"ask": "handshake"}, "/late/x", "--stall", "6s"),
    "node": ("node", {}, "/late/x"),
    "node-drains": ("node", {"drain": True}, "/late/x"),
    "nginx-on": ("nginx", {}, "/late/x"),
    "nginx-optional": ("nginx", {"ask": "optional"}, "/late/x"),
    "frozen-49152": ("frozen", {}, "/late"),
    "frozen-1023": ("frozen", {"read_ahead": 1023}, "/late"),
    "frozen-77777": ("frozen", {"read_ahead": 77777}, "/late"),
    "frozen-0": ("frozen", {"read_ahead": 0}, "/late", "--tls", "1.3"),
    "frozen-gives-up": ("frozen", {"give_up": 4}, "/late", "--tls", "1.3", "--stall", "2s", "--hold", "15s"),
}
AT_ONCE = 4


@pytest.fixture(scope="module")
def report(request, late_server, pki):
    """report('apache'): the result of the probe of that name. The first call starts all probes that tests want."""
    wanted = {name for item in request.session.items if item.module is request.module for name in named(item)}
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    made = {}
    for name, (kind, settings, path, *options) in PROBES.items():
        if name in wanted:
            server = late_server(kind, **settings)
            warm_up(server)
            made[name] = pool.submit(look, server.url(path), pki, *QUICK, *options)
    yield lambda name: made[name].result()
    pool.shutdown(cancel_futures=True)


def warm_up(server):
    """The first handshake of a new Java process can take longer than a stall."""
    with rawtls.Raw(server) as client:
        assert client.ask("GET", "/open/x").status in (200, 404)


def named(item):
    mark = item.get_closest_marker("probes")
    return mark.args if mark else ()


def probes(*names):
    """Marks a test that uses the reports of these names."""
    return pytest.mark.probes(*names)


@pytest.fixture
def probe(pki):
    """probe(url, '--tls', '1.2'): runs a probe for one test."""
    return lambda url, *options, **more: look(url, pki, *options, **more)


def boundary(report, tls, style):
    bodies = report[tls][style]
    outcome = bodies["outcome"] and (bodies["outcome"]["status"] or bodies["outcome"]["outcome"])
    return bodies["last_good"], bodies["first_bad"], outcome, bodies["exact"]


def problems(report):
    """Their texts, one a line."""
    return "\n".join(each["text"] for each in report["problems"])


# Apache ---------------------------------------------------------------------------------------------------------------


@probes("apache")
@pytest.mark.parametrize("tls", TLS)
def test_apache(tls, report):
    apache = report("apache")
    assert apache["code"] == LIMITED
    assert apache["server"]["name"] == "Apache httpd"
    for style in STYLES:
        assert boundary(apache, tls, style) == (128 * KIB, 128 * KIB + 1, 413, True)
    found = apache[tls]
    assert found["asked"] == "after-body"
    assert found["small_body"]["asked"]["means"] == ("renegotiation" if tls == "tls12" else "post-handshake")
    assert found["small_body"]["asked"]["issuers"] == ["CN=Thaw Throwaway CA"]
    assert found["small_body"]["asked"]["answer"] == "certificate"
    assert found["no_certificate"]["outcome"] == "alert"
    assert found["expect_waits"]["status"] == 200 and found["expect_waits"]["continued"]
    assert found["expect_eager"]["status"] == 403
    assert found["primed"]["status"] == 200 and found["primed"]["body_sent"] == MIB
    assert found["withheld"]["outcome"] == "withheld" and not found["withheld"]["gave_up"]


@probes("apache")
def test_apache_without_post_handshake_authentication(report):
    apache = report("apache")
    assert apache["tls13"]["no_post_handshake_auth"]["status"] == 403
    assert apache["as_browsers"]["status"] == 403
    assert apache["tls12"]["client_renegotiates"]["outcome"] == "not-renegotiated"
    assert apache["http2"]["outcome"] == "no-http2"


@probes("apache")
def test_the_report_has_cures_for_apache(report):
    apache = report("apache")
    server = " ".join(line for cure in apache["cures"]["server"] for line in cure["lines"])
    assert "SSLRenegBufferSize" in server and "Require ssl-verify-client" in server and "when: request" in server
    client = " ".join(line for cure in apache["cures"]["client"] for line in cure["lines"])
    assert "--prime always" in client and "--expect always" in client
    assert apache["cures"]["section"] == "apache-httpd"


@probes("apache-raised")
def test_apache_with_a_raised_limit(report):
    output = report("apache-raised")
    for tls in TLS:
        for style in STYLES:
            assert boundary(output, tls, style) == (300000, 300001, 413, True)
    assert output["server"]["name"] == "Apache httpd"


@probes("apache-unreached")
def test_apache_with_a_limit_that_is_not_reached(report):
    output = report("apache-unreached")
    assert not output["tls12"]["writes_first"]["changes"] and not output["tls13"]["reads_while_writing"]["changes"]
    assert output["code"] == LIMITED  # for clients without post-handshake authentication
    assert not has_message(problems(output), "report-body") and not has_message(problems(output), "report-any-body")


@probes("apache-handshake")
def test_apache_at_the_handshake(report):
    output = report("apache-handshake")
    assert output["code"] == FINE
    assert {output[tls]["asked"] for tls in TLS} == {"handshake"}


def test_apache_at_the_handshake_without_a_certificate(late_server, probe):
    report = probe(late_server("apache", ask="handshake").url("/late/x"), *QUICK, identity=None)
    assert report["code"] == FINE and has_message(report["line"], "report-closes")
    assert {report[tls]["asked"] for tls in TLS} == {"handshake"}
    assert report["tls12"]["no_body"]["outcome"] == "handshake-failed"


@probes("apache-http2")
def test_apache_with_http2(report):
    output = report("apache-http2")
    assert output["http2"]["outcome"] == "stream-reset"
    assert has_message(problems(output), "report-http2", "HTTP_1_1_REQUIRED")


@probes("apache-open")
def test_apache_where_it_does_not_ask(report):
    output = report("apache-open")
    assert output["code"] == FINE
    assert {output[tls]["asked"] for tls in TLS} == {"never"}


# Tomcat ---------------------------------------------------------------------------------------------------------------


@probes("tomcat")
@pytest.mark.parametrize("style", STYLES)
def test_tomcat(style, report):
    assert boundary(report("tomcat"), "tls12", style) == (4 * KIB, 4 * KIB + 1, 401, True)


@probes("tomcat")
def test_tomcat_in_the_whole(report):
    tomcat = report("tomcat")
    assert tomcat["code"] == FREEZES  # a client that waits for its 100
    assert tomcat["server"]["name"] == "Tomcat"
    assert tomcat["tls12"]["asked"] == "after-body"
    assert tomcat["tls12"]["expect_waits"]["outcome"] == "freeze"
    assert tomcat["tls12"]["primed"]["status"] == 200
    assert tomcat["tls13"]["asked"] == "never"
    assert tomcat["tls13"]["no_body"]["status"] == tomcat["tls13"]["small_body"]["status"] == 401
    assert has_message(problems(tomcat), "report-does-not-ask", "TLS 1.3", outcome=401)
    lines = [line for cure in tomcat["cures"]["server"] for line in cure["lines"]]
    assert any("maxSavePostSize" in line for line in lines) and any('"required"' in line for line in lines)


@probes("tomcat-13")
def test_tomcat_with_tls13_only(report):
    output = report("tomcat-13")
    assert (output["code"], output["server"]["name"]) == (LIMITED, "Tomcat")
    assert not output["tls12"]["spoken"] and output["tls13"]["small_body"]["status"] == 401


@probes("tomcat-raised")
def test_tomcat_with_a_raised_limit(report):
    output = report("tomcat-raised")
    for style in STYLES:
        assert boundary(output, "tls12", style) == (100000, 100001, 401, True)
    assert output["tls13"] is None


@probes("tomcat-handshake")
def test_tomcat_at_the_handshake(report):
    output = report("tomcat-handshake")
    assert output["code"] == FINE
    assert {output[tls]["asked"] for tls in TLS} == {"handshake"}


# Node -----------------------------------------------------------------------------------------------------------------


@probes("node")
def test_node(report):
    """Node reads up to 64 KiB from its socket at once, and no more while it waits. How much passes depends on how the
    bytes arrive, so no boundary is exact; but two such reads and a record are an upper bound."""
    output = report("node")
    assert output["code"] == FREEZES
    assert output["server"]["name"] == "Node.js"
    assert output["tls12"]["asked"] == "headers"
    for style in STYLES:
        _, first_bad, outcome, _ = boundary(output, "tls12", style)
        assert outcome == "freeze" and first_bad <= 160 * KIB
        largest = [each for each in output["tls12"][style]["tried"] if each["body"] == MIB]
        assert {each["outcome"] for each in largest} == {"freeze"}
    assert output["tls12"]["primed"]["status"] == 200
    assert any("requestCert: true" in line for cure in output["cures"]["server"] for line in cure["lines"])


@probes("node-drains")
def test_node_that_drains(report):
    output = report("node-drains")
    assert output["code"] == FINE


# nginx ----------------------------------------------------------------------------------------------------------------


@probes("nginx-on", "nginx-optional")
@pytest.mark.parametrize("ask", ("on", "optional"))
def test_nginx(ask, report):
    output = report(f"nginx-{ask}")
    assert output["code"] == FINE
    assert output["server"]["name"] == "nginx"
    for tls in TLS:
        assert output[tls]["asked"] == "handshake"
        assert output[tls]["no_certificate"]["status"] == (400 if ask == "on" else 403)


# Thaw -----------------------------------------------------------------------------------------------------------------

WHEN = {"/": "never", "/late": "", "/early": "headers", "/body": "after-body", "/after": "response"}


@pytest.mark.parametrize("method", (None, "PUT"))
@pytest.mark.parametrize("path", WHEN)
def test_thaw(path, method, thaw, probe):
    report = probe(thaw.url(path + "?probe"), *QUICK, *(("--method", method) if method else ()))
    assert report["code"] == FINE, report["line"]
    when = WHEN[path]
    assert report["tls12"]["asked"] == (when or "after-body")  # some clients do not support an earlier ask
    assert report["tls13"]["asked"] == (when or "headers")
    if when == "never":
        return
    assert report["as_browsers"]["status"] == 200
    for tls in TLS:
        for style in STYLES:
            assert report[tls][style]["changes"] is False
            assert {each["method"] for each in report[tls][style]["tried"]} == {method or "OPTIONS"}
    if when != "response":
        assert report["server"]["name"] == "Thaw"


def test_thaw_at_the_handshake(thaw, probe):
    report = probe(thaw.url("/", host="handshake.localhost"), *QUICK)
    assert report["code"] == FINE
    assert {report[tls]["asked"] for tls in TLS} == {"handshake"}


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding the hosts file takes root")
@pytest.mark.parametrize("host", ["localhost", "handshake.localhost"])
def test_localhost_without_a_hosts_file(host, thaw, pki):
    """As in a minimal root without /etc/hosts: RFC 6761 6.3."""
    hidden = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /etc/hosts; exec "$@"', "sh"]
    done = subprocess.run([*hidden, *argv(thaw.url("/", host=host), pki, "--json", *QUICK)], capture_output=True,
                          timeout=WATCHDOG)
    assert done.returncode == FINE, done.stderr.decode()


def test_thaw_with_a_limit(serve, probe):
    gateway = serve(certificate={"when": "request", "max_body": "70000"})
    report = probe(gateway.url("/x"), *QUICK)
    assert report["code"] == LIMITED
    assert report["server"]["name"] == "Thaw"
    assert boundary(report, "tls12", "writes_first") == (70000, 70001, 413, True)
    assert any("max_body" in line for cure in report["cures"]["server"] for line in cure["lines"])


def test_without_a_certificate_the_report_has_what_is_possible(late_server, probe):
    report = probe(late_server("apache").url("/late/x"), *QUICK, identity=None)
    assert boundary(report, "tls13", "writes_first") == (128 * KIB, 128 * KIB + 1, 413, True)
    assert report["tls13"]["small_body"]["asked"]["answer"] == "none"
    assert report["server"]["name"] == "Apache httpd"


def test_who_is_asking(thaw, probe):
    probe(thaw.url("/?who"), *QUICK, "--header", "X-Mark: here")
    record = thaw.wait_records(lambda r: (r.get("target") or "").endswith("/?who"))[0]
    assert record["user_agent"].startswith("thaw-probe/")


def test_only_safe_methods_by_default(thaw, probe):
    probe(thaw.url("/late?safe"), *QUICK)
    methods = {r["method"] for r in thaw.wait_records(lambda r: (r.get("target") or "").endswith("/late?safe"))}
    assert methods == {"GET", "HEAD", "OPTIONS"}


def test_what_a_method_will_do_is_said_first(thaw, pki):
    done = subprocess.run(argv(thaw.url("/"), pki, *QUICK, "--method", "DELETE"), capture_output=True, timeout=WATCHDOG,
                          text=True)  # fmt: skip
    assert has_message(done.stderr.splitlines()[0], "probe-sends", thaw.url("/"), method="DELETE")
    assert done.returncode == FINE


@pytest.mark.parametrize("largest", (0, 5000))
def test_it_uploads_no_more_than_max_body(largest, thaw, probe):
    report = probe(thaw.url(f"/late?most{largest}"), "--max-body", str(largest), "--hold", "0s")
    records = thaw.wait_records(lambda r: (r.get("target") or "").endswith(f"?most{largest}"), 10)
    assert max(r["body_in"] for r in records) <= largest
    assert report["code"] == FINE


# The freezing server --------------------------------------------------------------------------------------------------


@probes("frozen-49152", "frozen-1023", "frozen-77777")
@pytest.mark.parametrize("read_ahead", (49152, 1023, 77777))
def test_frozen(read_ahead, report):
    """The boundary is exact if the client writes first. A client that reads every 64 KiB meanwhile may pass beyond it.
    It may then have read the request for a certificate before the connection stalled: silence."""
    output = report(f"frozen-{read_ahead}")
    assert output["code"] == FREEZES
    for tls in TLS:
        assert boundary(output, tls, "writes_first") == (read_ahead, read_ahead + 1, "freeze", True)
        if read_ahead < 64 * KIB:
            assert boundary(output, tls, "reads_while_writing") == (read_ahead, read_ahead + 1, "freeze", True)
        else:
            _, first_bad, outcome, _ = boundary(output, tls, "reads_while_writing")
            assert outcome in ("freeze", "silence", None) and (first_bad is None or first_bad > read_ahead)
        assert output[tls]["asked"] == "headers"
        assert output[tls]["primed"]["status"] == output[tls]["expect_waits"]["status"] == 200
    assert "prime" in output["cures"]["client"][0]["what"].lower()


@probes("frozen-0")
def test_frozen_from_the_first_byte_on(report):
    output = report("frozen-0")
    assert boundary(output, "tls13", "writes_first") == (0, 1, "freeze", True)
    assert has_message(output["line"], "report-any-body")


@probes("frozen-gives-up")
def test_when_it_gives_up(report):
    output = report("frozen-gives-up")
    largest = [each for each in output["tls13"]["writes_first"]["tried"] if each["body"] == MIB and each["held_ms"]]
    assert len(largest) == 1 and largest[0]["gave_up"]
    assert largest[0]["held_ms"] >= 2000  # it had stalled before the hold began
    assert output["tls13"]["withheld"]["gave_up"]


def test_the_timeline(late_server, pki, tmp_path):
    """As text, as data and as a picture: all show the freeze."""
    url, svg = late_server("frozen").url("/late?a=1&b=<2>"), tmp_path / "freeze.svg"
    options = (*QUICK, "--tls", "1.3", "--svg", str(svg))
    text = subprocess.run(argv(url, pki, *options), capture_output=True, timeout=WATCHDOG, text=True).stdout
    assert "FROZEN" in text and "asks for a certificate" in text and "verdict: freezes" in text
    picture = xml.etree.ElementTree.parse(svg).getroot()
    words = " ".join(element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text"))
    assert "nothing moves" in words and "asks for a certificate" in words
    report = json.loads(subprocess.run(argv(url, pki, "--json", *options), capture_output=True, timeout=WATCHDOG).stdout)
    what = [moment["what"] for moment in report["timeline"]["moments"]]
    assert what.index("head-sent") < what.index("certificate-requested") < what.index("stalled")


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_without_a_hold_bodies_are_reported_too(tls, thaw, pki):
    options = ("--tls", tls, "--hold", "0s", "--stall", "1s", "--max-body", "1000")
    done = subprocess.run(argv(thaw.url("/late"), pki, *options), capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == (FINE if tls == "1.2" else LIMITED)  # 1.3 alone cannot ask some clients
    assert "  reading while writing         200 up to 1,000 bytes\n" in done.stdout
    assert "  writing before reading        200 up to 1,000 bytes\n" in done.stdout
    assert "  certificate not sent          kept for 1 s or longer\n" in done.stdout
    assert "\ntimeline: OPTIONS with 1,000 bytes" in done.stdout


FORMS = ((), ("--json",), ("--markdown",))


def test_a_full_disk(thaw, pki, tmp_path):
    """If the report cannot be written, the exit code is not a verdict; if the picture fails, the report is still
    written."""
    runs, errors, picture = [], [], tmp_path / "picture.svg"
    url, quick = thaw.url("/"), ("--max-body", "0")
    with open("/dev/full", "wb") as full:
        for form in FORMS:
            runs.append(popen(argv(url, pki, *quick, *form), stdout=full, stderr=subprocess.PIPE))
        runs.append(popen(argv(url, pki, *quick, "--svg", str(picture)), stdout=full, stderr=subprocess.PIPE))
    runs.append(popen(argv(url, pki, *quick, "--json", "--svg", "/dev/full"), stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE))  # fmt: skip
    outs = []
    for run in runs:
        out, error = run.communicate(timeout=WATCHDOG)
        outs.append(out)
        errors.append(error.decode())
    assert [run.returncode for run in runs] == [71] * len(runs), errors
    assert all(has_message(error, "probe-no-report", "thaw: error: ", cause=os.strerror(errno.ENOSPC)) for error in errors[:-1]), errors
    assert errors[-1] == f"thaw: error: /dev/full: {os.strerror(errno.ENOSPC)}\n"
    assert json.loads(outs[-1])["code"] == FINE
    assert xml.etree.ElementTree.parse(picture).getroot().tag.endswith("svg")


def test_markdown(late_server, pki):
    done = subprocess.run(argv(late_server("apache").url("/late/x"), pki, "--markdown", *QUICK), capture_output=True,
                          timeout=WATCHDOG, text=True)  # fmt: skip
    assert done.returncode == LIMITED
    assert done.stdout.startswith("# thaw probe <https://localhost:")
    assert "| asks for a certificate | after the body | after the body |" in done.stdout
    assert "SSLRenegBufferSize" in done.stdout


def test_interrupted(late_server, pki):
    """Ctrl-C: prints what is known so far, and makes no more connections."""
    process = popen(argv(late_server("frozen").url("/late"), pki, "--json", "--stall", "60s"), stdout=subprocess.PIPE)
    try:
        with contextlib.closing(socket.create_connection(("127.0.0.1", late_server("frozen").port))):
            pass
        wait_for_children(process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=WATCHDOG)
    finally:
        process.kill()
    report = json.loads(out)
    assert report["interrupted"] and process.returncode == report["code"]
    assert report["tls13"]["asked"] == "headers"
    assert has_message(problems(report), "report-interrupted")
    bodies = report["tls13"]["reads_while_writing"]  # None: the checks of bodies had not begun
    assert bodies is None or not bodies["changes"]


def test_out_of_time(thaw, probe):
    """Over a slow network an incomplete test is reported neither as a problem nor as the absence of one."""
    report = probe(f"https://localhost:{Relay(thaw.port, 200_000).port}/late", "--limit", "8s", "--hold", "0s")
    assert (report["code"], report["interrupted"]) == (UNTOLD, True)
    assert has_message(report["line"], "report-time-limit")
    assert not report["tls13"]["writes_first"]["changes"]
    assert report["tls13"]["writes_first"]["last_good"] < 16 * MIB


def test_on_a_terminal(late_server, pki):
    """Its progress is one line that is overwritten, so it must not wrap, and is erased at the end. Ctrl-C on the
    terminal prints the report."""
    child, terminal = pty.fork()
    if child == 0:
        termios.tcsetwinsize(1, (24, 60))
        live = [word for word in argv(late_server("frozen").url("/late"), pki, "--stall", "60s") if word != "--quiet"]
        os.execv(live[0], live)
    out, sent = b"", False
    with contextlib.suppress(OSError):  # how the end of a terminal is reported
        while data := os.read(terminal, 65536):
            out += data
            if b"all kinds" in out and not sent:
                os.write(terminal, b"\x03")
                sent = True
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert sent and code in (LIMITED, UNTOLD)
    *progress, report = out.decode().split("\r\x1b[K")
    assert max(len(line.rstrip("^C")) for line in progress) < 60
    assert report.startswith("thaw probe https://") and has_message(report, "report-interrupted")
    assert "after the headers" in report


def wait_for_children(process):
    """Waits until it has many connections open: then its first checks have results."""
    end = time.monotonic() + WATCHDOG
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            if len(os.listdir(f"/proc/{process.pid}/fd")) > 12:
                return
        time.sleep(0.05)


# Not a server ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listener(serve):
    """A TCP server that calls serve(connection) for each connection; yields its port."""
    server = socket.create_server(("127.0.0.1", 0))
    kept = []

    def run():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            kept.append(connection)
            threading.Thread(target=run_one, args=(connection,), daemon=True).start()

    def run_one(connection):
        with contextlib.suppress(OSError):
            serve(connection)

    threading.Thread(target=run, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for each in kept:
            each.close()


def plain_http(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    connection.close()


def silent(connection):
    connection.recv(4096)


def garbage(connection):
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x03\x00\x40" + b"\xee" * 64)
    connection.close()


def resets(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def closes(connection):
    connection.recv(4096)
    connection.close()


@pytest.mark.parametrize("serve_it, patience, code, what", (
    (plain_http, "--stall=20s", 76, "probe-not-tls"),
    (silent, "--stall=1s", 75, "--stall"),
    (silent, "--limit=1s", 75, "--limit"),
    (garbage, "--stall=20s", 76, "probe-handshake-failed"),
    (resets, "--stall=20s", 69, "reset"),
    (closes, "--stall=20s", 69, "closed"),
), ids=lambda value: getattr(value, "__name__", None))  # fmt: skip
def test_no_tls(serve_it, patience, code, what, pki):
    with listener(serve_it) as port:
        done = subprocess.run(argv(f"https://localhost:{port}/", pki, patience), capture_output=True,
                              timeout=WATCHDOG, text=True)  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("thaw: error: ") and done.stderr.count("\n") == 1
    assert has_message(done.stderr, what) if what in MESSAGES else what in done.stderr
    assert done.stdout == ""


def tls_server(pki, speak):
    context = rawtls.ssl.SSLContext(rawtls.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pki / "server.pem"), str(pki / "server.key"))

    def serve_it(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            speak(tls)

    return serve_it


def test_tls_without_http(pki):
    with listener(tls_server(pki, lambda tls: tls.sendall(b"220 mail.example.com ESMTP\r\n"))) as port:
        done = subprocess.run(argv(f"https://localhost:{port}/", pki), capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == 76
    assert has_message(done.stderr, "probe-not-http")


HOSTILE = b"Gr\xfc\xdfe \x9b2J\xe2\x80\xae | <b>&amp; `x` \\| \"q\""


def test_a_hostile_server(pki):
    """The Server field has all bytes that a field may have: it is not UTF-8, and could control a terminal."""
    def speak(tls):
        tls.sendall(b"HTTP/1.1 200 OK\r\nServer: " + HOSTILE + b"\r\nContent-Length: 2\r\n\r\n\x1b[")

    with listener(tls_server(pki, speak)) as port:
        url = f"https://localhost:{port}/"
        runs = [popen(argv(url, pki, "--max-body", "0", *form), stdout=subprocess.PIPE) for form in FORMS]
        text, report, markdown = (run.communicate(timeout=WATCHDOG)[0].decode() for run in runs)
    assert [run.returncode for run in runs] == [FINE] * len(runs)
    assert json.loads(report)["tls13"]["no_body"]["server"] == 'Gr??e ?2J? | <b>&amp; `x` \\| "q"'
    for each in (text, report, markdown):
        assert each.replace("\n", "").isprintable()


def test_tls_and_silence(pki):
    """The server completes TLS, reads the request and never answers: nothing is known about certificates."""
    def speak(tls):
        with contextlib.suppress(OSError):
            while tls.recv(4096):
                pass

    with listener(tls_server(pki, speak)) as port:
        done = subprocess.run(argv(f"https://localhost:{port}/", pki, "--json", "--stall", "2s"), capture_output=True,
                              timeout=WATCHDOG)  # fmt: skip
    report = json.loads(done.stdout)
    assert done.returncode == UNTOLD
    assert has_message(report["line"], "report-no-response")


def answers(answer):
    """A server that reads the body of each request of a connection, and sends this response."""
    def speak(tls, head):
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        body = len(head.partition(b"\r\n\r\n")[2])
        while body < length and (data := tls.recv(65536)):
            body += len(data)
        tls.sendall(answer)

    return speak


@contextlib.contextmanager
def https(pki, speak, ask=False):
    """Calls speak(tls, head) for each connection with the part of its first request that arrived in one piece. ask:
    requests a certificate at the handshake."""
    context = rawtls.ssl.SSLContext(rawtls.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pki / "server.pem"), str(pki / "server.key"))
    if ask:
        context.load_verify_locations(str(pki / "ca.pem"))
        context.verify_mode = rawtls.ssl.CERT_OPTIONAL

    def serve_it(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            speak(tls, tls.recv(65536))

    with listener(serve_it) as port:
        yield f"https://localhost:{port}/x"


SIMPLE = ("--max-body", "1KiB", "--hold", "0s", "--tls", "1.3")


def test_a_redirect_is_no_answer(pki, probe):
    """The redirect is not followed, so the result is "unknown"."""
    with https(pki, answers(b"HTTP/1.1 301 M\r\nLocation: /x/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")) as url:
        report = probe(url, *SIMPLE)
    assert report["code"] == UNTOLD
    assert has_message(report["line"], "report-redirect", location="/x/") and report["tls13"]["no_body"]["location"] == "/x/"


def test_a_server_field_that_is_no_text(pki, probe):
    """JSON is UTF-8, whatever the server sends."""
    with https(pki, answers(b"HTTP/1.1 200 OK\r\nServer: caf\xe9\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")) as url:
        report = probe(url, *SIMPLE)
    assert report["tls13"]["no_body"]["server"] == "caf?"


@pytest.mark.parametrize("body", (b"", b"x" * 65536), ids=("event-stream", "download"))
def test_a_response_without_end(body, pki, probe):
    """It counts as an answer, and is not downloaded."""
    sent = []

    def speak(tls, _head):
        tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        sent.append(0)
        mine = len(sent) - 1
        while body:
            tls.sendall(body)
            sent[mine] += len(body)
        tls.recv(1)

    with https(pki, speak) as url:
        report = probe(url, *SIMPLE, "--stall", "2s")
    assert (report["tls13"]["no_body"]["outcome"], report["tls13"]["no_body"]["status"]) == ("answered", 200)
    assert report["code"] == FINE
    assert max(sent) < 64 * MIB  # includes what socket buffers hold unread


def test_a_server_that_dies_meanwhile(pki, probe):
    """Refused connections prove nothing about certificates."""
    context = rawtls.ssl.SSLContext(rawtls.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pki / "server.pem"), str(pki / "server.key"))
    server = socket.create_server(("127.0.0.1", 0))

    def serve_two():
        """The probe's first connection only checks that something listens."""
        server.accept()[0].close()
        connection = server.accept()[0]
        server.close()
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            tls.recv(1)

    threading.Thread(target=serve_two, daemon=True).start()
    report = probe(f"https://localhost:{server.getsockname()[1]}/", *SIMPLE)
    assert report["code"] == UNTOLD
    assert report["tls13"]["small_body"]["outcome"] == "unreachable"


def test_a_certificate_that_is_not_accepted(thaw, probe):
    """If no request passes, that is not reported as "no problem"."""
    report = probe(thaw.url("/late"), *SIMPLE, identity="stranger")
    assert report["code"] == UNTOLD
    assert has_message(report["line"], "report-rejected", outcome=403)


def test_rows_of_what_passes(thaw, pki):
    done = subprocess.run(argv(thaw.url("/late"), pki, *SIMPLE), capture_output=True, timeout=WATCHDOG, text=True)
    assert "200 up to 1,024 bytes" in done.stdout


@pytest.mark.parametrize("options, file, message", (
    (("--ca", "nowhere.pem"), "nowhere.pem", "no-such-file"),
    (("--cert", "nowhere.pem"), "nowhere.pem", "no-such-file"),
    (("--cert", "client.pem"), "client.pem", "not-in-pem"),
    (("--key", "client.key"), "client.key", "not-in-pem"),
    (("--cert", "client.pem", "--key", "server.key"), "server.key", "key-of-another"),
), ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)  # fmt: skip
def test_unusable_files_are_reported(options, file, message, pki):
    """The error is reported before any connection."""
    done = subprocess.run([str(binary()), "probe", "https://localhost:1/", "--quiet", *options], capture_output=True,
                          cwd=pki, timeout=WATCHDOG, text=True)  # fmt: skip
    assert done.returncode == 66 and has_message(done.stderr, message, file), done.stderr


def test_a_version_that_it_does_not_speak(pki):
    context = rawtls.ssl.SSLContext(rawtls.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(pki / "server.pem"), str(pki / "server.key"))
    context.maximum_version = rawtls.ssl.TLSVersion.TLSv1_2

    def speak(connection):
        with context.wrap_socket(connection, server_side=True):
            pass

    with listener(speak) as port:
        done = subprocess.run(argv(f"https://localhost:{port}/", pki, "--tls", "1.3"), capture_output=True, timeout=WATCHDOG,
                              text=True)  # fmt: skip
    assert done.returncode == 76
    assert has_message(done.stderr, "probe-version", version="1.3"), done.stderr


def test_a_closed_port_is_reported(pki):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = subprocess.run(argv(f"https://127.0.0.1:{port}/", pki), capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == 69
    assert has_message(done.stderr, "connection-refused", port), done.stderr


def test_no_such_host(pki):
    done = subprocess.run(argv("https://no-such-host.invalid/", pki), capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == 68
    assert "no-such-host.invalid" in done.stderr


def test_a_stranger_as_the_server(thaw, pki, tmp_path):
    """Its certificate is not trusted, unless verification is skipped."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=Another CA", "-keyout", str(tmp_path / "x.key"), "-out", str(tmp_path / "ca.pem")],
                   check=True, capture_output=True)  # fmt: skip
    base = [str(binary()), "probe", thaw.url("/"), "--quiet", *QUICK]
    done = subprocess.run([*base, "--ca", str(tmp_path / "ca.pem")], capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == 77
    assert "--insecure" in done.stderr and len([line for line in done.stderr.splitlines() if has_message(line, "server-not-trusted")]) == 1
    done = subprocess.run([*base, "--insecure"], capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == FINE


@pytest.mark.parametrize("options, what", (
    ((), "probe-no-url"),
    (("http://x/",), "https://"),
    (("https://x/", "https://y/"), "'https://y/'"),
    (("https://x/", "--tls", "1.1"), "1.2, 1.3, both"),
    (("https://x/", "--max-body", "lots"), "0 to 1024GiB"),
    (("https://x/", "--stall", "0s"), "100ms to 1h"),
    (("https://x/", "--method", "P UT"), "--method"),
    (("https://x/", "--header", "no colon"), "Name: value"),
    (("https://x/", "--header", "Connection: y"), "User-Agent"),
    (("https://x/", "--header", "X: \x7f"), "Name: value"),
    (("https://-\u00fc.example/",), "IDNA"),
    (("https://x:0/",), "port"),
    (("https://user@x/",), "probe-user-in-url"),
    (("https://x/", "--what"), "--what"),
    (("https://x/", "--pkcs12", "a", "--cert", "b"), "--pkcs12"),
), ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)  # fmt: skip
def test_wrong_usage(options, what):
    done = subprocess.run([str(binary()), "probe", *options], capture_output=True, timeout=WATCHDOG, text=True)
    assert done.returncode == 64, done.stderr
    assert has_message(done.stderr, what) if what in MESSAGES else what in done.stderr
