// An HTTPS server in Node that asks late below /late: by socket.renegotiate(), when the connection has no certificate yet.
// Arguments: PORT PKI OPTIONS, these as JSON: maxVersion; requestCert (at the handshake); drain (the body into memory
// first, then ask).
'use strict';
const https = require('https');
const crypto = require('crypto');
const fs = require('fs');

const [, , port, pki, given] = process.argv;
const options = JSON.parse(given);
const read = (name) => fs.readFileSync(`${pki}/${name}`);

function answer(response, status, told) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(told));
}

function digest(request, response, ahead) {
  const hash = crypto.createHash('sha256');
  let bytes = 0;
  const add = (data) => {
    hash.update(data);
    bytes += data.length;
  };
  const certificate = request.socket.getPeerCertificate();
  const end = () => answer(response, 200, { method: request.method, body_bytes: bytes, body_sha256: hash.digest('hex'),
    subject: certificate && certificate.subject ? certificate.subject.CN : null });
  ahead.forEach(add);
  if (request.readableEnded) {
    end();
    return;
  }
  request.on('data', add);
  request.on('end', end);
}

// Not within the handler's own call: renegotiate() reads the connection, and would run the HTTP parser from inside itself.
function ask(request, response, ahead) {
  const { socket } = request;
  setImmediate(() => {
    let over = false;
    const finish = (error) => {
      if (over)
        return;
      over = true;
      if (error || !socket.getPeerCertificate().subject)
        answer(response, 403, { error: error ? error.code : 'no certificate' });
      else
        digest(request, response, ahead);
    };
    if (!socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, finish))
      finish({ code: 'renegotiation is impossible' });
  });
}

const server = https.createServer({
  key: read('server.key'),
  cert: read('server.pem'),
  ca: read('ca.pem'),
  maxVersion: options.maxVersion,
  requestCert: options.requestCert,
  secureOptions: crypto.constants.SSL_OP_NO_TICKET, // or the session is resumed, and no certificate comes
}, (request, response) => {
  if (!request.url.startsWith('/late') || request.socket.getPeerCertificate().subject) {
    digest(request, response, []);
  } else if (options.drain) {
    const ahead = [];
    request.on('data', (data) => ahead.push(data));
    request.on('end', () => ask(request, response, ahead));
  } else {
    ask(request, response, []);
  }
});
server.on('tlsClientError', (error) => console.log(error.code));
server.on('clientError', (error, socket) => { console.log(error.code); socket.destroy(); });
server.listen(Number(port), '127.0.0.1', () => console.log('listening'));
