"""The program's messages, by code. A test names the code and the values of a message, and only this file has its words: when a
message is worded better, one line changes here. tests/lint/test_messages.py checks that the source has each of them.

Errors of the configuration need no code: `error_of()` reads file, line and key.
"""

import re
from typing import NamedTuple

# {name} is a value: any, unless the test gives it.
MESSAGES = {
    # `thaw serve`: start, stop, processes
    "listening": "thaw: listening on {address}",
    "no-longer-listening": "no longer listening on {address}",
    "address-in-use": "cannot listen on {address}: Address already in use",
    "cannot-listen": "cannot listen on {address}",
    "stopping": "stopping: current requests may finish within {seconds} s",
    "stop-timeout": "{connections} connections have not ended",
    "worker-killed": "worker {pid} was killed by signal {signal}",
    "worker-stuck": "worker {pid} made no progress for {seconds} s",
    "worker-unresponsive": "worker {pid} is unresponsive",
    "worker-protocol": "worker {pid} sent an unknown message",
    "worker-records-lost": "worker {pid} ended before it wrote {records} access records",
    "worker-not-ready": "a worker ended before it was ready",
    "admin-stuck": "admin process {pid} made no progress for {seconds} s",
    "signer-stuck": "signer process {pid} made no progress for {seconds} s",
    "signer-not-ready": "the signer process ended before it was ready",
    "signer-not-restarted": "the signer process is not restarted",
    "signer-silent": "no signature: the signer process did not answer in time",
    "upstream-unsigned": "no signature: our key made none in {ms} ms",
    "workers-are-root": "workers run as root",
    "cannot-become": "thaw is not root, so it cannot become '{user}'",
    "no-user": "there is no user '{user}'",
    "no-group": "there is no group '{group}'",
    "spool-not-writable": "as user '{user}': {directory}: cannot create a file for the spool in this directory: Permission denied",
    # reload, upgrade, watched files
    "reload-done": "configuration {number} is taken, with {workers} worker",
    "reload-refused": "new configuration refused, the old one stays in use",
    "reload-no-file": "it was started without a configuration file",
    "sighup-ignored": "SIGHUP ignored",
    "old-workers-ended-early": "ending the workers of configuration {number} early",
    "upgrade-done": "process {new} serves; process {old} finishes its current requests",
    "upgrade-failed": "upgrade failed, this process continues",
    "upgrade-exited": "the new process exited with status {status}",
    "upgrade-killed": "the new process was killed by signal {signal}",
    "upgrade-no-program": "cannot start {program}",
    "control-none": "no 'thaw serve' runs with {file}",
    "control-several": "more than one 'thaw serve' runs with {file}",
    "control-not-thaw": "process {pid} is not a 'thaw serve' that accepts commands",
    "control-ended": "process {pid} ended without a response",
    "files-not-loaded": "changed files not loaded; the next attempt is after their next change",
    "configuration-has-changed": "the configuration file has also changed",
    "socket-not-listed": "the service manager passes the socket {address}, but no 'listen' has that address",
    "socket-wrong-kind": "the socket {address} from the service manager is not a listening stream socket",
    # connections
    "handshake-failed": "TLS handshake failed",
    "unknown-sni": "no host is configured for this name",
    "peer-alert": "the peer sent alert {number}",
    "nothing-sent": "connection ended before it sent anything: {cause}",
    "no-request": "connection ended before its first request: {cause}",
    "no-proxy-header": "no PROXY protocol header",
    "renegotiations": "connection closed: the client tried to renegotiate {count} times",
    "records-without-data": "connection closed: the client sent {count} TLS records without application data",
    "connection-limits": "connection limits: closed {silent} silent",
    "more-messages": "{count} more messages in the last {seconds} s: {cause}",
    "request-refused": "request refused ({reason})",
    # logs
    "records-lost": "{count} access records lost: cannot write to {log}",
    "cannot-open-log": "cannot open the log {log}",
    "cannot-write-log": "cannot write the log {log}",
    # upstreams
    "upstream-unreachable": "upstream {name}: no server can be reached",
    "upstream-failed": "upstream {name}",
    "marked-down": "marked down for {ms} ms",
    # files, keys
    "not-a-file": "{file} is not a file",
    "is-a-folder": "{file}: it is a folder",
    "key-encrypted": "it is encrypted",
    "pass-phrase-wrong": "the pass phrase is wrong",
    "secret-empty": "its first line is empty",
    "pin-wrong": "the PIN is wrong",
    "no-such-key": "there is no such {what}",
    "several-keys": "several {what}s match",
    "no-such-file": "No such file or directory",
    "key-of-another": "the key is not that of the certificate in {file}",
    "no-crl": "no CRL of CA '{ca}'",
    "no-ca-names": "asked without CA names",
    "not-a-socket": "{file} is there and is no socket",
    "no-folder": "the folder of {file} does not exist",
    "secret-unreadable": "its secret cannot be read",
    "chain-order": "put the certificate of this key first",
    "shell-name": "is a file's name in which a shell would replace something",
    "user-by-number": "there is no user with the name '{user}'",
    # the configuration's text
    "nothing-in-file": "there is nothing in it",
    "yaml-second-document": "a second document (---) is not allowed",
    "yaml-single-value": "a single value",
    "yaml-anchor": "anchors and aliases (& and *) are not allowed",
    "yaml-tab": "indent with spaces, not with tabs",
    "yaml-open-brace": "a bracket or brace is not closed",
    "yaml-open-quote": "a quote is not closed",
    "yaml-indentation": "check the indentation",
    "no-break-space": "a no-break space",
    "invisible-space": "an invisible space",
    "typographic-quote": "a typographic quote",
    "key-missing": "this key is missing",
    "no-value": "no value is given",
    "no-port": "has no port",
    "no-numeric-address": "has no numeric address",
    "no-unit": "has no unit",
    "has-a-blank": "has a blank in it",
    "has-a-path": "has a path",
    "is-a-url": "is a URL",
    "is-an-address": "is an address",
    # certificates, CAs and CRLs that will fail
    "expired": "expired on {date}",
    "not-yet-valid": "is not valid before {date}",
    "other-host": "is not for host '{host}' but for {names}",
    "no-alternative-name": "has no subject alternative name",
    "not-for-purpose": "is not made for this purpose (key usage, extended key usage)",
    "not-the-issuer": "certificate {number} '{subject}' is not the issuer of certificate",
    "no-intermediate": "is the last, and its issuer '{issuer}' is an intermediate CA",
    "not-a-ca": "is not a CA",
    "no-issuer": "is of an intermediate CA, and its issuer '{issuer}' is not in the file",
    "key-too-weak": "has a key that is too weak",
    "key-weak": "has a weak key",
    "path-length": "is below CA '{ca}', whose path length constraint allows",
    "more-warnings": "{count} more warnings about this file",
    "crl-of-another": "is not signed by that CA's key",
    "crl-not-allowed": "is signed by a CA whose key usage in {file} does not allow it (cRLSign)",
    "crl-without-effect": "is of a CA that is not in {file}",
    "ca-revoked": "revokes CA '{ca}'",
    # files that are not PEM
    "no-end": "line {line}: the block '{block}' that begins here has no END line",
    "lines-joined": "has no END line: its line breaks are missing",
    "not-base64": "it is not base64",
    "utf-16": "it is UTF-16 text",
    "empty-file": "it is empty",
    "no-block": "no line that begins with '-----BEGIN'",
    "other-block": "but a block '{block}'",
    # `thaw send` and `thaw probe`
    "retry-tls12": "trying TLS 1.2",
    "retry-new-connection": "the connection of the previous upload is closed",
    "cannot-ask-over-tls13": "ask late over TLS 1.3",
    "no-signature-algorithm": "the server accepts no signature algorithm of its key",
    "certificate-not-accepted": "the server does not accept it",
    "client-ca-not-trusted": "its operator must trust the CA",
    "server-ca-unknown": "Name the CA that issued the server's certificate",
    "server-of-another-name": "for another name",
    "server-not-trusted": "certificate is not trusted",
    "no-common-version": "no common TLS version",
    "not-tls": "not TLS",
    "head-has-body": "answers HEAD with a body",
    "waiting": "waiting for the {what}: ",
    "incomplete": ", before the whole file was sent",
    "redirect-bare": "without the certificate",
    "redirect-to-http": "redirects from https to http",
    "redirect-not-http": "redirects to a URL that is neither https nor http",
    "redirect-nowhere": "names no location",
    "no-terminal": "there is no terminal",
    "slow-key": "key took {seconds} s to sign",
    "no-answer": "answer in time",
    "is-a-directory": "{file} is a directory",
    "not-in-pem": "there is no {what} in it (PEM)",
    "probe-not-tls": "the server does not speak TLS",
    "probe-handshake-failed": "the TLS handshake failed",
    "probe-version": "it does not speak TLS {version} (without --tls",
    "probe-no-url": "no URL given",
    "probe-user-in-url": "the URL must not contain a user",
    "connection-refused": "Connection refused",
    "probe-not-http": "not HTTP/1.1",
    "probe-sends": "will send {requests} {method} requests to {url}",
    "probe-no-report": "cannot write the report: {cause}",
    "probe-slow-key": "slow to sign",
    # what a report of `thaw probe` says
    "report-any-body": "any body results in {outcome}, with {client}",
    "report-body": "bytes or more results in {outcome}, with {client} ({before})",
    "report-does-not-ask": "it does not ask: every request gets {outcome}",
    "report-http2": "it offers HTTP/2, over which it cannot ask (RFC 9113 9.2.3): clients that do not retry with HTTP/1.1 get {outcome}",
    "report-closes": "closes connections of clients that send none",
    "report-interrupted": "the probe was interrupted",
    "report-time-limit": "the time limit was reached",
    "report-redirect": "a redirect to {location}: probe that URL",
    "report-no-response": "request without a body gets no response",
    "report-rejected": "the server seems to reject the client certificate: every request gets {outcome}",
    "report-key-failed": "the private key of the client certificate could not sign",
    "report-passes": "bodies of up to {bytes} bytes pass",
    "report-no-problem": "no problem: {how}",
    # permissions
    "mode": "{file} has mode {mode}",
    "owner": "{file} belongs to user {user}",
    "folder-mode": "{file} is in a folder with mode {mode}",
    "folder-owner": "{file} is in a folder of user {user}",
    "others-can": "so other users can {what} it",
}
LISTENING = re.compile(r"thaw: listening on (?:\[[^\]]*\]|[^:\s]+):(?P<port>\d+)")
VALUE = re.compile(r"\\?\{(\w+)\\?\}")
ERROR = re.compile(r"(?:^|: )(?P<file>/[^:]*):(?P<line>\d+): (?:key '(?P<key>.*?)': )?(?P<text>.*)")


