// Every gateway adapter against its simulator: one table of gateways, one of faults.  Whatever comes, in whatever order: the order's
// state ends as the gateway has it, and money is counted once.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstance } from '../lib/instance.mjs';
import { Client, until } from '../lib/http.mjs';
import { MailBox } from '../lib/mail.mjs';
import { addGateways } from '../lib/gateways.mjs';
import { traits } from '../lib/gateway_traits.mjs';
import { edit, restart } from '../lib/reconfigure.mjs';
import { post } from '../simulators/gateway_base.mjs';

let icert;
let box;
let gateways;
let client;
let tariff;
const email = 'quien.paga@correo.example';

before(async () => {
	icert = await startInstance();
	box = new MailBox(icert.mail);
	gateways = await addGateways(icert);
	client = new Client({ base: icert.portal, ca: icert.ca });
	let page = await (await client.visit('/tarifas')).click('Comprar');
	page = await page.form('/entrar').submit({ email });
	page = await page.form('/entrar/codigo').submit({ code: (await box.wait({ to: email, subject: /código/ })).code() });
	tariff = page.path.split('?')[0];
	// The same person, from an address for each gateway, as the edge counts them.
	for (const [n, g] of Object.values(gateways).entries()) {
		g.client = new Client({ base: icert.portal, ca: icert.ca, localAddress: `127.0.1.${n + 1}` });
		g.client.jar = client.jar;
	}
});
after(async () => {
	for (const { sim, client: its } of Object.values(gateways ?? {})) {
		its?.close();
		await sim.close();
	}
	client?.close();
	await icert?.stop();
});

async function ordered({ client }) {
	const page = await (await client.visit(tariff)).form(/^\/comprar\//).submit({
		for_me: 'yes', id_kind: 'cedula', id_number: '1710034065', name: 'MARÍA ÑUSTA', address: 'Av. Amazonas N1-23', telephone: '0991234567', email: '',
	});
	assert.match(page.path, /^\/orden\//, page.text);
	return page.path.split('/')[2];
}

const state = (order) => icert.ask(`select state from icert.purchase where id = '${order}'`);
const concluded = (order) => icert.ask(`select coalesce(string_agg(verdict, ' ' order by verdict), '') from icert.payment where purchase_id = '${order}'`);
/** The same of many at once: [{ state, verdicts }]. */
const stories = async (orders) => (await icert.ask(`select p.state || ':' || coalesce(string_agg(y.verdict, ' '), '') from icert.purchase p
	left join icert.payment y on y.purchase_id = p.id where p.id in (${orders.map((id) => `'${id}'`)}) group by p.id`))
	.split('\n').map((line) => ({ state: line.split(':')[0], verdicts: line.split(':')[1] }));
const received = (name) => icert.ask(`select count(*) from icert.payment_event where gateway = '${name}'`);
const waiting = (name) => icert.ask(`select count(*) from icert.payment_event where applied_at is null and gateway = '${name}'`);
const applied = (name) => until(async () => await waiting(name) === '0', { what: `${name}: every notification is applied` });

/** From the order's page to the gateway's: the payment as the gateway has it. */
async function checkout({ name, sim, client }, order = undefined) {
	order ??= await ordered({ client });
	const form = (await client.visit(`/orden/${order}`)).form(/\/pagar$/);
	const page = await form.submit({ pasarela: name });
	assert.equal(page.path, `/orden/${order}/pasarela`, page.text);
	assert.equal(page.headers['referrer-policy'], 'origin', 'the gateway may see whose payer comes');
	const payment = sim.ofOrder(traits[name].reference(order));
	assert.ok(page.html.includes(`${sim.base}/pago/${payment.id}`), 'the way to the gateway');
	return { order, payment };
}

/** What happened there, and the notifications that tell of it, not sent yet. */
async function told(sim, payment, ...acts) {
	sim.mode = 'hold';
	for (const act of acts) await sim.act(payment, act);
	sim.mode = 'send';
	return sim.held.splice(0).map(({ note }) => note);
}

const permutations = (list) => (list.length < 2 ? [list] : list.flatMap((one, i) => permutations(list.toSpliced(i, 1)).map((rest) => [one, ...rest])));

/** The same of every gateway, side by side: what one waits for is no wait of another. */
const each = (title, body, only = () => true) => test(title, { concurrency: true }, (t) => Promise.all(Object.keys(traits).filter((name) => only(traits[name]))
	.map((name) => t.test(name, () => body({ name, g: gateways[name], ...traits[name] }).finally(() => gateways[name].sim.wellAgain())))));

