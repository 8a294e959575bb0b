// Deposits and transfers: an account two people confirmed, a statement one imports, a line another takes as an order's payment.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import * as files from '../lib/files.mjs';
import { children, signal, units } from '../lib/processes.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, finance, first, second;
const people = [];
const sql = (query) => icert.sql(query);
const sign = async (login) => {
	const person = new Operator(icert, login);
	people.push(person);
	expect(await person.signIn(), 200, login);
	return person;
};
const ordered = async () => {
	const buyer = new Applicant(icert);
	people.push(buyer);
	await buyer.order();
	const [id, number] = sql('select id || \' \' || number from icert.purchase order by created_at desc, number desc limit 1').split(' ');
	return { buyer, id, number };
};
const imports = async (statement, extra = {}) => (await finance.client.visit('/transferencias')).form(/transferencias$/).submit({
	account: sql("select id from icert.bank_account where state = 'confirmed'"), profile: 'date-reference-text-amount', decimal: 'comma',
	statement: { filename: 'extracto.csv', data: Buffer.from(statement) }, ...extra });
const lineOf = (reference) => sql(`select id from icert.bank_line where reference = '${reference}'`);
const confirm = async (who, reference, values) => (await who.client.visit(`/transferencias/${lineOf(reference)}`)).form(/confirmar$/).submit(values);
// Who logs in has one more code at once, and the next within half a minute: each confirmation is by somebody else of the national office.
const waiting = ['central', 'central.segunda', 'operador.pichincha', 'director.pichincha', 'operador.guayas', 'director.guayas', 'auditor'];
const next = () => sign(waiting.shift());
const pays = async (reference, number) => {
	const who = await next();
	expect(await confirm(who, reference, { number, code: await icert.totp(who.account.login) }), 200, 'confirmed');
};
const verdict = (reference) => sql(`select verdict from icert.bank_line where reference = '${reference}'`);
const applied = (reference, what) => until(() => verdict(reference) === what, { what: `${reference}: ${what}` });
const state = (id) => sql(`select state from icert.purchase where id = '${id}'`);

const as = (login, statement) => icert.asDesk(login, statement);

before(async () => {
	icert = await startInstance();
	first = await sign('administrador');
	second = await sign('administrador.segundo');
	finance = await sign('finanzas');
	sql(`insert into icert.staff_role (staff_id, role, since) select id, 'national', 0 from icert.staff
		where login in (${[...waiting, 'administrador'].map((login) => `'${login}'`)}) and login not like 'central%'`);
});
after(async () => {
	for (const person of people) person.close();
	await icert?.stop();
});

test('an account is told to payers once a second administrator has confirmed it', async () => {
	const wrong = await (await first.client.visit('/cuentas')).form(/cuentas$/).submit({ bank: '', number: '12', holder_id: '17' });
	assert.equal(wrong.status, 422);
	assert.equal(wrong.errors.length, 5, wrong.errors.join('\n'));
	expect(await wrong.form(/cuentas$/).submit({ bank: 'Banco del Sur', kind: 'savings', number: '2200123456', holder: 'Entidad de certificación', holder_id: '1790012345001' }), 200, 'written');
	const id = sql('select id from icert.bank_account');
	const { buyer, id: order } = await ordered();
	assert.doesNotMatch((await buyer.client.visit(`/orden/${order}`)).main, /2200123456/);
	assert.ok(!(await first.client.visit('/cuentas')).forms.some((f) => /confirmar$/.test(f.action)), 'no button for who wrote it');
	assert.match(as('administrador', `update icert.bank_account set state = 'confirmed', decided_by = '${icert.staff('administrador').id}', decided_at = 1 where id = '${id}'`).error, /row-level security|check constraint/);
	expect(await (await second.client.visit('/cuentas')).form(/confirmar$/).submit({ code: await icert.totp('administrador.segundo') }), 200, 'confirmed');
	assert.match((await buyer.client.visit(`/orden/${order}`)).main, /2200123456/);
	// One of a province is told with its name, beside that of the whole country.
	expect(await (await first.client.visit('/cuentas')).form(/cuentas$/).submit({ bank: 'Banco del Austro', kind: 'current', number: '0100765432', holder: 'Entidad de certificación', holder_id: '1790012345001', province: '1' }), 200, 'written');
	assert.equal(sql("select v.name || ' ' || a.state from icert.bank_account a join icert.province v on v.id = a.province"), 'Azuay open');
	sql(`set session_replication_role = replica; update icert.bank_account set state = 'confirmed', decided_by = '${icert.staff('administrador.segundo').id}', decided_at = 1 where province = 1`);
	const told = (await buyer.client.visit(`/orden/${order}`)).text;
	assert.match(told, /2200123456/);
	assert.match(told, /Banco del Austro\s+Provincia\s+Azuay\s+Cuenta corriente\s+0100765432/i);
	sql('set session_replication_role = replica; delete from icert.bank_account where province = 1');
});

