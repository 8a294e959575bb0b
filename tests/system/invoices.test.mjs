// Invoices: finance files PDF and XML of its own system, each held against its order; who ordered gets both, and so does the province.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import * as files from '../lib/files.mjs';
import * as invoices from '../lib/invoices.mjs';
import { Applicant, Operator, expect } from './walk.mjs';

let icert, box, finance, own, other, third;
const people = [];
const sql = (query) => icert.sql(query);
const RUC = '1769999930001';	// the sample issuer's

const sign = async (login) => {
	const person = new Operator(icert, login);
	people.push(person);
	expect(await person.signIn(), 200, login);
	return person;
};
async function ordered(paid = true, data = {}) {
	const buyer = new Applicant(icert, data);
	people.push(buyer);
	await buyer.order();
	if (paid) await buyer.pay();
	const id = buyer.orderPath.split('/')[2];
	return { buyer, id, number: sql(`select number from icert.purchase where id = '${id}'`) };
}
const fields = (given = {}) => invoices.fields({ ruc: RUC, ...given });
const path = ({ id }) => `/orden/${id}/factura`;
/** Sends both files from the form of an order, whatever its page would offer. */
async function file(order, papers, from = order) {
	const form = (await finance.client.visit(path(from))).form(/factura$/);
	form.action = path(order);
	return form.submit(papers);
}
const papers = (given, how) => invoices.papers(fields(given), { how });
const rows = ({ id }) => sql(`select coalesce(string_agg(state, ' ' order by created_at, id), '') from icert.invoice where purchase_id = '${id}'`);
const stored = () => Number(sql("select count(*) from icert.invoice where pdf is not null"));
async function refused(order, sent, sentence, { status = 422, from } = {}) {
	const before = stored();
	const page = await file(order, sent, from);
	assert.equal(page.status, status, page.main.slice(0, 600));
	assert.match(page.errors.join('\n'), sentence);
	assert.equal(page.errors.length, 1, page.errors.join('\n'));
	assert.equal(stored(), before);
}
/** Where the applicant finds the files. */
const hrefs = (page, id) => [...page.html.matchAll(new RegExp(`href="(/orden/${id}/factura/[^"]+/(?:pdf|xml))"`, 'g'))].map(([, href]) => href);

const as = (login, statement) => icert.asDesk(login, statement);

before(async () => {
	icert = await startInstance();
	box = new MailBox(icert.mail);
	[finance, third, own, other] = await Promise.all([sign('finanzas'), ordered(), ordered(), ordered(true, { given_names: 'Ana', surname1: 'Quishpe', invoice_email: 'contabilidad@empresa.example' })]);
});
after(async () => {
	for (const person of people) person.close();
	await icert?.stop();
});

test('finance is told which orders wait, and what the invoice has to say', async () => {
	// As docs/operating.md has it: a row by who administers, the newest in force counts.
	const policy = (from, ruc) => sql(`begin; set local role icert_admin; insert into icert.policy (key, valid_from, text) values ('invoice.ruc', ${from}, '${ruc}'); commit`);
	policy(1, '');
	const unset = await finance.client.visit(path(own));
	assert.match(unset.main, /con qué RUC/);
	assert.ok(!unset.forms.some((f) => /factura$/.test(f.action)));
	policy("floor(extract(epoch from now()))", RUC);
	const list = await finance.client.visit('/finanzas');
	assert.match(list.main, /Cargar la factura/);
	assert.ok(list.main.includes(own.number));
	assert.match((await own.buyer.client.visit(`/orden/${own.id}`)).main, /en cuanto esté, se la enviamos por correo/);
	assert.ok(list.links.some((l) => l.href === `${path(own)}?de=finanzas` && l.text === 'Cargar la factura'), 'one step from the list');
	const page = await (await finance.client.visit(`/orden/${own.id}`)).click('Cargar la factura');
	for (const words of ['Archivo PKCS#12, 2 años', 'Av. 10 de Agosto N24-120 y Colón', RUC, '1710034065', 'José María Muñoz', '$27,00', 'IVA 15 %', '$4,05', '$31,05', 'pruebas', '19, tarjeta de crédito']) assert.ok(page.main.includes(words), words);
});

