"""Other HTTP/2 servers, to compare the tests with. Each answers more than 5 octets on '/', to every method if
possible."""

from . import servers
from .gateway import children, memory_of

PAGE = b"a page of some length\n"

NGINX = """
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {pki}/server.pem;
        ssl_certificate_key {pki}/server.key;
        {more}
"""
NGINX_PASS = "location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; proxy_request_buffering off; }}"

HAPROXY = """
global
    tune.ssl.default-dh-param 2048
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend front
    bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn h2,http/1.1
    default_backend behind
backend behind
    server node 127.0.0.1:{behind}
"""

APACHE = """
SSLEngine on
SSLCertificateFile {pki}/server.pem
SSLCertificateKeyFile {pki}/server.key
Protocols h2 http/1.1
{more}
"""
APACHE_FILES = """
DocumentRoot {folder}/files
<Directory {folder}/files>
    Require all granted
</Directory>
DirectoryIndex index.html
"""


def _files(folder):
    (folder / "files").mkdir()
    (folder / "files" / "index.html").write_bytes(PAGE)
    return folder / "files"


def nghttpd(folder, pki):
    port = servers.free_port()
    argv = ["nghttpd", "-a", "127.0.0.1", "-d", str(_files(folder)), str(port), str(pki / "server.key"), str(pki / "server.pem")]
    return servers.Server(argv, folder, port)


def nginx(folder, pki, behind=None):
    """behind: the port of an upstream; without it nginx serves a file."""
    _files(folder)
    port, more = servers.free_port(), NGINX_PASS.format(behind=behind) if behind else "root files;"
    return servers.nginx(folder, port, NGINX.format(port=port, pki=pki, more=more))


def apache(folder, pki, behind=None):
    _files(folder)
    more = f"ProxyPass / http://127.0.0.1:{behind}/\nProxyPreserveHost on" if behind else APACHE_FILES.format(folder=folder)
    modules = ("ssl", "http2", "dir", "proxy", "proxy_http")
    return servers.apache(folder, servers.free_port(), modules, APACHE.format(folder=folder, pki=pki, more=more))


class Proxied(servers.Server):
    """A server in front of another, which ends together with it."""

    def __init__(self, behind, *how):
        self._behind = behind
        super().__init__(*how)

    def stop(self):
        super().stop()
        if self._behind:
            self._behind.stop()


def haproxy(folder, pki, behind=None):
    (folder / "node").mkdir()
    node = None if behind else servers.node(folder / "node", "node.js")
    port = servers.free_port()
    (folder / "both.pem").write_bytes((pki / "server.pem").read_bytes() + (pki / "server.key").read_bytes())
    (folder / "haproxy.cfg").write_text(HAPROXY.format(port=port, folder=folder, behind=behind or node.port))
    return Proxied(node, ["/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")], folder, port)


TARGETS = {"nghttpd": nghttpd, "nginx": nginx, "apache": apache, "haproxy": haproxy}


class Peer:
    """One of these servers in front of an upstream, in place of a gateway."""

    def __init__(self, name, folder, pki, port):
        self._server, self.pki = TARGETS[name](folder, pki, port), pki
        self.port, self.process, self.stop = self._server.port, self._server.process, self._server.stop

    def url(self, path):
        return self._server.url(path)

    def memory(self):
        return memory_of(self.process.pid)

    def workers(self):
        return children(self.process.pid)

    def complaints(self):
        return []

    def sanitized(self):
        return False
