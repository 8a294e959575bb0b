// docs/money.md, row by row: each has a check here, or names the test that holds it, and a new row without one fails.  Then disputes and refunds from every
// state that a case can have, and one credit for two phones.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { Operator, expect } from './walk.mjs';

let icert, box, client, finance, tariff;
const email = 'quien.paga@correo.example';
const sql = (text) => icert.sql(text);
/** Past triggers and row policies: a case in a state that would take an hour to walk to. */
const put = (text) => sql(`set session_replication_role = replica; ${text}`);
const state = (order) => sql(`select state from icert.purchase where id = '${order}'`);
const becomes = (order, wanted) => until(() => state(order) === wanted, { what: `${order} ${wanted}: ${state(order)}` });
const verdicts = (order) => sql(`select coalesce(string_agg(verdict, ' ' order by at, verdict), '') from icert.payment where purchase_id = '${order}'`);
const page = (order, who = client) => who.visit(`/orden/${order}`);
const visitor = async (mailbox) => {
	const one = new Client({ base: icert.portal, ca: icert.ca });
	const known = await box.list({ to: mailbox });
	let at = await (await one.visit('/tarifas')).click('Comprar');
	at = await at.form('/entrar').submit({ email: mailbox });
	at = await at.form('/entrar/codigo').submit({ code: (await box.wait({ to: mailbox, subject: /código/, known })).code() });
	tariff = at.url.pathname;
	return one;
};

async function ordered() {
	const at = await (await client.visit(tariff)).form(/^\/comprar\//).submit({
		for_me: 'no', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
	});
	assert.match(at.path, /^\/orden\//, at.text);
	return at.path.split('/')[2];
}
const payment = (order) => sql(`select gateway_payment from icert.purchase where id = '${order}'`);
async function checkout(order) {
	const at = await (await page(order)).form(/\/pagar$/).submit();
	assert.equal(at.path, `/orden/${order}/pasarela`, at.text);
	return payment(order);
}
/** As if the payer, or the gateway's own people, had pressed that. */
async function press(id, act) {
	const answer = await fetch(`${icert.gateway}/pago/${id}/${act}`, { method: 'POST', redirect: 'manual', headers: { connection: 'close' } });
	assert.equal(answer.status, 303, act);
}
async function pressed(...acts) {
	const order = await ordered();
	const id = await checkout(order);
	for (const act of acts) await press(id, act);
	return order;
}
async function paid() {
	const order = await pressed('aprobar');
	await becomes(order, 'paid');
	return order;
}
/** An order whose case is in that state. */
async function cased(order, wanted) {
	if (wanted === 'none') return null;
	const at = await (await page(order)).form(/solicitud$/).submit();
	const id = at.path.split('/')[2].split('?')[0];
	if (wanted === 'draft') return id;
	put(`update icert.application set state = '${wanted}', number = '17-${id.slice(0, 8)}', province = 17, person_hash = sha256('${id}'),
		submitted_at = state_since where id = '${id}'`);
	put(`update icert.purchase set state = 'used' where id = '${order}'`);
	return id;
}
const waits = async (order, what) => (await finance.client.visit('/finanzas')).html.split('<tr').some((row) => row.includes(`/orden/${order}`) && row.includes(what));
const heard = (order, verdict) => sql(`select count(*) from icert.outbox o where o.purchase_id = '${order}' and o.template = 'staff_queue'
	and o.dedup like '%${verdict}%'`) !== '0';

before(async () => {
	icert = await startInstance();
	box = new MailBox(icert.mail);
	finance = new Operator(icert, 'finanzas');
	[client] = await Promise.all([visitor(email), finance.signIn()]);
});
after(async () => {
	finance?.close();
	client?.close();
	await icert?.stop();
});

/** Held by another test, which is there under this very name. */
const held = (file, name) => () => {
	const text = readFileSync(new URL(file, import.meta.url), 'utf8');
	const quoted = ["'", '"', '`'].map((mark) => mark + name + mark);
	assert.ok(name.length > 20 && quoted.some((title) => text.includes(`test(${title}`) || text.includes(`each(${title}`)), `${file}: ${name}`);
};

