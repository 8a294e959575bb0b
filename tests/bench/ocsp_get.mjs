// OCSP GET over 50,000 certificates, as the publisher of the house has set them up, against `return` of the same nginx
// with as many octets in body and headers, over the same list of questions.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../lib/http.mjs';
import { benchInstance, reloadEdge, rewrite } from './instance.mjs';
import { pairs } from './pairs.mjs';
import { wrk } from './wrk.mjs';

export const name = 'ocsp_get';
export const unit = 'answers/s';
export const bar = 0.70;

const CERTIFICATES = 50_000;
const CONNECTIONS = 32;
const SAMPLES = 100;
const lua = fileURLToPath(new URL('urls.lua', import.meta.url));

/** Rows of certificates that are good, without what a status does not need. */
const rows = `set session_replication_role = replica;
	insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash, spki_sha256, der,
		not_before, not_after, created_at, issued_at)
	select gen_random_uuid(), gen_random_uuid(), s, 'good', 'file', '1.3.6.1.4.1.43745.1.2.1.1.2.1', decode(repeat('01', 64), 'hex'), sha256(s),
		sha256(s), decode(repeat('01', 64), 'hex'), t, t + 63072000, t, t
	from (select '\\x01'::bytea || substr(sha256(n::text::bytea), 1, 15) as s, extract(epoch from now())::bigint as t
		from generate_series(1, ${CERTIFICATES}) n) x;
	insert into icert.status_change (certificate_id, state, at) select id, 'good', issued_at from icert.certificate;
	notify icert_status`;

/** The questions as paths below the responder's address, one a line. */
function questions(icert, folder) {
	const issuer = join(folder, 'issuer.pem');
	execFileSync('openssl', ['x509', '-inform', 'DER', '-in', icert.files.issuer, '-out', issuer]);
	const serials = Array.from({ length: CERTIFICATES }, (_, n) =>
		`01${createHash('sha256').update(String(n + 1)).digest('hex').slice(0, 30)}`);
	const file = join(folder, 'request.der');
	execFileSync('openssl', ['ocsp', '-issuer', issuer, '-serial', `0x${serials[0]}`, '-no_nonce', '-reqout', file], { stdio: 'ignore' });
	const der = readFileSync(file);
	return serials.map((serial) => {
		Buffer.from(serial, 'hex').copy(der, der.length - 16);	// the serial is what the question ends with
		return encodeURIComponent(der.toString('base64'));
	});
}

/** `return` with the lengths of a real answer, field by field. */
function twin(answer, octets) {
	const own = new Set(['server', 'date', 'content-type', 'content-length', 'connection', 'keep-alive']);
	const fields = [...answer.headers].filter(([field]) => !own.has(field)).map(([field, value]) => `add_header ${field} '${value}';`);
	return `\n\t\tlocation /benc/ { default_type application/ocsp-response; ${fields.join(' ')} return 200 "${'x'.repeat(octets)}"; }\n`;
}

export async function run({ say }) {
	const icert = await benchInstance();
	try {
		const folder = join(icert.prefix, 'demo/bench');
		mkdirSync(folder, { recursive: true });
		icert.sql(rows);
		const paths = questions(icert, folder);
		writeFileSync(join(folder, 'urls'), `${paths.join('\n')}\n`);
		await until(() => icert.sql('select exists (select from icert.status_change where published_epoch is null)') === 'f',
			{ what: 'the status set', timeout: 300_000, every: 500 });

		const ask = async (path) => { const r = await fetch(`${icert.status}/ocsp/${path}`); return { headers: r.headers, body: Buffer.from(await r.arrayBuffer()) }; };
		const answer = await ask(paths.at(-1));
		const lengths = [];
		for (let i = 0; i < SAMPLES; i++) lengths.push((await ask(paths[Math.floor(i * paths.length / SAMPLES)])).body.length);
		if (Math.min(...lengths) < 100) throw new Error('a certificate has no answer');
		const octets = Math.round(lengths.reduce((a, b) => a + b) / SAMPLES);

		rewrite(join(icert.prefix, 'etc/nginx.conf'), [/\n\t\tlocation = \/ocsp \{/, (line) => twin(answer, octets) + line]);
		await reloadEdge(icert, `${icert.status}/benc/${paths[0]}`);
		const figure = (prefix) => () => wrk(icert.status, { connections: CONNECTIONS, script: lua, args: [join(folder, 'urls'), prefix] });
		return await pairs({ ours: figure('/ocsp/'), reference: figure('/benc/'), say });
	} finally {
		await icert.stop();
	}
}
