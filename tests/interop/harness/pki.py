"""Certificates that the gateway's own throwaway PKI has no use for: a client certificate of a stranger's CA."""

import subprocess


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_stranger(folder):
    """stranger.pem and stranger.key in folder, issued by a CA that no gateway trusts; and that CA's stranger-ca.pem."""
    ca, ca_key = folder / "stranger-ca.pem", folder / "stranger-ca.key"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    _openssl("req", "-x509", *new_key, "-subj", "/CN=Stranger CA", "-keyout", str(ca_key), "-out", str(ca))
    extensions = folder / "stranger.ext"
    extensions.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n")
    request = folder / "stranger.csr"
    _openssl(
        "req", *new_key[:-2], "-subj", "/CN=Stranger", "-keyout", str(folder / "stranger.key"), "-out", str(request)
    )
    _openssl(
        "x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial",
        "-days", "2", "-extfile", str(extensions), "-out", str(folder / "stranger.pem"),
    )  # fmt: skip


def make_keystore(pki, target):
    """Java reads a PKCS #12 file, password 'thaw'."""
    _openssl(
        "pkcs12", "-export", "-in", str(pki / "client.pem"), "-inkey", str(pki / "client.key"),
        "-passout", "pass:thaw", "-out", str(target),
    )  # fmt: skip
