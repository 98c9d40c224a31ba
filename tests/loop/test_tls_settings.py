"""The setting tls: the versions, groups and cipher suites that clients can use."""

import subprocess

import pytest
from harness.gateway import binary
from harness.process import run
from messages import error_of

EX_CONFIG = 78
LIMIT = 60
TLS12 = "ECDHE-ECDSA-AES256-GCM-SHA384"


def agreed(gateway, *options):
    """The handshake's parameters as `openssl s_client` prints them; "": the handshake failed."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-servername", "localhost", *options]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    output = done.stdout.decode("latin-1")
    return output if "Cipher is (NONE)" not in output and "New, " in output else ""


@pytest.mark.parametrize(
    "setting, works, fails",
    [
        ("{ versions: [ 1.3 ] }", ["-tls1_3"], ["-tls1_2"]),
        ("{ versions: [ 1.2 ] }", ["-tls1_2"], ["-tls1_3"]),
        ("{ groups: [ P-384 ] }", ["-tls1_3", "-groups", "P-384"], ["-tls1_3", "-groups", "X25519:P-256"]),
        (f"{{ ciphers: [ {TLS12} ] }}", ["-tls1_2", "-cipher", TLS12], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]),
        (f"{{ ciphers: [ {TLS12} ] }}", ["-tls1_3"], ["-tls1_2", "-cipher", "AES128-SHA"]),
        ("{ ciphers: [ TLS_AES_128_GCM_SHA256 ] }", ["-tls1_2"], ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"]),
    ],
)
def test_what_is_set_is_what_can_be_used(serve, settings, setting, works, fails):
    gateway = serve("-c", settings(more=f"tls: {setting}\n"))
    assert agreed(gateway, *works)
    assert not agreed(gateway, *fails)


def test_a_group_that_openssl_does_not_have_is_an_error(settings):
    path = settings(more="tls:\n  groups: [ X25519MLKEM768, P-256 ]\n")
    code, _, err, _ = run([str(binary()), "check", "-c", str(path)], LIMIT)
    listed = subprocess.run(["openssl", "list", "-tls-groups"], capture_output=True, text=True).stdout
    if "X25519MLKEM768" in listed:
        assert code == 0
    else:
        assert code == EX_CONFIG and error_of(err)[:3] == (str(path), 3, "tls.groups") and b"X25519MLKEM768" in err
