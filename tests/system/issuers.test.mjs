// Lists in partitions, the root's next list, what is said of certificates that never were, and a second issuing CA: both answer, one
// issues, and the first one comes to its end.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { edit, restart } from '../lib/reconfigure.mjs';
import * as tools from '../lib/tools.mjs';

const YEAR = 365.25 * 86_400_000;
const SECOND_CA = 'ENTIDAD DE CERTIFICACION ICERT PRUEBAS DOS';
let icert, root, first;

const put = (name, bytes) => { const file = join(icert.folder, name); writeFileSync(file, bytes); return file; };
const fetched = async (path) => {
	const response = await fetch(`${icert.status}${path}`);
	return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : null;
};
const text = (kind, file) => tools.must('openssl', [kind, ...(kind === 'crl' ? ['-inform', 'DER'] : []), '-in', file, '-noout', '-text']);
const listed = async (path) => text('crl', put('now.crl', await fetched(path)));
const number = (list) => BigInt(list.match(/CRL Number: *\n? *(0x[\dA-F]+|\d+)/)[1]);
const pem = (name) => put(`${name}.pem`, tools.must('openssl', ['x509', '-inform', 'DER', '-in', join(icert.prefix, 'ca/public', name)]));
const serialOf = (certificate) => tools.must('openssl', ['x509', '-in', certificate, '-noout', '-serial']).trim().split('=')[1];

const issue = async (...words) => {
	const { code, stdout, stderr } = await icert.icertctl('issue-test', ...words);
	assert.equal(code, 0, stdout + stderr);
	return stdout.split('\n')[0];
};

/** Every answer in place verifies by the CA that it is of. */
const sound = async () => {
	const { code, stdout } = await icert.icertctl('status', 'verify', join(icert.prefix, 'status'), '--key', join(icert.prefix, 'pins/manifest.pub'), '--samples', 'all');
	assert.equal(code, 0, stdout);
	assert.match(stdout, /[1-9]\d* signatures checked[^]*sound/);
};

/** What a relying party that trusts the root alone hears of certificates of this CA. */
function ask(issuer, ...args) {
	const { stdout, stderr } = spawnSync('openssl', ['ocsp', '-issuer', issuer, '-CAfile', root, '-verify_other', issuer, '-resp_text',
		'-url', `${icert.status}/ocsp`, ...args], { encoding: 'utf8' });
	return stdout + stderr;
}
const verdict = (answer) => answer.match(/^\S+: (good|revoked|unknown)$/m)?.[1];

function revoke(certificate) {
	icert.sql(`set session_replication_role = replica; update icert.certificate set state = 'revoked', revoked_at = extract(epoch from now())::bigint,
		reason = 4, revoked_by = 'national' where serial = '\\x${serialOf(certificate)}';
		insert into icert.status_change (certificate_id, state, reason, at) select id, 'revoked', 4, revoked_at from icert.certificate
		where serial = '\\x${serialOf(certificate)}'; notify icert_status`);
}

before(async () => {
	icert = await startInstance();
	root = pem('raiz.cer');
	edit(icert, 'icert.conf', [['crl_partitions = 0', 'crl_partitions = 3'], ['unknown = unauthorized', 'unknown = revoked']]);
	edit(icert, 'nginx.conf', [['icert_ocsp_live @live', 'icert_ocsp_live @live unknown=live rate=3']]);
	await restart(icert, 'signer', 'publisher', 'ocsp', 'nginx');
	first = await issue('1710034065', 'María José', 'Muñoz', 'Peña');
});
after(() => icert?.stop());

test('a certificate names a partition; that list is of its scope, critically, in the very octets, and all are served', async () => {
	const [, url, part] = text('x509', first).match(/URI:(\S+\/crl\/icert-p([123])\.crl)/);
	assert.equal(icert.sql(`select issuer || ' ' || crl_partition from icert.certificate where serial = '\\x${serialOf(first)}'`), `1 ${part}`);
	const der = tools.run('openssl', ['x509', '-in', first, '-outform', 'DER']).bytes, name = Buffer.from(url);
	const point = Buffer.concat([Buffer.from([0xA0, name.length + 4, 0xA0, name.length + 2, 0x86, name.length]), name]);
	assert.ok(der.includes(point));
	const numbers = [];
	for (const path of ['/crl/icert.crl', ...[1, 2, 3].map((n) => `/crl/icert-p${n}.crl`)]) {
		const bytes = await until(() => fetched(path), { what: path }), list = await listed(path);
		numbers.push(number(list));
		assert.equal(/Issuing Distribution Point: critical/.test(list), path !== '/crl/icert.crl', list);
		assert.equal(bytes.includes(point), path.endsWith(`-p${part}.crl`));
	}
	assert.equal(new Set(numbers).size, 4, 'no number twice');
	assert.equal(await fetched('/crl/icert-p4.crl'), null);
});

