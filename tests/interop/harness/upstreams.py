"""Real servers behind the gateway: each with a folder of its own, in the foreground, gone with the tests."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from .process import kill_group, popen

HERE = pathlib.Path(__file__).resolve().parents[1] / "upstreams"
START_LIMIT = 60.0
TOMCAT = pathlib.Path("/usr/share/tomcat10")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Upstream:
    """One running server: `servers` is what the gateway's settings call it."""

    def __init__(self, argv, folder, port, env=None):
        self.port = port
        self.servers = f"[ 'http://127.0.0.1:{port}' ]"
        self._log = open(folder / "output", "wb")
        self.process = popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
                             env={**os.environ, **(env or {})})
        end = time.monotonic() + START_LIMIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is None and time.monotonic() < end:
                    time.sleep(0.05)  # until it listens, or has ended
                    continue
                self.stop()
                raise AssertionError((folder / "output").read_text(errors="replace")[-2000:]) from None

    def stop(self):
        kill_group(self.process)
        self._log.close()


def node(folder):
    port = free_port()
    return Upstream(["node", str(HERE / "node.js"), str(port)], folder, port)


NGINX = """
daemon off;
error_log error.log;
pid nginx.pid;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        root files;
        location / {{
            dav_methods PUT DELETE;
            create_full_put_path on;
            add_header X-Seen-Subject $http_x_ssl_client_s_dn always;
        }}
    }}
}}
"""


def nginx(folder):
    """Takes files by PUT, and gives them back."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(port=port) + "")
    (folder / "files").mkdir()
    os.chmod(folder, 0o755)
    argv = [program, "-p", f"{folder}/", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
    if os.geteuid() == 0:
        argv += ["-g", "user root;"]
    return Upstream(argv, folder, port)


APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile apache.pid
DefaultRuntimeDir {folder}
ErrorLog error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule cgid_module {modules}/mod_cgid.so
LoadModule alias_module {modules}/mod_alias.so
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
    """A CGI program that tells what came: header fields as CGI spells them, which folds '-' and '_'."""
    port = free_port()
    (folder / "inspect.py").write_text(CGI)
    os.chmod(folder / "inspect.py", 0o755)
    (folder / "apache.conf").write_text(APACHE.format(folder=folder, port=port, modules="/usr/lib/apache2/modules"))
    for each in (folder, *list(folder.parents)[:-2]):
        if each.owner() == pathlib.Path.home().owner() or os.geteuid() == 0:
            os.chmod(each, 0o755)  # its children run as another user
    return Upstream(["/usr/sbin/apache2", "-DFOREGROUND", "-f", f"{folder}/apache.conf"], folder, port)


SERVER_XML = """<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" protocol="HTTP/1.1" maxSwallowSize="-1"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" autoDeploy="false"/>
    </Engine>
  </Service>
</Server>
"""

WEB_XML = """<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet><servlet-name>inspect</servlet-name><servlet-class>Inspect</servlet-class></servlet>
  <servlet-mapping><servlet-name>inspect</servlet-name><url-pattern>/*</url-pattern></servlet-mapping>
</web-app>
"""


def tomcat(folder):
    port = free_port()
    classes = folder / "webapps" / "ROOT" / "WEB-INF" / "classes"
    classes.mkdir(parents=True)
    for each in ("conf", "logs", "temp", "work"):
        (folder / each).mkdir()
    (folder / "conf" / "server.xml").write_text(SERVER_XML.format(port=port))
    (classes.parent / "web.xml").write_text(WEB_XML)
    jars = ":".join(str(jar) for jar in (TOMCAT / "lib").glob("*.jar"))
    subprocess.run(["javac", "-cp", jars, "-d", str(classes), str(HERE / "Inspect.java")], check=True, timeout=120)
    argv = ["java", "-Xmx256m", "-cp", f"{TOMCAT}/bin/bootstrap.jar:{TOMCAT}/bin/tomcat-juli.jar",
            f"-Dcatalina.base={folder}", f"-Dcatalina.home={TOMCAT}", f"-Djava.io.tmpdir={folder}/temp",
            "org.apache.catalina.startup.Bootstrap", "start"]
    return Upstream(argv, folder, port)


UPSTREAMS = {"node": node, "nginx": nginx, "apache": apache, "tomcat": tomcat}


@pytest.fixture(scope="session")
def upstream(tmp_path_factory):
    """upstream('nginx'): that server, started once."""
    running = {}

    def get(name):
        if name not in running:
            running[name] = UPSTREAMS[name](tmp_path_factory.mktemp(name))
        return running[name]

    yield get
    for one in running.values():
        one.stop()