test('a statement with one wrong row is refused whole; lines of an earlier import are recognised one by one', async () => {
	const bad = await imports('Fecha;Documento;Detalle;Valor\r\n21/11/2026;100;ALGO;31,05\r\n31/02/2026;101;ALGO;31,05\r\n');
	assert.equal(bad.status, 422);
	assert.match(bad.main, /fila 3/);
	assert.equal(sql('select count(*) from icert.bank_line'), '0');
	expect(await imports('21/11/2026;100;A;7,00\n21/11/2026;100;A;7,00\n21/11/2026;102;SALE;-9,00\n'), 200, 'two equal deposits are two');
	assert.equal(sql('select count(*) from icert.bank_line'), '2');
	const again = expect(await imports('21/11/2026;100;A;7,00\n21/11/2026;100;A;7,00\n22/11/2026;103;B;8,00\n'), 200, 'overlaps');
	assert.match(again.text, /no se repitieron/);
	assert.equal(sql('select count(*) from icert.bank_line'), '3');
	assert.equal(sql('select known from icert.bank_import order by imported_at desc, lines desc limit 1'), '2');
	assert.match(expect(await imports('22/11/2026;103;B;8,00\n'), 200, 'all there').text, /ya estaba importado entero/);
	assert.match(expect(await imports('22/11/2026;104;SALE;-8,00\n'), 200, 'no credit').text, /ningún ingreso/);
	assert.equal(sql('select count(*) from icert.bank_line'), '3');
	// As banks' pages write files: with a byte order mark, in an older encoding, quoted, with tabs.
	for (const [n, [what, octets, more]] of [
		['a byte order mark and quotes', Buffer.from('\ufeff"Fecha","Documento","Detalle","Valor"\r\n"21/11/2026","500","DEPÓSITO, CAJA","1,009.00"\r\n'), { decimal: 'point' }],
		['an older encoding', Buffer.from('21/11/2026;501;DEP\xd3SITO \x93\xd1USTA\x94;9,00\r\n', 'latin1')],
		['tabs', Buffer.from('21/11/2026\t502\tDEPOSITO\t9,00\n')],
	].entries()) {
		expect(await imports(octets, more), 200, what);
		assert.equal(sql(`select cents from icert.bank_line where reference = '${500 + n}'`), n === 0 ? '100900' : '900', what);
	}
	// The same file under another order of columns, or with titles that say other columns, would count money twice or what went out.
	const twice = '21/11/2026;601;602;9,00\n';
	expect(await imports(twice), 200, 'taken');
	const swapped = await imports(twice, { profile: 'date-text-reference-amount' });
	assert.equal(swapped.status, 422);
	assert.match(swapped.main, /otro orden de columnas/);
	for (const [heading, profile] of [['Fecha;Detalle;Documento;Débito;Crédito', 'date-text-reference-amount'], ['Fecha;Detalle;Documento;Valor', 'date-reference-text-amount'], ['FECHA;DETALLE;DOCUMENTO;CRÉDITO;DÉBITO', 'date-text-reference-debit-credit']]) {
		const other = await imports(`${heading}\n21/11/2026;A;603;9,00;\n`, { profile });
		assert.equal(other.status, 422, heading);
		assert.match(other.main, /sus columnas son otras/);
	}
	assert.equal(sql("select count(*) from icert.bank_line where reference in ('601', '602', '603')"), '1');
	// Equal lines are as many as there are, and cost no more than others.
	expect(await imports('20/11/2026;700;IGUAL;1,00\n'.repeat(3_000)), 200, 'many equal ones');
	assert.equal(sql("select count(*) from icert.bank_line where reference = '700'"), '3000');
	assert.match(expect(await imports('20/11/2026;700;IGUAL;1,00\n'.repeat(3)), 200, 'some of them again').text, /ya estaba importado entero/);
	sql("delete from icert.bank_line where reference in ('601', '700')");
	// What is no such file is said to be none at the first octets, in words of this page.
	for (const [octets, words] of [[Buffer.from('PK\x03\x04 a spreadsheet'), /no es CSV/], [Buffer.from('%PDF-1.7\n'), /no es CSV/], [Buffer.alloc(5 << 20, '21/11/2026;1;A;7,00\n'), /pesa más de 4 MB/], [Buffer.alloc(0), /está vacío/]]) {
		const refused = await imports(octets);
		assert.ok(refused.status === 413 || refused.status === 415, `${refused.status}`);
		assert.match(refused.main, words);
	}
	assert.match((await imports('', { statement: undefined })).main, /Escoja el archivo del extracto/);
	assert.equal(sql('select count(*) from icert.bank_line'), '6');
});

