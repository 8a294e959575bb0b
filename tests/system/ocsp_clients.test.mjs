// The programs that relying parties have, each asked what it makes of our OCSP answers and of our list: a good
// certificate, a revoked one, and one that the CA has signed but nobody has recorded.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startInstance } from '../lib/instance.mjs';
import { certify, goodRows, revokeRows } from '../lib/issuing.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { crlEntry, ocsp } from '../lib/status.mjs';
import { must, run } from '../lib/tools.mjs';
import { until } from '../lib/http.mjs';

const tests = dirname(dirname(fileURLToPath(import.meta.url)));
const NAMES = ['good', 'revoked', 'unrecorded'];
const SUPERSEDED = 4;
let icert, folder, chain, issuer, root, staple;
const certificate = {};		// name → { serial, certificate, key }
const file = (name) => certificate[name].certificate;

before(async () => {
	icert = await startInstance();
	folder = join(icert.folder, 'clients');
	mkdirSync(folder);
	chain = join(icert.prefix, 'ca/public/chain.pem');
	issuer = join(folder, 'issuer.pem');
	root = join(folder, 'root.pem');
	for (const [out, from] of [[issuer, icert.files.issuer], [root, icert.files.root]]) must('openssl', ['x509', '-inform', 'DER', '-in', from, '-out', out]);
	for (const name of NAMES) certificate[name] = certify(icert, folder, name, ['subjectAltName=DNS:localhost', 'extendedKeyUsage=serverAuth,clientAuth,emailProtection']);
	icert.sql(goodRows([certificate.good.serial, certificate.revoked.serial]));
	await until(() => NAMES.slice(0, 2).every((name) => /: good/.test(ocsp(icert, certificate[name].serial))), { what: 'good' });
	icert.sql(revokeRows([certificate.revoked.serial], SUPERSEDED));
	await until(() => /: revoked/.test(ocsp(icert, certificate.revoked.serial)), { what: 'revoked' });
	await until(() => crlEntry(icert, certificate.revoked.serial), { timeout: 60_000, what: 'in the list' });
});
after(async () => {
	try { await staple?.stop(); } finally { await icert?.stop(); }
});

const openssl = (which, ...args) => run('openssl', ['ocsp', '-issuer', issuer, '-CAfile', chain, '-resp_text', '-url', `${icert.status}/ocsp`, ...args,
	...which.flatMap((name) => ['-cert', file(name)])]).output;
const verdicts = (text) => [...text.matchAll(/^\S+: (good|revoked|unknown)$/gm)].map((m) => m[1]);

test('openssl ocsp: each hash, nonce or none, one certificate and several', () => {
	for (const hash of ['-sha1', '-sha256'])
		for (const nonce of ['-nonce', '-no_nonce']) {
			for (const name of ['good', 'revoked']) {
				const text = openssl([name], hash, nonce);
				assert.deepEqual(verdicts(text), [name], text);
				assert.match(text, /Response verify OK/);
				assert.match(text, new RegExp(`Hash Algorithm: ${hash.slice(1)}`));
				assert.equal(/OCSP Nonce/.test(text), nonce === '-nonce');
			}
			assert.match(openssl(['unrecorded'], hash, nonce), /unauthorized/);
			const both = openssl(['revoked', 'good'], hash, nonce);
			assert.match(both, /Response verify OK/);
			assert.deepEqual(verdicts(both), ['revoked', 'good']);
			assert.match(openssl(['good', 'unrecorded'], hash, nonce), /unauthorized/);
		}
	assert.match(openssl(['revoked']), /superseded/);
});

test('a GET written by hand, read by openssl', async () => {
	for (const name of ['good', 'revoked']) {
		const [request, response] = ['req', 'resp'].map((end) => join(folder, `${name}.${end}`));
		run('openssl', ['ocsp', '-issuer', issuer, '-cert', file(name), '-no_nonce', '-reqout', request]);
		const path = encodeURIComponent(readFileSync(request).toString('base64'));
		writeFileSync(response, Buffer.from(await (await fetch(`${icert.status}/ocsp/${path}`)).arrayBuffer()));
		const text = run('openssl', ['ocsp', '-issuer', issuer, '-CAfile', chain, '-cert', file(name), '-no_nonce', '-respin', response]).output;
		assert.deepEqual(verdicts(text), [name]);
		assert.match(text, /Response verify OK/);
	}
});