/** A certificate of a case, revoked for this reason. */
function revoked(id, code) {
	put(`insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash, spki_sha256, der, not_before, not_after,
		created_at, issued_at, revoked_at, reason, reason_code, revoked_by) select '${randomUUID()}', id, substr(sha256(id::text::bytea), 1, 16), 'revoked', container,
		'1.2.3', form, sha256(id::text::bytea), sha256(id::text::bytea), form, 1, 2000000000, 1, 1, 1, 0, '${code}', 'national' from icert.application where id = '${id}'`);
}
/** What the page of an ended case says of its money. */
const ends = (wanted, code, sentence) => async () => {
	const order = await paid();
	const id = await cased(order, wanted);
	if (code !== null) revoked(id, code);
	const said = JSON.parse(readFileSync(new URL('../../fcgi-backend/views/catalogue/endings.json', import.meta.url), 'utf8'))[`ending.money.${sentence}`];
	const at = await client.visit(`/tramite/${id}`);
	assert.ok(at.text.includes(said), `${wanted} ${code}: ${at.text}`);
	return order;
};

const checks = {
	"the payer abandons the gateway's page": async () => {
		const order = await pressed('abandonar');
		assert.equal(verdicts(order), '');
		return order;
	},
	'the gateway refuses': async () => {
		const order = await pressed('rechazar');
		await until(() => verdicts(order) === 'reject', { what: 'the refusal' });
		assert.match((await page(order)).main, /El pago no fue aprobado[\s\S]*Intentar de nuevo/);
		return order;
	},
	'paid at Payphone, and confirmed by nobody within five minutes (browser, notification and clerk all missing)': held('gateways.test.mjs',
		'what is paid is confirmed in time, by whoever comes first; what was not in time is not paid'),
	'the gateway is checking': async () => {
		const order = await pressed('pendiente');
		await until(() => verdicts(order) === 'pending', { what: 'the gateway is checking' });
		const at = await page(order);
		assert.match(at.main, /No tiene que hacer nada, y no pague otra vez/);
		assert.ok(!at.forms.some((f) => /pagar$/.test(f.action)));
		return order;
	},
	'paid, the exact amount and currency': async () => {
		const order = await pressed('repetido');
		await becomes(order, 'paid');
		assert.equal(verdicts(order), 'pay');
		return order;
	},
	'paid another amount, or in another currency': async () => {
		const orders = [await pressed('otro-valor'), await pressed('otra-moneda')];
		for (const order of orders) {
			await until(() => verdicts(order) === 'mismatch', { what: 'finance is told' });
			assert.ok(await waits(order, 'Decidir sobre un pago'));
			assert.match((await page(order)).main, /No pague otra vez/);
		}
		return orders[1];
	},
	'paid a second time for the same order': async () => {
		// Refused, another try, and both were paid after all.
		const order = await ordered();
		const first = await checkout(order);
		await press(first, 'rechazar');
		await until(() => verdicts(order) === 'reject', { what: 'the refusal' });
		const second = await checkout(order);
		assert.notEqual(second, first);
		await press(second, 'aprobar');
		await becomes(order, 'paid');
		await press(first, 'aprobar');
		await until(() => verdicts(order).includes('again'), { what: 'the second payment' });
		assert.ok(await waits(order, 'Decidir sobre un pago'));
		assert.match((await page(order)).main, /se cobró dos veces/);
		return order;
	},
	"paid by transfer while a card's page was open, and the card pays there too": held('money_back.test.mjs',
		'a card that pays after a transfer did, at a page that was open: found without a word of the gateway, and given back'),
	'given back by us, and some of it is at the gateway still: it was captured twice': async () => {
		const order = await paid();
		put(`update icert.purchase set state = 'refunded' where id = '${order}'`);
		await press(payment(order), 'disputa-ganada');	// the gateway has it, and says so when it is asked
		await until(() => verdicts(order).includes('again'), { what: 'the rest is found' });
		assert.ok(await waits(order, 'Decidir sobre un pago'));
		return order;
	},
	'paid after the order had expired': held('payments.test.mjs', 'an order expires; a payment after that is not taken silently'),
	'a transfer for less than the total (`mismatch`)': held('transfers.test.mjs', 'short, excess and late each have their outcome, and two people return what is not ours'),
	'a transfer for more than the total': held('transfers.test.mjs', 'short, excess and late each have their outcome, and two people return what is not ours'),
	'a transfer for an order that is paid already (`again`), or had expired (`late`)': () => {
		held('transfers.test.mjs', 'who imported does not confirm, another does with a fresh code, and a line pays once')();
		held('transfers.test.mjs', 'short, excess and late each have their outcome, and two people return what is not ours')();
	},
	'a line of a statement that pays no order': async () => {
		const [line, account, run] = Array.from({ length: 3 }, () => randomUUID());
		const by = icert.staff('central').id;
		put(`insert into icert.bank_account (id, bank, kind, number, holder, holder_id, requested_by, requested_at) values ('${account}', 'Banco', 'savings', '2200123456', 'Entidad', '1710034065', '${by}', 1);
			insert into icert.bank_import values ('${run}', '${account}', 'x', sha256('x'), 1, 0, '${by}', 1);
			insert into icert.bank_line (id, import_id, digest, day, cents, reference, imported_by) values ('${line}', '${run}', sha256('y'), '2026-11-21', 3105, '900', '${by}')`);
		assert.match((await finance.client.visit('/finanzas')).html, new RegExp(`/transferencias/${line}`));
		expect(await (await finance.client.visit(`/transferencias/${line}`)).form(/apartar$/).submit(), 200, 'set aside');
		assert.equal(sql(`select state || ' ' || (purchase_id is null) from icert.bank_line where id = '${line}'`), 'other true');
		assert.equal(sql(`select count(*) from icert.payment where gateway_payment = '${line}'`), '0', 'nothing is credited');
		assert.doesNotMatch((await finance.client.visit('/finanzas')).html, new RegExp(`/transferencias/${line}`));
	},
	'a payment for no order of ours': held('gateways.test.mjs', 'a signed word about another order, or none of ours, pays neither'),
	'draft removed after 30 days, or by the applicant': held('payments.test.mjs', 'a draft is removed after 30 days, and what was paid serves another'),
	'application cancelled by the applicant, or by the 30 days': ends('cancelled', null, 'cancelled'),
	'application rejected': ends('rejected', null, 'rejected'),
	'signer or lint refuse, or an outage keeps the case from ending': async () => {
		const order = await paid();
		const id = await cased(order, 'identified');
		put(`insert into icert.certificate (id, application_id, serial, state, container, policy_oid, fields, fields_hash, created_at, refusal)
			select '${randomUUID()}', id, substr(sha256('refused'::bytea), 1, 16), 'refused', container, '1.2.3', form, sha256('refused'::bytea), 1, 'lint'
			from icert.application where id = '${id}'`);
		assert.doesNotMatch((await client.visit(`/tramite/${id}`)).main, /Lo que pagó/);
		return order;
	},
	'certificate issued': async () => {
		const order = await paid();
		await cased(order, 'active');
		assert.match((await page(order)).main, /Pago recibido/);
		return order;
	},
	'revoked because the contract was not signed in 120 hours': ends('closed_revoked', 'contract_unsigned', 'unsigned'),
	'revoked by the holder': ends('closed_revoked', 'not_needed', 'holder'),
	'revoked by the national office: court order, death, false data, misuse': ends('active', 'court_order', 'office'),
	'revoked by the national office because the authority was at fault': async () => {
		const order = await ends('active', 'authority_fault', 'authority')();
		assert.ok(await waits(order, 'error nuestro'), 'nobody asks for it, and finance sees it');
		const form = await (await finance.client.visit(`/orden/${order}`)).click(/^Devolver/);
		expect(await form.form(/devolver$/).submit({ reason: 'authority_fault', words: 'Revocado por nosotros' }), 200, 'asked');
		assert.ok(!await waits(order, 'error nuestro'));
		assert.ok(await waits(order, 'Confirmar una devolución'));
		return order;
	},
	'a renewal that is refused or given up': held('anew.test.mjs', 'a renewal is bought from the certificate it renews'),
	"the payer's bank opens a dispute, in whatever state its case is, or while we are giving the money back": async () => {
		const order = await paid();
		put(`update icert.purchase set state = 'refunding' where id = '${order}'`);
		await press(payment(order), 'disputa');
		await becomes(order, 'disputed');
		assert.ok(await waits(order, 'Disputa abierta'));
		assert.match((await page(order)).main, /abrió una disputa/);
		return order;
	},
	'that dispute ends for us, and a refund had failed before it': held('money_back.test.mjs',
		'a dispute that ends for us after a refund that failed: finance decides again, and nothing is issued meanwhile'),
	'a dispute after we gave it back, or about what was too much': async () => {
		const order = await paid();
		await press(payment(order), 'devuelto');
		await becomes(order, 'refunded');
		await press(payment(order), 'disputa');
		await until(() => verdicts(order).includes('disputed') && heard(order, 'disputed'), { what: 'finance is told' });
		assert.equal(state(order), 'refunded');
		assert.ok(await waits(order, 'Responder una disputa'));
		// It ends for us: what went back is back, and nothing waits.
		await press(payment(order), 'disputa-ganada');
		await until(() => verdicts(order).includes('won'), { what: 'its end' });
		assert.equal(state(order), 'refunded');
		assert.ok(!await waits(order, 'Responder una disputa'));
	},
	'two people decide to give back what paid the order': held('money_back.test.mjs',
		'from the second signature on nothing is issued, before the clerk has heard of it'),
	"a refund made in the gateway's own administration": async () => {
		const order = await paid();
		await press(payment(order), 'devuelto');
		await becomes(order, 'refunded');
		assert.ok(heard(order, 'refunded'));
		assert.match((await page(order)).main, /Devolvimos su pago/);
		return order;
	},
	"a part of it returned in the gateway's own administration": held('reconciliation.test.mjs',
		'a part that was returned there: finance sees what is left, explains it once, and hears of the next part'),
	'the same of a payment that was too much, too late or another amount': async () => {
		held('money_back.test.mjs', 'what was charged twice and went back is said so')();
		const order = await pressed('otro-valor');
		await until(() => verdicts(order) === 'mismatch', { what: 'finance is told' });
		assert.ok(await waits(order, 'Decidir sobre un pago'));
		const before = state(order);
		await press(payment(order), 'devuelto');
		await until(() => verdicts(order).includes('refunded'), { what: 'it went back' });
		assert.equal(state(order), before);
		assert.ok(!await waits(order, 'Decidir sobre un pago'));
		assert.equal(sql(`select count(*) from icert.outbox where purchase_id = '${order}' and template = 'refunded'`), '1', 'the payer is told');
		return order;
	},
};

