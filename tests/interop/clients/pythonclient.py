"""Python's clients. KIND is "pha" or "nopha" (http.client), or "requests". See README.md here."""

import http.client
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
PIECE = 65536

_getaddrinfo = socket.getaddrinfo


def _loopback(host, *rest, **named):
    """handshake.localhost stands for 127.0.0.1, whatever the resolver says."""
    return _getaddrinfo("127.0.0.1" if host == "handshake.localhost" else host, *rest, **named)


def _context(pki, tls, pha):
    context = ssl.create_default_context(cafile=os.path.join(pki, "ca.pem"))
    context.load_cert_chain(os.path.join(pki, "client.pem"), os.path.join(pki, "client.key"))
    context.post_handshake_auth = pha
    if tls in VERSIONS:
        context.minimum_version = context.maximum_version = VERSIONS[tls]
    return context


def _pieces(file):
    with open(file, "rb") as body:
        while piece := body.read(PIECE):
            yield piece


def _by_http_client(pki, pha, url, file, tls, framing):
    target = urlsplit(url)
    connection = http.client.HTTPSConnection(target.hostname, target.port, context=_context(pki, tls, pha))
    path = f"{target.path}?{target.query}" if target.query else target.path
    broken = None
    try:
        if framing == "chunked":
            connection.request("PUT", path, _pieces(file), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        else:
            with open(file, "rb") as body:
                connection.request("PUT", path, body, headers={"Content-Length": str(os.path.getsize(file))})
    except OSError as error:  # a refusal in the middle of the upload: its response may be there
        broken = error
    try:
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise broken or error
    finally:
        connection.close()


def _by_requests(pki, url, file, tls, framing):
    import requests
    from requests.adapters import HTTPAdapter

    class Narrowed(HTTPAdapter):
        def init_poolmanager(self, *rest, **named):
            super().init_poolmanager(*rest, ssl_context=_context(pki, tls, True), **named)

    with requests.Session() as session, open(file, "rb") as body:
        session.trust_env = False
        if tls in VERSIONS:
            session.mount("https://", Narrowed())
        else:  # the way that its users go; urllib3 then offers PHA by itself
            session.cert = (os.path.join(pki, "client.pem"), os.path.join(pki, "client.key"))
        data = _pieces(file) if framing == "chunked" else body
        response = session.put(url, data=data, verify=os.path.join(pki, "ca.pem"))
        return response.status_code, response.content


def main():
    kind, jobs, pki = sys.argv[1:4]
    socket.getaddrinfo = _loopback
    with open(jobs, encoding="ascii") as lines:
        for line in lines:
            mark, url, file, tls, framing, _ = line.rstrip("\n").split("\t")
            try:
                if kind == "requests":
                    status, body = _by_requests(pki, url, file, tls, framing)
                else:
                    status, body = _by_http_client(pki, kind == "pha", url, file, tls, framing)
                answer = f"{status}\t{body.hex()}\t"
            except Exception as error:  # every failure is a result
                words = " ".join(f"{type(error).__name__}: {error}".split())
                answer = f"0\t\t{words}"
            print(f"{mark}\t{answer}", flush=True)


main()