each('refused, paid, given back by us; the page says what is', async ({ name, g }) => {
	const { order, payment } = await checkout(g);
	assert.equal(payment.cents, 3105);
	assert.equal(payment.currency, 'USD');
	const back = await fetch(`${g.sim.base}/pago/${payment.id}/aprobar`, { method: 'POST', redirect: 'manual' });
	assert.equal(back.status, 303);
	const home = await g.client.visit(new URL(back.headers.get('location')).pathname + new URL(back.headers.get('location')).search);
	assert.equal(home.status, 200);
	await until(async () => await state(order) === 'paid', { what: `${name}: paid` });
	assert.equal(await concluded(order), 'pay');
	// Whoever asks to pay again is led to the truth, and to no second charge.
	assert.match((await g.client.visit(`/orden/${order}`)).text, /Pago recibido/);
	assert.equal([...g.sim.payments.values()].filter((p) => p.order === payment.order).length, 1);
});

each('what is refused there may be tried again, and a checkout that is open is the same one', async ({ name, g }) => {
	const { order, payment } = await checkout(g);
	assert.equal((await checkout(g, order)).payment.id, payment.id);
	await g.sim.act(payment, 'rechazar');
	await applied(name);
	assert.equal(await state(order), 'pending');
	const { payment: second } = await checkout(g, order);
	await g.sim.act(second, 'aprobar');
	await until(async () => await state(order) === 'paid', { what: `${name}: paid at the second try` });
});

each('another amount, another currency: never paid, and finance sees it', async ({ name, g }) => {
	for (const act of ['otro-valor', 'otra-moneda']) {
		const { order, payment } = await checkout(g);
		await g.sim.act(payment, act);
		await until(async () => await concluded(order) === 'mismatch', { what: `${name}: ${act}` });
		assert.notEqual(await state(order), 'paid');
	}
});

each('notifications that are forged, cut, changed, old, or about something else', async ({ name, g, signed, covered, timed }) => {
	const { order, payment } = await checkout(g);
	const [note] = await told(g.sim, payment, 'aprobar');
	assert.ok(note);
	const send = async (change) => (await g.sim.deliver(payment, { ...note, once: true, ...change })).status;
	const bare = async (headers, body) => (await post(g.notifyUrl, { 'content-type': 'application/json', ...headers }, body)).status;
	const before = await received(name);
	const headers = g.sim.headers(note);
	const signature = Object.keys(headers).find((key) => /signature/.test(key));

	assert.equal(await send({ forged: true }), 401, 'by somebody else');
	assert.equal(await bare(headers, note.body.slice(0, -1)), 401, 'a cut body');
	if (signed === 'header') {
		assert.ok(signature);
		assert.equal(await bare({}, note.body), 401, 'no signature');
		assert.equal(await bare({ ...headers, [signature]: headers[signature].slice(0, -8) }, note.body), 401, 'a cut signature');
		assert.equal(await bare({ ...headers, [signature]: '' }, note.body), 401, 'an empty signature');
		assert.equal(await bare(headers, note.body.replace('3', '4')), 401, 'a changed octet');
	}
	for (const [what, [from, to]] of Object.entries(covered ?? {})) {
		const changed = note.body.replace(from, to);
		assert.notEqual(changed, note.body, what);
		assert.equal(await bare({}, changed), 401, what);
	}
	assert.equal(await bare(headers, 'a'.repeat(1 << 20)), 413, 'a megabyte');
	assert.equal(await received(name), before, 'nothing was kept');
	if (timed) {
		assert.equal(await send({ shift: -3600 }), 400, 'an hour old');
		assert.equal(await send({ shift: 3600 }), 400, 'an hour to come');
		assert.equal(await received(name), before, 'nothing was kept');
	}
	const given = g.sim.resign({ ...note, secret: g.old }, (body) => body);
	assert.equal((await g.sim.deliver(payment, { ...given, once: true })).status, 401, 'under a secret that was given up');
	// Well signed, and yet nothing that anybody may read: octets that are no UTF-8, depth, a name twice, something after it.
	const inside = (text) => Buffer.concat([Buffer.from('{'), Buffer.from(text, 'latin1'), Buffer.from(note.body.slice(1))]);
	for (const strange of [inside('"x":"\xff\xfe",'), inside(`"x":${'['.repeat(5000)}${']'.repeat(5000)},`), inside('"x":1,"x":2,'), Buffer.from(`${note.body}{}`)]) {
		const { status } = await g.sim.deliver(payment, { ...g.sim.resign(note, strange), id: `evt_${Math.random().toString(36).slice(2)}`, once: true });
		assert.ok([400, 401].includes(status), `${strange.subarray(0, 40)}: ${status}`);
	}
	assert.equal(await received(name), before, 'nothing was kept');
	// Well signed, and no payment of anybody.
	for (const strange of [
		Buffer.from('{"type":"payment.approved","a":"\xff\xfe"}', 'latin1'), Buffer.from(`{"a":${'['.repeat(20000)}${']'.repeat(20000)}}`),
		Buffer.from('{"type":"nobody.knows","id":"evt_1","data":{"object":{}}}'), Buffer.from('[]'), Buffer.alloc(0), Buffer.from('{}{}'),
	]) {
		const { status } = await g.sim.deliver(payment, { ...g.sim.resign(note, strange), id: `evt_${Math.random().toString(36).slice(2)}`, once: true });
		assert.ok([200, 400, 401].includes(status), `${strange.subarray(0, 40)}: ${status}`);
	}
	await applied(name);
	assert.notEqual(await state(order), 'paid');
	assert.equal(await concluded(order), '');
	// The same payment, and it counts: once, however often it is said, under either secret.
	assert.equal(await send({}), 200, 'as it was');
	assert.equal(await send({}), 200, 'again');
	await until(async () => await state(order) === 'paid', { what: `${name}: paid` });
	const second = g.sim.resign({ ...note, secret: g.second, id: `${note.id}-2` }, (body) => body);
	assert.equal((await g.sim.deliver(payment, { ...second, once: true })).status, 200, 'under the new secret');
	assert.equal(await send({}), 200, 'replayed');
	await applied(name);
	assert.equal(await state(order), 'paid');
	assert.equal(await concluded(order), 'pay');
});

