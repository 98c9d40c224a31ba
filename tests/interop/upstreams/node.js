// An upstream in Node: tells what came to it, and echoes over a WebSocket (RFC 6455) that it speaks by hand.
'use strict';
const http = require('http');
const crypto = require('crypto');

const [, , where] = process.argv;
const server = http.createServer((request, response) => {
  const hash = crypto.createHash('sha256');
  let bytes = 0;
  request.on('data', (data) => {
    hash.update(data);
    bytes += data.length;
  });
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json');
    const fields = {};
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const name = request.rawHeaders[i].toLowerCase();
      fields[name] = name in fields ? fields[name] + ', ' + request.rawHeaders[i + 1] : request.rawHeaders[i + 1];
    }
    response.end(JSON.stringify({ method: request.method, target: request.url, fields, trailers: request.trailers,
      body_bytes: bytes, body_sha256: hash.digest('hex'), connection: request.socket.remotePort }));
  });
});

// One unfragmented text frame of at most 125 bytes; a close frame is answered with the end.
server.on('upgrade', (request, socket, head) => {
  const accept = crypto.createHash('sha1')
    .update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let ahead = head;
  const take = () => {
    while (ahead.length >= 6 && ahead.length >= 6 + (ahead[1] & 0x7f)) {
      const length = ahead[1] & 0x7f;
      const text = Buffer.from(ahead.subarray(6, 6 + length).map((byte, i) => byte ^ ahead[2 + i % 4]));
      if ((ahead[0] & 0x0f) === 8) {
        socket.end(Buffer.from([0x88, 0]));
        return;
      }
      socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
      ahead = ahead.subarray(6 + length);
    }
  };
  socket.on('data', (data) => {
    ahead = Buffer.concat([ahead, data]);
    take();
  });
  socket.on('error', () => socket.destroy());
  take();
});
server.keepAliveTimeout = 5000;
server.listen(where.startsWith('/') ? where : { port: Number(where), host: '127.0.0.1' }, () => {
  console.log('listening on ' + (where.startsWith('/') ? where : server.address().port));
});
