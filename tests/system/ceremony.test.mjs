// The ceremony of an installation whose issuing key lives in a token that was
// prepared with other tools: softhsm2-util and pkcs11-tool stand for an HSM's own.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { chownSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync, existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { icertctl, newFolder, startInstance } from '../lib/instance.mjs';
import * as tools from '../lib/tools.mjs';

const PIN = '73194620';

let folder, hsm, config, env, module, installed;

before(async () => {
	// An instance lends its configuration; nothing else of it is used.
	const icert = await startInstance();
	const text = readFileSync(join(icert.prefix, 'etc/icert.conf'), 'utf8');
	await icert.stop();
	folder = newFolder();
	// Where the programs' own users reach it, as in an installation.
	installed = join(folder, 'icert/build/bin');
	cpSync(dirname(icertctl), installed, { recursive: true });
	cpSync(new URL('../../conf', import.meta.url).pathname, join(folder, 'icert/conf'), { recursive: true });
	hsm = join(folder, 'hsm');
	mkdirSync(join(hsm, 'tokens'), { recursive: true });
	writeFileSync(join(hsm, 'softhsm2.conf'), `directories.tokendir = ${hsm}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`);
	env = { SOFTHSM2_CONF: join(hsm, 'softhsm2.conf') };
	module = text.match(/^module = (.*)$/m)[1];
	const pin = tools.put(folder, 'hsm.pin', `${PIN}\n`);
	config = tools.put(folder, 'icert.conf', text.replaceAll(icert.prefix, folder).replace(/^pin_file = .*\/signer\/pin$/m, `pin_file = ${pin}`)
		.replace(/^prepared = no$/m, 'prepared = yes').replace(/^file = .*\/clock$/m, 'file ='));
	tools.must('chmod', ['644', config]);
	for (const [name, user] of [['signer', 'signer'], ['status-signer', 'status'], ['keeper', 'keeper'], ['keymaker', 'keymaker'], ['publisher', 'publisher'], ['ca', '']]) {
		mkdirSync(join(folder, name), { mode: name === 'ca' ? 0o755 : 0o700 });
		if (user && process.getuid() === 0) chownSync(join(folder, name), ...tools.must('sh', ['-c', `id -u icert-${user}; id -g icert-${user}`]).trim().split('\n').map(Number));
	}
	const made = tools.run('softhsm2-util', ['--init-token', '--free', '--label', 'icert-emisora', '--pin', PIN, '--so-pin', PIN], { env });
	assert.equal(made.status, 0, made.output);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const ceremony = () => tools.run(join(installed, 'icertctl'), ['ceremony', '--config', config], { env });

test('a token that is not there, or a wrong PIN, ends it before anything is certified', () => {
	const pin = join(folder, 'hsm.pin');
	writeFileSync(pin, '00000000\n');
	const refused = ceremony();
	assert.equal(refused.status, 1);
	assert.match(refused.stderr, /C_Login/);
	assert.equal(existsSync(join(folder, 'ca/public/emisora.cer')), false);
	writeFileSync(pin, `${PIN}\n`);
});

test('the ceremony makes the key inside the prepared token, and certifies it', () => {
	const done = ceremony();
	assert.equal(done.status, 0, done.output);
	const list = tools.run('pkcs11-tool', ['--module', module, '--token-label', 'icert-emisora', '--login', '--pin', PIN, '--list-objects', '--type', 'privkey'], { env });
	assert.equal(list.status, 0, list.output);
	assert.match(list.stdout, /label: +icert-issuing/);
	assert.match(list.stdout, /never extractable/);
	const key = tools.run('pkcs11-tool', ['--module', module, '--token-label', 'icert-emisora', '--read-object', '--type', 'pubkey', '--label', 'icert-issuing'], { env });
	const inToken = tools.must('openssl', ['pkey', '-pubin', '-inform', 'DER', '-pubout'], { input: key.bytes });
	assert.equal(tools.must('openssl', ['x509', '-inform', 'DER', '-in', join(folder, 'ca/public/emisora.cer'), '-noout', '-pubkey']), inToken);
});

test('neither the PIN nor the token lies in the signer\'s folder', () => {
	assert.deepEqual(readdirSync(join(folder, 'signer')).sort(), ['emisora.cer', 'journal', 'raiz.cer']);
});

test('a second ceremony changes nothing', () => {
	const before = readFileSync(join(folder, 'ca/public/emisora.cer'));
	const again = ceremony();
	assert.equal(again.status, 0);
	assert.deepEqual(readFileSync(join(folder, 'ca/public/emisora.cer')), before);
});