test('the root\'s next list: one more, for twelve months, served as soon as the ceremony is over', async () => {
	const before = await listed('/crl/raiz.crl');
	const { code, stderr } = await icert.icertctl('ceremony', 'arl');
	assert.equal(code, 0, stderr);
	const list = await until(async () => { const now = await listed('/crl/raiz.crl'); return number(now) > number(before) && now; },
		{ what: 'the next list' });
	assert.equal(number(list), number(before) + 1n);
	const span = Date.parse(list.match(/Next Update: (.*)/)[1]) - Date.parse(list.match(/Last Update: (.*)/)[1]);
	assert.ok(span > 0.99 * YEAR && span < 1.01 * YEAR);
	tools.must('openssl', ['crl', '-inform', 'DER', '-in', join(icert.folder, 'now.crl'), '-CAfile', root, '-noout']);
});

test('of what was never issued: revoked, on hold since 1970, and the answer says how that is meant', () => {
	const issuer = pem('emisora.cer'), answer = ask(issuer, '-serial', '0x1234567890', '-no_nonce');
	assert.equal(verdict(answer), 'revoked', answer);
	assert.match(answer, /Response verify OK/);
	assert.match(answer, /Revocation Time: Jan {2}1 00:00:00 1970 GMT[^]*certificateHold/);
	assert.match(answer, /1\.3\.6\.1\.5\.5\.7\.48\.1\.9|extended/i);
	const good = ask(issuer, '-cert', first, '-nonce');
	assert.equal(verdict(good), 'good');
	assert.doesNotMatch(good, /1\.3\.6\.1\.5\.5\.7\.48\.1\.9/);
});

test('over the budget what is stored goes out, without a nonce, and never an error', async () => {
	const request = join(icert.folder, 'nonce.der');
	tools.must('openssl', ['ocsp', '-issuer', pem('emisora.cer'), '-cert', first, '-nonce', '-reqout', request]);
	const body = readFileSync(request), nonce = Buffer.from([0x06, 0x09, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02]);
	const answers = await Promise.all(Array.from({ length: 60 }, async () => {
		const response = await fetch(`${icert.status}/ocsp`, { method: 'POST', body, headers: { 'content-type': 'application/ocsp-request' } });
		return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
	}));
	assert.ok(answers.every(({ status }) => status === 200));
	const live = answers.filter(({ bytes }) => bytes.includes(nonce)), plain = answers.filter(({ bytes }) => !bytes.includes(nonce));
	assert.ok(live.length >= 1 && plain.length >= 1, `${live.length} of 60 with a nonce`);
	for (const { bytes } of plain) assert.deepEqual(bytes, plain[0].bytes, 'the stored answer');
	for (const { bytes } of [live[0], plain[0]])
		assert.equal(verdict(tools.run('openssl', ['ocsp', '-respin', put('answer.der', bytes), '-issuer', pem('emisora.cer'), '-CAfile', root,
			'-verify_other', pem('emisora.cer'), '-no_nonce', '-cert', first]).output), 'good');
});

test('policy may ignore nonces: the stored answer', async () => {
	const issuer = pem('emisora.cer');
	await until(() => /OCSP Nonce:/.test(ask(issuer, '-cert', first, '-nonce').split('Response Data')[1] ?? ''),
		{ what: 'budget for a live answer' });
	edit(icert, 'icert.conf', [['nonce = live', 'nonce = ignore']]);
	await restart(icert, 'ocsp');
	const answer = ask(issuer, '-cert', first, '-nonce');
	assert.equal(verdict(answer), 'good');
	assert.doesNotMatch(answer.split('Response Data')[1], /OCSP Nonce/);
});

