"""Keys with a pass phrase. No process of `thaw serve` ever prompts for one, wherever it was started."""

import pathlib
import subprocess

import pytest
from harness.gateway import binary
from harness.process import kill_group, popen, run
from harness.terminal import Terminal
from messages import error_of, has_message
from peer import LIMIT, Client
from test_reload import EX_CONFIG, EX_OK, refused, reload, reloaded, self_signed, served_certificate

SECRET = "open, sesame"


def encrypted(key, to, *how):
    """Encrypts the key with the pass phrase, and writes it to `to`."""
    argv = ["openssl", *(how or ("pkey",)), "-in", str(key), "-aes256", "-passout", f"pass:{SECRET}", "-out", str(to)]
    subprocess.run(argv, check=True, capture_output=True)
    return to


@pytest.fixture
def files(settings, pki, tmp_path):
    """Copies of the throwaway PKI's server.pem, server.key and ca.pem, in a folder whose name needs no quotes."""
    settings()
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("server.pem", "server.key", "ca.pem"):
        (folder / name).write_bytes((pathlib.Path(pki) / name).read_bytes())
    return folder


@pytest.fixture
def locked(files):
    """(certificate, encrypted key)"""
    return files / "server.pem", encrypted(files / "server.key", files / "locked.key")


def with_pass_phrase(path, file):
    """Adds key_passphrase with that file to the configuration."""
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("    key: "))
    lines.insert(at + 1, f"    key_passphrase: {{ file: '{file}' }}")
    path.write_text("\n".join(lines) + "\n")
    return path


def line_of(path, beginning):
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if line.strip().startswith(beginning))


def scrambled(pem, to):
    """Writes the first certificate of a PEM file in encrypted form: OpenSSL prompts for that, too."""
    head = "-----BEGIN CERTIFICATE-----\n"
    secret = head + "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"
    to.write_text(pathlib.Path(pem).read_text().replace(head, secret, 1))
    return to


def on_a_terminal(*argv):
    """Runs a command on a terminal, where it could prompt but must not. Returns (exit code, messages)."""
    terminal = Terminal([str(binary()), *map(str, argv)])
    try:
        code, _, err = terminal.end()
        assert terminal.shown == b""
        return code, err
    finally:
        terminal.close()


# ---- refused, with the cause and what to do


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize("how", [("pkey",), ("ec",)], ids=["PKCS #8", "traditional"])
def test_an_encrypted_key_is_refused_with_its_place_and_the_cure(settings, locked, files, command, how):
    key = encrypted(files / "server.key", files / "other.key", *how)
    path = settings(certificate=(locked[0], key))
    code, err = on_a_terminal(command, "-c", path)
    assert code == EX_CONFIG
    assert error_of(err)[:3] == (str(path), line_of(path, "key:"), "hosts[0].key")
    assert has_message(err, "key-encrypted", key, "key_passphrase"), err


def test_an_encrypted_key_does_not_hold_up_the_master_at_a_reload(settings, locked):
    """Once the master prompted on its terminal, and then did nothing else."""
    path = settings(workers=1)
    terminal = Terminal([str(binary()), "serve", "-c", str(path)])
    try:
        lines = iter(terminal.process.stderr.readline, b"")
        assert any(b"listening on" in line for line in lines)
        settings(workers=1, certificate=locked)
        code, output = reload(terminal.process.pid)
        assert code == EX_CONFIG and has_message(output, "key-encrypted"), output
        settings(workers=2)
        assert reload(terminal.process.pid)[0] == EX_OK
        terminal.process.terminate()
        assert terminal.end()[0] == 0
        assert terminal.shown == b""
    finally:
        terminal.close()


def test_a_pipe_as_standard_input_is_not_read(settings, locked):
    """Without a terminal OpenSSL would read the pass phrase from standard input."""
    argv = [str(binary()), "check", "-c", str(settings(certificate=locked))]
    process = popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert has_message(process.stderr.read(), "key-encrypted")
        assert process.wait(LIMIT) == EX_CONFIG
    finally:
        process.stdin.close()
        kill_group(process)


