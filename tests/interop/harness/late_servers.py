"""Real servers that ask for the client certificate late, and some that ask at the handshake, for measurements and
uploads.

All of them terminate TLS themselves with the throwaway PKI. On /late/... and on /open/... (which does not ask, except
at the handshake; / of the frozen server) they report what they received: JSON with at least `method`, `body_bytes` and
`body_sha256`. They accept PUT, POST, OPTIONS and GET. Apache and nginx forward the request to the Node of upstreams.py,
which also reports the `fields`; `x-ssl-client-s-dn` is the certificate's subject.
"""

import json
import subprocess

import pytest

from . import servers
from .gateway import binary

APACHE = """
SSLEngine on
SSLCertificateFile {pki}/server.pem
SSLCertificateKeyFile {pki}/server.key
SSLCACertificateFile {pki}/ca.pem
SSLProtocol -all {protocols}
SSLSessionCache shmcb:{folder}/sessions(512000)
{server}
Protocols {http}
<Location /late>
    {location}
</Location>
ProxyPass / http://127.0.0.1:{behind}/
RequestHeader set X-SSL-Client-S-DN "%{{SSL_CLIENT_S_DN}}s"
StartServers 1
"""
APACHE_PROTOCOLS = {"1.2": "+TLSv1.2", "1.3": "+TLSv1.3", "both": "+TLSv1.2 +TLSv1.3"}
APACHE_MODULES = ("ssl", "socache_shmcb", "proxy", "proxy_http", "headers")


def apache(folder, pki, upstream, *, ask="late", tls="both", limit=None, http2=False):
    require = ["SSLVerifyClient require"]
    late = require if ask == "late" else []
    if limit is not None:
        late = [*late, f"SSLRenegBufferSize {limit}"]
    settings = APACHE.format(
        folder=folder, pki=pki, protocols=APACHE_PROTOCOLS[tls], behind=upstream("node").port,
        server="\n".join(require if ask == "handshake" else []), location="\n    ".join(late),
        http="h2 http/1.1" if http2 else "http/1.1")
    return servers.apache(folder, servers.free_port(), (*APACHE_MODULES, *(["http2"] if http2 else [])), settings)


TOMCAT_ATTRIBUTES = 'SSLEnabled="true" scheme="https" secure="true" connectionTimeout="{patience}"'
TOMCAT_TLS = """
      <SSLHostConfig protocols="{protocols}" certificateVerification="{verification}"
                     truststoreFile="conf/ca.p12" truststoreType="PKCS12" truststorePassword="thaw-ca">
        <Certificate certificateFile="{pki}/server.pem" certificateKeyFile="{pki}/server.key"/>
      </SSLHostConfig>
    """
TOMCAT_PROTOCOLS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3", "both": "TLSv1.2,TLSv1.3"}
TOMCAT_REALM = '<Realm className="org.apache.catalina.realm.MemoryRealm" pathname="conf/tomcat-users.xml"/>'
TOMCAT_USERS = """<tomcat-users>
  <user username="CN=Thaw Demo Client" password="unused" roles="uploader"/>
</tomcat-users>
"""
TOMCAT_GUARD = """  <security-constraint>
    <web-resource-collection>
      <web-resource-name>late</web-resource-name><url-pattern>/late/*</url-pattern>
    </web-resource-collection>
    <auth-constraint><role-name>uploader</role-name></auth-constraint>
  </security-constraint>
  <login-config><auth-method>CLIENT-CERT</auth-method></login-config>
  <security-role><role-name>uploader</role-name></security-role>
"""


def tomcat(folder, pki, _upstream, *, ask="late", tls="both", limit=None, patience=60000):
    """JSSE renegotiates on TLS 1.2, and cannot ask late on TLS 1.3."""
    (folder / "conf").mkdir()
    (folder / "conf" / "tomcat-users.xml").write_text(TOMCAT_USERS)
    subprocess.run(
        ["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", str(pki / "ca.pem"), "-storetype", "PKCS12",
         "-keystore", str(folder / "conf" / "ca.p12"), "-storepass", "thaw-ca"],
        check=True, capture_output=True, timeout=60)  # fmt: skip
    return servers.tomcat(
        folder,
        servers.free_port(),
        TOMCAT_ATTRIBUTES.format(patience=patience) + (f' maxSavePostSize="{limit}"' if limit is not None else ""),
        TOMCAT_TLS.format(
            pki=pki, protocols=TOMCAT_PROTOCOLS[tls], verification="required" if ask == "handshake" else "none"),
        TOMCAT_REALM,
        TOMCAT_GUARD,
    )  # fmt: skip


def node(folder, pki, _upstream, *, ask="late", tls="1.2", drain=False):
    options = {"maxVersion": f"TLSv{tls}", "drain": drain, "requestCert": ask == "handshake"}
    return servers.node(folder, "late.js", pki, json.dumps(options))


NGINX = """
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {pki}/server.pem;
        ssl_certificate_key {pki}/server.key;
        ssl_client_certificate {pki}/ca.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_verify_client {ask};
        client_max_body_size {limit};
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;
            proxy_http_version 1.1;
        }}
        location /late/ {{
            if ($ssl_client_verify != SUCCESS) {{ return 403; }}
            proxy_pass http://127.0.0.1:{behind};
            proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;
            proxy_http_version 1.1;
        }}
"""


def nginx(folder, pki, upstream, *, ask="on", limit=None):
    port = servers.free_port()
    site = NGINX.format(port=port, pki=pki, ask=ask, limit=limit or "0", behind=upstream("node").port)
    return servers.nginx(folder, port, site)


def frozen(folder, pki, _upstream, *, read_ahead=49152, give_up=120):
    """`thaw demo --frozen-server`: it asks on every path except /."""
    port = servers.free_port()
    argv = [str(binary()), "demo", "--frozen-server", "--listen", f"127.0.0.1:{port}", "--pki", str(pki),
            "--read-ahead", str(read_ahead), "--give-up", str(give_up)]
    return servers.Server(argv, folder, port)


KINDS = {"apache": apache, "tomcat": tomcat, "node": node, "nginx": nginx, "frozen": frozen}


@pytest.fixture(scope="session")
def late_server(pki, upstream, tmp_path_factory):
    """late_server('apache', tls='1.2', limit=65536): that server, started once. It has `port` and `pki`, so it works
    with harness.rawtls.Raw, and url(path). The options of each server, default first:

    apache  ask='late' | 'handshake', tls='both' | '1.2' | '1.3', limit=BYTES (SSLRenegBufferSize), http2=False
    tomcat  ask='late' | 'handshake', tls='both' | '1.2' | '1.3', limit=BYTES (maxSavePostSize; -1: none),
            patience=MILLISECONDS (connectionTimeout: how long it waits for bytes)
    node    ask='late' | 'handshake', tls='1.2' | '1.3', drain=False (True: the body into memory first, then ask)
    nginx   ask='on' | 'optional' (ssl_verify_client: at the handshake), limit=BYTES (client_max_body_size; without it none)
    frozen  read_ahead=BYTES, give_up=SECONDS
    """
    running = {}

    def get(kind, **settings):
        key = (kind, *sorted(settings.items()))
        if key not in running:
            running[key] = KINDS[kind](tmp_path_factory.mktemp(kind), pki, upstream, **settings)
            running[key].pki = pki
        return running[key]

    yield get
    for one in running.values():
        one.stop()
