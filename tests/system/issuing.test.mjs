// From the operator's button on: key, certificate, status at the edge, revocation, read with tools that are not ours;
// and the same while the programs that do it are killed.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';

let icert;
let chain;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// As the database's own superuser, past triggers and policies.
const sql = (text) => icert.sql(`set session_replication_role = replica; ${text}`);

const openssl = (...args) => {
	const result = spawnSync('openssl', args, { encoding: 'utf8' });
	return { code: result.status, text: result.stdout + result.stderr };
};

const ocsp = (certificate, ...args) => openssl('ocsp', '-issuer', chain, '-CAfile', chain, ...args, '-cert', certificate,
	'-url', `${icert.status}/ocsp`).text;

async function fetched(path) {
	const response = await fetch(icert.status + path);
	assert.equal(response.status, 200, path);
	return Buffer.from(await response.arrayBuffer());
}

// Both lists as one PEM file, as they are served now.
async function lists() {
	const file = join(icert.prefix, 'demo/lists.pem');
	const pem = async (path) => execFileSync('openssl', ['crl', '-inform', 'DER'], { input: await fetched(path) });
	writeFileSync(file, Buffer.concat([await pem('/crl/icert.crl'), await pem('/crl/raiz.crl')]));
	return file;
}

const verify = (certificate, crls) => openssl('verify', '-x509_strict', '-crl_check_all', '-CAfile', chain, '-CRLfile', crls, certificate);

async function issue(...words) {
	const result = await icert.icertctl('issue-test', ...words);
	assert.equal(result.code, 0, result.stdout + result.stderr);
	return result.stdout.split('\n')[0];
}

let certificate;

before(async () => {
	icert = await startInstance();
	chain = join(icert.prefix, 'ca/public/chain.pem');
});
after(() => icert?.stop());

test('a certificate from the command line is good at the edge', async () => {
	certificate = await issue('1710034065', 'María José', 'Muñoz', 'Peña');
	assert.match(ocsp(certificate), /: good/);
	assert.match(ocsp(certificate), /Response verify OK/);
	assert.match(ocsp(certificate, '-sha256'), /: good/);
	const result = verify(certificate, await lists());
	assert.equal(result.code, 0, result.text);
});

test('subject, policy, key usage and every otherName are read back', () => {
	const text = openssl('x509', '-in', certificate, '-noout', '-text', '-nameopt', 'utf8,sep_comma_plus', '-certopt', 'no_pubkey,no_sigdump').text;
	for (const expected of ['Subject: C=EC,L=QUITO,serialNumber=1710034065,CN=MARÍA JOSÉ MUÑOZ PEÑA',
		'Policy: 1.3.6.1.4.1.43745.1.2.1.1.2.1', 'Digital Signature, Non Repudiation', 'TLS Web Client Authentication, E-mail Protection',
		'1.3.6.1.4.1.43745.1.3.1::1710034065', '1.3.6.1.4.1.43745.1.3.2::MARÍA JOSÉ', '1.3.6.1.4.1.43745.1.3.3::MUÑOZ',
		'1.3.6.1.4.1.43745.1.3.4::PEÑA', '1.3.6.1.4.1.43745.1.3.50::PERSONA NATURAL', '1.3.6.1.4.1.43745.1.3.51::ARCHIVO PKCS#12'])
		assert.ok(text.includes(expected), `${expected}\n${text}`);
	assert.match(text, /keyUsage|Key Usage: critical/);
	assert.ok(!text.includes('43745.1.3.11::'), 'no RUC was asked for');
	const aia = /Authority Information Access:\s+(\S+) - URI:(\S+)/.exec(text);
	assert.equal(aia[1], 'OCSP', 'the first entry is the responder');
	assert.equal(aia[2], `${icert.status}/ocsp`);
});

test('what opens the private key is gone once the PKCS#12 is packed', () => {
	const keys = readdirSync(join(icert.prefix, 'keeper/delivery')).map((name) => name.split('.')[1]).sort();
	assert.deepEqual(keys, ['code', 'envelope', 'pkcs12']);
});

test('the status set needs no second publication for a certificate that is there', async () => {
	const epochs = sql('select count(*), count(published_epoch) from icert.status_change').split('|');
	assert.equal(epochs[0], epochs[1], 'every change is public');
	assert.ok(Number(sql("select count(*) from icert.audit where action = 'certificate.published'")) >= 1);
});

test('a revocation is seen in OCSP within 5 s and in the CRL within a minute', async () => {
	const began = Date.now();
	sql(`update icert.certificate set state = 'revoked', revoked_at = extract(epoch from now())::bigint, reason = 4,
		reason_code = 'holder', revoked_by = 'holder' where state = 'good';
		insert into icert.status_change (certificate_id, state, reason, at)
		select id, 'revoked', 4, revoked_at from icert.certificate where state = 'revoked'; notify icert_status`);
	while (!/: revoked/.test(ocsp(certificate))) {
		assert.ok(Date.now() - began < 5000, 'not revoked after 5 s');
		await sleep(50);
	}
	assert.match(ocsp(certificate), /Reason: superseded/);
	let crls = await lists();
	while (verify(certificate, crls).code === 0) {
		assert.ok(Date.now() - began < 60_000, 'not in the CRL after a minute');
		await sleep(500);
		crls = await lists();
	}
	assert.match(verify(certificate, crls).text, /certificate revoked/);
	assert.match(ocsp(certificate, '-sha256'), /: revoked/);
});