test('GnuTLS ocsptool, with a nonce and without', () => {
	const ask = (name, ...args) => run('ocsptool', [`--ask=${icert.status}/ocsp`, '--load-issuer', issuer, '--load-cert', file(name), '--load-trust', chain, ...args]);
	for (const args of [[], ['--nonce']]) {
		const good = ask('good', ...args), revoked = ask('revoked', ...args), unrecorded = ask('unrecorded', ...args);
		assert.match(good.output, /Certificate Status: good/);
		assert.match(good.output, /Verifying OCSP Response: Success/);
		assert.equal(good.status, 0);
		assert.match(revoked.output, /Certificate Status: revoked/);
		assert.match(revoked.output, /Verifying OCSP Response: Success/);
		assert.doesNotMatch(unrecorded.output, /Certificate Status: good/);
		assert.notEqual(unrecorded.status, 0);
	}
});

test('JDK and Bouncy Castle: GET, POST, nonces, both hashes, and the list', async () => {
	const jars = ['bcprov', 'bcpkix', 'bcutil'].map((jar) => `/usr/share/java/${jar}.jar`).join(':');
	const asked = () => readFileSync(join(icert.prefix, 'log/status.log'), 'utf8');
	/* The log is written late: what came before is in it once this is. */
	await fetch(`${icert.status}/ocsp`, { method: 'DELETE' });
	await until(() => asked().includes('"method":"DELETE"'), { what: 'the log so far' });
	const from = asked().length;
	const said = must('java', ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Dcom.sun.security.enableCRLDP=true', '-cp', jars, join(tests, 'java/Status.java'),
		chain, `${icert.status}/ocsp`, ...NAMES.map(file)], { timeout: 120_000 });
	const word = (way, name) => new RegExp(`^${way} ${name}\\.pem (.*)$`, 'm').exec(said)?.[1];
	for (const way of ['jdk-get', 'jdk-nonce', 'jdk-post', 'jdk-crl']) {
		assert.equal(word(way, 'good'), 'good', said);
		assert.equal(word(way, 'revoked'), 'revoked:SUPERSEDED', said);
		if (way !== 'jdk-crl') assert.match(word(way, 'unrecorded'), /^refused:.*UNAUTHORIZED/, said);
	}
	for (const way of ['bc-sha1', 'bc-sha256']) {
		assert.equal(word(way, 'good'), 'good', said);
		assert.equal(word(way, 'revoked'), `revoked:${SUPERSEDED}`, said);
		assert.equal(word(way, 'unrecorded'), 'refused:6', said);
	}
	/* Which way it went is the client's choice: it has to have been both. */
	const count = (method) => [...asked().slice(from).matchAll(new RegExp(`"method":"${method}"`, 'g'))].length;
	await until(() => count('POST') >= 3 * 3 && count('GET') >= 3, { what: 'both in the log' });
});

test('python3-cryptography', () => {
	const said = must('/usr/bin/python3', [join(tests, 'python/status.py'), chain, icert.status, ...NAMES.map(file)]);
	for (const way of ['sha1-get', 'sha1-post', 'sha256-post', 'nonce', 'crl']) {
		assert.match(said, new RegExp(`^${way} good.pem good$`, 'm'));
		assert.match(said, new RegExp(`^${way} revoked.pem revoked:superseded$`, 'm'));
		assert.match(said, new RegExp(`^${way} unrecorded.pem ${way === 'crl' ? 'good' : 'unauthorized'}$`, 'm'));
	}
});

