"""Certificates that the gateway's throwaway PKI does not make, such as a client certificate of an unknown CA."""

import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_stranger(folder):
    """Makes stranger.pem and stranger.key in folder, issued by a CA that no gateway trusts, and this CA's
    stranger-ca.pem."""
    ca, ca_key = folder / "stranger-ca.pem", folder / "stranger-ca.key"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl("req", "-x509", *new_key, "-subj", "/CN=Stranger CA", "-keyout", str(ca_key), "-out", str(ca))
    extensions = folder / "stranger.ext"
    extensions.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n")
    request = folder / "stranger.csr"
    openssl(
        "req", *new_key[:-2], "-subj", "/CN=Stranger", "-keyout", str(folder / "stranger.key"), "-out", str(request)
    )
    openssl(
        "x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-CAcreateserial",
        "-days", "2", "-extfile", str(extensions), "-out", str(folder / "stranger.pem"),
    )  # fmt: skip


def make_impostor(folder, name):
    """Makes impostor.pem and impostor.key in folder, issued by a CA of that name that no gateway trusts."""
    ca, ca_key, request = folder / "impostor-ca.pem", folder / "impostor-ca.key", folder / "impostor.csr"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new_key, "-days", "2", "-subj", name, "-keyout", ca_key, "-out", ca)
    openssl("req", *new_key, "-subj", "/CN=Impostor", "-keyout", folder / "impostor.key", "-out", request)
    openssl(
        "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
        "-extfile", folder / "stranger.ext", "-out", folder / "impostor.pem",
    )  # fmt: skip


def make_keystore(pki, target):
    """Makes a PKCS #12 file for Java, password 'thaw'."""
    openssl(
        "pkcs12", "-export", "-in", str(pki / "client.pem"), "-inkey", str(pki / "client.key"),
        "-passout", "pass:thaw", "-out", str(target),
    )  # fmt: skip


class Authority:
    """A root CA and an issuing CA below it, made in folder: NAME-root.pem, NAME-issuing.pem."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.root = folder / f"{name}-root.pem"
        self.issuing = folder / f"{name}-issuing.pem"
        self._new(self.root, f"/CN={name} root", "critical,CA:TRUE", None)
        self._new(self.issuing, f"/CN={name} issuing", "critical,CA:TRUE", self.root)

    def _new(self, file, subject, constraints, issuer, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), digest="sha256", usage=None):
        key_file, request = file.with_suffix(".key"), file.with_suffix(".csr")
        openssl("req", "-newkey", *key, "-nodes", "-subj", subject, "-keyout", str(key_file), "-out", str(request))
        extensions = file.with_suffix(".ext")
        extended = f"extendedKeyUsage={usage}\n" if usage is not None else ""
        extensions.write_text(f"basicConstraints={constraints}\n{extended}")
        by = ["-signkey", str(key_file)]
        if issuer is not None:
            by = ["-CA", str(issuer), "-CAkey", str(issuer.with_suffix(".key")), "-CAcreateserial"]
        openssl(
            "x509", "-req", "-in", str(request), *by, "-days", "2", f"-{digest}",
            "-extfile", str(extensions), "-out", str(file),
        )  # fmt: skip

    def client(self, name, **how):
        """Makes NAME.pem, followed by the issuing CA's certificate, and NAME.key. NAME.pem does not contain the
        root."""
        file = self.folder / f"{name}.pem"
        self._new(file, f"/CN={name}", "CA:FALSE", self.issuing, **how)
        file.write_text(file.read_text() + self.issuing.read_text())
        return name

    def crl(self, issuer, *revoked):
        """The text of issuer's CRL, which revokes the certificates in those files."""
        database = issuer.with_suffix(".database")
        database.write_text("")
        settings = issuer.with_suffix(".cnf")
        settings.write_text(f"[ca]\ndefault_ca=one\n[one]\ndatabase={database}\ndefault_md=sha256\ndefault_crl_days=2\n")
        ca = ("ca", "-config", str(settings), "-cert", str(issuer), "-keyfile", str(issuer.with_suffix(".key")))
        for certificate in revoked:
            openssl(*ca, "-revoke", str(certificate))
        made = issuer.with_suffix(".crl")
        openssl(*ca, "-gencrl", "-out", str(made))
        return made.read_text()


def make_many(folder, count):
    """A file of `count` CA certificates; their names have about 700 bytes each."""
    key, one, many = folder / "many.key", folder / "one.pem", folder / "many.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    text = ""
    for number in range(count):
        units = "".join(f"/OU={unit}{number:05}{'x' * 55}" for unit in range(10))
        openssl("req", "-x509", "-key", str(key), "-days", "2", "-subj", f"/CN=CA {number}{units}", "-out", str(one))
        text += one.read_text()
    many.write_text(text)
    return many


class Issuer:
    """Makes certificates and CRLs for a test in folder: NAME.pem, NAME.key and NAME.csr. Validity is (from, until),
    such as ("20200101000000Z", "20210101000000Z"); without it, two days from now."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def _ca(self, database, *arguments):
        """Runs `openssl ca`, which can set both dates in all releases."""
        settings = self.folder / "issuer.cnf"
        settings.write_text(
            f"[ca]\ndefault_ca=one\n[one]\ndatabase={database}\nnew_certs_dir={self.folder}\nrand_serial=yes\nunique_subject=no\n"
            "default_md=sha256\npolicy=any\n[any]\norganizationName=optional\ncommonName=optional\n"
        )
        openssl("ca", "-config", settings, "-batch", *arguments)

    def new(self, name, ca=False, by=None, validity=None, extensions=None, subject=None, key=None):
        file = self.folder / f"{name}.pem"
        key_file, request, extension_file = (file.with_suffix(end) for end in (".key", ".csr", ".ext"))
        kind = key or ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        openssl("req", "-newkey", *kind, "-nodes", "-subj", subject or f"/CN={name}", "-keyout", key_file, "-out", request)
        if extensions is None:
            extensions = "basicConstraints=critical,CA:TRUE\n" if ca else "basicConstraints=CA:FALSE\n"
        extension_file.write_text(f"[all]\n{extensions or 'subjectKeyIdentifier=hash'}\n")
        signer = ("-selfsign", "-keyfile", key_file) if by is None else ("-cert", by, "-keyfile", by.with_suffix(".key"))
        dates = ("-startdate", validity[0], "-enddate", validity[1]) if validity else ("-days", "2")
        database = file.with_suffix(".issued")
        database.write_text("")
        self._ca(
            database, *signer, *dates, "-extfile", extension_file, "-extensions", "all", "-notext", "-in", request, "-out", file
        )
        return file

    def crl(self, issuer, revoked=(), validity=None):
        made, database = issuer.with_suffix(".crl"), issuer.with_suffix(".revoked")
        database.write_text("")
        signer = ("-cert", issuer, "-keyfile", issuer.with_suffix(".key"))
        for certificate in revoked:
            self._ca(database, *signer, "-revoke", certificate)
        dates = ("-crl_lastupdate", validity[0], "-crl_nextupdate", validity[1]) if validity else ("-crldays", "2")
        self._ca(database, *signer, "-gencrl", *dates, "-out", made)
        return made
