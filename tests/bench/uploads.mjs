// Uploads of 3 files of 2 MB: the edge that takes them apart and a worker that moves the files, against what it replaces:
// nginx that buffers the whole request and a worker that reads it from FastCGI, splits, hashes and writes (uploads.c).  The same nginx, the same
// workers, the same tmpfs: what is longer than the reference's buffer stands in a temporary file, which is on tmpfs too.  Without TLS, which would cost both the same.
// REFERENCE_BUFFER=8m gives the reference a buffer that holds the whole request: quicker, at 6 MB of memory for every upload in flight.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UploadEdge } from '../lib/handover.mjs';
import { until } from '../lib/http.mjs';
import { multipart } from '../lib/multipart.mjs';
import { children } from '../lib/processes.mjs';
import { binary, cpuSeconds, tool } from './instance.mjs';
import { pairs } from './pairs.mjs';

const FILES = 3;
const OCTETS = 2_000_000;
const CONNECTIONS = 4;
const UPLOADS = 60;
const GB = UPLOADS * FILES * OCTETS / 1e9;
// What conf/ ships for uploads.
const SHIPPED = /icert_upload on;[\s\S]*?client_body_buffer_size (\S+);/.exec(readFileSync(new URL('../../conf/nginx.conf.in', import.meta.url), 'utf8'))[1];
const BUFFER = process.env.REFERENCE_BUFFER ?? '128k';	// four times ours; more makes a temporary file no quicker
const WORKERS = availableParallelism();

const config = (port, spool) => {
	const pass = `fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
			fastcgi_param ICERT_UPLOAD $icert_upload; fastcgi_pass unix:${spool}/worker.fcgi;`;
	return `
	icert_upload_spool ${spool}/spool;
	client_max_body_size 24m;
	access_log off;
	server {
		listen 127.0.0.1:${port};
		keepalive_requests 1000000;
		client_body_temp_path ${spool}/body;
		location /ours { icert_upload on; client_body_buffer_size ${SHIPPED}; ${pass} }
		location /reference { client_body_buffer_size ${BUFFER}; ${pass} }
	}`;
};

/** The request as octets, and what the worker says to it. */
function request(path) {
	const files = Array.from({ length: FILES }, () => Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(OCTETS - 9)]));
	const { contentType, body } = multipart([{ name: 'note', value: 'x' }, ...files.map((data, i) => ({ name: `file${i}`, filename: `${i}.pdf`, data }))]);
	const digest = files.map((data) => createHash('sha256').update(data).digest().readUInt32BE(0)).reduce((a, b) => (a ^ b) >>> 0);
	const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n`;
	return { octets: Buffer.concat([Buffer.from(head), body]), says: `${FILES} ${FILES * OCTETS} ${digest.toString(16).padStart(8, '0')}` };
}

/** figure(seconds, CPU seconds) of a round. */
async function run(say, figure) {
	const edge = new UploadEdge('bench', config, { workers: WORKERS });
	let worker;
	const folder = join(edge.spool, 'taken');
	try {
		for (const name of [folder, join(edge.spool, 'spool')]) mkdirSync(name, { recursive: true });
		chmodSync(edge.spool, 0o755);
		worker = spawn(binary('uploads'), [join(edge.spool, 'worker.fcgi'), join(edge.spool, 'spool'), folder, String(WORKERS)], { stdio: 'inherit' });
		await edge.start();
		await until(() => children(worker.pid).length === WORKERS, { what: 'the workers' });
		const all = [...edge.nginx.pids(), ...children(worker.pid).map(({ pid }) => pid)];
		const round = (path) => {
			const { octets, says } = request(path);
			const file = join(edge.folder, path.slice(1));
			writeFileSync(file, octets);
			return async () => {
				const before = cpuSeconds(all);
				const seconds = Number(await tool('send', [edge.nginx.port, file, says, CONNECTIONS, UPLOADS]));
				return figure(seconds, cpuSeconds(all) - before);
			};
		};
		return await pairs({ ours: round('/ours'), reference: round('/reference'), say });
	} finally {
		worker?.kill();
		await edge.stop();
	}
}

export const uploadRate = { name: 'upload_rate', unit: 'MB/s', bar: 1.2, run: ({ say }) => run(say, (seconds) => GB * 1000 / seconds) };
export const uploadCpu = { name: 'upload_cpu', unit: 'CPU s/GB', mostRatio: 0.75, run: ({ say }) => run(say, (_, cpu) => cpu / GB) };