def test_certificates_with_a_pass_phrase_are_refused(settings, files, pki):
    bad = scrambled(files / "server.pem", files / "scrambled.pem")
    code, err = on_a_terminal("check", "-c", settings(certificate=(bad, files / "server.key")))
    assert code == EX_CONFIG and error_of(err).key == "hosts[0].certificate" and str(bad) in err
    path = settings()
    bad = scrambled(files / "ca.pem", files / "scrambled-ca.pem")
    path.write_text(path.read_text().replace(f"{pki}/ca.pem".replace("'", "''"), str(bad)))
    code, err = on_a_terminal("check", "-c", path)
    assert code == EX_CONFIG and error_of(err).key == "hosts[0].client_certificate.ca" and str(bad) in err


def test_a_throwaway_folder_with_an_encrypted_key_is_not_asked_for(settings, pki, tmp_path):
    folder = tmp_path / "pki"
    folder.mkdir()
    settings()
    for name in ("ca.pem", "server.pem", "client.pem", "client.key"):
        (folder / name).write_bytes((pathlib.Path(pki) / name).read_bytes())
    encrypted(pathlib.Path(pki) / "server.key", folder / "server.key")
    terminal = Terminal([str(binary()), "serve", "--pki", str(folder), "--listen", "127.0.0.1:0"])
    try:
        list(zip(iter(terminal.process.stderr.readline, b""), range(1)))
        terminal.process.terminate()
        terminal.end()
        assert terminal.shown == b""
    finally:
        terminal.close()


# ---- with key_passphrase


def test_a_pass_phrase_from_a_file(serve, settings, locked, tmp_path):
    file = tmp_path / "pass"
    file.write_text(SECRET + "\r\nmore\n")
    gateway = serve("-c", with_pass_phrase(settings(workers=1, certificate=locked), file))
    assert Client(gateway).get_json()["path"] == "/"
    reloaded(gateway)
    assert Client(gateway).get_json()["path"] == "/"


def test_a_wrong_pass_phrase_is_refused_and_a_right_one_taken(serve, settings, tmp_path):
    pem, key = self_signed(tmp_path)
    file = tmp_path / "pass"
    gateway = serve("-c", settings(workers=1))
    path = with_pass_phrase(settings(workers=1, certificate=(pem, encrypted(key, tmp_path / "locked.key"))), file)
    for wrong, code in (("wrong\n", "pass-phrase-wrong"), ("", "secret-empty"), ("\n" + SECRET, "secret-empty")):
        file.write_text(wrong)
        assert error_of(refused(gateway, code))[:3] == (str(path), line_of(path, "key:"), "hosts[0].key")
    file.unlink()
    refused(gateway, "no-such-file", key="hosts[0].key", part=file)
    file.write_text(SECRET)
    reloaded(gateway)
    assert served_certificate(gateway) in pem.read_text()


def test_a_pass_phrase_file_that_cannot_end_is_not_waited_for(settings, locked, tmp_path):
    fifo = tmp_path / "fifo"
    subprocess.run(["mkfifo", str(fifo)], check=True)
    for bad in (fifo, tmp_path, "/dev/tty"):
        path = with_pass_phrase(settings(certificate=locked), bad)
        code, err = on_a_terminal("check", "-c", path)
        assert code == EX_CONFIG and has_message(err, "not-a-file", file=bad), err
    code, _, err, late = run([str(binary()), "check", "-c", str(path)], LIMIT)
    assert (code, late) == (EX_CONFIG, False), err


def test_the_key_for_upstreams_has_one_too(settings, locked, tmp_path):
    upstream = "upstreams:\n  app:\n    servers: [ https://127.0.0.1:1 ]\n    tls:\n"
    tls = f"      certificate: '{locked[0]}'\n      key: '{locked[1]}'\n"
    file = tmp_path / "pass"
    file.write_text(SECRET)
    path = settings()
    text = path.read_text() + upstream + tls
    path.write_text(text)
    code, err = on_a_terminal("check", "-c", path)
    assert code == EX_CONFIG
    assert error_of(err)[:3] == (str(path), len(text.splitlines()), "upstreams.app.tls.key")
    assert has_message(err, "key-encrypted", locked[1]), err
    path.write_text(text + f"      key_passphrase: {{ file: '{file}' }}\n")
    assert on_a_terminal("check", "-c", path)[0] == EX_OK
