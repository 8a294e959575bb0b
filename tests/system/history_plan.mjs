// What happens in a history of payments, decided by the seed alone before any of it is done: no answer, and no moment at which one comes,
// changes what is drawn.  So a seed repeats its history, as far as programs can repeat theirs.
import { random } from '../lib/processes.mjs';

// What may happen to a payment in the world, by how it is there; and how it is then.
const world = {
	pending: {
		aprobar: 'approved', rechazar: 'rejected', pendiente: 'checking', callado: 'approved', doble: 'approved', 'otro-valor': 'approved',
		repetido: 'approved', caducar: 'expired',
	},
	checking: { aprobar: 'approved', rechazar: 'rejected', callado: 'approved' },
	approved: { disputa: 'disputed', devuelto: 'refunded', repetido: 'approved', nothing: 'approved' },
	disputed: { 'disputa-ganada': 'approved', 'disputa-perdida': 'refunded', nothing: 'disputed' },
};

/** Where a program is killed while it has a notification in hand, and which; all of them in each history. */
export const steps = [
	'storing', 'storing: parent', 'storing: postgres', 'taking', 'asking', 'applying', 'applying: parent', 'applying: postgres', 'marking', 'stored',
];

/** How two people's refund goes: as it should; the clerk, or PostgreSQL, killed when the gateway has done it; its answer lost; refused at
 *  first; given back there, or in dispute there, before the second person confirms; the gateway down for a while. */
export const refunds = ['killed', 'well', 'raced', 'killed: postgres', 'lost', 'refused', 'disputed', 'down'];

const victims = ['clerk/child', 'webhook/child', 'clerk', 'webhook', 'postgres/child', 'postgres'];
const gone = (state) => ['rejected', 'expired'].includes(state);

/** orders: how many; acts: how many things happen; refunded: how many refunds are asked for here; transferred: how many orders are paid
 *  by transfer, whatever becomes of their pages at the gateway.  A list of { op, order, … }. */
export function plan({ seed, orders, acts, refunded, transferred }) {
	const rnd = random(seed);
	const below = (n) => Math.floor(rnd() * n);
	const pick = (list) => list[below(list.length)];
	const states = Array(orders).fill('pending');
	const list = Array.from({ length: orders }, (_, order) => ({ op: 'checkout', order }));
	const crashes = steps.map((step) => ({ op: 'crash', step }));
	const middle = [];
	const byTransfer = new Set();
	const act = (order) => {
		if (gone(states[order])) {
			states[order] = 'pending';
			middle.push({ op: 'checkout', order });
		}
		if (!world[states[order]]) return;
		const act = pick(Object.keys(world[states[order]]));
		states[order] = world[states[order]][act];
		if (act !== 'nothing') middle.push({ op: 'act', order, act });
	};
	const deliver = () => {
		const at = rnd(), fate = rnd();
		if (fate < 0.12) return { op: 'lose', at };
		if (fate < 0.25) return { op: 'deliver', at, fail: pick([500, 503, 429]) };
		if (fate < 0.4) return { op: 'deliver', at, times: 3 };
		if (fate < 0.6) return { op: 'deliver', at, beside: pick(victims) };
		return { op: 'deliver', at, times: 1 };
	};
	// Two people give back what is paid by then; an order that nobody has decided about is paid for that.
	const refund = (n) => {
		const paid = states.flatMap((state, order) => (state === 'approved' && !byTransfer.has(order) ? [order] : []));
		const order = paid.length > 0 ? pick(paid) : states.findIndex((state, one) => ['pending', 'checking'].includes(state) && !byTransfer.has(one));
		if (order < 0) return;
		if (paid.length === 0) middle.push({ op: 'act', order, act: 'aprobar' });
		states[order] = 'refunded';
		middle.push({ op: 'refund', order, how: refunds[n % refunds.length], end: pick(['disputa-ganada', 'disputa-perdida']) });
		// The bank may want it too.
		if (rnd() < 0.5) middle.push({ op: 'late_dispute', order, end: pick(['disputa-ganada', 'disputa-perdida', '']) });
	};
	// Somebody with the gateway's page open goes to the bank, and may press there afterwards.
	const transfer = () => {
		const open = states.flatMap((state, order) => (!['approved', 'refunded', 'disputed'].includes(state) && !byTransfer.has(order) ? [order] : []));
		if (open.length === 0) return;
		const order = pick(open);
		byTransfer.add(order);
		middle.push({ op: 'transfer', order });
		if (rnd() < 0.7) act(order);
	};
	for (let i = 0, n = 0, m = 0; i < acts; i++) {
		while (m < transferred && i >= (m + 0.5) * acts / (transferred + 1)) m++, transfer();
		while (n < refunded && i >= (n + 1) * acts / (refunded + 1)) refund(n++);
		act(below(orders));
		if (rnd() < 0.7) middle.push(deliver());
		if (rnd() < 0.25) middle.push({ op: 'application', order: below(orders) });
	}
	// Kills at each step, anywhere in between.
	for (const crash of crashes) middle.splice(below(middle.length + 1), 0, { ...crash, at: rnd() });
	return [...list, ...middle];
}
