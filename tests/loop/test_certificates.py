"""`thaw check` and the log of `thaw serve` name certificates, CAs and CRLs that will fail, and files that cannot be
read."""

import json
import os
import re

import pytest
from harness.gateway import binary
from harness.pki import Issuer, openssl
from harness.process import run
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
    return [text for text in json.loads(out)["warnings"] if "workers run as root" not in text]


def refused(path):
    code, out, err = check(path)
    assert (code, out) == (EX_CONFIG, "")
    return err


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


def only(texts, place, file, *parts):
    """Checks that there is exactly one warning, with the setting's line and key, the file, and these parts."""
    assert len(texts) == 1, texts
    assert re.search(rf"\.yaml:\d+: key '{re.escape(place)}': {re.escape(str(file))}: ", texts[0]), texts
    for part in parts:
        assert part in texts[0], texts


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
    "how, parts",
    [
        (dict(validity=PAST), ("expired on 2021-01-01 00:00:00 UTC", "refuse to connect")),
        (dict(validity=FUTURE), ("not valid before 2048-01-01 00:00:00 UTC",)),
        (dict(extensions="subjectAltName=DNS:api.example.com\nextendedKeyUsage=clientAuth\n"), ("serverAuth",)),
        (dict(extensions="subjectAltName=DNS:api.example.com\nkeyUsage=keyAgreement,cRLSign\nextendedKeyUsage=emailProtection\n"), ("serverAuth",)),
        (dict(extensions="subjectAltName=DNS:other.example,DNS:*.example.com.invalid\n"), ("not for host 'api.example.com'", "other.example, *.example.com.invalid")),
        (dict(extensions="subjectAltName=IP:127.0.0.1\n"), ("not for host 'api.example.com'", "no DNS name")),
        (dict(extensions="", subject="/CN=api.example.com"), ("no subject alternative name",)),
    ],
)  # fmt: skip
def test_server_certificates_that_clients_will_refuse(files, issuer, how, parts):
    bad = issuer.new("bad", by=files.root, **{"extensions": "subjectAltName=DNS:*.example.com\n", **how})
    only(warned(files(certificate=bad, key=bad.with_suffix(".key"))), CERTIFICATE, bad, *parts)


def test_the_default_host_is_for_any_name(files):
    assert warned(files(name="*")) == []


def test_an_intermediate_of_a_chain_that_expired(files, issuer, tmp_path):
    old = issuer.new("old", ca=True, by=files.root, validity=PAST)
    leaf = issuer.new("below", by=old, extensions="subjectAltName=DNS:api.example.com\n")
    chain = tmp_path / "old-chain.pem"
    chain.write_text(leaf.read_text() + old.read_text())
    only(warned(files(certificate=chain, key=leaf.with_suffix(".key"))), CERTIFICATE, chain, "certificate 2", "expired")


def test_chains_in_a_wrong_order(files, issuer, tmp_path):
    chain = tmp_path / "disorder.pem"
    key = files.leaf.with_suffix(".key")
    chain.write_text("".join(file.read_text() for file in (files.leaf, files.root, files.middle)))
    only(warned(files(certificate=chain, key=key)), CERTIFICATE, chain, "certificate 2", "not the issuer", "sort")
    stranger = issuer.new("stranger", ca=True)
    chain.write_text(files.leaf.read_text() + stranger.read_text())
    only(warned(files(certificate=chain, key=key)), CERTIFICATE, chain, "not the issuer", "missing issuer")
    chain.write_text(files.middle.read_text() + files.leaf.read_text())
    assert "put the certificate of this key first" in refused(files(certificate=chain, key=key))


