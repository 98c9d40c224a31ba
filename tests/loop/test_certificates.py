"""`thaw check` and the log of `thaw serve` name certificates, CAs and CRLs that will fail, and files that cannot be
read."""

import json
import os

import pytest
from harness.gateway import binary
from harness.pki import Issuer, openssl
from harness.process import run
from messages import error_of, has_message
from test_admin import metrics

EX_CONFIG = 78
LIMIT = 60
PAST = ("20200101000000Z", "20210101000000Z")
FUTURE = ("20480101000000Z", "20490101000000Z")


def check(path, *options):
    code, out, err, late = run([str(binary()), "check", "-c", str(path), *options], LIMIT)
    assert not late
    return code, out.decode(), err.decode()


def warned(path):
    code, out, err = check(path, "--json")
    assert code == 0, out + err
    return [text for text in json.loads(out)["warnings"] if not has_message(text, "workers-are-root")]


def refused(path):
    """The error of a check."""
    code, out, err = check(path)
    assert (code, out) == (EX_CONFIG, "")
    return error_of(err)


@pytest.fixture
def issuer(tmp_path):
    return Issuer(tmp_path)


@pytest.fixture
def files(tmp_path, issuer):
    """files(**changes): writes a correct configuration with these changes. Its parts are attributes."""
    root = issuer.new("root", ca=True)
    middle = issuer.new("middle", ca=True, by=root)
    leaf = issuer.new("leaf", by=middle, extensions="subjectAltName=DNS:api.example.com\nextendedKeyUsage=serverAuth\n")
    chain = tmp_path / "chain.pem"
    chain.write_text(leaf.read_text() + middle.read_text())
    path = tmp_path / "files.yaml"

    def write(name="api.example.com", certificate=chain, key=leaf.with_suffix(".key"), ca=root, crl=None, partial=False, upstreams=""):
        asks = f"client_certificate: {{ when: request, ca: '{ca}'" + (f", crl: '{crl}'" if crl else "")
        asks += (", partial_chain: true" if partial else "") + " }"
        path.write_text(
            "listen: [ { address: '127.0.0.1:0' } ]\nspool: { memory: 16MiB }\nhosts:\n"
            f"- name: '{name}'\n  certificate: '{certificate}'\n  key: '{key}'\n  routes:\n"
            f"  - path: /\n    {asks}\n    upstream: builtin:sink\n" + upstreams
        )
        return path

    write.root, write.middle, write.leaf, write.chain = root, middle, leaf, chain
    return write


def only(texts, key, path, code, *parts, **values):
    """Checks that there is exactly one warning, about this setting and file, with this code, these parts and values."""
    assert len(texts) == 1, texts
    warning = error_of(texts[0])
    assert warning.key == key and warning.text.startswith(f"{path}: "), texts
    assert has_message(warning.text, code, *parts, **values), texts


CERTIFICATE, CA, CRL = "hosts[0].certificate", "hosts[0].routes[0].client_certificate.ca", "hosts[0].routes[0].client_certificate.crl"


def test_good_files_are_not_warned_of(files, issuer, tmp_path):
    assert warned(files()) == []
    both, crls = tmp_path / "both.pem", tmp_path / "crls.pem"
    both.write_text(files.root.read_text() + files.middle.read_text())
    crls.write_text(issuer.crl(files.root).read_text() + issuer.crl(files.middle).read_text())
    assert warned(files(ca=both, crl=crls)) == []
    assert warned(files(name="api.example.com.")) == []


# ---- server certificates


