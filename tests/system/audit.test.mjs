// The log of audit against somebody who owns the database: every way of changing
// the past is found by `icertctl audit verify`, by the heads published outside.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, sign, verify as checkSignature } from 'node:crypto';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../lib/http.mjs';
import { startInstance } from '../lib/instance.mjs';
import { MailBox } from '../lib/mail.mjs';

let icert;
let heads;

// As the database's own superuser: what no program of the house may do.
const sql = (text) => icert.sql(`set session_replication_role = replica; ${text}`);

const verify = (...args) => icert.icertctl('audit', 'verify', '--heads', heads, ...args);

function knock() {
	return new Promise((resolve, reject) => {
		const req = request(`${icert.portal}/avisos/demo`, { method: 'POST', rejectUnauthorized: false }, (res) => {
			res.resume();
			res.on('end', () => resolve(res.statusCode));
		});
		req.on('error', reject);
		req.end('{}');
	});
}

// The bytes of a row by the documented form, written here a second time.
function leafOf(id) {
	const columns = ['id::text', 'at_us::text', 'action', 'outcome', 'reason', 'actor_kind', 'actor', 'subject_kind', 'subject',
		'case_id::text', 'province::text', 'country', 'network', 'detail', 'count::text'];
	const values = JSON.parse(sql(`select json_build_array(${columns}) from icert.audit where id = '${id}'`));
	const parts = ['icert-audit-v1', ...values].map((value) => {
		const length = Buffer.alloc(4);
		if (value === null) {
			length.writeUInt32BE(0xffffffff);
			return length;
		}
		length.writeUInt32BE(Buffer.byteLength(value));
		return Buffer.concat([length, Buffer.from(value)]);
	});
	return createHash('sha256').update(Buffer.concat([Buffer.from([0]), ...parts])).digest('hex');
}

async function tampered(change, expected) {
	sql('set client_min_messages = warning; drop table if exists audit_was; create table audit_was as select * from icert.audit;'
		+ ' drop table if exists node_was; create table node_was as select * from icert.audit_node');
	try {
		sql(change);
		const result = await verify();
		assert.equal(result.code, 1, result.stdout + result.stderr);
		assert.match(result.stdout, expected);
		assert.match(result.stdout, /^NOT SOUND/m);
	} finally {
		sql('delete from icert.audit; insert into icert.audit select * from audit_was;'
			+ ' delete from icert.audit_node; insert into icert.audit_node select * from node_was');
	}
}

before(async () => {
	icert = await startInstance();
	assert.equal(await knock(), 401);
	// Quiet: every row has its place, a published head covers them all, and no row came since the last look.
	let seen;
	await until(() => {
		const now = sql('select count(*), count(leaf), (select coalesce(max(size), 0) from icert.audit_head) from icert.audit');
		const [rows, leaves, size] = now.split('|').map(Number);
		const quiet = rows >= 2 && leaves === rows && size === rows && now === seen;
		seen = now;
		return quiet;
	}, { every: 1500, what: 'a quiet log whose every row has a place below a head' });
	// The copy on another host.
	heads = mkdtempSync(join(tmpdir(), 'icert-heads-'));
	cpSync(join(icert.prefix, 'audit'), heads, { recursive: true });
});

after(async () => {
	if (heads) rmSync(heads, { recursive: true, force: true });
	await icert?.stop();
});

test('an untouched log is sound, and its leaves are what the form says', async () => {
	const result = await verify();
	assert.equal(result.code, 0, result.stdout + result.stderr);
	const rows = sql("select a.id || ' ' || encode(n.hash, 'hex') from icert.audit a join icert.audit_node n on n.level = 0"
		+ ' and n.index = a.leaf order by a.leaf').split('\n');
	for (const row of rows) assert.equal(leafOf(row.split(' ')[0]), row.split(' ')[1]);
});