test('who imported does not confirm, another does with a fresh code, and a line pays once', async () => {
	const { buyer, id, number } = await ordered();
	expect(await imports(`21/11/2026;200;DEPOSITO ${number.replaceAll('-', ' ')} JUANA;31,05\n`), 200, 'imported');
	assert.ok(!(await finance.client.visit(`/transferencias/${lineOf(200)}`)).forms.some((f) => /confirmar$/.test(f.action)));
	const story = async () => (await finance.client.visit(`/orden/${id}`)).html.split('<tr').find((row) => row.includes(`/transferencias/${lineOf(200)}`)) ?? '';
	assert.match(await story(), /por confirmar/, 'the line that names the order stands in its story');
	const found = await (await finance.client.visit('/ordenes')).form(/ordenes$/, 'post').submit({ buscar: '200' });
	assert.ok(found.main.includes(number), 'the bank\'s number of a movement that names an order finds it');
	const by = (login) => as(login, `update icert.bank_line set state = 'confirmed', purchase_id = '${id}', decided_by = '${icert.staff(login).id}', decided_at = 1 where reference = '200'`);
	assert.match(by('finanzas').error, /row-level security|check constraint/);
	const national = await next();
	const page = await national.client.visit(`/transferencias/${lineOf(200)}`);
	assert.equal(page.form(/confirmar$/).value('number'), number, 'the order is proposed');
	assert.equal((await page.form(/confirmar$/).submit({ code: '000000' })).status, 422);
	assert.equal(state(id), 'created');
	const none = await page.form(/confirmar$/).submit({ number: 'P-2000-000001-1', code: await icert.totp(national.account.login) });
	assert.equal(none.status, 422);
	assert.match(none.errors.join(), /Ninguna orden/);
	const late = await next();
	const confirmOpen = await late.client.visit(`/transferencias/${lineOf(200)}`);
	// Confirmed, and not applied yet: a page that was opened before has its button, and leads to no gateway.
	const button = (await buyer.client.visit(`/orden/${id}`)).form(/\/pagar$/);
	const clerk = units(icert).get('clerk').pid;
	const clerks = [clerk, ...children(clerk).map((one) => one.pid)];
	for (const pid of clerks) signal(pid, 'SIGSTOP');
	try {
		await pays(200, number);
		const kept = await button.submit();
		assert.equal(kept.path, `/orden/${id}`);
		assert.match(kept.main, /la estamos aplicando a esta orden\. No tiene que hacer nada/);
		assert.equal(state(id), 'created', 'no checkout was made');
	} finally {
		for (const pid of clerks) signal(pid, 'SIGCONT');
	}
	await applied(200, 'pay');
	assert.equal(state(id), 'paid');
	assert.match((await buyer.client.visit(`/orden/${id}`)).main, /Pago recibido/);
	assert.match(await story(), /pagada/i);
	const used = await confirmOpen.form(/confirmar$/).submit({ number, code: await icert.totp(late.account.login) });
	assert.equal(used.status, 409);
	// A second transfer for it: nothing is counted twice, and the payer is told.
	expect(await imports('22/11/2026;201;OTRA VEZ;31,05\n'), 200, 'imported');
	await pays(201, number);
	await applied(201, 'again');
	assert.equal(sql(`select count(*) from icert.payment where purchase_id = '${id}' and verdict = 'pay'`), '1');
	assert.match((await buyer.client.visit(`/orden/${id}`)).main, /ya estaba pagada/);
});

