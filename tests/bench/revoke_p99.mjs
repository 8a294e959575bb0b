// How long after a revocation was committed somebody was still told that the certificate is good: 1,000 revocations, one after the other, at any
// moment of the publisher's round, while 32 connections ask as fast as they are answered, every other time for that certificate.
import { spawn, execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { until } from '../lib/http.mjs';
import { children, units } from '../lib/processes.mjs';
import { addCertificates, get, paths, published, questions, requests, serialOf } from './certificates.mjs';
import { binary, withInstance } from './instance.mjs';

export const name = 'revoke_p99';
export const unit = 'ms';
export const most = 500;

const REVOCATIONS = Number(process.env.REVOCATIONS ?? 1000);
const CERTIFICATES = 50_000;
const CONNECTIONS = 32;

/** Whether every worker of nginx holds one of the connections from these local ports at least, once all are taken. */
async function everyWorker(icert, port, ports) {
	const held = () => execFileSync('ss', ['-Htnp', 'state', 'established', `( sport = :${port} )`], { encoding: 'utf8' }).split('\n')
		.filter((line) => ports.has(line.match(/:(\d+)\s+users:/)?.[1])).map((line) => Number(line.match(/pid=(\d+)/)[1]));
	await until(() => held().length === ports.size, { what: 'connections taken' });
	const holders = new Set(held());
	return children(units(icert).get('nginx').pid).every(({ pid }) => holders.has(pid));
}

export const run = ({ say }) => withInstance(async (icert) => {
	addCertificates(icert, 1, CERTIFICATES);
	const list = paths(requests(icert, 1, CERTIFICATES));
	await published(icert);
	const file = questions(icert, 'revocations', list.map((path, i) => ({ request: get(`/ocsp/${path}`), serial: serialOf(i + 1) })));
	const port = new URL(icert.status).port;
	const good = [];
	let last;
	// One worker may have taken every connection: then they are made again.
	for (let tries = 1; last === undefined; tries++) {
		if (tries > 20) throw new Error('a worker of nginx has none of the connections');
		const asker = spawn(binary('revocations'), [port, file, `host=${join(icert.run, 'pg')} user=postgres dbname=icert`, REVOCATIONS, CONNECTIONS].map(String),
			{ stdio: ['pipe', 'pipe', 'inherit'] });
		const ports = new Set();
		for await (const line of createInterface({ input: asker.stdout })) {
			if (line === '') {
				if (await everyWorker(icert, port, ports)) asker.stdin.write('\n');
				else asker.stdin.end();
			} else if (/^\d+$/.test(line)) {
				ports.add(line);
			} else if (line.startsWith('answers')) {
				last = line;
			} else {
				good.push(Number(line.split(' ')[0]) / 1000);
				if (good.length % 100 === 0) say(good.length, { latest: good.at(-1) });
			}
		}
		if (asker.exitCode !== 0 && good.length > 0) break;
	}
	if (good.length !== REVOCATIONS || !/ wrong 0$/.test(last)) throw new Error(`${good.length} revocations; ${last}`);
	good.sort((a, b) => a - b);
	console.log(`  median ${good[good.length >> 1].toFixed(1)} ms, worst ${good.at(-1).toFixed(1)} ms; ${last}`);
	return { ours: good[Math.ceil(0.99 * good.length) - 1] };
});