@pytest.mark.parametrize(
    "how, code, part",
    [
        (dict(validity=PAST), "expired", "2021-01-01 00:00:00 UTC"),
        (dict(validity=FUTURE), "not-yet-valid", "2048-01-01 00:00:00 UTC"),
        (dict(extensions="subjectAltName=DNS:api.example.com\nextendedKeyUsage=clientAuth\n"), "not-for-purpose", "serverAuth"),
        (dict(extensions="subjectAltName=DNS:api.example.com\nkeyUsage=keyAgreement,cRLSign\nextendedKeyUsage=emailProtection\n"), "not-for-purpose", "serverAuth"),
        (dict(extensions="subjectAltName=DNS:other.example,DNS:*.example.com.invalid\n"), "other-host", "other.example, *.example.com.invalid"),
        (dict(extensions="subjectAltName=IP:127.0.0.1\n"), "other-host", "api.example.com"),
        (dict(extensions="", subject="/CN=api.example.com"), "no-alternative-name", "CN=api.example.com"),
    ],
)  # fmt: skip
def test_server_certificates_that_clients_will_refuse(files, issuer, how, code, part):
    bad = issuer.new("bad", by=files.root, **{"extensions": "subjectAltName=DNS:*.example.com\n", **how})
    only(warned(files(certificate=bad, key=bad.with_suffix(".key"))), CERTIFICATE, bad, code, part)


def test_the_default_host_is_for_any_name(files):
    assert warned(files(name="*")) == []


def test_an_intermediate_of_a_chain_that_expired(files, issuer, tmp_path):
    old = issuer.new("old", ca=True, by=files.root, validity=PAST)
    leaf = issuer.new("below", by=old, extensions="subjectAltName=DNS:api.example.com\n")
    chain = tmp_path / "old-chain.pem"
    chain.write_text(leaf.read_text() + old.read_text())
    only(warned(files(certificate=chain, key=leaf.with_suffix(".key"))), CERTIFICATE, chain, "expired", "certificate 2")


def test_chains_in_a_wrong_order(files, issuer, tmp_path):
    chain = tmp_path / "disorder.pem"
    key = files.leaf.with_suffix(".key")
    chain.write_text("".join(file.read_text() for file in (files.leaf, files.root, files.middle)))
    only(warned(files(certificate=chain, key=key)), CERTIFICATE, chain, "not-the-issuer", number=2, subject="CN=root")
    stranger = issuer.new("stranger", ca=True)
    chain.write_text(files.leaf.read_text() + stranger.read_text())
    only(warned(files(certificate=chain, key=key)), CERTIFICATE, chain, "not-the-issuer", number=2, subject="CN=stranger")
    chain.write_text(files.middle.read_text() + files.leaf.read_text())
    assert refused(files(certificate=chain, key=key)).key == "hosts[0].key"


def test_an_intermediate_that_the_chain_lacks(files, issuer, tmp_path):
    """Reported if clients certainly need it: because of the leaf's authority key identifier, because of certificate
    timestamps, which only public CAs add, or because it is among the CAs for clients."""
    names = "subjectAltName=DNS:api.example.com\n"
    named = issuer.new("named", by=files.middle, extensions=names + "authorityKeyIdentifier=issuer:always\n")
    only(warned(files(certificate=named, key=named.with_suffix(".key"))), CERTIFICATE, named, "no-intermediate", issuer="CN=middle")
    public = issuer.new("public", by=files.middle, extensions=names + "1.3.6.1.4.1.11129.2.4.2=DER:0400\n")
    only(warned(files(certificate=public, key=public.with_suffix(".key"))), CERTIFICATE, public, "no-intermediate", issuer="CN=middle")
    both = tmp_path / "both.pem"
    both.write_text(files.root.read_text() + files.middle.read_text())
    only(warned(files(certificate=files.leaf, ca=both)), CERTIFICATE, files.leaf, "no-intermediate", issuer="CN=middle")
    assert warned(files(ca=both)) == []  # the whole chain
    direct = issuer.new("direct", by=files.root, extensions=names + "authorityKeyIdentifier=issuer:always\n")
    assert warned(files(certificate=direct, key=direct.with_suffix(".key"))) == []
    assert warned(files(certificate=files.leaf)) == []  # nothing shows that clients need it