test('heads are signed notes that another implementation verifies', () => {
	const key = createPublicKey(readFileSync(join(icert.prefix, 'clerk/audit.key.pub')));
	const raw = key.export({ format: 'der', type: 'spki' }).subarray(-32);
	const file = readdirSync(heads).find((name) => name.endsWith('.heads'));
	const notes = readFileSync(join(heads, file), 'utf8').split(/(?<=\n\u2014 [^\n]*\n)/);
	assert.ok(notes.length > 0);
	for (const note of notes) {
		const [text, line] = note.split('\n\n');
		const [, name, base64] = /^\u2014 (\S+) (\S+)\n$/.exec(line);
		const bytes = Buffer.from(base64, 'base64');
		const id = createHash('sha256').update(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([1]), raw])).digest().subarray(0, 4);
		assert.deepEqual(bytes.subarray(0, 4), id);
		assert.ok(checkSignature(null, Buffer.from(`${text}\n`), key, bytes.subarray(4)));
	}
});

test('an edit is found', () => tampered("update icert.audit set reason = 'other' where leaf = 1", /^changed: leaf 1,/m));

test('a deletion is found', () => tampered('delete from icert.audit where leaf = 0', /^deleted: leaf 0/m));

test('a reordering is found', () => tampered('update icert.audit set leaf = -1 where leaf = 0; update icert.audit set leaf = 0 where leaf = 1;'
	+ ' update icert.audit set leaf = 1 where leaf = -1', /^changed: leaf 0,/m));

test('an insertion is found: at the end, and in the middle with every place after it moved', async () => {
	const columns = 'id, at_us, action, outcome, reason, actor_kind, actor, subject_kind, subject, case_id, province, country, network, detail, count, leaf';
	const one = (leaf) => `insert into icert.audit (${columns}) select gen_random_uuid(), at_us, action, 'done', null, 'staff', 'nobody', subject_kind, subject, case_id,`
		+ ` province, country, network, '{}', 1, ${leaf} from icert.audit where leaf = 0`;
	await tampered(one('(select max(leaf) + 1 from icert.audit)'), /^(unsigned|changed):/m);
	await tampered(`update icert.audit set leaf = -leaf - 1 where leaf >= 1; update icert.audit set leaf = -leaf where leaf < 0; ${one('1')}`, /^changed: leaf 1,/m);
	// With a stored leaf that fits, at the end: nothing signed it.
	const id = sql(`${one('(select max(leaf) + 1 from icert.audit)')} returning id`);
	const leaf = leafOf(id);
	sql(`delete from icert.audit where id = '${id}'`);
	await tampered(`${one('(select max(leaf) + 1 from icert.audit)').replace('gen_random_uuid()', `'${id}'`)};`
		+ ` insert into icert.audit_node (level, index, hash) select 0, max(leaf), decode('${leaf}', 'hex') from icert.audit`, /^unsigned:/m);
});

test('a truncation is found, even when the heads of the table are cut too', async () => {
	sql('create table head_was as select * from icert.audit_head');
	try {
		await tampered('delete from icert.audit where leaf = (select max(leaf) from icert.audit);'
			+ ' delete from icert.audit_head where size = (select max(size) from icert.audit_head)', /^truncated:/m);
	} finally {
		sql('delete from icert.audit_head; insert into icert.audit_head select * from head_was; drop table head_was');
	}
});

test('an edit whose stored leaf is recomputed is found by the heads', async () => {
	const id = sql('select id from icert.audit where leaf = 0');
	await tampered(`update icert.audit set actor = 'somebody' where leaf = 0`, /^changed: leaf 0/m);
	sql('set client_min_messages = warning; drop table if exists audit_was; create table audit_was as select * from icert.audit;'
		+ ' drop table if exists node_was; create table node_was as select * from icert.audit_node');
	sql("update icert.audit set actor = 'somebody' where leaf = 0");
	const leaf = leafOf(id);
	sql('delete from icert.audit; insert into icert.audit select * from audit_was');
	await tampered(`update icert.audit set actor = 'somebody' where leaf = 0;`
		+ ` update icert.audit_node set hash = decode('${leaf}', 'hex') where level = 0 and index = 0`, /^history:/m);
});

