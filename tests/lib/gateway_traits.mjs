const same = (order) => order;
const all = ['aprobar', 'rechazar', 'devuelto'];
const disputed = ['pendiente', 'aprobar', 'disputa', 'disputa-ganada'];
const refused = ['rechazar', 'rechazar', 'rechazar', 'aprobar'];

/**
 * What each gateway signs, tells and knows, as docs/gateways.md says of it.
 *
 * signed     what carries the signature: 'header', 'body', or 'nothing' (then the reference alone shows that it was meant for us)
 * covered    changes of the body, one way and no other, that the signature has to show
 * timed      time is under it
 * amounts    so is the amount
 * disputes   its API knows of them
 * tells      what of these it notifies
 * four       what four notifications tell of that are no repeats (it has no more kinds of them)
 * confirms   a payment is given back by itself when nobody confirms it
 * keyed      a checkout that is asked for again is the same one
 * cents, currency   other ones in a notification
 * parts      a part may be given back there, and nobody tells
 * list       false where it has none, and the day is asked payment by payment
 * reference  what it calls an order
 */
export const traits = {
	standard: { signed: 'header', four: disputed, disputes: true, timed: true, amounts: true, keyed: true, cents: ['31.05', '31.04'], currency: ['USD', 'EUR'], tells: all, reference: same },
	placetopay: {
		signed: 'body', four: refused, timed: false, amounts: false, list: false, tells: all, reference: (order) => order.replaceAll('-', ''),
		covered: {
			'no signature': [/"signature":"[^"]*"/, '"x":1'], 'a cut signature': [/("signature":"[^"]{20})[^"]*"/, '$1"'], 'a changed state': ['APPROVED', 'REJECTED'],
			'a changed session': [/"requestId":(\d+)/, (_, id) => `"requestId":${Number(id) + 1}`],
		},
	},
	stripe: { signed: 'header', four: disputed, disputes: true, timed: true, amounts: true, keyed: true, cents: ['"amount_total":3105', '"amount_total":3104'], currency: ['usd', 'eur'], tells: all, reference: same },
	kushki: { signed: 'header', four: refused, timed: true, amounts: true, keyed: true, cents: ['31.05', '31.04'], currency: ['USD', 'EUR'], tells: all, reference: same },
	payphone: {
		signed: 'nothing', four: ['aprobar'], timed: false, amounts: false, list: false, keyed: true, tells: ['aprobar'], confirms: true, reference: same,
		covered: {
			'no reference': [/"ClientTransactionId":"[^"]*"/, '"x":1'], 'a cut reference': [/("ClientTransactionId":"[^"]{10})[^"]*"/, '$1"'],
			'a changed reference': [/("ClientTransactionId":"[^"]{9})(.)/, (_, head, last) => `${head}${last === '0' ? '1' : '0'}`],
			'a reference of nobody': [/("ClientTransactionId":")[^"]*"/, '$1000000000000000"'], 'a state that there is not': ['"StatusCode":3', '"StatusCode":4'],
		},
	},
	nuvei: {
		signed: 'body', four: disputed, disputes: true, parts: true, list: false, timed: false, amounts: false, tells: all, reference: (order) => order.replaceAll('-', ''),
		covered: {
			'no signature': [/"stoken":"[^"]*"/, '"x":1'], 'a cut signature': [/("stoken":"[^"]{20})[^"]*"/, '$1"'], 'a longer signature': [/("stoken":"[^"]*)"/, '$100"'],
			'another transaction': [/"id":"CB-(\d+)"/, (_, id) => `"id":"CB-${Number(id) + 1}"`], 'another user': [/("user":\{"id":")(.)/, (_, head, c) => `${head}${c === '0' ? '1' : '0'}`],
			'another application': ['-SERVER', '-CLIENT'], 'the same octets, divided in another way': [/("id":"CB-\d+)"/, '$1_ICERT"'],
		},
	},
};