test('what was set aside waits again; a statement imported under the wrong account goes as a whole, and is taken under the right one', async () => {
	const right = sql("select id from icert.bank_account where state = 'confirmed'"), wrong = right.replace(/^.{8}/, '0000dada');
	sql(`set session_replication_role = replica; insert into icert.bank_account select (jsonb_populate_record(a, jsonb_build_object('id', '${wrong}', 'number', '2200999999'))).* from icert.bank_account a where a.id = '${right}'`);
	const visit = (line) => finance.client.visit(`/transferencias/${line}`);
	const lines = () => sql("select string_agg(reference || ' ' || state, ', ' order by reference, state) from icert.bank_line where reference between '800' and '809'");
	const statement = '21/11/2026;800;A;7,00\n21/11/2026;801;B;8,00\n21/11/2026;802;C;9,00\n21/11/2026;803;D;9,50\n', other = statement.replaceAll(';80', ';81');
	// Two at once, under two accounts: one of them is there.
	const both = await Promise.all([wrong, right].map((account) => imports(other, { account })));
	assert.deepEqual(both.map((one) => one.status).sort(), [200, 422]);
	assert.equal(sql("select count(*) from icert.bank_line where reference between '810' and '819'"), '4');
	expect(await imports(statement, { account: wrong }), 200, 'under the wrong one');
	const [one, two] = [800, 801].map(lineOf);
	assert.ok(!(await visit(one)).forms.some((form) => /reponer$/.test(form.action)), 'it waits');
	// One alone, and back.
	expect(await (await visit(one)).form(/apartar$/).submit(), 200, 'set aside');
	assert.equal(lines(), '800 other, 801 new, 802 new, 803 new');
	const aside = await visit(one);
	assert.ok(!aside.forms.some((form) => /apartar|confirmar$/.test(form.action)));
	const back = expect(await aside.form(/reponer$/).submit(), 200, 'back');
	assert.match(back.main, /Está otra vez por confirmar/);
	assert.equal(lines(), '800 new, 801 new, 802 new, 803 new');
	expect(await aside.form(/reponer$/).submit(), 200, 'pressed twice');
	// The whole statement, but for what was set aside before.
	expect(await (await visit(two)).form(/apartar$/).submit(), 200, 'set aside');
	const refused = await imports(statement, { account: right });
	assert.equal(refused.status, 422);
	assert.match(refused.main, /aparte todo el extracto/);
	const page = await visit(one);
	assert.match(page.main, /apartar los 3 movimientos que esperan/);
	expect(await page.forms.find((form) => form.value('todo') === '1').submit(), 200, 'the whole');
	assert.equal(lines(), '800 other, 801 other, 802 other, 803 other');
	expect(await (await visit(lineOf(802))).form(/reponer$/).submit(), 200, 'no mistake after all');
	assert.equal(lines(), '800 new, 801 other, 802 new, 803 new');
	expect(await (await visit(one)).forms.find((form) => form.value('todo') === '1').submit(), 200, 'a mistake');
	expect(await imports(statement, { account: right }), 200, 'under the right one');
	assert.equal(sql("select count(*) from icert.bank_line where reference between '800' and '809' and state = 'new'"), '4');
	for (const line of [sql("select id from icert.bank_line where reference = '803' and state = 'other'"), two]) {
		const twice = await (await visit(line)).form(/reponer$/).submit();
		assert.equal(twice.status, 409);
		assert.match(twice.main, /sus movimientos están allí/);
	}
	assert.equal(sql("select count(*) filter (where action = 'transfer.set_aside') || ' ' || count(*) filter (where action = 'transfer.again') || ' ' || count(*) filter (where reason = 'statement') from icert.audit where action like 'transfer.%' and outcome = 'done' and subject_kind = 'bank_line'"), '4 2 3');
	// Who imported confirms nothing by way of it, and a line that pays stays.
	const as_finance = (change) => as('finanzas', `update icert.bank_line set ${change} where id = '${one}'`).error;
	assert.match(as_finance(`state = 'confirmed', whole = false, purchase_id = (select id from icert.purchase limit 1), decided_by = '${icert.staff('finanzas').id}', decided_at = 1`), /row-level security|check constraint/);
	const paid = sql("select id from icert.bank_line where state = 'applied' limit 1");
	assert.doesNotMatch(as('central', `with c as (update icert.bank_line set state = 'new', purchase_id = null, decided_by = null, decided_at = null where id = '${paid}' returning 1) select count(*) from c`).text, /[1-9]/);
	sql("delete from icert.bank_line where reference between '800' and '819'");
	sql(`set session_replication_role = replica; delete from icert.bank_account where id = '${wrong}'`);
});

