"""Where the client's key may be: files with a pass phrase, PKCS #12, a token with a PIN; and how secrets are prompted
for."""

import json
import signal
import subprocess

import pytest
from harness.gateway import binary
from harness.terminal import Terminal
from harness.token import MODULE, PIN
from harness.upload import send
from messages import has_message

PHRASE = "open sesame"
SUBJECT = "CN=Thaw Demo Client"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def kept(pki, tmp_path_factory):
    """A folder with the client's key in all other formats."""
    folder = tmp_path_factory.mktemp("kept")
    pair = ("-in", pki / "client.pem", "-inkey", pki / "client.key")
    openssl("pkcs8", "-topk8", "-in", pki / "client.key", "-out", folder / "locked.key", "-passout", f"pass:{PHRASE}")
    openssl("pkcs12", "-export", *pair, "-out", folder / "locked.p12", "-passout", f"pass:{PHRASE}")
    openssl("pkcs12", "-export", *pair, "-out", folder / "open.p12", "-passout", "pass:")
    return folder


@pytest.fixture
def terminal(thaw, pki, payloads):
    """terminal(*options, env={}): starts an upload whose process has a terminal."""
    running = []

    def start(*options, env=None, size="1m"):
        argv = [str(binary()), "send", str(payloads[size].path), thaw.url("/late"), "--json", "--ca", str(pki / "ca.pem")]
        running.append(Terminal([*argv, *map(str, options)], env))
        return running[-1]

    yield start
    for one in running:
        one.close()


def check_sent(terminal, asked, answer):
    """Checks that there was one prompt, that the input was not shown, and that the right certificate was given."""
    terminal.wait_for(asked.encode())
    assert not terminal.echoes
    terminal.type(answer.encode() + b"\n")
    code, out, err = terminal.end()
    assert code == 0, err
    assert json.loads(json.loads(out)["body"])["certificate"]["subject"] == SUBJECT
    assert terminal.shown.count(b"enter ") == 1
    assert terminal.echoes
    for text in (terminal.shown.decode(), out.decode(), err):
        assert answer not in text


def test_a_key_with_a_pass_phrase(terminal, pki, kept):
    key = kept / "locked.key"
    check_sent(terminal("--cert", pki / "client.pem", "--key", key), f"the pass phrase of {key}: ", PHRASE)


def test_a_pkcs12_file_with_a_pass_phrase(terminal, kept):
    check_sent(terminal("--pkcs12", kept / "locked.p12"), "the pass phrase of ", PHRASE)


def test_a_pkcs12_file_without(thaw, pki, kept, payloads):
    sent = send(pki, payloads["1m"].path, thaw.url("/late"), "--pkcs12", kept / "open.p12", who=None)
    assert (sent.code, sent.body()["certificate"]["subject"]) == (0, SUBJECT)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("option", ("--cert", "--key"))
def test_a_token_with_a_pin(option, tls, terminal, token):
    """One URI, given as certificate or as key, stands for both."""
    uri = f"pkcs11:token=thaw;object=client?module-path={MODULE}"
    check_sent(terminal(option, uri, "--tls", tls, env=token), "PIN", PIN)


def test_a_pin_in_a_file(thaw, pki, token, payloads, tmp_path):
    (tmp_path / "pin").write_text(PIN + "\n")
    uri = f"pkcs11:token=thaw;object=client?module-path={MODULE}&pin-source=file:{tmp_path}/pin"
    sent = send(pki, payloads["1m"].path, thaw.url("/late"), "--key", uri, who=None, env=token)
    assert (sent.code, sent.body()["certificate"]["subject"]) == (0, SUBJECT), sent.error


def test_a_pin_on_the_command_line_is_refused(thaw, pki, token, payloads):
    uri = f"pkcs11:token=thaw;object=client?module-path={MODULE}&pin-value={PIN}"
    sent = send(pki, payloads["1m"].path, thaw.url("/late"), "--key", uri, who=None, env=token)
    assert sent.code == 66
    assert "pin-value" in sent.error and PIN not in sent.error


def test_a_wrong_pin(terminal, token):
    asked = terminal("--cert", f"pkcs11:token=thaw;object=client?module-path={MODULE}", env=token)
    asked.wait_for(b"PIN")
    asked.type(b"0000\n")
    code, out, err = asked.end()
    assert (code, json.loads(out)["outcome"]) == (66, "file"), err
    assert has_message(err, "pin-wrong") and "0000" not in err + out.decode()
    assert asked.shown.count(b"enter ") == 1  # a token may be locked after three attempts