def test_a_server_key_that_may_not_sign(files, issuer):
    bad = issuer.new("bad", by=files.root, extensions="subjectAltName=DNS:api.example.com\nkeyUsage=keyEncipherment\n")
    only(warned(files(certificate=bad, key=bad.with_suffix(".key"))), CERTIFICATE, bad, "not-for-purpose", "digitalSignature")


# ---- CAs


def test_cas_below_which_every_certificate_is_rejected(files, issuer):
    old, new = (issuer.new(name, ca=True, validity=when) for name, when in (("old", PAST), ("new", FUTURE)))
    only(warned(files(ca=old)), CA, old, "expired")
    only(warned(files(ca=new)), CA, new, "not-yet-valid")
    only(warned(files(ca=files.leaf)), CA, files.leaf, "not-a-ca")
    only(warned(files(ca=files.middle)), CA, files.middle, "no-issuer", issuer="CN=root")
    own = issuer.new("own")
    only(warned(files(ca=own)), CA, own, "not-a-ca")
    unsigned = issuer.new("unsigned", extensions="basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature\n")
    only(warned(files(ca=unsigned)), CA, unsigned, "not-a-ca")
    weak = issuer.new("weak", ca=True, key=("rsa:1024",))
    only(warned(files(ca=weak)), CA, weak, "key-too-weak")


def test_an_intermediate_without_its_root_is_good_as_an_anchor(files):
    only(warned(files(ca=files.middle)), CA, files.middle, "no-issuer", "partial_chain")
    assert warned(files(ca=files.middle, partial=True)) == []


def test_one_bad_ca_among_good_ones_is_named(files, issuer, tmp_path):
    old = issuer.new("old", ca=True, validity=PAST)
    many = tmp_path / "many.pem"
    many.write_text("".join(file.read_text() for file in (files.root, files.middle, old)))
    only(warned(files(ca=many)), CA, many, "expired", "'CN=old'")


def again(issuer, name, by=None, **how):
    """Another certificate of that CA with the same name and key."""
    old = issuer.folder / f"{name}.pem"
    kept, key = old.read_text(), old.with_suffix(".key").read_text()
    by_key = [] if by is None else ["-CA", by, "-CAkey", by.with_suffix(".key")]
    new = issuer.folder / f"{name}-again.pem"
    extensions = issuer.folder / "again.ext"
    extensions.write_text(how.get("extensions", "basicConstraints=critical,CA:TRUE\n"))
    signer = by_key or ["-signkey", old.with_suffix(".key")]
    openssl("x509", "-req", "-in", old.with_suffix(".csr"), *signer, "-days", "2", "-set_serial", "77", "-extfile", extensions, "-out", new)
    assert (old.read_text(), old.with_suffix(".key").read_text()) == (kept, key)
    return new


def test_a_ca_that_was_renewed_or_cross_signed_is_good(files, issuer, tmp_path):
    old, many = issuer.new("old", ca=True, validity=PAST), tmp_path / "many.pem"
    many.write_text(old.read_text() + again(issuer, "old").read_text())
    assert warned(files(ca=many)) == []
    crossed = again(issuer, "root", by=issuer.new("elsewhere", ca=True))
    many.write_text(crossed.read_text() + files.root.read_text())
    assert warned(files(ca=many)) == []
    only(warned(files(ca=crossed)), CA, crossed, "no-issuer", issuer="CN=elsewhere")


def test_a_ca_below_one_that_allows_none(files, issuer, tmp_path):
    none = issuer.new("none", extensions="basicConstraints=critical,CA:TRUE,pathlen:0\n")
    below, both = issuer.new("below", ca=True, by=none), tmp_path / "both.pem"
    both.write_text(none.read_text() + below.read_text())
    only(warned(files(ca=both)), CA, both, "path-length", "'CN=below'", ca="CN=none")


def test_a_file_of_old_cas_is_warned_of_briefly(files, issuer, tmp_path):
    many = tmp_path / "many.pem"
    many.write_text("".join(issuer.new(f"old{i}", ca=True, validity=PAST).read_text() for i in range(20)))
    texts = warned(files(ca=many))
    assert len(texts) == 17 and has_message(texts[-1], "more-warnings", count=4)