/** The first table of the document: [what happened, the order, the money]. */
const rows = readFileSync(new URL('../../docs/money.md', import.meta.url), 'utf8').split('\n## ')[0].split('\n').filter((line) => line.startsWith('| ')).slice(1)
	.map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));

test('every row has its check, and every check its row', () => {
	assert.deepEqual(Object.keys(checks), rows.map(([what]) => what));
	const states = sql(`select distinct m[1] from pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''(\\w+)''::text', 'g') m
		where c.conrelid = 'icert.purchase'::regclass and pg_get_constraintdef(c.oid) like '%state%''created''%'`).split('\n');
	assert.equal(states.length, 8, states.join());
	const named = rows.map((row) => row.join(' ')).join(' ');
	const said = JSON.parse(readFileSync(new URL('../../fcgi-backend/views/catalogue/portal.json', import.meta.url), 'utf8'));
	for (const one of states) {
		assert.ok(said[`purchase.${one}`], `a sentence for ${one}`);
		if (one !== 'created' && one !== 'refunding') assert.ok(named.includes(`\`${one}\``), `a row about ${one}`);
	}
});

for (const [what, order] of rows) test(what, async () => {
	const id = await checks[what]?.();
	const named = [...order.matchAll(/`(\w+)`/g)].map((m) => m[1]).filter((word) => /^(pending|paid|used|expired|refunded|disputed)$/.test(word));
	if (id && named.length > 0) assert.ok(named.includes(state(id)), `${state(id)}, and the row says ${named}`);
	else if (id && /^stays (open|unpaid)/.test(order)) assert.match(state(id), /^(created|pending)$/);
});

