// The applicant's status page, with session, queries and template, against workers of libfcgi that say the same octets:
// the same nginx, the same location but for its socket, as many workers.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../lib/http.mjs';
import { issued } from '../system/walk.mjs';
import { benchInstance, binary, lift, rewrite } from './instance.mjs';
import { pairs } from './pairs.mjs';
import { wrk } from './wrk.mjs';

export const name = 'portal_page';
export const unit = 'pages/s';
export const bar = 0.35;

const CONNECTIONS = 8;

/** The page as a FastCGI answer: the headers that the program itself sends, and the body. */
function answerOf(page) {
	const ours = ['content-type', 'content-security-policy', 'x-content-type-options', 'referrer-policy', 'cross-origin-opener-policy',
		'cross-origin-resource-policy', 'permissions-policy', 'cache-control', 'strict-transport-security'];
	const lines = ours.filter((h) => page.headers[h]).map((h) => `${h}: ${page.headers[h]}\r\n`);
	return Buffer.concat([Buffer.from(`Status: 200 OK\r\n${lines.join('')}Content-Length: ${page.body.length}\r\n\r\n`), page.body]);
}

export async function run({ say }) {
	const icert = await benchInstance();
	let server;
	try {
		const { applicant, operator } = await issued(icert);
		operator.close();
		const path = `/tramite/${applicant.id}`;
		const page = await until(async () => { const p = await applicant.see(); return /contrato\.pdf/.test(p.html) && p; }, { what: 'the contract on the page', timeout: 60_000 });
		const folder = join(icert.prefix, 'demo/bench');
		mkdirSync(folder, { recursive: true });
		writeFileSync(join(folder, 'answer'), answerOf(page));
		const socket = join(icert.run, 'bench-hello.fcgi');
		const workers = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^portal_workers = (\d+)/m)[1];
		server = spawn(binary('hello'), [socket, join(folder, 'answer'), workers], { stdio: 'inherit' });

		const conf = join(icert.prefix, 'etc/nginx.conf');
		const block = readFileSync(conf, 'utf8').match(/\n\t\tlocation \/ \{\n[\s\S]*?\n\t\t\}\n/)[0];
		const twin = block.replace('location / {', 'location /bench/ {').replace(/fastcgi_pass [^;]*;/, `fastcgi_pass unix:${socket};`);
		rewrite(conf, [block, () => twin + block]);
		lift(icert, 'page');
		process.kill(Number(readFileSync(join(icert.run, 'nginx.pid'), 'utf8')), 'SIGHUP');
		const twinPath = `/bench${path}`;
		await until(async () => (await applicant.client.visit(twinPath)).body.equals(page.body), { what: 'the reference' });
		applicant.close();

		const headers = { Cookie: applicant.client.jar.header(new URL(icert.portal)) };
		const figure = (target) => () => wrk(icert.portal + target, { connections: CONNECTIONS, headers });
		return await pairs({ ours: figure(path), reference: figure(twinPath), say });
	} finally {
		server?.kill();
		await icert.stop();
	}
}
