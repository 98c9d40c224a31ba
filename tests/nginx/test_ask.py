"""One late certificate through nginx with the module."""

import pytest
from harness.rawtls import Raw

VERSIONS = ("1.2", "1.3")
MEANS = {"1.2": "renegotiation", "1.3": "post-handshake"}


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("path", ("/late", "/early", "/body"))
def test_get_is_asked_and_accepted(shared, tls, path):
    with Raw(shared, tls) as client:
        answer = client.ask("GET", f"{path}?get-{tls}").json()
    assert answer["fields"]["x-verify"] == "SUCCESS"
    assert answer["fields"]["x-subject"] == "CN=Thaw Demo Client"
    assert (answer["fields"]["x-verdict"], answer["fields"]["x-means"]) == ("accepted", MEANS[tls])


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("size", ("1k", "1m", "50m"))
@pytest.mark.parametrize("path", ("/late", "/early", "/body"))
def test_upload_is_asked_and_arrives_whole(shared, payloads, tls, size, path):
    with Raw(shared, tls) as client:
        answer = client.ask("PUT", f"{path}?put-{tls}-{size}", payloads[size].data()).json()
    assert (answer["body_bytes"], answer["body_sha256"]) == (payloads[size].size, payloads[size].sha256)
    assert (answer["fields"]["x-verdict"], answer["fields"]["x-means"]) == ("accepted", MEANS[tls])


@pytest.mark.parametrize("tls", VERSIONS)
def test_second_request_is_not_asked_again(shared, tls, payloads):
    with Raw(shared, tls) as client:
        assert client.ask("GET", f"/late?first-{tls}").status == 200
        answer = client.ask("PUT", f"/late?second-{tls}", payloads["1m"].data()).json()
    assert answer["body_sha256"] == payloads["1m"].sha256
    assert answer["fields"]["x-verdict"] == "accepted"
    assert answer["fields"]["x-drained"] == "0"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("size", (None, "1k", "50m"))
def test_no_certificate_is_a_readable_403(shared, payloads, tls, size):
    with Raw(shared, tls, identity=None) as client:
        answer = client.ask("PUT", f"/late?none-{tls}-{size}", payloads[size].data() if size else None)
    assert answer.status == 403
    record = shared.record(f"?none-{tls}-{size}")
    assert (record["verdict"], record["reason"]) == ("declined", "no-certificate")


@pytest.mark.parametrize("tls", VERSIONS)
def test_untrusted_certificate_is_a_readable_403(shared, tls):
    with Raw(shared, tls, identity="stranger") as client:
        assert client.ask("GET", f"/late?stranger-{tls}").status == 403
    record = shared.record(f"?stranger-{tls}")
    assert (record["verdict"], record["reason"]) == ("rejected", "untrusted")


@pytest.mark.parametrize("tls", VERSIONS)
def test_location_that_never_asks(shared, tls, payloads):
    with Raw(shared, tls) as client:
        answer = client.ask("PUT", f"/?never-{tls}", payloads["1m"].data()).json()
    assert answer["fields"]["x-verify"] == "NONE" and "x-verdict" not in answer["fields"]


@pytest.mark.parametrize("tls", VERSIONS)
def test_optional_goes_on_without(shared, tls):
    with Raw(shared, tls, identity=None) as client:
        answer = client.ask("GET", f"/optional?{tls}").json()
    assert (answer["fields"]["x-verify"], answer["fields"]["x-verdict"]) == ("NONE", "declined")
