"""Late certificates in server blocks with ssl_verify_client: each trust judges for itself, nginx's own too."""

import signal

import pytest
from harness.rawtls import Raw, context

VERSIONS = ("1.2", "1.3")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; ssl_client_certificate {pki}/ca.pem; ssl_verify_client optional;"
OPEN = "location / {{ proxy_pass http://app; }}"
LATE = "location /{name} {{{{ thaw_client_certificate request; thaw_certificate_authority {{pki}}/{ca}.pem; proxy_pass http://app; }}}}"
OURS, OTHER = LATE.format(name="ours", ca="ca"), LATE.format(name="other", ca="stranger-ca")


def verify(answer):
    """$ssl_client_verify as the upstream was told it."""
    assert answer.status == 200, answer
    return answer.json()["fields"].get("x-verify")


def give(client, identity, tls):
    """From now on the client has this certificate to give."""
    client.tls.context = context(client.pki, tls, identity=identity)




class Late(Raw):
    """Gives no certificate in its handshake."""

    def __init__(self, one, tls, **more):
        super().__init__(one, tls, identity=None, **more)
        self.pki = one.pki


@pytest.mark.parametrize("tls", VERSIONS)
def test_certificate_of_another_trust_is_not_taken_for_nginx_own(nginx, tls):
    """A location's CA vouches for nobody in the rest of the server block."""
    one = nginx(BASE + OPEN + OTHER)
    with Late(one, tls) as client:
        assert verify(client.ask("GET", "/?1")) == "NONE"
        give(client, "stranger", tls)
        assert verify(client.ask("GET", "/other?2")) == "SUCCESS"
        answer = client.ask("GET", "/?3")
    assert answer.status == 400 and b"The SSL certificate error" in answer.body


@pytest.mark.parametrize("tls", VERSIONS)
def test_late_certificate_of_nginx_own_trust_is_good_everywhere(nginx, tls):
    one = nginx(BASE + OPEN + OURS)
    with Late(one, tls) as client:
        give(client, "client", tls)
        assert verify(client.ask("GET", "/ours")) == "SUCCESS"
        assert verify(client.ask("GET", "/")) == "SUCCESS"


@pytest.mark.parametrize("tls", VERSIONS)
def test_rejection_of_a_location_does_not_spoil_the_handshake_s_certificate(nginx, tls):
    one = nginx(BASE + OPEN + OTHER)
    with Raw(one, tls) as client:
        for number in range(2):
            assert verify(client.ask("GET", f"/?{number}")) == "SUCCESS"
            assert client.ask("GET", f"/other?{number}").status == 403
        assert verify(client.ask("GET", "/?last")) == "SUCCESS"


@pytest.mark.parametrize("tickets", ("on", "off"))
def test_session_of_a_late_certificate_is_not_resumed(nginx, tickets):
    """It would come with the location's result, and without a word of nginx's own trust."""
    one = nginx(BASE + f"ssl_session_cache shared:one:1m; ssl_session_tickets {tickets};" + OPEN + OTHER)
    made = context(one.pki, "1.3", identity="stranger")
    with Late(one, "1.3") as client:
        assert verify(client.ask("GET", "/?plain")) == "NONE"
        client.tls.context = made
        assert verify(client.ask("GET", "/other?2")) == "SUCCESS"
        session = client.tls.session
    with Raw(one, ctx=made, session=session) as client:
        answer = client.ask("GET", "/?3")
        assert not client.tls.session_reused and answer.status == 400


@pytest.mark.parametrize("tickets", ("on", "off"))
def test_session_of_a_handshake_s_certificate_is_resumed(nginx, tickets):
    one = nginx(BASE + f"ssl_session_cache shared:one:1m; ssl_session_tickets {tickets};" + OPEN + OURS)
    made = context(one.pki, "1.3")
    with Raw(one, ctx=made) as client:
        assert verify(client.ask("GET", "/ours")) == "SUCCESS"
        session = client.tls.session
    with Raw(one, ctx=made, session=session) as client:
        assert verify(client.ask("GET", "/?2")) == "SUCCESS"
        assert client.tls.session_reused
        assert verify(client.ask("GET", "/ours?2")) == "SUCCESS"


@pytest.mark.parametrize("tls", VERSIONS)
def test_verdict_of_the_request_counts_after_an_internal_redirect(nginx, tls):
    """Also where the location it is redirected to does not ask."""
    where = "thaw_client_certificate request; thaw_require off; try_files /nowhere @app;"
    base = BASE.replace("ssl_verify_client optional;", "").replace("ssl_client_certificate {pki}/ca.pem;", "")
    one = nginx(
        base + "location @app {{ proxy_pass http://app; }}"
        "location /a {{ thaw_certificate_authority {pki}/ca.pem;" + where + "}} location /b {{ thaw_certificate_authority {pki}/stranger-ca.pem;" + where + "}}"
    )
    with Raw(one, tls) as client:
        for number in range(2):
            assert verify(client.ask("GET", f"/a?{number}")) == "SUCCESS"
            assert verify(client.ask("GET", f"/b?{number}")).startswith("FAILED:")


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("tickets", ("on", "off"))
@pytest.mark.parametrize("mode", ("on", "optional"))
def test_session_is_not_resumed_once_ssl_client_certificate_has_changed(nginx, tls, tickets, mode):
    """A reload keeps ssl_session_cache and ssl_session_ticket_key. nginx's own session id context has the names of the CAs."""
    settings = (BASE.replace("ssl_verify_client optional", f"ssl_verify_client {mode}") + "ssl_session_cache shared:one:1m; ssl_session_ticket_key {folder}/ticket.key;"
                f"ssl_session_tickets {tickets};" + OPEN + OURS)
    one = nginx(settings, start=False)
    (one.folder / "ticket.key").write_bytes(b"k" * 80)
    one.start()
    made = context(one.pki, tls)
    with Raw(one, ctx=made) as client:
        assert verify(client.ask("GET", "/")) == "SUCCESS"
        session = client.tls.session
    with Raw(one, ctx=made, session=session) as client:
        assert verify(client.ask("GET", "/")) == "SUCCESS" and client.tls.session_reused
        session = client.tls.session
    old = one.workers()
    one.configure(settings.replace("ssl_client_certificate {pki}/ca.pem", "ssl_client_certificate {pki}/stranger-ca.pem"))
    one.signal(signal.SIGHUP)
    one.wait(lambda: one.workers() and not set(old) & set(one.workers()), "new workers alone")
    with Raw(one, ctx=made, session=session) as client:
        assert client.ask("GET", "/").status == 400
        assert not client.tls.session_reused