def test_each_file_is_warned_of_once(files, issuer):
    old = issuer.new("old", ca=True, validity=PAST)
    path = files(ca=old)
    path.write_text(path.read_text() + f"  - {{ path: /b, client_certificate: {{ when: body, ca: '{old}' }}, upstream: builtin:sink }}\n"
                    f"  - {{ path: /c, client_certificate: {{ when: never, ca: '{files.leaf}' }}, upstream: builtin:sink }}\n")
    only(warned(path), CA, old, "expired")


def test_the_files_of_upstreams_are_looked_at(files, issuer):
    old = issuer.new("old", ca=True, validity=PAST)
    client = issuer.new("client", by=files.root, validity=PAST, extensions="extendedKeyUsage=serverAuth\n")
    upstream = f"upstreams:\n  app:\n    servers: [ '%s' ]\n    tls:\n      ca: '{old}'\n      certificate: '{client}'\n      key: '{client.with_suffix('.key')}'\n"
    ca, expired, purpose = warned(files(upstreams=upstream % "https://app:8443"))
    only([ca], "upstreams.app.tls.ca", old, "expired")
    only([expired], "upstreams.app.tls.certificate", client, "expired")
    only([purpose], "upstreams.app.tls.certificate", client, "not-for-purpose", "clientAuth")
    pinned = issuer.new("pinned", extensions="basicConstraints=CA:FALSE\nsubjectAltName=DNS:app\n")
    assert warned(files(upstreams=f"upstreams:\n  app: {{ servers: [ 'https://app' ], tls: {{ ca: '{pinned}' }} }}\n")) == []


# ---- CRLs


def test_crls_because_of_which_certificates_are_rejected(files, issuer):
    for when, code in ((PAST, "expired"), (FUTURE, "not-yet-valid")):
        crl = issuer.crl(files.root, validity=when)
        only(warned(files(crl=crl)), CRL, crl, code, "CRL of CA 'CN=root'")
    namesake = Issuer(issuer.folder / "namesake")
    crl = namesake.crl(namesake.new("root", ca=True))
    only(warned(files(crl=crl)), CRL, crl, "crl-of-another")
    silent = issuer.new("silent", extensions="basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n")
    crl = issuer.crl(silent)
    only(warned(files(ca=silent, crl=crl)), CRL, crl, "crl-not-allowed")


def test_a_crl_of_a_stranger_has_no_effect(files, issuer, tmp_path):
    crls = tmp_path / "crls.pem"
    crls.write_text(issuer.crl(files.root).read_text() + issuer.crl(issuer.new("stranger", ca=True)).read_text())
    only(warned(files(crl=crls)), CRL, crls, "crl-without-effect", "'CN=stranger'", file=files.root)


def test_an_old_crl_beside_a_new_one_does_no_harm(files, issuer, tmp_path):
    crls = tmp_path / "crls.pem"
    old = issuer.crl(files.root, validity=PAST).read_text()
    crls.write_text(old + issuer.crl(files.root).read_text())
    assert warned(files(crl=crls)) == []


def test_a_revoked_ca_is_named(files, issuer, tmp_path):
    both, crls = tmp_path / "both.pem", tmp_path / "crls.pem"
    both.write_text(files.root.read_text() + files.middle.read_text())
    crls.write_text(issuer.crl(files.root, revoked=[files.middle]).read_text() + issuer.crl(files.middle).read_text())
    only(warned(files(ca=both, crl=crls)), CRL, crls, "ca-revoked", ca="CN=middle")


# ---- files that cannot be read


def as_der(tmp_path, kind, file):
    target = tmp_path / f"{kind}.der"
    openssl(kind, "-in", file, "-outform", "DER", "-out", target)
    return target