test('what is not the invoice of the order is refused with the reason and what to do', async () => {
	const wrong = (given) => papers(given);
	const cases = [
		[wrong({ buyer: '1713175071' }), /1713175071 y en la orden es 1710034065/],
		[wrong({ buyerName: 'OTRA PERSONA' }), /OTRA PERSONA.*José María Muñoz/],
		[wrong({ buyerKind: '04', buyer: '1710034065001' }), /se identifica con RUC y en la orden con Cédula/],
		[wrong({ net: 2600, tax: 390 }), /\$26,00 y el de la orden es \$27,00/],
		[wrong({ tax: 324 }), /IVA es \$3,24 y el de la orden es \$4,05/],
		[wrong({ total: 3106 }), /total es \$31,06 y el de la orden es \$31,05/],
		[wrong({ ruc: '1790016919001' }), /1790016919001 y debe ser 1769999930001/],
		[wrong({ environment: '2' }), /ambiente de producción y debe ser del de pruebas/],
		[wrong({ currency: 'EURO' }), /en dólares/],
		[wrong({ document: '04', modifies: '001-002-000000001' }), /ninguna factura que anular/],
	];
	const v = fields();
	const last = (digit) => v.key.slice(0, 48) + digit;
	cases.push([wrong({ ...v, key: last((Number(v.key[48]) + 1) % 10) }), /último dígito/], [wrong({ ...v, key: v.key.slice(1) }), /49 dígitos/], [wrong({ ...v, sequence: '000000001' }), /otro número/],
		[papers({}, (one) => invoices.authorised(one, { state: 'NO AUTORIZADO' })), /El SRI no autorizó/],
		[papers({}, (one) => invoices.xml(one).replace(/<importeTotal>.*<\/importeTotal>/, '')), /falta «importeTotal»/],
		[papers({}, (one) => `<!DOCTYPE factura [<!ENTITY a SYSTEM "file:///etc/passwd">]>${invoices.xml(one).slice(39)}`), /DOCTYPE/],
		[papers({}, (one) => invoices.xml(one).slice(0, 900)), /dañado o incompleto/],
		[papers({}, () => '<html><body>Factura</body></html>'), /no es de una factura/],
		[{ ...papers(), pdf: files.activePdf() }, /programas o archivos adjuntos/]);
	for (const [sent, sentence] of cases) await refused(own, sent, sentence);
	assert.equal(rows(own), 'awaited');
	// What the edge already knows, it refuses.
	const good = papers();
	await refused(own, { ...good, pdf: { ...good.pdf, data: Buffer.from('no es un PDF') } }, /como PDF no lo es/, { status: 415 });
	await refused(own, { ...good, xml: { ...good.xml, data: Buffer.from('\ufeff\ufeffx') } }, /como XML no lo es/, { status: 415 });
	await refused(own, { ...good, xml: { ...good.xml, data: Buffer.concat([good.xml.data, Buffer.alloc(520 * 1024, ' ')]) } }, /más de 512 KB/, { status: 413 });
	const heavy = (megabytes) => ({ ...good, pdf: { ...good.pdf, data: Buffer.concat([good.pdf.data, Buffer.alloc(megabytes << 20)]) } });
	await refused(own, heavy(2), /PDF pesa más de 2 MB/, { status: 413 });
	await refused(own, heavy(9), /hasta 512 KB y el PDF hasta 2 MB/, { status: 413 });
	const none = await file(own, {});
	assert.deepEqual([none.status, none.errors.length], [422, 2], 'both are asked for');
	await refused(own, { ...good, pdf: papers({ buyerName: 'OTRA PERSONA' }).pdf }, /El PDF es de otro comprobante/);
	// A person sees both faults at once.
	for (const xml of [papers({}, () => '<html></html>').xml, papers({ buyer: '1713175071' }).xml]) {
		const both = await file(own, { pdf: files.activePdf(), xml });
		assert.deepEqual([both.status, both.errors.length], [422, 2], both.errors.join('\n'));
		assert.match(both.main, /escoja otra vez el XML y el PDF/);
	}
	const reasons = sql("select distinct reason from icert.audit where action = 'order.invoice_file' and outcome = 'refused'").split('\n');
	for (const reason of ['buyer', 'total', 'access_key.check', 'issuer']) assert.ok(reasons.includes(`invoice.${reason}`), `${reason} is in the log`);
	const journal = JSON.parse(readFileSync(new URL('../../fcgi-backend/views/catalogue/journal.json', import.meta.url), 'utf8'));
	assert.deepEqual(reasons.filter((reason) => !journal[`desk.refusal.${reason}`]), []);
});