each('a signed word about another order, or none of ours, pays neither', async ({ name, g, reference }) => {
	const { order: one, payment } = await checkout(g);
	const other = await ordered(g);
	const [note] = await told(g.sim, payment, 'aprobar');
	// The session is open again there: the notification says more than is true.
	payment.state = 'pending';
	payment.captures = 0;
	delete payment.paidAt;
	const swap = (text) => JSON.parse(JSON.stringify(text).replaceAll(reference(one), reference(other)));
	const turned = { ...g.sim.resign(note, swap), id: `${note.id}-other`, once: true };
	assert.equal((await g.sim.deliver(payment, turned)).status, 200);
	const nobody = JSON.stringify(note.body).includes(reference(one)) ? reference('00000000-0000-4000-8000-000000000000') : '';
	const lost = { ...g.sim.resign(note, (body) => JSON.parse(JSON.stringify(body).replaceAll(reference(one), nobody))), id: `${note.id}-lost`, once: true };
	assert.equal((await g.sim.deliver(payment, lost)).status, 200);
	await applied(name);
	for (const order of [one, other]) {
		assert.notEqual(await state(order), 'paid');
		assert.equal(await concluded(order), '');
	}
});

each('four notifications in all 24 orders end in the same state, and one payment, whether its API answers meanwhile or not', async ({ name, g, four }) => {
	const begun = [];
	for (let n = 0; n < 24; n++) {
		const { order, payment } = await checkout(g);
		const notes = await told(g.sim, payment, ...four);
		assert.equal(notes.length, four.length);
		while (notes.length < 4) notes.push({ ...notes.at(-1), id: `${notes.at(-1).id}-${notes.length}` });
		begun.push({ order, payment, notes: permutations(notes)[n] });
	}
	const before = Number(await received(name));
	const send = async (some) => {
		for (const { payment, notes } of some) for (const note of notes) assert.equal((await g.sim.deliver(payment, note)).status, 200);
	};
	await send(begun.filter((_, n) => n % 2 === 0));
	await applied(name);
	g.sim.fail({ status: 503, times: Infinity });
	await send(begun.filter((_, n) => n % 2 === 1));
	const distinct = new Set(four).size > 1 ? 4 : 1;
	assert.equal(Number(await received(name)) - before, 24 * distinct, 'each is one event');
	assert.equal(Number(await waiting(name)), 12 * distinct, 'none is applied without an answer');
	g.sim.wellAgain();
	await applied(name);
	const ended = await stories(begun.map(({ order }) => order));
	assert.equal(ended.length, 24);
	for (const { state: its, verdicts } of ended) {
		assert.equal(its, 'paid');
		assert.equal(verdicts.split(' ').filter((verdict) => verdict === 'pay').length, 1, verdicts);
		assert.doesNotMatch(verdicts, /again|late|mismatch/);
	}
});