def pattern(code, **values):
    """The regular expression of a message. A value that is not given is any, and is a group with its name."""

    def value(match):
        if match[1] not in values:
            return rf"(?P<{match[1]}>.*)"
        return rf"(?<![0-9A-Za-z]){re.escape(str(values[match[1]]))}(?![0-9A-Za-z])"

    words = MESSAGES[code]
    assert set(values) <= set(VALUE.findall(words)), f"'{code}' has other values than {sorted(values)}"
    return re.compile(VALUE.sub(value, re.escape(words)))


def has_message(text, code, *parts, **values):
    """Whether a line of `text` is this message, with these values. parts: what else its line has, such as a file or a key."""
    lines = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).splitlines()
    found = pattern(code, **values)
    return any(found.search(line) and all(str(part) in line for part in parts) for line in lines)


def logged(gateway, code, *parts, **values):
    """Those of the gateway's messages until now that says() finds."""
    return [text for text in list(gateway.messages) if has_message(text, code, *parts, **values)]


def at_level(gateway, *levels):
    """The gateway's messages until now of these levels: "error", "warning", "info"."""
    return [text for text in list(gateway.messages) if text.startswith(tuple(f"thaw: {level}: " for level in levels))]


class Error(NamedTuple):
    """An error of the configuration, or a warning. `key` is None if it is about the file as a whole."""

    file: str
    line: int
    key: str
    text: str


def errors_of(text):
    """The errors of a configuration in the output of a command, in their order, without its warnings."""
    lines = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).splitlines()
    found = [ERROR.search(line) for line in lines if not line.startswith("thaw: warning: ")]
    return [Error(one["file"], int(one["line"]), one["key"], one["text"]) for one in found if one]


def error_of(text):
    """The only one."""
    found = errors_of(text)
    assert len(found) == 1, text
    return found[0]