test('NSS vfychain, by OCSP, by the list that the certificate names, and by the one that crlutil took in', async () => {
	const db = join(folder, 'nss');
	mkdirSync(db);
	must('certutil', ['-N', '-d', db, '--empty-password']);
	must('certutil', ['-A', '-d', db, '-n', 'root', '-t', 'CT,C,C', '-a', '-i', root]);
	must('certutil', ['-A', '-d', db, '-n', 'issuer', '-t', ',,', '-a', '-i', issuer]);
	const verify = (name, method, flags) => run('vfychain', ['-d', db, '-pp', '-u', '4', '-g', 'leaf', '-m', method, ...flags, '-a', file(name)]).output;
	const asked = ['-s', 'failIfNoInfo'];
	for (const method of ['ocsp', 'crl']) {
		assert.match(verify('good', method, asked), /Chain is good!/);
		assert.match(verify('revoked', method, asked), /Certificate has been revoked/);
	}
	assert.match(verify('unrecorded', 'ocsp', asked), /Chain is bad!/);

	const crl = join(folder, 'nss.crl');
	writeFileSync(crl, Buffer.from(await (await fetch(`${icert.status}/crl/icert.crl`)).arrayBuffer()));
	must('crlutil', ['-I', '-d', db, '-i', crl, '-t', '1']);
	const kept = ['-s', 'forbidFetching'];
	assert.match(verify('revoked', 'crl', kept), /Certificate has been revoked/);
	assert.match(verify('good', 'crl', kept), /Chain is good!/);
	const arl = join(folder, 'nss.arl');
	writeFileSync(arl, Buffer.from(await (await fetch(`${icert.status}/crl/raiz.crl`)).arrayBuffer()));
	must('crlutil', ['-I', '-d', db, '-i', arl, '-t', '1']);
});

test('the lists as openssl and GnuTLS certtool read them', async () => {
	for (const [name, signer] of [['icert.crl', issuer], ['raiz.crl', root]]) {
		const path = join(folder, name);
		writeFileSync(path, Buffer.from(await (await fetch(`${icert.status}/crl/${name}`)).arrayBuffer()));
		const text = run('openssl', ['crl', '-inform', 'DER', '-in', path, '-CAfile', signer, '-noout', '-text', '-verify']);
		assert.match(text.output, /verify OK/);
		assert.match(text.output, /X509v3 CRL Number/);
		assert.match(text.output, /X509v3 Authority Key Identifier/);
		must('openssl', ['crl', '-inform', 'DER', '-in', path, '-out', `${path}.pem`]);
		const info = must('certtool', ['--crl-info', '--inder', '--infile', path]);
		assert.match(info, /CRL Number/);
		assert.match(must('certtool', ['--verify-crl', '--infile', `${path}.pem`, '--load-ca-certificate', signer]), /Verification output: Verified/);
		if (name === 'icert.crl') {
			assert.match(info.replaceAll(/[:\s]/g, ''), new RegExp(`SerialNumber\\(hex\\)${certificate.revoked.serial}`));
			assert.match(text.output, new RegExp(`${certificate.revoked.serial}[^]*?Superseded`, 'i'));
			assert.doesNotMatch(text.output, new RegExp(certificate.good.serial, 'i'));
		}
	}
	writeFileSync(join(folder, 'both.pem'), readFileSync(chain, 'utf8') + must('openssl', ['crl', '-inform', 'DER', '-in', join(folder, 'icert.crl')]));
	const verify = (name) => run('openssl', ['verify', '-crl_check', '-purpose', 'any', '-CAfile', join(folder, 'both.pem'), file(name)]).output;
	assert.match(verify('good'), /: OK/);
	assert.match(verify('revoked'), /certificate revoked/);
});

test('curl --cert-status through an nginx that staples', async () => {
	const server = (port, name) => `server {
		listen 127.0.0.1:${port} ssl;
		ssl_certificate ${join(folder, `${name}.full`)};
		ssl_certificate_key ${certificate[name].key};
		ssl_stapling on;
		ssl_stapling_verify on;
		ssl_trusted_certificate ${chain};
		location / { return 200 "ok"; }
	}`;
	for (const name of NAMES) writeFileSync(join(folder, `${name}.full`), readFileSync(file(name), 'utf8') + readFileSync(issuer, 'utf8'));
	rmSync(join(folder, 'staple'), { recursive: true, force: true });
	staple = await new Nginx(join(folder, 'staple'), (port) => NAMES.map((name, n) => server(port + n, name)).join('\n'), { workers: 1 }).start();
	const curl = (n) => run('curl', ['-sS', '--cert-status', '--cacert', root, `https://localhost:${staple.port + n}/`]);
	/* nginx asks when the first client comes, and staples from then on. */
	await until(() => curl(0).status === 0, { timeout: 20_000, every: 200, what: 'a stapled answer' });
	assert.equal(curl(0).stdout, 'ok');
	/* What is not good nginx does not staple, and says so. */
	for (const [n, said] of [[1, /certificate status "revoked" in the OCSP response/], [2, /OCSP response not successful \(6: unauthorized\)/]])
		await until(() => curl(n).status !== 0 && said.test(staple.logged()), { timeout: 20_000, every: 200, what: `${said}` });
});