test('short, excess and late each have their outcome, and two people return what is not ours', async () => {
	const short = await ordered();
	const excess = await ordered();
	const late = await ordered();
	expect(await imports('21/11/2026;300;;30,00\n21/11/2026;301;;40,00\n21/11/2026;302;;31,05\n'), 200, 'imported');
	await pays(300, short.number);
	await applied(300, 'mismatch');
	assert.equal(state(short.id), 'created');
	assert.match((await short.buyer.client.visit(`/orden/${short.id}`)).main, /por menos del valor/);
	await pays(301, excess.number);
	await applied(301, 'pay');
	assert.equal(state(excess.id), 'paid');
	assert.equal(sql(`select string_agg(verdict || ' ' || cents, ', ' order by cents) from icert.payment where purchase_id = '${excess.id}'`), 'mismatch 895, pay 3105');
	const rest = sql(`select id from icert.payment where purchase_id = '${excess.id}' and verdict = 'mismatch'`);
	expect(await (await finance.client.visit(`/orden/${excess.id}/devolver?pago=${rest}`)).form(/devolver$/).submit({ reason: 'mismatch', words: 'Pagó de más' }), 200, 'asked');
	// Has logged in long ago, and used no other code.
	const national = first;
	const page = await national.client.visit(`/orden/${excess.id}`);
	assert.match(page.main, /Ordene antes la devolución en el banco/);
	expect(await page.form(/confirmar$/).submit({ code: await icert.totp(national.account.login) }), 200, 'confirmed');
	await until(() => sql(`select state from icert.refund where payment_id = '${rest}'`) === 'done', { what: 'the rest is back' });
	assert.equal(state(excess.id), 'paid');
	icert.moveClock(8 * 86400);
	await until(() => state(late.id) === 'expired', { what: 'the order expires' });
	await pays(302, late.number);
	await applied(302, 'late');
	assert.equal(state(late.id), 'expired');
});

test('a payer shows receipts; finance looks at them beside the line, and no order is paid by them', async () => {
	const { buyer, id, number } = await ordered();
	const stranger = await ordered();
	const path = `/orden/${id}/comprobante`;
	const load = async (file) => (await buyer.client.visit(path)).form(/comprobante$/).submit({ file });
	const paper = files.cedulaPdf();
	const count = () => sql(`select count(*) from icert.slip where purchase_id = '${id}'`);
	for (const [file, status, sentence] of [[files.empty(), 415, /vacío/], [files.activePdf(), 422, /por seguridad/], [files.truncatedJpeg(), 422, /incompleto|dañado/]]) {
		const page = await load(file);
		assert.equal(page.status, status);
		assert.match(page.errors.join(), sentence);
	}
	assert.equal(count(), '0');
	const shown = expect(await load(paper), 200, 'a PDF');
	assert.match(shown.main, /Recibimos su comprobante/);
	assert.match(expect(await load(paper), 200, 'the same again').main, /Recibimos su comprobante/, 'ends as the first time did');
	assert.equal(count(), '1');
	for (const file of [files.votingJpeg(), files.billPng(), files.photo(), files.photoPng()]) expect(await load(file), 200, 'another');
	assert.equal(count(), '5');
	assert.ok(!(await buyer.client.visit(path)).forms.some((f) => /comprobante$/.test(f.action)), 'five are enough');
	assert.equal(state(id), 'created', 'a receipt pays nothing');
	assert.equal(icert.psql('begin; set local role icert_clerk; select count(file) from icert.slip; rollback').text, '5', 'the sweep of files knows them');
	assert.equal((await stranger.buyer.client.get(path)).status, 404);

	finance = await sign('finanzas');
	expect(await imports(`22/11/2026;400;${number};31,05\n`), 200, 'imported');
	const line = await finance.client.visit(`/transferencias/${lineOf(400)}`);
	const hrefs = [...line.html.matchAll(new RegExp(`href="(/orden/${id}/comprobante/[^"]+)"`, 'g'))].map(([, href]) => href);
	assert.equal(hrefs.length, 5);
	assert.equal([...line.html.matchAll(/comprobante\/[^"]+\/imagen"/g)].length, 4, 'pictures are seen at once');
	const pdf = await finance.client.get(hrefs[0]);
	assert.equal(pdf.headers['content-type'], 'application/pdf');
	assert.deepEqual(pdf.body, paper.data);
	assert.match((await finance.client.get(`${hrefs[1]}/imagen`)).headers['content-type'], /^image\//);
	assert.equal((await finance.client.get(`${hrefs[0]}/imagen`)).status, 404, 'a PDF is saved, never shown');
	assert.equal((await finance.client.get(hrefs[0].replace(id, stranger.id))).status, 404, 'of that order alone');
	assert.match((await finance.client.visit(`/orden/${id}`)).main, /Comprobantes que cargó el solicitante/);
	assert.equal(sql(`select count(*) from icert.audit where action = 'order.slip_read' and outcome <> 'refused' and subject = '${id}'`), '3', 'each opening, also of what was not shown');
});