def test_an_intermediate_that_the_chain_lacks(files, issuer, tmp_path):
    """Reported if clients certainly need it: because of the leaf's authority key identifier, because of certificate
    timestamps, which only public CAs add, or because it is among the CAs for clients."""
    names = "subjectAltName=DNS:api.example.com\n"
    named = issuer.new("named", by=files.middle, extensions=names + "authorityKeyIdentifier=issuer:always\n")
    only(warned(files(certificate=named, key=named.with_suffix(".key"))), CERTIFICATE, named, "the last", "'CN=middle'", "add it")
    public = issuer.new("public", by=files.middle, extensions=names + "1.3.6.1.4.1.11129.2.4.2=DER:0400\n")
    only(warned(files(certificate=public, key=public.with_suffix(".key"))), CERTIFICATE, public, "the last", "'CN=middle'")
    both = tmp_path / "both.pem"
    both.write_text(files.root.read_text() + files.middle.read_text())
    only(warned(files(certificate=files.leaf, ca=both)), CERTIFICATE, files.leaf, "the last", "'CN=middle'")
    assert warned(files(ca=both)) == []  # the whole chain
    direct = issuer.new("direct", by=files.root, extensions=names + "authorityKeyIdentifier=issuer:always\n")
    assert warned(files(certificate=direct, key=direct.with_suffix(".key"))) == []
    assert warned(files(certificate=files.leaf)) == []  # nothing shows that clients need it


def test_a_server_key_that_may_not_sign(files, issuer):
    bad = issuer.new("bad", by=files.root, extensions="subjectAltName=DNS:api.example.com\nkeyUsage=keyEncipherment\n")
    only(warned(files(certificate=bad, key=bad.with_suffix(".key"))), CERTIFICATE, bad, "digitalSignature", "refuse to connect")


# ---- CAs


def test_cas_below_which_every_certificate_is_rejected(files, issuer):
    old, new = (issuer.new(name, ca=True, validity=when) for name, when in (("old", PAST), ("new", FUTURE)))
    only(warned(files(ca=old)), CA, old, "expired", "every certificate below it will be rejected")
    only(warned(files(ca=new)), CA, new, "not valid before")
    only(warned(files(ca=files.leaf)), CA, files.leaf, "not a CA")
    only(warned(files(ca=files.middle)), CA, files.middle, "intermediate", "CN=root")
    own = issuer.new("own")
    only(warned(files(ca=own)), CA, own, "not a CA")
    unsigned = issuer.new("unsigned", extensions="basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature\n")
    only(warned(files(ca=unsigned)), CA, unsigned, "not a CA")
    weak = issuer.new("weak", ca=True, key=("rsa:1024",))
    only(warned(files(ca=weak)), CA, weak, "too weak")


def test_an_intermediate_without_its_root_is_good_as_an_anchor(files):
    only(warned(files(ca=files.middle)), CA, files.middle, "partial_chain")
    assert warned(files(ca=files.middle, partial=True)) == []


def test_one_bad_ca_among_good_ones_is_named(files, issuer, tmp_path):
    old = issuer.new("old", ca=True, validity=PAST)
    many = tmp_path / "many.pem"
    many.write_text("".join(file.read_text() for file in (files.root, files.middle, old)))
    only(warned(files(ca=many)), CA, many, "'CN=old' expired")


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
    only(warned(files(ca=crossed)), CA, crossed, "intermediate", "CN=elsewhere")


def test_a_ca_below_one_that_allows_none(files, issuer, tmp_path):
    none = issuer.new("none", extensions="basicConstraints=critical,CA:TRUE,pathlen:0\n")
    below, both = issuer.new("below", ca=True, by=none), tmp_path / "both.pem"
    both.write_text(none.read_text() + below.read_text())
    only(warned(files(ca=both)), CA, both, "'CN=below' is below CA 'CN=none'", "path length", "every certificate below it")


def test_a_file_of_old_cas_is_warned_of_briefly(files, issuer, tmp_path):
    many = tmp_path / "many.pem"
    many.write_text("".join(issuer.new(f"old{i}", ca=True, validity=PAST).read_text() for i in range(20)))
    texts = warned(files(ca=many))
    assert len(texts) == 17 and "4 more" in texts[-1]


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
    only([expired], "upstreams.app.tls.certificate", client, "expired", "the servers will reject it")
    only([purpose], "upstreams.app.tls.certificate", client, "clientAuth")
    pinned = issuer.new("pinned", extensions="basicConstraints=CA:FALSE\nsubjectAltName=DNS:app\n")
    assert warned(files(upstreams=f"upstreams:\n  app: {{ servers: [ 'https://app' ], tls: {{ ca: '{pinned}' }} }}\n")) == []