each('paid, disputed, won, given back there: each notification twice and in every order', async ({ name, g, disputes }) => {
	const orders = [];
	for (const n of [0, 3, 5]) {
		const { order, payment } = await checkout(g);
		await g.sim.act(payment, 'aprobar');
		await until(async () => await state(order) === 'paid', { what: `${name}: paid` });
		const notes = await told(g.sim, payment, ...(disputes ? ['disputa', 'disputa-ganada', 'devuelto'] : ['devuelto']));
		while (notes.length < 3) notes.push({ ...notes[0], id: `${notes[0].id}-${notes.length}` });
		for (const note of [...permutations(notes)[n], ...notes]) assert.equal((await g.sim.deliver(payment, note)).status, 200);
		orders.push(order);
	}
	await applied(name);
	for (const { state: its, verdicts } of await stories(orders)) assert.equal(its, 'refunded', verdicts);
}, ({ tells }) => tells.includes('devuelto'));

each('an API that is slow, down or busy, or whose answers are lost, loses nothing and makes nothing twice', async ({ name, g, keyed, reference }) => {
	const order = await ordered(g);
	const form = (await g.client.visit(`/orden/${order}`)).form(/\/pagar$/);
	g.sim.fail({ status: 503, times: 9 });
	assert.match((await form.submit({ pasarela: name })).text, /La página de pago no responde/);
	g.sim.wellAgain();
	const begun = () => [...g.sim.payments.values()].filter((p) => p.order === g.sim.ofOrder(reference(order)).order);
	// The gateway has made one, and nobody hears of it: asked again by its key it is the same; without keys nobody is shown the first.
	g.sim.fail({ lost: true, times: 1, when: ({ method }) => method === 'POST' });
	if (!keyed) assert.match((await form.submit({ pasarela: name })).text, /La página de pago no responde/);
	const { payment } = await checkout(g, order);
	assert.equal(begun().length, keyed ? 1 : 2, 'checkouts there');
	const [note] = await told(g.sim, payment, 'aprobar');
	// The question that the notification raises is answered at the third try: within one call, or at the event's next turn.
	g.sim.fail({ status: 429, times: 1, headers: { 'retry-after': '1' } });
	g.sim.fail({ drop: true, times: 1 });
	await g.sim.deliver(payment, note);
	await until(async () => await state(order) === 'paid', { what: `${name}: paid after failures` });
	await applied(name);
	assert.equal(await concluded(order), 'pay');
});

each('while its API is down, a signed amount pays, and nobody is paid by a hint; then the answer counts', async ({ name, g, amounts }) => {
	const { order, payment } = await checkout(g);
	const [note] = await told(g.sim, payment, 'aprobar');
	g.sim.fail({ status: 503, times: Infinity });
	const asked = g.sim.calls.length;
	assert.equal((await g.sim.deliver(payment, note)).status, 200);
	if (amounts) await until(async () => await state(order) === 'paid', { what: `${name}: paid by a signed word` });
	else await until(() => g.sim.calls.length >= asked + 3, { what: `${name}: asked in vain` });
	assert.equal(await state(order), amounts ? 'paid' : 'pending');
	// A gateway that rests when the notification comes is asked a second later.
	const asks = () => icert.ask(`select count(*) from icert.payment_question where purchase_id = '${order}' and (asker, answer) = ('clerk', 'unavailable')`);
	if (amounts) await until(async () => await asks() === '1', { what: `${name}: the question is kept` });
	assert.equal(await waiting(name), '1', 'it waits for the answer all the same');
	g.sim.wellAgain();
	await applied(name);
	assert.equal(await state(order), 'paid');
	assert.equal(await concluded(order), 'pay');
});

each('a signed word of another amount or currency, while the API is down, pays nothing; the answer does', async ({ name, g, cents, currency }) => {
	const { order, payment } = await checkout(g);
	const [note] = await told(g.sim, payment, 'aprobar');
	g.sim.fail({ status: 503, times: Infinity });
	for (const [n, [from, to]] of [cents, currency].entries()) {
		const body = note.body.replace(from, to).replace(/evt_\w+/, `$&${n}`);
		assert.notEqual(body.replace(/evt_\w+/, ''), note.body.replace(/evt_\w+/, ''));
		assert.equal((await g.sim.deliver(payment, { ...g.sim.resign(note, body), id: `${note.id}-${n}`, once: true })).status, 200);
	}
	await until(async () => await concluded(order) === 'mismatch', { what: `${name}: finance knows` });
	await until(async () => await icert.ask(`select min(tries) from icert.payment_event where gateway = '${name}' and applied_at is null`) !== '0', { what: `${name}: both were read` });
	assert.equal(await state(order), 'pending');
	g.sim.wellAgain();
	await applied(name);
	assert.equal(await state(order), 'paid');
	assert.equal(await concluded(order), 'mismatch pay');
}, ({ amounts }) => amounts);