test('a dispute, its end and a refund, from every state that a case can have', async () => {
	const states = ['none', ...sql(`select distinct m[1] from pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''(\\w+)''::text', 'g') m
		where c.conrelid = 'icert.application'::regclass and c.contype = 'c' and pg_get_constraintdef(c.oid) like '%''contract_sent''%'`).split('\n')
		.filter((one) => one !== 'removed')];
	assert.ok(states.length >= 18, states.join());
	const cases = [];
	for (const one of states) cases.push({ one, order: await pressed('aprobar') });
	const all = (wanted) => until(() => cases.every(({ one, order }) => state(order) === (typeof wanted === 'function' ? wanted(one) : wanted)),
		{ what: `all ${wanted}: ${cases.map(({ one, order }) => `${one} ${state(order)}`)}` });
	const credit = (one) => (one === 'none' || one === 'draft' ? 'paid' : 'used');
	await all('paid');
	for (const c of cases) c.id = await cased(c.order, c.one);
	for (const c of cases) await press(c.payment = payment(c.order), 'disputa');
	await all('disputed');
	const seen = (await finance.client.visit('/finanzas')).html.split('<tr').filter((row) => row.includes('Disputa abierta'));
	for (const { one, order, id } of cases) {
		assert.ok(seen.some((row) => row.includes(`/orden/${order}`)), `${one}: seen by finance`);
		assert.ok(heard(order, 'disputed'), `${one}: the national office is told`);
		assert.match((await page(order)).main, /abrió una disputa/, one);
		if (id && one !== 'draft') assert.match((await client.visit(`/tramite/${id}`)).main, /abrió una disputa por el pago/, one);
	}
	for (const c of cases) await press(c.payment, 'disputa-ganada');
	await all(credit);
	for (const c of cases) await press(c.payment, 'devuelto');
	await all('refunded');
	for (const { one, order, id } of cases) {
		assert.ok(heard(order, 'refunded'), one);
		if (id && one !== 'draft') assert.match((await client.visit(`/tramite/${id}`)).main, /Devolvimos lo que pagó por este trámite/, one);
	}
});

