"""`thaw probe`: ways to a server, its user agent, the CAs that it trusts, and the key log."""

import base64
import json
import os
import re
import subprocess

import pytest
from harness.gateway import binary
from harness.plain import Scripted as Plain
from harness.relay import ConnectProxy, TlsFront
from harness.scripted import Taker
from harness.upload import identity

WATCHDOG = 120
NOTHING = {"CURL_CA_BUNDLE": "", "SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}
BRIEF = ("--max-body", "0", "--hold", "0s", "--json")
NO_PROXY = {"no_proxy": "", "NO_PROXY": ""}
LOGIN = base64.b64encode(b"name:pass word").decode()


@pytest.fixture
def taker(pki):
    one = Taker(pki)
    yield one
    one.server.close()


@pytest.fixture
def proxy():
    running = []

    def start(**more):
        running.append(ConnectProxy(**more))
        return running[-1]

    yield start
    for one in running:
        one.close()


def probe(pki, url, *options, trust=True, env=None):
    who = identity(pki) if trust else identity(pki)[2:]
    argv = [str(binary()), "probe", url, *BRIEF, *who, *options]
    done = subprocess.run(argv, capture_output=True, timeout=WATCHDOG, env={**os.environ, **NOTHING, **(env or {})})
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr.decode()


@pytest.mark.parametrize("way", ("connect-to", "resolve"))
def test_a_way_changes_the_address_only(way, taker, pki):
    port = 9 if way == "connect-to" else taker.port
    value = {"connect-to": f"localhost:9:127.0.0.1:{taker.port}", "resolve": f"localhost:{port}:127.0.0.9,127.0.0.1"}[way]
    code, report, err = probe(pki, f"https://localhost:{port}/x", f"--{way}", value)
    assert (code, report.get("schema")) == (0, 1), err
    assert taker.names == {"localhost"}
    assert {fields["host"] for _, _, fields, _ in taker.requests} == {f"localhost:{port}"}


def test_a_host_other_than_the_sni_and_another_agent(taker, pki):
    url = f"https://localhost:{taker.port}/x"
    code, _, err = probe(pki, url, "--header", "Host: other.example", "--user-agent", "own/1")
    assert code == 0, err
    assert taker.names == {"localhost"}
    assert {(fields["host"], fields["user-agent"]) for _, _, fields, _ in taker.requests} == {("other.example", "own/1")}


def test_an_sni_other_than_the_host(taker, pki):
    url = f"https://127.0.0.1:{taker.port}/x"
    code, _, err = probe(pki, url, "--sni", "localhost")
    assert (code, taker.names) == (0, {"localhost"}), err
    assert {fields["host"] for _, _, fields, _ in taker.requests} == {f"127.0.0.1:{taker.port}"}
    assert probe(pki, url, "--sni", "other.example")[0] == 77
    assert probe(pki, url, "--sni", "127.0.0.1")[0] == 64


def test_no_agent_at_all(taker, pki):
    code, _, err = probe(pki, f"https://localhost:{taker.port}/x", "--user-agent", "")
    assert code == 0, err
    assert taker.requests and not any("user-agent" in fields for _, _, fields, _ in taker.requests)


def test_its_own_agent_has_its_version(taker, pki):
    assert probe(pki, f"https://localhost:{taker.port}/x")[0] == 0
    assert all(re.fullmatch(r"thaw-probe/\d+\.\d+\.\d+", fields["user-agent"]) for _, _, fields, _ in taker.requests)


def test_through_a_proxy_with_a_login(taker, proxy, pki):
    one = proxy(login=LOGIN)
    options = ("--proxy", f"http://localhost:{one.port}", "--proxy-user", "name:pass word")
    code, _, err = probe(pki, f"https://localhost:9/x", "--connect-to", f"::far.invalid:{taker.port}", *options, env=NO_PROXY)
    assert code == 0, err
    assert set(one.asked) == {f"far.invalid:{taker.port}"}
    assert taker.names == {"localhost"}


@pytest.mark.parametrize("more,words", (({"login": LOGIN}, "407 to CONNECT; use --proxy-user"), ({"refusal": "403"}, "403 to CONNECT")))
def test_a_proxy_that_refuses_is_reported(more, words, proxy, pki):
    code, _, err = probe(pki, "https://localhost:9/x", "--proxy", f"127.0.0.1:{proxy(**more).port}", env=NO_PROXY)
    assert code == 69 and words in err, err


@pytest.mark.parametrize("value", ("socks5://localhost", "http://user@", "localhost:0", ":1", "[::1"))
def test_a_proxy_that_is_none(value, pki):
    assert probe(pki, "https://localhost:9/x", "--proxy", value, env=NO_PROXY)[0] == 64


@pytest.mark.parametrize("option,value", (
    ("connect-to", "a:1"), ("connect-to", "a:1:[::1:2"), ("connect-to", "a:1:b:70000"), ("connect-to", "a:x:b:1"),
    ("connect-to", "a:1:b:2:c"), ("resolve", "a:1"), ("resolve", "a:1:"), ("resolve", "a:1:b.example"), ("resolve", "a:1:abc"),
    ("resolve", "a:1:127.0.0.1,"), ("resolve", "a:1:[127.0.0.1]"), ("resolve", "a:1:[::1"), ("resolve", ":1:127.0.0.1"),
    ("resolve", "a::127.0.0.1"), ("resolve", "-a:1:127.0.0.1")))
def test_a_way_that_is_none(option, value, pki):
    assert probe(pki, "https://localhost:9/x", f"--{option}", value)[0] == 64


@pytest.mark.parametrize("way", ("no port", "plus", "minus", "any", "last"))
def test_ways_in_curls_spellings(way, taker, pki):
    port = 9 if way == "no port" else taker.port
    good, bad = f"localhost:{port}:127.0.0.1", f"localhost:{port}:127.0.0.9"
    options = {"no port": ("--connect-to", f"::127.0.0.1:{taker.port}", "--connect-to", "localhost:9:127.0.0.9"),
               "plus": ("--resolve", f"+{good}"), "minus": ("--resolve", bad, "--resolve", f"-localhost:{port}"),
               "any": ("--resolve", f"*:{port}:127.0.0.9", "--resolve", good), "last": ("--resolve", bad, "--resolve", good)}[way]
    code, _, err = probe(pki, f"https://localhost:{port}/x", *options)
    assert code == 0, err

@pytest.fixture
def secure(proxy, pki):
    """secure(): (port of an https:// proxy, the proxy)."""
    fronts = []

    def start(**more):
        one = proxy(**more)
        fronts.append(TlsFront(pki, one.port))
        return fronts[-1].port, one

    yield start
    for front in fronts:
        front.close()


def test_through_a_proxy_over_tls(taker, secure, pki):
    port, one = secure(login=LOGIN)
    options = ("--proxy", f"https://localhost:{port}", "--proxy-ca", str(pki / "ca.pem"), "--proxy-user", "name:pass word")
    code, report, err = probe(pki, f"https://localhost:{taker.port}/x", *options)
    assert code == 0, err
    assert set(one.asked) == {f"localhost:{taker.port}"}
    assert taker.names == {"localhost"}


def test_a_freeze_is_seen_through_a_proxy_over_tls(late_server, secure, pki):
    """Bodies pass through both layers of TLS, with both kinds of client."""
    port, _ = secure()
    url = late_server("frozen").url("/x")
    argv = [str(binary()), "probe", url, "--json", "--hold", "0s", "--stall", "3s", *identity(pki),
            "--proxy", f"https://localhost:{port}", "--proxy-ca", str(pki / "ca.pem")]
    done = subprocess.run(argv, capture_output=True, timeout=WATCHDOG)
    assert done.returncode == 2, done.stderr
    direct = json.loads(subprocess.run(argv[:-4], capture_output=True, timeout=WATCHDOG).stdout)
    assert json.loads(done.stdout)["verdict"] == direct["verdict"] == "freezes"


@pytest.mark.parametrize("case", ("distrusted", "other name", "plain", "refusal", "no file"))
def test_a_proxy_over_tls_that_fails_is_reported(case, secure, pki, tmp_path):
    port, _ = secure(**({"refusal": "403"} if case == "refusal" else {}))
    host = "other.localhost" if case == "other name" else "localhost"
    plain = Plain(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n") or connection.recv(1))
    port = plain.port if case == "plain" else port
    ca = () if case == "distrusted" else ("--proxy-ca", str(tmp_path / "none" if case == "no file" else pki / "ca.pem"))
    code, _, err = probe(pki, "https://localhost:9/x", "--proxy", f"https://{host}:{port}", "--insecure", *ca, trust=False)
    words = {"distrusted": "--proxy-ca", "other name": "--proxy-ca",
             "plain": "http://", "refusal": "403 to CONNECT", "no file": "none"}[case]
    plain.close()
    assert code == (66 if case == "no file" else 69) and words in err, err


@pytest.mark.parametrize("name", ("CURL_CA_BUNDLE", "SSL_CERT_FILE"))
def test_the_environment_names_the_ca_file(name, taker, pki):
    url = f"https://localhost:{taker.port}/x"
    code, _, err = probe(pki, url, trust=False, env={name: str(pki / "ca.pem")})
    assert code == 0 and name in err, err


def test_a_folder_of_cas_by_the_environment(taker, pki, tmp_path):
    (tmp_path / "ca.pem").write_bytes((pki / "ca.pem").read_bytes())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    url = f"https://localhost:{taker.port}/x"
    code, _, err = probe(pki, url, trust=False, env={"SSL_CERT_DIR": str(tmp_path)})
    assert code == 0 and "SSL_CERT_DIR" in err, err
    assert probe(pki, url, trust=False)[0] == 77


def test_the_key_log(taker, pki, tmp_path):
    url, log = f"https://localhost:{taker.port}/x", tmp_path / "keys"
    assert probe(pki, url, env={"SSLKEYLOGFILE": str(log)})[0] == 0
    assert b"CLIENT_TRAFFIC_SECRET_0 " in log.read_bytes()
    assert log.stat().st_mode & 0o077 == 0
    code, _, err = probe(pki, url, env={"SSLKEYLOGFILE": str(tmp_path)})
    assert code == 66 and "SSLKEYLOGFILE" in err, err