each('money goes back once, though the answer about it is lost', async ({ name, g }) => {
	const { order, payment } = await checkout(g);
	await g.sim.act(payment, 'aprobar');
	await until(async () => await state(order) === 'paid', { what: `${name}: paid` });
	await applied(name);
	const asked = () => g.sim.calls.filter(({ method, path }) => method !== 'GET' && /refund|reverse/i.test(path));
	const before = asked().length;
	// Done there, and nobody hears of it.
	g.sim.fail({ lost: true, times: 1, when: ({ method, path }) => method !== 'GET' && /refund|reverse/i.test(path) });
	// What two people decided, as their pages leave it.
	const [finance, other] = ['finanzas', 'central'].map((login) => icert.staff(login).id);
	icert.sql(`set session_replication_role = replica; insert into icert.refund (id, purchase_id, payment_id, own, cents, currency, reason, words, state, requested_by, requested_at,
			decided_by, decided_at) select gen_random_uuid(), purchase_id, id, true, cents, currency, 'other', sha256('x'), 'confirmed', '${finance}', 1, '${other}', 1
			from icert.payment where purchase_id = '${order}' and verdict = 'pay';
		update icert.purchase set state = 'refunding' where id = '${order}'`);
	const refund = () => icert.ask(`select state from icert.refund where purchase_id = '${order}'`);
	await until(async () => {
		await icert.ask(`update icert.refund set next_try_at = 0 where purchase_id = '${order}' and state = 'confirmed'`);
		return await refund() !== 'confirmed';
	}, { what: `${name}: returned` });
	assert.equal(await refund(), 'done');
	assert.equal(payment.state, 'refunded');
	assert.equal(Object.keys(payment.refunds).length, 1, 'once there');
	const calls = asked().slice(before);
	const keys = new Set(calls.map(({ headers }) => headers['idempotency-key']));
	assert.equal(keys.size, 1, 'one refund is asked for');
	// Without a key a second one would be another: the question says that it went back.  With one it is asked for again, while it is on its way too.
	assert.ok(keys.has(undefined) ? calls.length === 1 : calls.length >= 2, `${name}: ${calls.map(({ path }) => path)}`);
	await until(async () => await state(order) === 'refunded', { what: `${name}: the order is` });
	await applied(name);
	assert.equal(await icert.ask(`select count(*) from icert.outbox where purchase_id = '${order}' and template = 'refunded'`), '1', 'told once');
});

/** A checkout of each gateway. */
const checkouts = () => Promise.all(Object.values(gateways).map(async (g) => ({ ...g, ...await checkout(g) })));

test("whoever is back from the gateway does not wait for the clerk's next question", async () => {
	const all = await checkouts();
	const asked = async (order) => Number(await icert.ask(`select coalesce(asked_at, 0) from icert.purchase where id = '${order}'`));
	icert.moveClock(icert.ahead + 200);
	for (const { name, order } of all) await until(async () => await asked(order) > 0, { what: `${name}: asked, and the next time in two minutes` });
	for (const { name, sim, payment, order, client } of all) {
		await told(sim, payment, 'callado');
		const before = await asked(order);
		await client.visit(`/orden/${order}/vuelta`);
		assert.equal(await asked(order), before, `${name}: half a minute must be over`);
	}
	icert.moveClock(icert.ahead + 31);
	for (const { order, client } of all) await client.visit(`/orden/${order}/vuelta`);
	for (const { name, order } of all) {
		await until(async () => await state(order) === 'paid', { what: `${name}: asked because the payer is back` });
		assert.equal(await concluded(order), 'pay', name);
	}
});