def test_a_wrong_pass_phrase(terminal, pki, kept):
    asked = terminal("--cert", pki / "client.pem", "--key", kept / "locked.key")
    asked.wait_for(b"enter ")
    asked.type(b"wrong one\n")
    code, _, err = asked.end()
    assert code == 66 and has_message(err, "pass-phrase-wrong") and "wrong one" not in err


def test_no_pass_phrase_is_requested_without_need(thaw, pki, kept, tmp_path):
    for arguments in ([tmp_path / "none"], [None, "--form", f"a=@{tmp_path}/none"]):
        file, *options = arguments
        sent = send(pki, file, thaw.url("/late"), "--pkcs12", kept / "locked.p12", *options, who=None)
        assert (sent.code, sent.report["text"]) == (66, f"{tmp_path}/none: No such file or directory")


def test_without_a_terminal_it_is_an_error(thaw, pki, kept, payloads):
    sent = send(pki, payloads["1m"].path, thaw.url("/late"), "--pkcs12", kept / "locked.p12", who=None)
    assert sent.code == 66 and has_message(sent.error, "no-terminal")


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_the_terminal_is_as_it_was_after_a_signal(number, terminal, kept):
    asked = terminal("--pkcs12", kept / "locked.p12")
    asked.wait_for(b": ")
    assert not asked.echoes
    asked.process.send_signal(number)
    code, _, _ = asked.end()
    assert code == -number
    assert asked.echoes


def test_ctrl_c_while_asked(terminal, kept):
    asked = terminal("--pkcs12", kept / "locked.p12")
    asked.wait_for(b": ")
    asked.type(b"\x03")
    code, _, _ = asked.end()
    assert (code, asked.echoes) == (-signal.SIGINT, True)


# A key that is slow or refuses ----------------------------------------------------------------------------------------

HANDSHAKE = "https://handshake.localhost:{port}/"


def with_slow_token(thaw, pki, payloads, slow_token, path, *options, **settings):
    url = HANDSHAKE.format(port=thaw.port) if path is None else thaw.url(path)
    env = slow_token.env(**settings)
    return send(pki, payloads["1m"].path, url, "--cert", slow_token.uri, *options, who=None, env=env)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("path", (None, "/late", "/body"))
@pytest.mark.parametrize("prime", ("auto", "never"))
def test_a_key_that_is_slow_to_sign_uses_up_no_time_of_the_server(prime, path, tls, thaw, pki, payloads, slow_token):
    """One signature takes longer than the limits for the priming, the connection and a stall."""
    options = ("--stall", "1s", "--response-timeout", "1s", "--prime", prime, "--tls", tls)
    sent = with_slow_token(thaw, pki, payloads, slow_token, path, *options, SIGN_MS=1500)
    assert (sent.code, sent.body()["certificate"]["subject"]) == (0, SUBJECT), sent.error
    assert (slow_token.signatures(), sent.report["primed"]) == (1, prime == "auto")
    assert has_message(sent.error, "slow-key"), sent.error


@pytest.mark.parametrize("rv", ("0x6", "0x32", "0x68", "0x70", "0xa0", "0x101", "0x200", "0x7fffffff"))
def test_a_key_that_refuses_is_reported_as_key_failed(rv, thaw, pki, payloads, slow_token):
    sent = with_slow_token(thaw, pki, payloads, slow_token, "/late", "--retry", "2", SIGN_RV=rv)
    assert (sent.code, sent.report["outcome"], sent.report["attempts"]) == (66, "key-failed", 1), sent
    assert slow_token.signatures() <= 2  # OpenSSL's engine tries two functions
    assert "thaw probe" not in sent.report["hint"]


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("path", (None, "/late", "/body"))
@pytest.mark.parametrize("prime", ("auto", "always", "never"))
def test_a_key_that_refuses_is_reported_at_each_moment(prime, path, tls, thaw, pki, payloads, slow_token):
    options = ("--retry", "2", "--prime", prime, "--tls", tls)
    sent = with_slow_token(thaw, pki, payloads, slow_token, path, *options, SIGN_RV="0x32")
    assert (sent.code, sent.report["outcome"], sent.report["attempts"]) == (66, "key-failed", 1), sent
    assert slow_token.signatures() <= 2


def test_resuming_with_a_key_that_refuses_ends_at_once(thaw, pki, payloads, slow_token):
    sent = with_slow_token(thaw, pki, payloads, slow_token, "/late", "--resume", SIGN_RV="0x32")
    assert (sent.code, sent.report["outcome"]) == (66, "key-failed"), sent
    assert slow_token.signatures() <= 2