def as_pkcs12(tmp_path, certificate):
    target = tmp_path / "both.p12"
    openssl("pkcs12", "-export", "-in", certificate, "-inkey", certificate.with_suffix(".key"), "-passout", "pass:thaw", "-out", target)
    return target


def cut(tmp_path, file):
    target = tmp_path / "cut.pem"
    target.write_text(file.read_text()[:-60])
    return target


def text(tmp_path, content):
    target = tmp_path / "text.pem"
    target.write_bytes(content)
    return target


# How the file is made, and the message's code, or the command in it that helps: for a certificate and for a key
BAD_FILES = {
    "DER": (as_der, "openssl x509 -inform DER", "openssl pkey -inform DER"),
    "PKCS #12": (lambda t, kind, file: as_pkcs12(t, file.with_suffix(".pem")), "-nokeys", "-nocerts"),
    "cut off": (lambda t, kind, file: cut(t, file), ("no-end", "CERTIFICATE"), ("no-end", "PRIVATE KEY")),
    "UTF-16": (lambda t, kind, file: text(t, file.read_text().encode("utf-16")), ("utf-16",), ("utf-16",)),
    "empty": (lambda t, kind, file: text(t, b""), ("empty-file",), ("empty-file",)),
    "prose": (lambda t, kind, file: text(t, b"my certificate\n"), ("no-block",), ("no-block",)),
    "damaged": (lambda t, kind, file: text(t, file.read_bytes()[:90] + b"!!\n" + file.read_bytes()[90:]), ("not-base64",), ("not-base64",)),
    "each other": (lambda t, kind, file: file.with_suffix(".key" if kind == "x509" else ".pem"), ("other-block", "PRIVATE KEY"), ("other-block", "CERTIFICATE")),
}  # fmt: skip


def expect(error, line, key, file, message):
    assert (error.line, error.key) == (line, key) and error.text.startswith(f"{file}: "), error
    assert message in error.text if isinstance(message, str) else has_message(error.text, *message), error


@pytest.mark.parametrize("bad", BAD_FILES)
def test_a_file_that_is_not_pem_is_reported_with_its_cure(files, tmp_path, bad):
    make, of_certificate, of_key = BAD_FILES[bad]
    file = make(tmp_path, "x509", files.leaf)
    expect(refused(files(certificate=file)), 5, CERTIFICATE, file, of_certificate)
    expect(refused(files(ca=file)), 9, CA, file, of_certificate)
    upstreams = f"upstreams: {{ app: {{ servers: [ 'https://app' ], tls: {{ ca: '{file}' }} }} }}\n"
    expect(refused(files(upstreams=upstreams)), 11, "upstreams.app.tls.ca", file, of_certificate)
    file = make(tmp_path, "pkey", files.leaf.with_suffix(".key"))
    expect(refused(files(key=file)), 6, "hosts[0].key", file, of_key)


def test_a_crl_that_is_not_pem_is_reported_with_its_cure(files, issuer, tmp_path):
    file = as_der(tmp_path, "crl", issuer.crl(files.root))
    expect(refused(files(crl=file)), 9, CRL, file, "openssl crl -inform DER")
    expect(refused(files(crl=files.root)), 9, CRL, files.root, ("other-block", "CERTIFICATE"))


def test_the_second_certificate_of_a_chain_is_cut_off(files, tmp_path):
    chain = tmp_path / "chain-cut.pem"
    chain.write_text(files.leaf.read_text() + files.middle.read_text()[:-60])
    line = files.leaf.read_text().count("\n") + 1
    assert has_message(refused(files(certificate=chain)).text, "no-end", chain, line=line, block="CERTIFICATE")


@pytest.mark.parametrize("kind", (None, ("rsa:2048",), ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), ("ed25519",)))
def test_the_key_of_another_certificate(kind, files, issuer):
    """With a key of the same kind and of another kind, because OpenSSL reports these with different errors."""
    key = (issuer.new("other", key=kind) if kind else files.middle).with_suffix(".key")
    expect(refused(files(certificate=files.leaf, key=key)), 6, "hosts[0].key", key, ("key-of-another", files.leaf))


