// Node's http2. `h2node.js PORT PKI FILE COUNT`: see README.md here.
'use strict';
const fs = require('fs');
const http2 = require('http2');

const [, , port, pki, file, count] = process.argv;
const session = http2.connect(`https://localhost:${port}`, { ca: fs.readFileSync(`${pki}/ca.pem`),
  lookup: (name, options, done) => (options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) });
session.on('error', (error) => { console.error(error); process.exit(1); });

function request(name, method, path, body, more) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': path, ...more }, { waitForTrailers: name === 'trailers' });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-after': 'the body' }));
    let status = 0;
    const parts = [];
    stream.on('response', (fields) => { status = fields[':status']; });
    stream.on('data', (data) => parts.push(data));
    stream.on('error', reject);
    stream.on('end', () => {
      console.log([name, session.alpnProtocol, status, Buffer.concat(parts).toString('hex')].join('\t'));
      resolve();
    });
    if (body === undefined) stream.end();
    else if (typeof body === 'string') fs.createReadStream(body).pipe(stream);
    else stream.end(body);
  });
}

(async () => {
  await request('get', 'GET', '/get');
  await request('head', 'HEAD', '/head');
  await request('put', 'PUT', '/put', file, { 'content-length': fs.statSync(file).size });
  await request('stream', 'PUT', '/stream', file);
  await request('trailers', 'PUT', '/trailers', Buffer.alloc(1000));
  await Promise.all(Array.from({ length: Number(count) }, (_, n) => request('many', 'PUT', `/many?${n}`, Buffer.alloc(1000))));
  session.close();
})().catch((error) => { console.error(error); process.exit(1); });
