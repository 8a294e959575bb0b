// Paired rounds: ours and the reference turn about, so that whatever else the machine does falls on both; and the
// reference against itself, which shows how far apart two equal things come out here.

const RESAMPLES = 10_000;
const SEED = 0x1ce47;

/** Pairs of every ratio figure; fewer than these are for a first look and reach no bar. */
export const ROUNDS_NEEDED = 15;
export const ROUNDS = Number(process.env.ROUNDS ?? ROUNDS_NEEDED);

const sorted = (values) => [...values].sort((a, b) => a - b);

export function median(values) {
	const s = sorted(values);
	const half = s.length >> 1;
	return s.length % 2 ? s[half] : (s[half - 1] + s[half]) / 2;
}

// Marsaglia's xorshift: the same numbers give the same interval.
function generator(state) {
	return () => {
		state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
		return (state >>> 0) / 2 ** 32;
	};
}

/** The 95 % interval of the median: percentile bootstrap over the pairs. */
export function interval(values) {
	const random = generator(SEED);
	const medians = Array.from({ length: RESAMPLES }, () => median(values.map(() => values[Math.floor(random() * values.length)])));
	const s = sorted(medians);
	return { low: s[Math.floor(0.025 * RESAMPLES)], high: s[Math.ceil(0.975 * RESAMPLES) - 1] };
}

const summary = (ratios) => ({ ratio: median(ratios), ...interval(ratios) });

/**
 * Measures { ours, reference } — async functions, each of one short run, that resolve to a figure where more is
 * better — in `rounds` rounds of ours, the reference and the reference again, in an order that changes from round to
 * round.  Resolves to { ours, reference, ratio, low, high, control: { ratio, low, high } }.
 */
export async function pairs({ ours, reference, rounds = ROUNDS, say = () => {} }) {
	const orders = [['ours', 'reference', 'again'], ['reference', 'ours', 'again'], ['reference', 'again', 'ours']];
	const run = { ours, reference, again: reference };
	const figures = { ours: [], reference: [], again: [] };
	for (const who of ['reference', 'ours']) await run[who]();	// caches and branch predictors, once
	for (let round = 0; round < rounds; round++) {
		for (const who of orders[round % orders.length]) figures[who].push(await run[who]());
		say(round + 1, Object.fromEntries(Object.entries(figures).map(([who, all]) => [who, all.at(-1)])));
	}
	const each = (a, b) => figures[a].map((value, i) => value / figures[b][i]);
	return {
		ours: median(figures.ours), reference: median([...figures.reference, ...figures.again]),
		// The pair is ours with the mean of the two runs beside it.
		...summary(figures.ours.map((value, i) => 2 * value / (figures.reference[i] + figures.again[i]))),
		control: summary(each('reference', 'again')),
	};
}
