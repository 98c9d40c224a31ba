// Node's clients. KIND is "https" (the body streamed), "fetch" (the body a buffer), or "undici" (the core that fetch is
// made of, the body streamed). See README.md here.
'use strict';

const fs = require('fs');
const https = require('https');
const path = require('path');

const [kind, list, pki] = process.argv.slice(2);
const identity = {
	ca: fs.readFileSync(path.join(pki, 'ca.pem')),
	cert: fs.readFileSync(path.join(pki, 'client.pem')),
	key: fs.readFileSync(path.join(pki, 'client.key')),
};

// Names under .localhost stand for 127.0.0.1, whatever the resolver says.
function lookup(name, options, done) {
	if (options.all)
		done(null, [{ address: '127.0.0.1', family: 4 }]);
	else
		done(null, '127.0.0.1', 4);
}

function tlsOptions(job) {
	const options = { ...identity, lookup };
	if (job.tls !== 'auto')
		options.minVersion = options.maxVersion = 'TLSv' + job.tls;
	return options;
}

function headersOf(job) {
	const headers = {};
	if (job.framing === 'chunked')
		headers['Transfer-Encoding'] = 'chunked';
	else
		headers['Content-Length'] = String(fs.statSync(job.file).size);
	if (job.expect === 'expect')
		headers.Expect = '100-continue';
	return headers;
}

function byHttps(job) {
	return new Promise((resolve, reject) => {
		const body = fs.createReadStream(job.file);
		const request = https.request(job.url, {
			...tlsOptions(job), method: 'PUT', headers: headersOf(job), agent: false,
		});
		request.on('response', (response) => {
			const parts = [];
			response.on('data', (part) => parts.push(part));
			response.on('end', () => {
				body.destroy();
				resolve({ status: response.statusCode, body: Buffer.concat(parts) });
			});
			response.on('error', reject);
		});
		request.on('error', reject);
		if (job.expect === 'expect') {
			request.on('continue', () => body.pipe(request));
			request.flushHeaders();
		} else {
			body.pipe(request);
		}
	});
}

// fetch's own dispatcher is an Agent of the undici that Node carries within.
async function agentFor(job) {
	const key = Symbol.for('undici.globalDispatcher.1');
	if (globalThis[key] === undefined)
		await fetch('data:,').catch(() => undefined);
	const Agent = globalThis[key].constructor;
	return new Agent({ connect: tlsOptions(job), headersTimeout: 0, bodyTimeout: 0 });
}

async function byFetch(job) {
	const dispatcher = await agentFor(job);
	try {
		const headers = job.expect === 'expect' ? { Expect: '100-continue' } : {};
		const response = await fetch(job.url, {
			method: 'PUT', body: fs.readFileSync(job.file), headers, dispatcher,
		});
		return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
	} finally {
		await dispatcher.destroy();
	}
}

async function byUndici(job) {
	const dispatcher = await agentFor(job);
	const url = new URL(job.url);
	const headers = job.framing === 'length' ? { 'content-length': String(fs.statSync(job.file).size) } : {};
	try {
		return await new Promise((resolve, reject) => {
			const parts = [];
			let status = 0;
			dispatcher.dispatch({
				origin: url.origin, path: url.pathname + url.search, method: 'PUT', headers,
				body: fs.createReadStream(job.file),
			}, {
				onConnect() {},
				onHeaders(code) {
					status = code;
					return true;
				},
				onData(part) {
					parts.push(Buffer.from(part));
					return true;
				},
				onComplete() {
					resolve({ status, body: Buffer.concat(parts) });
				},
				onError: reject,
			});
		});
	} finally {
		await dispatcher.destroy();
	}
}

async function main() {
	const run = { https: byHttps, fetch: byFetch, undici: byUndici }[kind];
	for (const line of fs.readFileSync(list, 'utf8').split('\n').filter(Boolean)) {
		const [id, url, file, tls, framing, expect] = line.split('\t');
		let answer;
		try {
			const { status, body } = await run({ url, file, tls, framing, expect });
			answer = `${status}\t${body.toString('hex')}\t`;
		} catch (error) {
			const cause = error.cause ? `${error.cause.code || ''} ${error.cause.message}` : '';
			answer = `0\t\t${`${error.code || ''} ${error.message} ${cause}`.replace(/[\t\r\n]/g, ' ')}`;
		}
		fs.writeSync(1, `${id}\t${answer}\n`);
	}
	process.exit(0);
}

main();
