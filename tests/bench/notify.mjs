// Payment notifications: an edge over plain HTTP with the statements of the portal's, notifications that a gateway might have
// sent, and what their taking is measured against.
import { execFile, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../lib/http.mjs';
import { benchFolder } from './certificates.mjs';
import { binary, family, lift, plainEdge, signal, tool, withInstance } from './instance.mjs';
import { ROUNDS, interval, median, pairs } from './pairs.mjs';

const CONNECTIONS = 16;
const SECONDS = 1;
const NOTICES = 20_000;		// more than a round takes: none is sent twice
const hello = 'Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\n';

const secretOf = (icert) => Buffer.from(readFileSync(/^demo\.secret_file = (.*)$/m.exec(readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8'))[1], 'utf8').trim().split('\n')[0].slice(6), 'base64');

/** The body of a notification about a payment that nobody knows. */
const body = () => JSON.stringify({
	type: 'payment.approved', timestamp: new Date().toISOString(),
	data: { id: `pay_${randomBytes(12).toString('hex')}`, reference: '00000000-0000-4000-8000-000000000000', status: 'approved', amount: '31.05', currency: 'USD', captures: 1 },
});

/** A file for load: n requests, each with an id of its own, signed now. */
function notices(icert, path, n, file) {
	const secret = secretOf(icert);
	const at = Math.floor(Date.now() / 1000);
	const parts = [];
	for (let i = 0; i < n; i++) {
		const id = `evt_${randomBytes(12).toString('hex')}`;
		const text = body();
		const mac = createHmac('sha256', secret).update(`${id}.${at}.${text}`).digest('base64');
		const request = Buffer.from(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nwebhook-id: ${id}\r\nwebhook-timestamp: ${at}\r\n`
			+ `webhook-signature: v1,${mac}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
		const head = Buffer.alloc(19);
		head.writeUInt16LE(request.length);
		parts.push(head, request);
	}
	writeFileSync(file, Buffer.concat(parts));
	return file;
}

/** The same for one page. */
function pages(path, file) {
	const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
	const head = Buffer.alloc(19);
	head.writeUInt16LE(request.length);
	writeFileSync(file, Buffer.concat([head, request]));
	return file;
}

/** pgbench: the same row into the same table, as many at a time as there are workers; rows a second. */
async function inserts(icert, workers, row, folder) {
	const script = join(folder, 'insert.sql');
	writeFileSync(script, `\\set n random(1, 9000000000000000000)\ninsert into icert.payment_event (gateway, event_id, body, received_at, key_id) values `
		+ `('demo', 'evt_bench_' || :n, '\\x${'5a'.repeat(row.octets)}', 1795464000, '${row.key}') on conflict do nothing;\n`);
	const { stdout } = await promisify(execFile)('pgbench', ['-n', '-M', 'prepared', '-h', join(icert.run, 'pg'), '-U', 'postgres', '-c', workers, '-j', '2', '-T', '1', '-f', script, 'icert'],
		{ env: { ...process.env, PGOPTIONS: '-c role=icert_webhook' } });
	return Number(/tps = ([\d.]+) \(without/.exec(stdout)[1]);
}

export const notifyRate = {
	name: 'notify_rate', unit: 'notifications/s', bar: 0.85,
	run: ({ say }) => withInstance(async (icert) => {
		const folder = benchFolder(icert);
		const workers = /^webhook_workers = (\d+)/m.exec(readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8'))[1];
		const socket = join(icert.run, 'bench-hello.fcgi');
		writeFileSync(join(folder, 'hello'), hello);
		const server = spawn(binary('hello'), [socket, join(folder, 'hello'), workers, 'read'], { stdio: 'inherit' });
		try {
			const block = readFileSync(join(icert.prefix, 'etc/nginx.conf'), 'utf8').match(/\n\t\tlocation \/avisos\/ (\{[\s\S]*?\n\t\t\})\n/)[1];
			lift(icert, 'notice');
			const port = await plainEdge(icert, `location /bench/ ${block.replace(/fastcgi_pass [^;]*;/, `fastcgi_pass unix:${socket};`)}\n\t\t`);
			const round = async (path) => {
				const got = JSON.parse(await tool('load', [port, notices(icert, path, NOTICES, join(folder, 'notices')), 0, SECONDS, CONNECTIONS]));
				if (got.broken || got.wrong || (got.sent > NOTICES && path !== '/bench/demo')) throw new Error(JSON.stringify(got));
				return got.answered / SECONDS;
			};
			const stored = () => Number(icert.sql("select count(*) from icert.payment_event where event_id !~ '^evt_bench'"));
			await round('/avisos/demo');
			const row = Object.fromEntries([['octets', Number(icert.sql('select max(length(body)) from icert.payment_event'))], ['key', icert.sql('select key_id from icert.payment_event limit 1')]]);
			// What is taken is applied afterwards, by another program: it stands still meanwhile.
			const clerk = await family(icert, 'clerk');
			signal(clerk, 'SIGSTOP');
			try {
				return await pairs({
					ours: async () => {
						const before = stored();
						const rate = await round('/avisos/demo');
						if (stored() - before < rate * SECONDS) throw new Error('answered 200 and not stored');
						return rate;
					},
					reference: async () => {
						const h = await round('/bench/demo');
						const p = await inserts(icert, workers, row, folder);
						return 1 / (1 / h + 1 / p);
					},
					say,
				});
			} finally {
				signal(clerk, 'SIGCONT');
			}
		} finally {
			server.kill();
		}
	}),
};

const FLOOD = 5_000;		// pages a second ...
const ADDRESSES = 200;		// ... from so many addresses
const CALM = 100;		// notifications a second beside them
const CALM_SECONDS = 5;

export const notifyP99 = {
	name: 'notify_p99', unit: 'ms', mostRatio: 2,
	run: ({ say }) => withInstance(async (icert) => {
		const folder = benchFolder(icert);
		const port = await plainEdge(icert);
		const flood = pages('/tarifas', join(folder, 'pages'));
		const p99 = async (seconds = CALM_SECONDS) => {
			const got = JSON.parse(await tool('load', [port, notices(icert, '/avisos/demo', CALM * seconds + 10, join(folder, 'notices')), CALM, seconds, CONNECTIONS]));
			if (got.broken || got.wrong) throw new Error(`notifications: ${JSON.stringify(got)}`);
			return got.p99 / 1000;
		};
		await p99(1);
		const all = { ours: [], reference: [], again: [] };
		let answered = 0;
		for (let i = 0; i < ROUNDS; i++) {
			all.reference.push(await p99());
			const other = tool('load', [port, flood, FLOOD, CALM_SECONDS + 2, 1000, ADDRESSES]);
			await new Promise((resolve) => setTimeout(resolve, 1000));
			all.ours.push(await p99());
			answered += JSON.parse(await other).answered;
			await until(async () => (await fetch(`http://127.0.0.1:${port}/tarifas`)).ok, { what: 'the portal again' });
			all.again.push(await p99());
			say(i + 1, Object.fromEntries(Object.entries(all).map(([who, values]) => [who, values.at(-1)])));
		}
		console.log(`  pages answered, or refused by the limit: ${(answered / ROUNDS / (CALM_SECONDS + 2)).toFixed(0)} a second`);
		const each = (a, b) => all[a].map((value, i) => value / b(i));
		const summary = (ratios) => ({ ratio: median(ratios), ...interval(ratios) });
		return {
			ours: median(all.ours), reference: median([...all.reference, ...all.again]),
			...summary(each('ours', (i) => (all.reference[i] + all.again[i]) / 2)), control: summary(each('reference', (i) => all.again[i])),
		};
	}),
};