test('a second CA issues, the first one only answers; each by a responder of its own, each with lists of its own', async () => {
	await icert.down();
	assert.equal((await icert.icertctl('ceremony', 'rollover', 'ENTIDAD DE CERTIFICACION ICERT PRUEBAS')).code, 1, 'a name that is taken');
	const { code, stdout, stderr } = await icert.icertctl('ceremony', 'rollover', SECOND_CA);
	assert.equal(code, 0, stdout + stderr);
	await icert.up();
	const second = await issue('0926687856', 'Zoila', 'Ñauñay'), one = pem('emisora.cer'), two = pem('emisora-2.cer');
	assert.match(text('x509', second), new RegExp(`Issuer: .*${SECOND_CA}[^]*/ca/emisora-2\\.cer[^]*/crl/icert-2\\.crl`));
	assert.equal(tools.run('openssl', ['verify', '-CAfile', root, '-untrusted', two, second]).status, 0);
	assert.equal((await fetched('/ca/emisora-2.cer')).length, readFileSync(join(icert.prefix, 'ca/public/emisora-2.cer')).length);

	const answers = [ask(one, '-cert', first, '-no_nonce'), ask(two, '-cert', second, '-no_nonce'), ask(two, '-cert', second, '-nonce')];
	for (const answer of answers) {
		assert.match(answer, /Response verify OK/, answer);
		assert.equal(verdict(answer), 'good');
	}
	const responder = (answer) => answer.match(/Responder Id: (\w+)/)[1], by = (answer) => answer.match(/^\s+Issuer: (.*)$/m)[1];
	assert.notEqual(responder(answers[0]), responder(answers[1]));
	assert.match(by(answers[1]), new RegExp(SECOND_CA));
	assert.doesNotMatch(by(answers[0]), new RegExp(SECOND_CA));
	/* Both in one question: the first's responder speaks for its own, and says of the other's that it does not know. */
	for (const [mine, theirs, args] of [[answers[0], 'second', ['-issuer', one, '-cert', first, '-issuer', two, '-cert', second]],
		[answers[1], 'first', ['-issuer', two, '-cert', second, '-issuer', one, '-cert', first]]])
		for (const nonce of ['-nonce', '-no_nonce']) {
			/* OpenSSL takes an answer about two issuers from a responder that it was told to trust, and from no other. */
			const both = ask(two, nonce, '-VAfile', put('responder.pem', mine.match(/-----BEGIN CERT[^]*?-----END CERTIFICATE-----\n/)[0]), ...args);
			assert.match(both, /Response verify OK/, both);
			assert.deepEqual([...both.matchAll(/^\S+: (good|revoked|unknown)$/gm)].map((m) => m[1]), ['good', 'unknown'], `${theirs}: ${both}`);
			assert.equal(responder(both), responder(mine));
		}
	/* Asked of the wrong CA, it was never issued. */
	assert.match(ask(two, '-cert', first, '-no_nonce'), /unauthorized|: unknown|certificateHold/);

	for (const [certificate, issuer] of [[first, one], [second, two]]) {
		revoke(certificate);
		await until(() => verdict(ask(issuer, '-cert', certificate, '-no_nonce')) === 'revoked', { what: 'revoked' });
	}
	/* New lists now, not ten seconds after the last. */
	assert.equal((await icert.icertctl('status', 'publish')).code, 0);
	const part = text('x509', first).match(/icert-p([123])\.crl/)[1];
	/* Only the partitions that a certificate names go on when policy has none any more. */
	const has = async (path, certificate) => await fetched(path) !== null && (await listed(path)).includes(serialOf(certificate));
	for (const [path, certificate] of [['/crl/icert.crl', first], [`/crl/icert-p${part}.crl`, first], ['/crl/icert-2.crl', second]])
		await until(() => has(path, certificate), { what: `in ${path}` });
	assert.equal(await has('/crl/icert-2.crl', first), false);
	assert.equal(await has('/crl/icert.crl', second), false);
	assert.equal(await has(`/crl/icert-p${part % 3 + 1}.crl`, first), false);
	await sound();
	/* A verifier that follows the certificate's own point finds it revoked there. */
	const crl = put('part.pem', tools.must('openssl', ['crl', '-inform', 'DER', '-in', put('part.crl', await fetched(`/crl/icert-p${part}.crl`))]));
	assert.match(tools.run('openssl', ['verify', '-crl_check', '-CAfile', root, '-untrusted', one, '-CRLfile', crl, first]).output, /certificate revoked/);
});