test('a fork and a forged head are found', async () => {
	const other = mkdtempSync(join(tmpdir(), 'icert-heads-'));
	try {
		cpSync(heads, other, { recursive: true });
		const pem = readFileSync(join(icert.prefix, 'clerk/audit.key'));
		const key = createPrivateKey(pem);
		const raw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
		const file = join(other, readdirSync(other).find((name) => name.endsWith('.heads')));
		const first = readFileSync(file, 'utf8').split('\n');
		const text = `${first[0]}\n${first[1]}\n${Buffer.alloc(32, 7).toString('base64')}\n${first[3]}\n`;
		const id = createHash('sha256').update(Buffer.concat([Buffer.from(`${first[0]}\n`), Buffer.from([1]), raw])).digest().subarray(0, 4);
		const note = (signature) => `${text}\n\u2014 ${first[0]} ${Buffer.concat([id, signature]).toString('base64')}\n`;
		appendFileSync(file, note(Buffer.alloc(64, 1)));
		let result = await icert.icertctl('audit', 'verify', '--heads', other);
		assert.equal(result.code, 1);
		assert.match(result.stdout, /not signed by this key/);
		appendFileSync(file, note(sign(null, Buffer.from(text), key)));
		result = await icert.icertctl('audit', 'verify', '--heads', other);
		assert.equal(result.code, 1);
		assert.match(result.stdout, /^fork:/m);
	} finally {
		rmSync(other, { recursive: true, force: true });
	}
});

test('the file that only grows has the same heads, and checks the log by itself', async () => {
	const said = (folder) => readdirSync(folder).filter((name) => name.endsWith('.heads')).sort().map((name) => readFileSync(join(folder, name), 'utf8')).join('');
	const witness = join(icert.prefix, 'heads');
	await until(() => said(witness) === said(join(icert.prefix, 'audit')), { what: 'every head in both' });
	const result = await icert.icertctl('audit', 'verify', '--heads', witness);
	assert.equal(result.code, 0, result.stdout);
});

test('heads are mailed outside, and POSTed where a URL is configured; a mail\'s head finds a history that was written anew', async () => {
	const mail = await new MailBox(icert.mail).wait({ to: 'auditoria.externa@icert.example', subject: /Cabeza firmada/ });
	const note = mail.text.replace(/\r/g, '').match(/icert\.pruebas\/auditoria\n[\s\S]*?\n\u2014 [^\n]*\n/)[0];
	const outside = mkdtempSync(join(tmpdir(), 'icert-heads-'));
	const posted = [];
	const server = createServer((req, res) => {
		let body = '';
		req.on('data', (d) => { body += d; });
		req.on('end', () => { posted.push(body); res.writeHead(posted.length === 1 ? 503 : 204).end(); });
	});
	try {
		writeFileSync(join(outside, 'mail.heads'), note);
		assert.equal((await icert.icertctl('audit', 'verify', '--heads', outside)).code, 0);
		// A history written anew with leaves that fit, every head of the host gone: only what was mailed contradicts it.
		sql('set client_min_messages = warning; drop table if exists head_was, audit_was, node_was; create table head_was as select * from icert.audit_head;'
			+ ' create table audit_was as select * from icert.audit; create table node_was as select * from icert.audit_node');
		const id = sql('select id from icert.audit where leaf = 0');
		sql("update icert.audit set reason = 'other' where leaf = 0; delete from icert.audit_head");
		sql(`update icert.audit_node set hash = decode('${leafOf(id)}', 'hex') where level = 0 and index = 0`);
		const anew = await icert.icertctl('audit', 'verify', '--heads', outside);
		sql('delete from icert.audit; insert into icert.audit select * from audit_was; delete from icert.audit_node;'
			+ ' insert into icert.audit_node select * from node_was; delete from icert.audit_head; insert into icert.audit_head select * from head_was; drop table head_was');
		assert.equal(anew.code, 1, anew.stdout);
		assert.match(anew.stdout, /^history: the rows from leaf 0/m);
		await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
		const file = join(icert.prefix, 'etc/icert.conf');
		writeFileSync(file, readFileSync(file, 'utf8').replace(/^post_url =.*$/m, `post_url = http://127.0.0.1:${server.address().port}/cabezas`));
		const clerk = (await icert.processes()).find((p) => p.name === 'clerk');
		process.kill(clerk.pid, 'SIGKILL');
		await until(() => posted.length > 0, { what: 'a head to be posted' });
		assert.match(posted[0], /^icert\.pruebas\/auditoria\n\d+\n/);
		await icert.down();
	} finally {
		server.close();
		rmSync(outside, { recursive: true, force: true });
		await icert.up();
	}
});

test('after all that the log is sound again', async () => {
	const result = await verify();
	assert.equal(result.code, 0, result.stdout);
});
