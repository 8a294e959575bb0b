// A hundred thousand requests (SOAK_REQUESTS=n) to an nginx under valgrind: uploads, refusals of every reason, limits, OCSP.  Not a block more
// is in use in the end than after the first tenth, none is lost, and memcheck has nothing to say.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { dirname, join } from 'node:path';
import { UploadEdge } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { cases } from '../lib/multipart_cases.mjs';
import { certId, request } from '../lib/ocsp.mjs';
import { opened, random } from '../lib/processes.mjs';
import { Store, answer, authority, entry, manifest, segment } from '../lib/store.mjs';

const total = Number(process.env.SOAK_REQUESTS ?? 100_000);
/** Octets that may be in use more, whatever was asked: tables that OpenSSL and the C library fill as they go. */
const SLACK = 16 * 1024;
const SERIAL = '0123456789abcdef0123456789abcdef';
const log = `/tmp/icert-growth-${process.pid}.log`;

const config = (status) => (port, spool) => `
	icert_upload_spool ${spool};
	icert_limit_zone one key=$http_x_person rate=1/h burst=1 size=64k;
	keepalive_requests 1000;
	server {
		listen 127.0.0.1:${port};
		location / { icert_upload on; proxy_pass http://127.0.0.1:${port + 1}; }
		location /limited { icert_limit one; proxy_pass http://127.0.0.1:${port + 1}; }
		location /ocsp/ { icert_ocsp on; icert_status_folder ${status}; icert_status_key ${status}.pub; }
		location = /counts { return 200 "$icert_limit_counts$icert_status_counts"; }
	}`;

/** A store with one good certificate; its CA. */
function publish(folder) {
	const ca = authority(dirname(folder), 'growth'), store = new Store(folder);
	const { publicKey, privateKey } = generateKeyPairSync('ed25519');
	const thisUpdate = Math.floor(Date.now() / 1000) - 10, nextUpdate = thisUpdate + 86400;
	const bytes = segment({ epoch: 11, issuers: [ca], records: [{ issuer: 0, serial: SERIAL, state: 'good', thisUpdate, nextUpdate, answers: [answer(ca, { serial: SERIAL, state: 'good', hash: 'sha1', thisUpdate, nextUpdate })] }] });
	store.put('base', bytes);
	store.put('manifest', manifest({ epoch: 11, entries: [entry('segment', 'base', 'base', bytes, { nextUpdate })] }, privateKey));
	writeFileSync(`${folder}.pub`, publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
	return ca;
}

/** What valgrind counts now: { reachable, lost } in octets. */
function counted(pid) {
	const text = execFileSync('vgdb', [`--pid=${pid}`, 'leak_check', 'summary', 'reachable', 'any'], { encoding: 'utf8', timeout: 120_000, stdio: ['ignore', 'pipe', 'pipe'] });
	const of = (words) => Number(text.match(new RegExp(`${words}: ([\\d,]+)`))?.[1].replaceAll(',', '') ?? (/no leaks are possible|All heap blocks were freed/.test(text) ? 0 : NaN));
	return { reachable: of('still reachable'), lost: of('definitely lost') + of('indirectly lost'), text };
}

test('nothing grows over a hundred thousand requests', async (t) => {
	const edge = new UploadEdge('growth', (port, spool) => config(join(edge.folder, 'status'))(port, spool), { workers: 0,
		under: ['valgrind', '--leak-check=no', `--log-file=${log}`] });
	mkdirSync(join(edge.folder, 'status'));
	const ca = publish(join(edge.folder, 'status'));
	await edge.start();
	const pick = random(1), bodies = cases().filter(({ body }) => body);
	const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
	const ask = (method, path, headers, body) => new Promise((resolve, reject) => {
		const req = http.request({ port: edge.nginx.port, path, method, agent, headers }, (res) => res.resume().on('end', () => resolve(res.statusCode)).on('error', reject));
		req.on('error', (error) => (error.code === 'ECONNRESET' ? resolve(0) : reject(error)));	// a kept connection that ended meanwhile
		req.end(body);
	});
	const der = request([certId(ca, SERIAL)]), other = request([certId(ca, 'ff'.repeat(16))]);
	const get = (bytes) => `/ocsp/${encodeURIComponent(bytes.toString('base64'))}`;
	const kinds = [
		() => { const one = bodies[Math.floor(pick() * bodies.length)]; return ask('POST', '/', { 'Content-Type': one.type, 'Content-Length': one.body.length }, one.body); },
		() => ask('GET', get(der), {}),
		() => ask('POST', '/ocsp/', { 'Content-Type': 'application/ocsp-request', 'Content-Length': other.length }, other),
		() => ask('POST', '/ocsp/', { 'Content-Type': 'application/ocsp-request', 'Content-Length': 5 }, 'wrong'),
		() => ask('GET', '/limited', { 'X-Person': `p${Math.floor(pick() * 5000)}` }),
		() => ask('GET', '/counts', {}),
	];
	const statuses = {};
	const send = async (n) => {
		let left = n;
		await Promise.all(Array.from({ length: 8 }, async () => {
			while (left-- > 0) {
				const status = await kinds[pick() < 0.5 ? 0 : Math.floor(pick() * kinds.length)]();
				statuses[status] = (statuses[status] ?? 0) + 1;
			}
		}));
	};
	try {
		// What a connection holds is not growth: all are gone when blocks are counted.
		const { pid } = edge.nginx.child, idle = opened(pid).socket;
		const alone = async () => {
			agent.destroy();
			await until(() => opened(pid).socket <= idle, { what: `no more than ${idle} sockets` });
			return counted(pid);
		};
		await send(total / 10);
		const first = await alone();
		await send(total - total / 10);
		const last = await alone();
		t.diagnostic(`${total} requests, ${JSON.stringify(statuses)}: in use ${first.reachable} octets, then ${last.reachable}; lost ${last.lost}`);
		for (const status of [200, 400, 415, 429]) assert.ok(statuses[status] > 0, `some ${status}`);
		assert.ok((statuses[0] ?? 0) < total / 100, 'connections that broke');
		assert.ok(last.reachable - first.reachable <= SLACK, `${first.reachable} octets in use after a tenth, ${last.reachable} in the end\n${last.text}`);
		assert.equal(last.lost, 0, last.text);
	} finally {
		agent.destroy();
		await edge.stop();
	}
	const report = readFileSync(log, 'utf8');
	rmSync(log);
	assert.match(report, /ERROR SUMMARY: 0 errors/, report.slice(-6000));
});