def test_a_server_certificate_with_a_weak_key(files, issuer):
    weak = issuer.new("weak", key=("rsa:1024",), extensions="subjectAltName=DNS:api.example.com\n")
    expect(refused(files(certificate=weak, key=weak.with_suffix(".key"))), 5, CERTIFICATE, weak, ("key-weak",))


def test_a_certificate_request_in_place_of_a_certificate(files):
    request = files.leaf.with_suffix(".csr")
    expect(refused(files(certificate=request)), 5, CERTIFICATE, request, ("other-block", "CERTIFICATE REQUEST"))


def test_what_is_not_a_file_is_refused_and_not_waited_for(files, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    app = "upstreams: {{ app: {{ servers: [ 'https://app' ], tls: {{ ca: '{0}' }} }} }}\n"
    for bad, code in ((tmp_path, "is-a-folder"), (pipe, "not-a-file"), ("/dev/tty", "not-a-file")):
        for place, how in ((CERTIFICATE, dict(certificate=bad)), ("hosts[0].key", dict(key=bad)), (CA, dict(ca=bad)),
                           (CRL, dict(crl=bad)), ("upstreams.app.tls.ca", dict(upstreams=app.format(bad)))):  # fmt: skip
            error = refused(files(**how))
            assert error.key == place and has_message(error.text, code, file=bad), error


def test_a_pem_file_without_line_breaks(files, tmp_path):
    joined = tmp_path / "joined.pem"
    for instead in ("\\n", "", " "):
        joined.write_text(files.leaf.read_text().replace("\n", instead))
        assert has_message(refused(files(certificate=joined)).text, "lines-joined", joined)


# ---- where it is reported


def test_strict_makes_errors_of_warnings(files, issuer):
    path = files(ca=issuer.new("old", ca=True, validity=PAST))
    more = "user: nobody\n"
    code, out, err = check(path, "--strict")
    assert (code, out) == (EX_CONFIG, "")
    assert [line for line in err.splitlines() if has_message(line, "expired") and line.startswith("thaw: error: ")]
    code, out, _ = check(path, "--strict", "--json")
    report = json.loads(out)
    assert (code, report["ok"]) == (EX_CONFIG, False) and report["error"] and any(has_message(text, "expired") for text in report["warnings"])
    path = files()
    path.write_text(more + path.read_text())
    assert check(path, "--strict")[0] == 0


def test_the_metrics_have_the_seconds_to_each_expiry(files, issuer, serve, tmp_path):
    path, admin = files(ca=issuer.new("old", ca=True, validity=PAST)), tmp_path / "admin"
    path.write_text(f"admin: 'unix:{admin}'\n" + path.read_text())
    serve("-c", path)
    name = "thaw_certificate_expiry_seconds"
    seen = {key: value for key, value in metrics(admin).items() if key.startswith(name)}
    chain = f'{name}{{kind="certificate",file="{files.chain}",name='
    old = f'{name}{{kind="ca",file="{tmp_path / "old.pem"}",name="CN=old",position="1"}}'
    assert set(seen) == {chain + '"CN=leaf",position="1"}', chain + '"CN=middle",position="2"}', old}
    assert seen[old] < 0 and all(0 < value <= 2 * 86400 for key, value in seen.items() if key != old)


def test_serve_and_reload_say_it_in_the_log(files, issuer, serve):
    path = files(ca=issuer.new("old", ca=True, validity=PAST))
    gateway = serve("-c", path)
    assert gateway.wait_messages("expired", "warning", CA, "old.pem")
    files(certificate=files.chain, ca=issuer.new("older", ca=True, validity=PAST))
    assert run([str(binary()), "reload", str(gateway.process.pid)], LIMIT)[0] == 0
    assert gateway.wait_messages("expired", "warning", CA, "older.pem")
