// OCSP POST over 50,000 certificates against the same nginx reading the same bodies and answering with a fixed one, of as many
// octets and with as long headers: `return` does not read a body, so a module does what it does after having read (nginx/).
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addCertificates, equal, lines, locations, paths, published, requests, sample } from './certificates.mjs';
import { copied, lift, reloadEdge, rewrite, withInstance } from './instance.mjs';
import { pairs } from './pairs.mjs';
import { wrk } from './wrk.mjs';

export const name = 'ocsp_post';
export const unit = 'answers/s';
export const bar = 0.85;

const CERTIFICATES = 50_000;
const CONNECTIONS = 32;
const lua = fileURLToPath(new URL('posts.lua', import.meta.url));

export const run = ({ say }) => withInstance(async (icert) => {
	addCertificates(icert, 1, CERTIFICATES);
	const ders = requests(icert, 1, CERTIFICATES);
	const file = lines(icert, 'posts', ders.map((der) => der.toString('hex')));
	await published(icert);
	const { fields, type, body } = equal(await sample(icert, paths(ders)));
	locations(icert, `\n\t\tlocation = /benc { client_max_body_size 10k; client_body_buffer_size 16k; ${fields} bench_return ${type} "${body}"; }`);
	rewrite(join(icert.prefix, 'etc/nginx.conf'), [/\nload_module /, `\nload_module ${copied(icert, 'ngx_http_bench_module.so')};\nload_module `]);
	lift(icert, 'status');
	await reloadEdge(icert, `${icert.status}/benc`);
	const figure = (path) => () => wrk(icert.status + path, { connections: CONNECTIONS, script: lua, args: [file] });
	return pairs({ ours: figure('/ocsp'), reference: figure('/benc'), say });
});