test('each question to a gateway is kept with its answer; the same answer again is one row', async () => {
	const all = await checkouts();
	const kept = async (order, what = "asker || ' ' || answer") =>
		icert.ask(`select string_agg(${what}, '\n' order by first_at, last_at) from icert.payment_question where purchase_id = '${order}'`);
	for (const g of all) for (let n = 0; n < 2; n++) await checkout(g, g.order);
	for (const { name, order } of all)
		assert.match(await kept(order, "concat_ws(' ', asker, answer, times, cents)"), /^portal pending 2( 3105)?$/m, name);
	for (const { sim } of all) sim.fail({ status: 503, times: Infinity });
	for (const { name, order, client } of all) {
		const page = await (await client.visit(`/orden/${order}`)).form(/\/pagar$/).submit({ pasarela: name });
		assert.equal(page.status, 503, name);
		assert.match(await kept(order), /^portal unavailable$/m, name);
	}
	for (const { sim, payment } of all) { sim.wellAgain(); await sim.act(payment, 'aprobar'); }
	for (const { name, order } of all) {
		await until(async () => await state(order) === 'paid', { what: `${name}: paid` });
		assert.match(await kept(order, "asker || ' ' || answer || ' ' || coalesce(cents, -1) || coalesce(currency, '')"), /^clerk approved 3105USD$/m, name);
		assert.equal(await icert.ask(`select count(*) from icert.payment_question where purchase_id = '${order}' and (ms > 30000 or last_at < first_at)`), '0', name);
		assert.equal(await icert.ask(`select p.xmin = q.xmin from icert.purchase p join icert.payment_question q on q.purchase_id = p.id
			where p.id = '${order}' and (q.asker, q.answer) = ('clerk', 'approved')`), 't', `${name}: in the transaction that pays, so that nobody waits for another`);
	}
});

test('an order is paid although the question about it cannot be kept', async () => {
	const { order, payment } = await checkout(gateways.standard);
	await icert.ask('revoke insert, update on icert.payment_question from icert_clerk');
	try {
		await gateways.standard.sim.act(payment, 'aprobar');
		await until(async () => await state(order) === 'paid', { what: 'paid' });
		assert.equal(await icert.ask(`select count(*) from icert.payment_question where purchase_id = '${order}'`), '0');
		assert.equal(await concluded(order), 'pay');
	} finally {
		await icert.ask('grant insert, update (last_at, times, ms) on icert.payment_question to icert_clerk');
	}
});

test('a notification that never comes is made up for by asking', async () => {
	const all = await checkouts();
	for (const { sim, payment } of all) {
		sim.mode = 'lose';
		await sim.act(payment, 'aprobar');
		sim.mode = 'send';
	}
	icert.moveClock(icert.ahead + 3600);
	for (const { name, order } of all) {
		await until(async () => await state(order) === 'paid', { what: `${name}: asked` });
		assert.equal(await concluded(order), 'pay', name);
	}
});

test('a gateway that is silent delays nobody who pays at another', async () => {
	const { placetopay, standard } = gateways;
	const all = [];
	for (let n = 0; n < 8; n++) all.push(await checkout(placetopay));
	const before = placetopay.sim.calls.length;
	// Each question would last five seconds.
	placetopay.sim.fail({ slow: 30_000, times: Infinity });
	icert.moveClock(icert.ahead + 300);
	await until(() => placetopay.sim.calls.length > before, { what: 'it is asked', every: 20 });
	const { order, payment } = await checkout(standard);
	await standard.sim.act(payment, 'aprobar');
	await until(async () => await state(order) === 'paid', { what: 'paid at the other' });
	const asked = placetopay.sim.calls.length - before;
	assert.ok(asked < all.length / 2, `${asked} questions before it`);
	placetopay.sim.wellAgain();
	await placetopay.sim.act(all[0].payment, 'aprobar');
	await until(async () => await state(all[0].order) === 'paid', { what: 'it answers again' });
});