test('an invoice is filed, mailed to who ordered with a copy to the province, and downloaded by nobody else', async () => {
	const { buyer, id } = own;
	const v = fields({ buyerName: 'JOSE MARIA MUNOZ' });
	const sent = invoices.papers(v, { how: invoices.authorised });
	sent.xml.data = Buffer.concat([Buffer.from('\ufeff'), sent.xml.data]);
	const page = expect(await file(own, sent), 200, 'filed');
	assert.match(page.text, /La factura quedó cargada/);
	assert.ok(page.main.includes(v.serial));
	const mail = await box.wait({ to: buyer.email, subject: /factura/i });
	assert.ok(mail.text.includes(v.serial) && mail.text.includes('31,05'), mail.text);
	assert.deepEqual(await mail.attachment(/\.pdf$/), sent.pdf.data);
	assert.deepEqual(await mail.attachment(/\.xml$/), sent.xml.data);
	// Which province it is, the application says.
	await buyer.begin();
	await buyer.answer();
	await buyer.documents();
	expect(await buyer.submit(), 200, 'submitted');
	const province = sql('select mailbox from icert.province where id = 17');
	const copy = await box.wait({ to: province, subject: /factura/i });
	assert.deepEqual(await copy.attachment(/\.xml$/), sent.xml.data);
	await until(() => rows(own) === 'mailed', { what: 'it is known that it was mailed' });
	assert.equal((await box.list({ subject: /factura/i })).length, 2, 'nobody else got one');

	const order = await (await buyer.see()).click(/Ver el pago y la factura/);
	assert.match(order.main, new RegExp(`Su factura.*${v.serial}`));
	const [pdf, xml] = hrefs(order, id);
	const got = await buyer.client.get(pdf);
	assert.deepEqual([got.headers['content-type'], got.headers['content-disposition']], ['application/pdf', `attachment; filename="${v.key}.pdf"`]);
	assert.deepEqual(got.body, sent.pdf.data);
	assert.deepEqual((await buyer.client.get(xml)).body, sent.xml.data);
	assert.equal((await other.buyer.client.get(pdf)).status, 404, 'of their own orders alone');
	assert.equal((await other.buyer.client.get(pdf.replace(id, other.id))).status, 404, 'of that order alone');
	const [central, auditor] = await Promise.all([sign('central'), sign('auditor')]);
	assert.deepEqual((await central.client.get(pdf)).body, sent.pdf.data);
	assert.deepEqual((await finance.client.get(xml)).body, sent.xml.data);
	assert.equal((await central.client.get(path(own))).status, 403, 'finance alone files');
	const operator = await sign('operador.pichincha');
	for (const person of [auditor, operator]) assert.equal((await person.client.get(pdf)).status, 403, person.account.login);
	assert.ok((await auditor.client.visit(`/orden/${id}`)).main.includes(v.serial), 'the auditor sees that there is one');
	assert.equal(sql(`select count(*) from icert.audit where action = 'order.invoice_read' and outcome <> 'refused' and subject = '${id}'`), '4', 'each opening is a row');

	for (const text of [v.serial, ` ${v.key} `]) {
		const list = await (await finance.client.visit('/ordenes')).form(/ordenes$/, 'post').submit({ buscar: text });
		assert.ok(list.main.includes(own.number) && !list.main.includes(other.number), text);
	}

	// The same again ends as the first time did; another one is not taken; nor this one for another order.
	const again = await file(own, sent, other);
	assert.match(again.text, /La factura quedó cargada/);
	assert.equal(rows(own), 'mailed');
	await refused(own, papers(), new RegExp(`ya tiene la factura ${v.serial}`));
	const theirs = invoices.papers({ ...v, buyerName: 'ANA QUISHPE' });
	await refused(other, theirs, new RegExp(`ya está cargada en la orden ${own.number}`));
});

