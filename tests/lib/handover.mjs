// What the edge hands over for an upload, read as libicert/handover.h states it; and a program behind that gives it back.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Nginx } from './nginx.mjs';

/** The records of a hand-over, which must be whole: { name, value } of a field, what the edge knows of a file. Values are octets. */
export function handover(bytes) {
	assert.equal(bytes.subarray(0, 8).toString(), 'ICUP0001');
	const found = [];
	let ended = false;
	for (let at = 8; at < bytes.length;) {
		assert.ok(!ended, 'nothing follows the end');
		const kind = String.fromCharCode(bytes[at]);
		const body = bytes.subarray(at + 5, at + 5 + bytes.readUInt32LE(at + 1));
		assert.equal(body.length, bytes.readUInt32LE(at + 1), 'a whole record');
		at += 5 + body.length;
		let p = 0;
		const text = () => { const n = body.readUInt32LE(p); p += 4 + n; return body.subarray(p - n, p); };
		if (kind === 'F') {
			found.push({ name: text().toString(), value: text() });
		} else if (kind === 'U') {
			const file = { name: text().toString(), spool: text().toString(), file: text().toString() };
			found.push({ ...file, size: Number(body.readBigUInt64LE(p)), sha256: body.subarray(p + 8, p + 40).toString('hex'),
				type: body[p + 40], width: body.readUInt32LE(p + 41), height: body.readUInt32LE(p + 45) });
			p += 49;
		} else {
			assert.equal(kind, 'E');
			assert.equal(body.readUInt32LE(0), found.length, 'the end counts the records');
			ended = true;
			p = 4;
		}
		assert.equal(p, body.length, 'a record holds what it says');
	}
	assert.ok(ended, 'an end');
	return found;
}

/** A program behind nginx that gives back what it was handed; `hits` counts. */
async function echo(port) {
	const server = http.createServer((req, res) => {
		const chunks = [];
		server.hits++;
		req.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
			const body = Buffer.concat(chunks);
			res.writeHead(200, { 'Content-Length': body.length, 'X-Taken': req.headers['x-upload'] ?? '' }).end(body);
		});
	});
	server.hits = 0;
	await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
	return server;
}

/** An nginx that takes uploads, a spool of its own, and such a program behind, on the next port. `http(port, spool)` as for Nginx. */
export class UploadEdge {
	constructor(name, http, options) {
		this.folder = mkdtempSync(join(tmpdir(), `icert-${name}-`));
		this.spool = `/dev/shm/icert-${name}-${process.pid}`;
		this.nginx = new Nginx(join(this.folder, 'nginx'), (port) => http(port, this.spool), options);
	}

	async start() {
		mkdirSync(this.spool, { recursive: true });
		await this.nginx.start();
		this.behind = await echo(this.nginx.port + 1);
		return this;
	}

	/** Files that are in the spool now. */
	spooled() {
		return readdirSync(this.spool).flatMap((worker) => {
			try { return readdirSync(join(this.spool, worker)); } catch { return []; }	// its worker has gone
		});
	}

	async stop() {
		try { await this.nginx.stop(); } finally {
			this.behind?.close();
			rmSync(this.folder, { recursive: true, force: true });
			rmSync(this.spool, { recursive: true, force: true });
		}
	}
}
