// Many slow clients for long: readers are cut too, and an upload that drips.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { startInstance } from '../lib/instance.mjs';
import { UploadEdge } from '../lib/handover.mjs';
import { slowClients } from '../system/slow_clients.mjs';

let icert;
before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test('five hundred of each kind', async (t) => {
	const { answered, ...took } = await slowClients(icert, { connections: 500, read: 150 });
	t.diagnostic(`${answered} pages for others meanwhile; ${JSON.stringify(took)}`);
	assert.ok(answered >= 10, `${answered} pages`);
});

test('an upload that drips is cut by its least rate, long before its deadline', async () => {
	const edge = await new UploadEdge('slow', (port, spool) => `
		icert_upload_spool ${spool};
		server { listen 127.0.0.1:${port}; location / { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; } }`, { workers: 1 }).start();
	try {
		const took = await new Promise((resolve, reject) => {
			const begun = Date.now();
			const socket = connect(edge.nginx.port, '127.0.0.1', () => {
				socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n');
				const drip = setInterval(() => socket.write('x'), 500);
				socket.on('close', () => { clearInterval(drip); resolve(Date.now() - begun); });
			}).on('error', (error) => { if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error); });
			socket.resume();
		});
		assert.ok(took >= 9000 && took < 60_000, `cut after ${took} ms`);
		assert.match(edge.nginx.asked().join('\n'), /POST 408 "\/"/);
	} finally { await edge.stop(); }
});

test('what nginx itself has refused is not refused again for being slow', async () => {
	const edge = await new UploadEdge('refused', (port, spool) => `
		icert_upload_spool ${spool};
		client_max_body_size 1k;
		server { listen 127.0.0.1:${port}; location / { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; } }`, { workers: 1 }).start();
	try {
		await Promise.all(['multipart/form-data; boundary=B', 'text/plain'].map((type) => new Promise((resolve, reject) => {
			let said = '', drip;
			const socket = connect({ port: edge.nginx.port, host: '127.0.0.1', allowHalfOpen: true }, () => {
				socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n--B\r\n\r\n`);
				// A second chunk that is too long by what it announces; then it drips while nginx waits for its end (lingering_time).
				setTimeout(() => { socket.write('800\r\n'); drip = setInterval(() => socket.write('x'), 500); }, 200);
			}).on('data', (text) => { said += text; }).on('error', () => {}).on('close', () => {
				clearInterval(drip);
				try { assert.deepEqual(said.match(/^HTTP\/1\.1 \d+/gm), ['HTTP/1.1 413']); resolve(); } catch (error) { reject(error); }
			});
		})));
		assert.doesNotMatch(edge.nginx.logged(), /upload_slow/);
	} finally { await edge.stop(); }
});