# ---- CRLs


def test_crls_because_of_which_certificates_are_rejected(files, issuer):
    for when, part in ((PAST, "expired"), (FUTURE, "not valid before")):
        crl = issuer.crl(files.root, validity=when)
        only(warned(files(crl=crl)), CRL, crl, "CRL of CA 'CN=root'", part, "every certificate that CA 'CN=root' issued will be rejected")
    namesake = Issuer(issuer.folder / "namesake")
    crl = namesake.crl(namesake.new("root", ca=True))
    only(warned(files(crl=crl)), CRL, crl, "not signed by that CA's key")
    silent = issuer.new("silent", extensions="basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n")
    crl = issuer.crl(silent)
    only(warned(files(ca=silent, crl=crl)), CRL, crl, "cRLSign")


def test_a_crl_of_a_stranger_has_no_effect(files, issuer, tmp_path):
    crls = tmp_path / "crls.pem"
    crls.write_text(issuer.crl(files.root).read_text() + issuer.crl(issuer.new("stranger", ca=True)).read_text())
    only(warned(files(crl=crls)), CRL, crls, "CRL of CA 'CN=stranger'", f"not in {files.root}", "no effect")


def test_an_old_crl_beside_a_new_one_does_no_harm(files, issuer, tmp_path):
    crls = tmp_path / "crls.pem"
    old = issuer.crl(files.root, validity=PAST).read_text()
    crls.write_text(old + issuer.crl(files.root).read_text())
    assert warned(files(crl=crls)) == []


def test_a_revoked_ca_is_named(files, issuer, tmp_path):
    both, crls = tmp_path / "both.pem", tmp_path / "crls.pem"
    both.write_text(files.root.read_text() + files.middle.read_text())
    crls.write_text(issuer.crl(files.root, revoked=[files.middle]).read_text() + issuer.crl(files.middle).read_text())
    only(warned(files(ca=both, crl=crls)), CRL, crls, "revokes CA 'CN=middle'")


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


BAD_FILES = {
    "DER": (as_der, "openssl x509 -inform DER", "openssl pkey -inform DER"),
    "PKCS #12": (lambda t, kind, file: as_pkcs12(t, file.with_suffix(".pem")), "-nokeys", "-nocerts"),
    "cut off": (lambda t, kind, file: cut(t, file), "line 1: the block 'CERTIFICATE'", "line 1: the block 'PRIVATE KEY'"),
    "UTF-16": (lambda t, kind, file: text(t, file.read_text().encode("utf-16")), "UTF-16", "UTF-16"),
    "empty": (lambda t, kind, file: text(t, b""), "it is empty", "it is empty"),
    "prose": (lambda t, kind, file: text(t, b"my certificate\n"), "-----BEGIN", "-----BEGIN"),
    "damaged": (lambda t, kind, file: text(t, file.read_bytes()[:90] + b"!!\n" + file.read_bytes()[90:]), "not base64", "not base64"),
    "each other": (lambda t, kind, file: file.with_suffix(".key" if kind == "x509" else ".pem"), "a block 'PRIVATE KEY'", "a block 'CERTIFICATE'"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD_FILES)
def test_a_file_that_is_not_pem_is_told_with_its_cure(files, tmp_path, bad):
    make, of_certificate, of_key = BAD_FILES[bad]
    file = make(tmp_path, "x509", files.leaf)
    told = refused(files(certificate=file))
    assert f".yaml:5: key '{CERTIFICATE}': {file}: " in told and of_certificate in told
    told = refused(files(ca=file))
    assert f".yaml:9: key '{CA}': {file}: " in told and of_certificate in told
    told = refused(files(upstreams=f"upstreams: {{ app: {{ servers: [ 'https://app' ], tls: {{ ca: '{file}' }} }} }}\n"))
    assert f".yaml:11: key 'upstreams.app.tls.ca': {file}: " in told and of_certificate in told
    file = make(tmp_path, "pkey", files.leaf.with_suffix(".key"))
    told = refused(files(key=file))
    assert f".yaml:6: key 'hosts[0].key': {file}: " in told and of_key in told


def test_a_crl_that_is_not_pem_is_told_with_its_cure(files, issuer, tmp_path):
    file = as_der(tmp_path, "crl", issuer.crl(files.root))
    told = refused(files(crl=file))
    assert f"key '{CRL}': {file}: " in told and "openssl crl -inform DER" in told
    assert "a block 'CERTIFICATE'" in refused(files(crl=files.root))


def test_the_second_certificate_of_a_chain_is_cut_off(files, tmp_path):
    chain = tmp_path / "chain-cut.pem"
    chain.write_text(files.leaf.read_text() + files.middle.read_text()[:-60])
    line = files.leaf.read_text().count("\n") + 1
    assert f"{chain}: line {line}: the block 'CERTIFICATE'" in refused(files(certificate=chain))


@pytest.mark.parametrize("kind", (None, ("rsa:2048",), ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), ("ed25519",)))
def test_the_key_of_another_certificate(kind, files, issuer):
    """With a key of the same kind and of another kind, because OpenSSL reports these with different errors."""
    key = (issuer.new("other", key=kind) if kind else files.middle).with_suffix(".key")
    told = refused(files(certificate=files.leaf, key=key))
    assert f".yaml:6: key 'hosts[0].key': {key}: the key is not that of the certificate in {files.leaf}" in told