test('at the end of a CA: last answers and last lists, without an end; the other goes on', async () => {
	await icert.down();
	assert.equal((await icert.icertctl('ceremony', 'end', '7')).code, 1);
	const { code, stderr } = await icert.icertctl('ceremony', 'end', '1');
	assert.equal(code, 0, stderr);
	await icert.up();
	const one = pem('emisora.cer'), part = text('x509', first).match(/icert-p([123])\.crl/)[1];
	const last = await until(() => { const answer = ask(one, '-cert', first, '-no_nonce'); return /Next Update: Dec 31 23:59:59 9999 GMT/.test(answer) && answer; },
		{ what: 'a last answer' });
	assert.equal(verdict(last), 'revoked');
	assert.match(last, /Response verify OK/);
	for (const path of ['/crl/icert.crl', `/crl/icert-p${part}.crl`]) {
		const list = await until(async () => { const now = await listed(path); return /Next Update: Dec 31 23:59:59 9999 GMT/.test(now) && now; },
			{ what: `the last ${path}` });
		assert.ok(list.includes(serialOf(first)));
	}
	assert.doesNotMatch(await listed('/crl/icert-2.crl'), /9999/);
	/* Signed again, the other's answers alone are new ones. */
	const octets = async () => ask(one, '-cert', first, '-no_nonce').match(/Produced At: (.*)/)[1];
	const at = await octets();
	const { code: published, stdout } = await icert.icertctl('status', 'publish', '--base');
	assert.equal(published, 0, stdout);
	assert.equal(await octets(), at);

	/* Its key may go now: the other CA needs none of it. */
	await icert.down();
	const folder = join(icert.prefix, 'signer'), module = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8').match(/^module = (\S+)$/m)[1];
	tools.must('pkcs11-tool', ['--module', module, '--token-label', 'icert-emisora', '--login', '--pin', readFileSync(join(folder, 'pin'), 'utf8').trim(),
		'--delete-object', '--type', 'privkey', '--label', 'icert-issuing'], { env: { SOFTHSM2_CONF: join(folder, 'softhsm2.conf') } });
	await icert.up();
	const before = number(await listed('/crl/icert-2.crl')), again = await icert.icertctl('status', 'publish');
	assert.equal(again.code, 0, again.stdout);
	await until(async () => number(await listed('/crl/icert-2.crl')) > before, { what: 'the other CA\'s next list' });
	assert.equal(await octets(), at);
});

test('yesterday brought back: both CAs, their journals, and nobody good again', async () => {
	const file = join(icert.folder, 'two.age'), identity = join(icert.folder, 'data.key');
	tools.must('age-keygen', ['-o', identity]);
	writeFileSync(join(icert.prefix, 'etc/backup.recipients'), tools.must('age-keygen', ['-y', identity]));
	const made = await icert.icertctl('backup', file);
	assert.equal(made.code, 0, made.stdout + made.stderr);
	const third = await issue('1713175071', 'Ana', 'Paz'), two = pem('emisora-2.cer'), one = pem('emisora.cer');
	assert.equal(verdict(ask(two, '-cert', third, '-no_nonce')), 'good');
	revoke(third);
	await until(() => verdict(ask(two, '-cert', third, '-no_nonce')) === 'revoked', { what: 'revoked' });
	const before_ = number(await listed('/crl/icert-2.crl'));
	await icert.down();
	const back = await icert.icertctl('restore', file, '--identity', identity);
	assert.equal(back.code, 0, back.stdout + back.stderr);
	await icert.up();
	assert.equal(verdict(ask(two, '-cert', third, '-no_nonce')), 'revoked', 'the database does not know it, the set does');
	assert.equal(verdict(ask(one, '-cert', first, '-no_nonce')), 'revoked');
	assert.match((await icert.icertctl('lost')).stdout, new RegExp(serialOf(third), 'i'));
	const list = await until(async () => { const now = await listed('/crl/icert-2.crl'); return number(now) > before_ && now; }, { what: 'a newer list' });
	assert.ok(list.includes(serialOf(third)));
	const fourth = await issue('0923456784', 'Luis', 'Rea');
	assert.match(text('x509', fourth), new RegExp(`Issuer: .*${SECOND_CA}`));
	assert.notEqual(serialOf(fourth), serialOf(third));
	await sound();
});
