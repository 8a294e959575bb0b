// Live answers: GET with a nonce of 32 octets, each another one, signed by the status signer behind its socket, against workers of
// libfcgi that say "hello, world" (hello.c): the same nginx, a location with the same statements, as many workers.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addCertificates, benchFolder, get, locations, paths, published, questions, requests, serialOf } from './certificates.mjs';
import { binary, reloadEdge, rewrite, tool, withInstance } from './instance.mjs';
import { pairs } from './pairs.mjs';

export const name = 'ocsp_nonce';
export const unit = 'answers/s';
export const bar = 0.45;

const CERTIFICATES = 50_000;
const CONNECTIONS = 16;
const SECONDS = 1;
const hello = 'Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n';

export const run = ({ say }) => withInstance(async (icert) => {
	addCertificates(icert, 1, CERTIFICATES);
	const list = paths(requests(icert, 1, CERTIFICATES, { nonce: true }));
	await published(icert);
	const socket = join(icert.run, 'bench-hello.fcgi');
	let stored = 0;
	const workers = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^ocsp_workers = (\d+)/m)[1];
	writeFileSync(join(benchFolder(icert), 'hello'), hello);
	const server = spawn(binary('hello'), [socket, join(benchFolder(icert), 'hello'), workers], { stdio: 'inherit' });
	try {
		locations(icert, `\n\t\tlocation /benc/ { fastcgi_pass_request_body off; fastcgi_pass_request_headers off; fastcgi_param REQUEST_URI $request_uri; fastcgi_pass unix:${socket}; }`);
		// What live answers may cost beside stored ones is limited by configuration; here there are no others.
		rewrite(join(icert.prefix, 'etc/nginx.conf'), [/icert_ocsp_live @live[^;]*;/g, 'icert_ocsp_live @live rate=100000 pending=1024;']);
		await reloadEdge(icert, `${icert.status}/benc/${list[0]}`);
		const answer = await fetch(`${icert.status}/ocsp/${list[0]}`);
		if (answer.headers.get('cache-control') !== 'max-age=0, must-revalidate') throw new Error('the answer is not live');
		const figure = (prefix, counted) => {
			const asked = questions(icert, `nonce-${prefix}`, list.map((path, i) => ({ request: get(`/${prefix}/${path}`), serial: serialOf(i + 1) })));
			return async () => {
				const got = JSON.parse(await tool('load', [new URL(icert.status).port, asked, 0, SECONDS, CONNECTIONS]));
				if (got.broken || got.wrong) throw new Error(`${got.broken} broken, ${got.wrong} wrong`);
				// What is stored goes out where a live answer would come too late: it is none.
				stored = Math.max(stored, 1 - got[counted] / got.answered);
				return got[counted] / SECONDS;
			};
		};
		const got = await pairs({ ours: figure('ocsp', 'nonced'), reference: figure('benc', 'answered'), say });
		if (stored > 0) console.log(`  up to ${(100 * stored).toFixed(1)} % of the answers of a round were not live, and are not counted`);
		return got;
	} finally {
		server.kill();
	}
});
