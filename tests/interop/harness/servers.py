"""Real servers under test: each runs in the foreground, with its own folder, and ends with the tests."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

from ports import free_port

from .process import kill_group, popen

HERE = pathlib.Path(__file__).resolve().parents[1] / "upstreams"
START_LIMIT = 60.0
APACHE_MODULES = "/usr/lib/apache2/modules"
TOMCAT = pathlib.Path("/usr/share/tomcat10")


class Server:
    """One running server on a given loopback port."""

    def __init__(self, argv, folder, port, env=None):
        self.port = port
        self.pki = None  # the folder, if the server terminates TLS itself
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
                    time.sleep(0.05)  # until it listens or has ended
                    continue
                self.stop()
                raise AssertionError((folder / "output").read_text(errors="replace")[-2000:]) from None

    @property
    def servers(self):
        """Its address as an upstream in the gateway's settings."""
        return f"[ 'http://127.0.0.1:{self.port}' ]"

    def url(self, path):
        return f"https://localhost:{self.port}{path}"

    def stop(self):
        kill_group(self.process)
        self._log.close()


def node(folder, script, *arguments):
    port = free_port()
    return Server(["node", str(HERE / script), str(port), *map(str, arguments)], folder, port)


def nginx(folder, port, server):
    """`server`: the contents of its only server block."""
    (folder / "nginx.conf").write_text(NGINX.format(server=server))
    os.chmod(folder, 0o755)
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    argv = [program, "-p", f"{folder}/", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
    if os.geteuid() == 0:
        argv += ["-g", "user root;"]
    return Server(argv, folder, port)


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
{server}
    }}
}}
"""


def apache(folder, port, modules, settings):
    """`modules`: short names of modules in addition to those that every server needs."""
    load = "".join(f"LoadModule {m}_module {APACHE_MODULES}/mod_{m}.so\n" for m in ("mpm_event", "authz_core", *modules))
    (folder / "apache.conf").write_text(APACHE.format(folder=folder, port=port) + load + settings)
    return Server(["/usr/sbin/apache2", "-DFOREGROUND", "-f", f"{folder}/apache.conf"], folder, port)


APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile apache.pid
DefaultRuntimeDir {folder}
ErrorLog error.log
"""


def tomcat(folder, port, attributes="", tls="", realm="", web_xml=""):
    """A webapp with the servlet Inspect. `attributes`: further attributes of the connector; `tls`: the contents of the
    connector; `web_xml`: the contents of web.xml beside the servlet."""
    classes = folder / "webapps" / "ROOT" / "WEB-INF" / "classes"
    classes.mkdir(parents=True)
    for each in ("conf", "logs", "temp", "work"):
        (folder / each).mkdir(exist_ok=True)
    (folder / "conf" / "server.xml").write_text(SERVER_XML.format(port=port, attributes=attributes, tls=tls, realm=realm))
    (classes.parent / "web.xml").write_text(WEB_XML.format(more=web_xml))
    jars = ":".join(str(jar) for jar in (TOMCAT / "lib").glob("*.jar"))
    subprocess.run(["javac", "-cp", jars, "-d", str(classes), str(HERE / "Inspect.java")], check=True, timeout=120)
    argv = ["java", "-Xmx256m", "-cp", f"{TOMCAT}/bin/bootstrap.jar:{TOMCAT}/bin/tomcat-juli.jar",
            f"-Dcatalina.base={folder}", f"-Dcatalina.home={TOMCAT}", f"-Djava.io.tmpdir={folder}/temp",
            "org.apache.catalina.startup.Bootstrap", "start"]
    return Server(argv, folder, port)


SERVER_XML = """<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" protocol="HTTP/1.1" maxSwallowSize="-1" {attributes}>{tls}</Connector>
    <Engine name="Catalina" defaultHost="localhost">
      {realm}
      <Host name="localhost" appBase="webapps" autoDeploy="false"/>
    </Engine>
  </Service>
</Server>
"""

WEB_XML = """<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet><servlet-name>inspect</servlet-name><servlet-class>Inspect</servlet-class></servlet>
  <servlet-mapping><servlet-name>inspect</servlet-name><url-pattern>/*</url-pattern></servlet-mapping>
{more}</web-app>
"""