test('two phones, one credit: a single case', async () => {
	const order = await paid();
	const phone = await visitor(email);
	const forms = [(await page(order)).form(/solicitud$/), (await page(order, phone)).form(/solicitud$/)];
	const answers = await Promise.all([...forms, ...forms, ...forms, ...forms].map((form) => form.submit()));
	const paths = new Set(answers.map((at) => { expect(at, 200, 'begun'); return at.path.split('?')[0].split('/')[2]; }));
	assert.equal(paths.size, 1, [...paths].join());
	assert.equal(sql(`select count(*) from icert.application where purchase_id = '${order}'`), '1');
	// The row itself holds it, whoever writes: a second case on the same order, and the order used by two at once.
	assert.match(icert.psql(`insert into icert.application select (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'key_id', gen_random_uuid()))).*
		from icert.application a where purchase_id = '${order}'`).error, /application_purchase|violates/);
	phone.close();
});

test('"Pagar" in two tabs at once: one checkout, and one way to it', async () => {
	const order = await ordered();
	const form = (await page(order)).form(/\/pagar$/);
	const answers = await Promise.all(Array.from({ length: 6 }, () => form.submit()));
	const ways = new Set(answers.map((at) => { assert.equal(at.path, `/orden/${order}/pasarela`); return at.link(/Ir a la página/); }));
	assert.equal(ways.size, 1, [...ways].join());
	await press(payment(order), 'aprobar');
	await becomes(order, 'paid');
	// The back button, and the form of the other tab.
	const late = await form.submit();
	assert.equal(late.path, `/orden/${order}`);
	assert.match(late.main, /Pago recibido/);
	assert.equal(verdicts(order), 'pay');
});

test('an order whose time is over is not paid any more, before the clerk has closed it too', async () => {
	const order = await ordered();
	const form = (await page(order)).form(/\/pagar$/);
	put(`update icert.purchase set expires_at = created_at where id = '${order}'`);
	const at = await form.submit();
	assert.equal(at.path, `/orden/${order}`);
	assert.match(at.main, /El plazo para pagar esta orden terminó[\s\S]*no tiene que hacer nada/);
	assert.ok(!at.forms.some((f) => /pagar$/.test(f.action)));
	assert.equal(payment(order), '');
});

test('an order above what an invoice to the final consumer may be for asks for a name', async () => {
	const token = new URL(await client.visit('/tarifas').then((at) => at.html.match(/Token Consejo de la Judicatura<\/h2>[\s\S]*?href="(\/comprar\/[^"]+)"/)[1]), icert.portal).pathname;
	const at = await (await client.visit(token)).form(/comprar/).submit({ id_kind: 'consumer', telephone: '0991234567' });
	assert.equal(at.status, 422);
	assert.match(at.errors.join(), /tiene que llevar un nombre/);
	const named = expect(await at.form(/comprar/).submit({ id_kind: 'passport', id_number: 'AB123456', for_me: 'no', name: 'Ana Peña', address: 'Quito' }), 200, 'named');
	assert.match(named.path, /^\/orden\//);
});
