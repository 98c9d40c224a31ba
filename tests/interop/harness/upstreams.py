"""Real servers behind the gateway, over plain HTTP."""

import os
import pathlib

import pytest

from . import servers


def node(folder):
    return servers.node(folder, "node.js")


NGINX = """
        listen 127.0.0.1:{port};
        root files;
        location / {{
            dav_methods PUT DELETE;
            create_full_put_path on;
            add_header X-Seen-Subject $http_x_ssl_client_s_dn always;
        }}
"""


def nginx(folder):
    """Accepts files by PUT, and serves them."""
    port = servers.free_port()
    (folder / "files").mkdir()
    return servers.nginx(folder, port, NGINX.format(port=port))


APACHE = """
ScriptSock cgid.sock
DocumentRoot {folder}
ScriptAlias / {folder}/inspect.py/
<Directory {folder}>
    Require all granted
</Directory>
"""

CGI = """#!/usr/bin/python3
import hashlib, json, os, sys
digest, size = hashlib.sha256(), 0
while True:
    data = sys.stdin.buffer.read(65536)
    if not data:
        break
    digest.update(data)
    size += len(data)
fields = {k[5:].lower().replace("_", "-"): v for k, v in os.environ.items() if k.startswith("HTTP_")}
print("Content-Type: application/json\\n")
print(json.dumps({"method": os.environ["REQUEST_METHOD"], "target": os.environ["REQUEST_URI"], "fields": fields,
                  "body_bytes": size, "body_sha256": digest.hexdigest()}))
"""


def apache(folder):
    """A CGI program that reports what it received: header fields in the spelling of CGI, which merges '-' and '_'."""
    (folder / "inspect.py").write_text(CGI)
    os.chmod(folder / "inspect.py", 0o755)
    for each in (folder, *list(folder.parents)[:-2]):
        if each.owner() == pathlib.Path.home().owner() or os.geteuid() == 0:
            os.chmod(each, 0o755)  # its children run as another user
    return servers.apache(folder, servers.free_port(), ("cgid", "alias"), APACHE.format(folder=folder))


def tomcat(folder):
    return servers.tomcat(folder, servers.free_port())


UPSTREAMS = {"node": node, "nginx": nginx, "apache": apache, "tomcat": tomcat}


@pytest.fixture(scope="session")
def upstream(tmp_path_factory):
    """upstream('nginx'): that server, started once for the session."""
    running = {}

    def get(name):
        if name not in running:
            running[name] = UPSTREAMS[name](tmp_path_factory.mktemp(name))
        return running[name]

    yield get
    for one in running.values():
        one.stop()