def test_a_server_certificate_with_a_weak_key(files, issuer):
    weak = issuer.new("weak", key=("rsa:1024",), extensions="subjectAltName=DNS:api.example.com\n")
    told = refused(files(certificate=weak, key=weak.with_suffix(".key")))
    assert f".yaml:5: key '{CERTIFICATE}': {weak}: " in told and "weak key" in told


def test_a_certificate_request_in_place_of_a_certificate(files):
    request = files.leaf.with_suffix(".csr")
    told = refused(files(certificate=request))
    assert "CERTIFICATE REQUEST" in told and "send it to the CA" in told


def test_what_is_not_a_file_is_refused_and_not_waited_for(files, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    app = "upstreams: {{ app: {{ servers: [ 'https://app' ], tls: {{ ca: '{0}' }} }} }}\n"
    for bad, what in ((tmp_path, f"{tmp_path}: it is a folder"), (pipe, f"{pipe} is not a file"), ("/dev/tty", "/dev/tty is not a file")):
        for place, how in ((CERTIFICATE, dict(certificate=bad)), ("hosts[0].key", dict(key=bad)), (CA, dict(ca=bad)),
                           (CRL, dict(crl=bad)), ("upstreams.app.tls.ca", dict(upstreams=app.format(bad)))):  # fmt: skip
            told = refused(files(**how))
            assert f"key '{place}': {what}" in told


def test_a_pem_file_without_line_breaks(files, tmp_path):
    joined = tmp_path / "joined.pem"
    for instead in ("\\n", "", " "):
        joined.write_text(files.leaf.read_text().replace("\n", instead))
        assert "line breaks are missing" in refused(files(certificate=joined))


# ---- where it is reported


def test_strict_makes_errors_of_warnings(files, issuer):
    path = files(ca=issuer.new("old", ca=True, validity=PAST))
    more = "user: nobody\n"
    code, out, err = check(path, "--strict")
    assert (code, out) == (EX_CONFIG, "")
    assert [line for line in err.splitlines() if "expired" in line and line.startswith("thaw: error: ")]
    code, out, _ = check(path, "--strict", "--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (EX_CONFIG, False) and told["error"] and any("expired" in text for text in told["warnings"])
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
    assert gateway.wait_messages("warning", CA, "old.pem", "expired")
    files(certificate=files.chain, ca=issuer.new("older", ca=True, validity=PAST))
    assert run([str(binary()), "reload", str(gateway.process.pid)], LIMIT)[0] == 0
    assert gateway.wait_messages("warning", CA, "older.pem", "expired")
