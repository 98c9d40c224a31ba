"""A PKCS #11 token with the client's key and certificate (SoftHSM), and a module whose key is slow or refuses to
sign."""

import os
import pathlib
import subprocess

import pytest

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "271828"


class Token:
    """Tokens in a folder; `env` is the environment that a process needs to use them."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tokens").mkdir()
        (folder / "conf").write_text(
            f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        # libp11 leaks some memory when a PIN is wrong.
        self.env = {"SOFTHSM2_CONF": str(folder / "conf"), "ASAN_OPTIONS": "detect_leaks=0"}

    def _run(self, *command):
        subprocess.run([*map(str, command)], check=True, capture_output=True, env={**os.environ, **self.env, "GNUTLS_PIN": PIN})

    def new(self, token="thaw"):
        self._run("softhsm2-util", "--init-token", "--free", "--label", token, "--so-pin", "12345678", "--pin", PIN)

    def key(self, file, token="thaw", label="client", ident="01"):
        self._run("softhsm2-util", "--import", file, "--token", token, "--label", label, "--id", ident, "--pin", PIN)

    def certificate(self, file, token="thaw", label="client", ident="01"):
        self._run(
            "p11tool", f"--provider={MODULE}", "--login", "--write", "--batch", "--no-mark-private", "--load-certificate", file,
            "--label", label, "--id", ident, f"pkcs11:token={token}",
        )  # fmt: skip


@pytest.fixture(scope="module")
def token(pki, tmp_path_factory):
    """A SoftHSM token with the client's key and certificate."""
    made = Token(tmp_path_factory.mktemp("token"))
    made.new()
    made.key(pki / "client.key")
    made.certificate(pki / "client.pem")
    return made.env


@pytest.fixture(scope="session")
def slow_module(tmp_path_factory):
    """SoftHSM with a key that is slow or refuses: see clients/slow_token.c."""
    out = tmp_path_factory.mktemp("module") / "slow_token.so"
    source = pathlib.Path(__file__).parent.parent / "clients" / "slow_token.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-I/usr/include/p11-kit-1", str(source), "-o", str(out)], check=True)
    return out


class SlowToken:
    """env(SIGN_MS=2000): the environment that a process needs; uri; signatures(): the number of attempts since
    env()."""

    def __init__(self, module, env, folder):
        pin, self._log, self._env, self.module = folder / "pin", folder / "log", env, module
        pin.write_text(PIN)
        pin.chmod(0o600)
        self.uri = f"pkcs11:token=thaw;object=client?module-path={module}&pin-source=file:{pin}"

    def env(self, **settings):
        self._log.write_bytes(b"")
        report = {f"THAW_TEST_{name}": str(value) for name, value in settings.items()}
        return {**self._env, **report, "THAW_TEST_SIGN_LOG": str(self._log)}

    def signatures(self):
        return len(self._log.read_bytes())


@pytest.fixture
def slow_token(slow_module, token, tmp_path):
    return SlowToken(slow_module, token, tmp_path)