each('what is paid is confirmed in time, by whoever comes first; what was not in time is not paid', async ({ g }) => {
	const { sim } = g;
	const asked = (payment) => sim.calls.filter((call) => call.path.endsWith(payment.id)).length;
	// The browser comes back, while notifications are lost and nobody asks of himself.
	const first = await checkout(g);
	sim.mode = 'lose';
	const back = await fetch(`${sim.base}/pago/${first.payment.id}/callado`, { method: 'POST', redirect: 'manual' });
	const home = new URL(back.headers.get('location'));
	await g.client.visit(home.pathname + home.search);
	assert.ok(first.payment.confirmed, 'by the return');
	// A notification, and no browser.
	sim.mode = 'send';
	const second = await checkout(g);
	await sim.act(second.payment, 'aprobar');
	await until(() => second.payment.confirmed, { what: 'confirmed by the notification' });
	// Neither, and paid in the last of the form's ten minutes: the clerk asks often enough until then.
	const third = await checkout(g);
	for (const s of [540, 130]) {
		const before = asked(third.payment), noted = () => icert.sql(`select coalesce(asked_at, 0) from icert.purchase where id = '${third.order}'`);
		const when = noted();
		if (s === 130) await sim.act(third.payment, 'callado');
		icert.moveClock(icert.ahead + s);
		await until(async () => await asked(third.payment) > before, { what: `asked again after ${s} s` });
		await until(() => noted() !== when, { what: 'and it is noted when' });	// before the clock goes on
	}
	await until(() => third.payment.confirmed, { what: 'confirmed by asking' });
	// Nobody in time.
	const { order, payment } = await checkout(g);
	const before = asked(payment);
	sim.windowMs = 0;
	await sim.act(payment, 'callado');
	icert.moveClock(icert.ahead + 600);
	await until(async () => await asked(payment) > before && payment.state === 'rejected', { what: 'asked too late' });
	sim.windowMs = 300_000;
	await until(async () => await icert.ask(`select count(*) from icert.payment where purchase_id = '${order}' and verdict = 'reject'`) === '1', { what: 'known as refused' });
	assert.equal(await state(order), 'pending');
	for (const { order: paid } of [first, second, third]) await until(async () => await state(paid) === 'paid', { what: 'paid' });
	// And may be paid in another form.
	const again = await checkout(g, order);
	assert.notEqual(again.payment.id, payment.id);
	await sim.act(again.payment, 'aprobar');
	await until(async () => await state(order) === 'paid', { what: 'paid at the second try' });
}, ({ confirms }) => confirms);

each("the return of somebody else's browser confirms nothing of another payment", async ({ g }) => {
	const [one, other] = [await checkout(g), await checkout(g)];
	await told(g.sim, one.payment, 'callado');
	await g.client.visit(`/orden/${other.order}/vuelta?id=${one.payment.transaction}&clientTransactionId=${one.payment.id}`);
	await g.client.visit(`/orden/${other.order}/vuelta?id=${one.payment.transaction}&clientTransactionId=${other.payment.id}`);
	await g.client.visit(`/orden/${one.order}/vuelta?id=x%0a1&clientTransactionId=${one.payment.id}`);
	assert.ok(!one.payment.confirmed);
	assert.notEqual(await state(other.order), 'paid');
	// Asked about, it is what it is.
	icert.moveClock(icert.ahead + 3600);
	await until(async () => await state(one.order) === 'paid', { what: 'asked about' });
}, ({ confirms }) => confirms);

each('asks with what it was configured with, and with nothing else', async ({ name }) => {
	const { sim, credentials } = gateways[name];
	const secrets = Object.entries(credentials).filter(([key]) => /secret|private|api_key|token|_key/.test(key)).map(([, value]) => value);
	for (const call of sim.calls) {
		assert.ok(secrets.every((secret) => !call.path.includes(secret) && !call.text.includes(secret)), call.path);
		assert.notEqual(call.status, 401);
	}
});

test('everything applied once more changes nothing', async () => {
	for (const name of Object.keys(traits)) await applied(name);
	const everything = () => icert.sql(`select string_agg(t::text, E'\\n' order by t::text) from (
		select id::text, state, version::text, coalesce(paid_at::text, '') from icert.purchase union all
		select gateway_payment, verdict, cents::text, at::text from icert.payment union all
		select id::text, template, dedup, '' from icert.outbox union all select id::text, state, '', '' from icert.refund) t`);
	const before = everything();
	const { code, stdout } = await icert.icertctl('payments', 'replay', '--from', '2020-01-01', '--seconds', '120');
	assert.equal(code, 0, stdout.slice(-500));
	assert.match(stdout, new RegExp(`${icert.sql('select count(*) from icert.payment_event')} notifications, applied again`));
	const known = new Set(before.split('\n'));
	assert.deepEqual(everything().split('\n').filter((line) => !known.delete(line)), [], 'what is new');
	assert.deepEqual([...known], [], 'what is gone');
});

