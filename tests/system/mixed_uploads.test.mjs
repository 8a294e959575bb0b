// Three hundred uploads of every kind, with workers killed and a reload in between; tests/soak has ten thousand.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { UploadEdge } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { signal } from '../lib/processes.mjs';
import { mixedUploads } from './mixed_uploads.mjs';

test('of good, refused, aborted and killed uploads nothing is left: no file, no descriptor, no slot', async (t) => {
	const seed = Number(process.env.UPLOADS_SEED ?? Date.now() % 1e9);
	const { seen, lost, killed } = await mixedUploads({ count: 300, seed });
	t.diagnostic(`seed ${seed}; ${JSON.stringify(seen)}; ${lost} lost to ${killed} kills`);
	for (const [kind, n] of Object.entries(seen)) assert.ok(n > 0, `none of kind ${kind}`);
	assert.ok(killed > 0);
});

test('what a worker held that was killed while it was leaving is gone within seconds, though it has no successor', async () => {
	const edge = await new UploadEdge('leaving', (port, spool) => `
		icert_upload_spool ${spool};
		server { listen 127.0.0.1:${port}; location / { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; } }`, { workers: 1 }).start();
	let socket;
	try {
		socket = connect(edge.nginx.port, '127.0.0.1').on('error', () => {});
		socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n%PDF-1.7\n');
		const [pid] = edge.nginx.pids();
		await until(() => edge.spooled().length === 1, { what: 'a file in the spool' });
		await edge.nginx.reload();
		assert.equal(readdirSync(join(edge.spool, String(pid))).length, 1, 'it goes on with what it has begun');
		signal(pid, 'SIGKILL');
		await until(() => !readdirSync(edge.spool).includes(String(pid)), { timeout: 20_000, what: 'the folder of who was leaving to go' });
	} finally {
		socket?.destroy();
		await edge.stop();
	}
});