test('a wrong invoice is voided by its credit note, and another one awaited', async () => {
	const [{ serial }] = JSON.parse(sql(`select json_agg(i) from icert.invoice i where purchase_id = '${own.id}'`));
	const page = await (await finance.client.visit(`/orden/${own.id}`)).click(/anularla con una nota de crédito/);
	assert.match(page.heading, new RegExp(`Anular la factura ${serial}`));
	await refused(own, papers({ document: '04', modifies: '001-002-000000999' }), new RegExp(`modifica la factura 001-002-000000999 y debe modificar la ${serial}`));
	const note = fields({ document: '04', modifies: serial });
	const known = await box.list({ to: own.buyer.email });
	expect(await file(own, invoices.papers(note, { how: invoices.authorised })), 200, 'voided');
	assert.match((await box.wait({ to: own.buyer.email, subject: /Nota de crédito/, known })).text, /queda sin efecto/);
	const seen = await own.buyer.client.visit(`/orden/${own.id}`);
	assert.match(seen.main, /anulada con una nota de crédito/);
	assert.match(seen.main, /en cuanto esté, se la enviamos/);
	assert.equal(hrefs(seen, own.id).length, 4, 'both stay there');
	const [voided] = JSON.parse(sql(`select json_agg(i) from icert.invoice i where purchase_id = '${own.id}' and state = 'voided'`));
	await refused(own, invoices.papers(fields({ sequence: voided.serial.slice(-9), key: voided.access_key, code: voided.access_key.slice(39, 47) })), /ya está anulada/);
	// Two at once: one is filed, and who comes second is told.
	const two = await Promise.all([file(own, papers()), file(own, papers())]);
	assert.deepEqual(two.map((p) => p.status).map((status) => status === 200).sort(), [false, true], two.map((p) => p.status).join());
	assert.match(two.find((p) => p.status !== 200).errors.join(), /al mismo tiempo|ya tiene la factura/);
	await until(() => /^voided (mailed|filed) (mailed|filed)$/.test(rows(own)), { what: 'three rows' });
	// Taken over, the desk writes over nothing that was filed, and in no other session does it file or void.
	const change = (set) => `with done as (update icert.invoice set ${set} where id = '${standing}' returning 1) select count(*) from done`;
	const standing = sql(`select id from icert.invoice where purchase_id = '${own.id}' and voids is null and state in ('filed', 'mailed')`);
	const me = icert.staff('finanzas').id;
	assert.match(as('finanzas', change(`state = 'filed', filed_by = '${me}', pdf = gen_random_uuid()`)).error, /filed|no way|IC001/);
	assert.match(as('finanzas', change(`state = 'voided', total = 1, net = 1, tax = 0`)).error, /filed/);
	assert.match(as('finanzas', change(`purchase_id = '${other.id}'`)).error, /permission denied/);
	assert.equal(as('finanzas', change("state = 'voided'")).text, '1');
	for (const login of ['central', 'auditor', 'operador.pichincha']) assert.equal(as(login, change("state = 'voided'")).text, '0', login);
	const clerk = icert.psql(`begin; set local role icert_clerk; select count(pdf) + count(xml) from icert.invoice; rollback`);
	assert.equal(clerk.text, '6', 'the sweep of files knows them');
});

test('an order that is not paid, in dispute or given back takes none; what stood is to be voided', async () => {
	await third.buyer.gatewayPage.form(/devuelto$/).send();
	const unpaid = await ordered(false);
	assert.ok(!(await finance.client.visit(path(unpaid))).forms.some((f) => /factura$/.test(f.action)));
	await refused(unpaid, papers(), /no está pagada/, { from: own });
	const press = async (what) => other.buyer.gatewayPage.form(new RegExp(`/${what}$`)).send();
	const state = () => sql(`select state from icert.purchase where id = '${other.id}'`);
	await press('disputa');
	await until(() => state() === 'disputed', { what: 'the dispute' });
	const v = { buyerName: 'Ana Quishpe' };
	await refused(other, papers(v), /está en disputa/, { from: own });
	await press('disputa-ganada');
	await until(() => state() === 'paid', { what: 'the end of the dispute' });
	const one = fields(v);
	const both = invoices.papers(one);
	expect(await file(other, both), 200, 'filed');
	// Who pays wanted it at an address of theirs.
	const payer = await box.wait({ to: 'contabilidad@empresa.example', subject: /^Factura electrónica$/ });
	assert.deepEqual(await payer.attachment(/\.pdf$/), both.pdf.data);
	await box.wait({ to: other.buyer.email, subject: /Su factura/ });
	await press('devuelto');
	await until(() => state() === 'refunded', { what: 'the refund' });
	const waiting = async () => (await finance.client.visit('/finanzas')).main;
	assert.match(await waiting(), /Cargar la nota de crédito/);
	assert.match((await finance.client.visit(`/orden/${other.id}`)).main, /su factura sigue en pie/);
	expect(await file(other, papers({ ...v, document: '04', modifies: one.serial })), 200, 'voided');
	assert.ok(!/Cargar la nota de crédito/.test(await waiting()));
	await refused(other, papers(v), /no lleva factura/, { from: own });
	await until(() => rows(third) === 'dropped', { what: 'nobody waits for the invoice of what was given back' });
	assert.match((await third.buyer.client.visit(`/orden/${third.id}`)).main, /Devolvimos su pago(?!.*Su factura)/);
	assert.match(rows(other), /^voided (filed|mailed)$/, 'no other is awaited');
});