test('a secret is changed with two valid at once: nothing is refused meanwhile, and the old one in the end', async () => {
	const put = (lines) => {
		for (const { name, ...g } of Object.values(gateways)) writeFileSync(join(icert.prefix, `etc/gateway-${name}.secret`), `${lines(g).join('\n')}\n`);
		return restart(icert, 'webhook');
	};
	const open = await checkouts();
	const notes = await Promise.all(open.map(async ({ sim, payment }) => (await told(sim, payment, 'aprobar'))[0]));
	/** How each gateway's notification is answered under that secret. */
	const answers = async (which) => {
		const all = await Promise.all(open.map(async (g, n) => (await g.sim.deliver(g.payment,
			{ ...g.sim.resign({ ...notes[n], secret: g[which], id: `${notes[n].id}-${which}` }, (body) => body), once: true })).status));
		return [...new Set(all)].join(' ');
	};
	// The new one beside the one in use; the gateway changes; the old line is taken out.
	await put(({ secret, third }) => [third, secret]);
	assert.equal(await answers('secret'), '200');
	assert.equal(await answers('third'), '200');
	assert.equal(await answers('second'), '401');
	for (const { sim, third } of Object.values(gateways)) sim.secret = third;
	// Who signs nothing has references that we make: with the new key from now on.
	edit(icert, 'gateway-payphone.credentials', [[`reference_key = ${gateways.payphone.secret}`, `reference_key = ${gateways.payphone.third}`]]);
	await restart(icert, 'portal');
	await put(({ third }) => [third]);
	assert.equal(await answers('third'), '200');
	assert.equal(await answers('secret'), '401');
	for (const { name } of open) await applied(name);
	for (const { order, name } of open) assert.equal(await state(order), 'paid', name);
});

test('"Pagar" in two tabs and at two gateways at once: one checkout is shown, and the order is paid once', async () => {
	const order = await ordered({ client });
	const form = (await client.visit(`/orden/${order}`)).form(/\/pagar$/);
	const names = ['stripe', 'standard'];
	// The first tab's gateway takes its time; the second tab is at its own before that answers.
	gateways.stripe.sim.fail({ times: 1, late: 1500, when: ({ method }) => method === 'POST' });
	const first = form.submit({ pasarela: 'stripe' });
	await until(() => gateways.stripe.sim.ofOrder(traits.stripe.reference(order)) !== undefined, { what: 'a checkout there' });
	const answers = [await form.submit({ pasarela: 'standard' }), await first];
	const [name, id] = icert.sql(`select gateway || ' ' || gateway_payment from icert.purchase where id = '${order}'`).split(' ');
	const ways = new Set(answers.map((page) => page.link(/Ir a la página/)));
	assert.equal(ways.size, 1, [...ways].join());
	assert.ok([...ways][0].startsWith(gateways[name].sim.base), 'of the gateway that the order is with');
	await gateways[name].sim.act(gateways[name].sim.ofOrder(traits[name].reference(order)), 'aprobar');
	await until(async () => await state(order) === 'paid', { what: 'paid' });
	assert.equal(await concluded(order), 'pay');
	assert.equal(icert.sql(`select gateway_payment from icert.purchase where id = '${order}'`), id);
	// The other tab's form, and the back button.
	assert.equal((await form.submit({ pasarela: names.find((other) => other !== name) })).path, `/orden/${order}`);
});

test('who paid gets one mail an order, and nothing secret stands in a log', () => {
	const paid = icert.sql("select count(*) from icert.purchase where paid_at is not null");
	assert.equal(icert.sql("select count(*) from icert.outbox where template = 'payment_received'"), paid);
	const logs = icert.logs(100000);
	for (const { secret, second, third, credentials } of Object.values(gateways)) {
		for (const text of [secret, second, third, ...Object.entries(credentials).filter(([key]) => /secret|private|api_key|token|_key/.test(key)).map(([, value]) => value)]) assert.ok(!logs.includes(text));
	}
});

test('what a gateway without a list gave back, or has in dispute, and never told of, is found when the day is over', async () => {
	const wanted = [];
	for (const name of Object.keys(traits).filter((one) => traits[one].list === false)) {
		const { sim } = gateways[name];
		for (const [act, kind, only] of [['devuelto', 'refunded_there'], ['disputa', 'disputed_there', 'disputes'], ['parte', 'refunded_there', 'parts']]) {
			if (only && !traits[name][only]) continue;
			const { order, payment } = await checkout(gateways[name]);
			await sim.act(payment, 'aprobar');
			await until(async () => await state(order) === 'paid', { what: `${name}: paid` });
			sim.mode = 'lose';
			await sim.act(payment, act);
			sim.mode = 'send';
			wanted.push(`${name} ${kind} ${order}`);
		}
	}
	assert.equal(wanted.length, 5);
	icert.moveClock(icert.ahead + 86400);
	await until(async () => {
		const found = (await icert.ask("select gateway || ' ' || kind || ' ' || purchase_id from icert.difference")).split('\n');
		return wanted.every((one) => found.includes(one));
	}, { what: 'the differences' });
});