test('programs killed while they issue cost a step, never a second certificate', async () => {
	let done = false;
	const killer = (async () => {
		for (const name of ['issuer', 'keymaker', 'signer', 'issuer', 'status-signer', 'publisher', 'issuer']) {
			if (done) break;
			const pid = (await icert.processes()).find((row) => row.name === name)?.pid;
			if (pid > 0) {
				try { process.kill(pid, 'SIGKILL'); } catch { /* it was just being restarted */ }
			}
			await sleep(120);
		}
	})();
	const second = await issue('0923456784', 'Íñigo', 'Ñandú');
	done = true;
	await killer;
	assert.match(ocsp(second), /: good/);
	const text = openssl('x509', '-in', second, '-noout', '-subject', '-nameopt', 'utf8,sep_comma_plus').text;
	assert.match(text, /CN=ÍÑIGO ÑANDÚ$/m);
	assert.equal(sql("select count(*) from icert.certificate where state = 'good'"), '1');
	assert.equal(sql("select count(*) from icert.delivery d join icert.certificate c on c.id = d.certificate_id where c.state = 'good'"), '3');
	const journal = readFileSync(join(icert.prefix, 'signer/journal'), 'utf8');
	assert.equal(journal.match(/^\d+ \d+ certificate /gm).length, 2, 'one line a certificate');
	assert.ok((await icert.processes()).some((row) => row.restarts > 0), 'something was killed');
	assert.match(ocsp(certificate), /: revoked/, 'revoked stays revoked');
});

test('a dispute that comes while the key is being made: nothing is signed', async () => {
	const keymaker = (await icert.processes()).find((row) => row.name === 'keymaker').pid;
	const signed = () => readFileSync(join(icert.prefix, 'signer/journal'), 'utf8').match(/^\d+ \d+ certificate /gm).length;
	const before = signed(), began = sql('select clock_timestamp()');
	process.kill(keymaker, 'SIGSTOP');
	try {
		icert.icertctl('issue-test', '1713175071', 'Inés', 'Disputada').catch(() => {});
		// The issuer has read that the order is paid, has put down under what the key will be sealed, and waits for it.
		for (let i = 0; i < 600 && sql(`select count(*) from pg_stat_activity a, icert.certificate c where a.usename = 'icert_issuer'
			and a.query = 'commit' and a.query_start > '${began}' and a.state = 'idle' and c.state = 'issuing'`) !== '1'; i++)
			await sleep(50);
		sql("update icert.purchase set state = 'disputed' where id = (select a.purchase_id from icert.application a where a.state = 'issuing')");
	} finally {
		process.kill(keymaker, 'SIGCONT');
	}
	const refused = () => sql("select refusal || ' ' || (spki is not null) || ' ' || (der is null) from icert.certificate where state = 'refused' order by created_at desc limit 1");
	for (let i = 0; i < 600 && refused() === ''; i++)
		await sleep(50);
	assert.equal(refused(), 'unpaid true true', 'after the key, before the signature');
	assert.equal(signed(), before);
	assert.equal(sql("select count(*) from icert.application a join icert.purchase p on p.id = a.purchase_id where p.state = 'disputed' and a.state = 'identified'"), '1');
});

test('a refund that two people confirm after the signature, before the case is issued: it is not issued', async () => {
	const signer = (await icert.processes()).find((row) => row.name === 'signer').pid;
	const before = sql('select count(*) from icert.status_change');
	const psql = spawn('psql', ['-X', '-q', '-At', '-h', join(icert.run, 'pg'), '-U', 'postgres', '-d', 'icert'], { stdio: ['pipe', 'pipe', 'ignore'] });
	const waiting = async (what, query) => {
		for (let i = 0; i < 1200; i++) {
			if (sql(query) === '1') return;
			await sleep(50);
		}
		assert.fail(what);
	};
	process.kill(signer, 'SIGSTOP');
	try {
		icert.icertctl('issue-test', '1718888884', 'Inés', 'Devuelta').catch(() => {});
		await waiting('the key', "select count(*) from icert.certificate where state = 'issuing' and spki is not null");
		psql.stdin.write("begin; lock table icert.delivery in share row exclusive mode; select 'held';\n");
		await new Promise((resolve) => psql.stdout.once('data', resolve));
		process.kill(signer, 'SIGCONT');
		// Signed and stored; what opens it is not.
		await waiting('the signature', "select count(*) from icert.certificate c, pg_stat_activity a where c.state = 'issuing' and c.der is not null and a.usename = 'icert_issuer' and a.wait_event_type = 'Lock'");
		sql("update icert.purchase set state = 'refunding' where id = (select a.purchase_id from icert.application a where a.state = 'issuing')");
	} finally {
		process.kill(signer, 'SIGCONT');
		psql.stdin.end('rollback;\n');
	}
	await waiting('the refusal', "select count(*) from icert.certificate where state = 'refused' and refusal = 'unpaid' and der is not null");
	assert.equal(sql("select count(*) from icert.application a join icert.purchase p on p.id = a.purchase_id where p.state = 'refunding' and a.state = 'identified'"), '1');
	assert.equal(sql('select count(*) from icert.status_change'), before, 'nobody is told that it is good');
});

test('a case that cannot be finished holds up no other', async () => {
	const issuer = (await icert.processes()).find((row) => row.name === 'issuer').pid;
	process.kill(issuer, 'SIGSTOP');
	try {
		icert.icertctl('issue-test', '1714616123', 'Eva', 'Rota').catch(() => {});
		for (let i = 0; i < 900 && sql("select count(*) from icert.certificate where state = 'issuing'") !== '1'; i++)
			await sleep(50);
		sql("update icert.certificate set fields_hash = decode(repeat('00', 32), 'hex') where state = 'issuing'");
	} finally {
		process.kill(issuer, 'SIGCONT');
	}
	assert.match(ocsp(await issue('1801884519', 'Ana', 'Sana')), /: good/);
	assert.equal(sql("select count(*) from icert.certificate where state = 'issuing'"), '1');
});
