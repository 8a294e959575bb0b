// How long a person waits for `icertctl up`: the first time, with the CA's ceremony and everything made, and later ones.
import { Instance, freePortBase, newFolder } from '../lib/instance.mjs';
import { join } from 'node:path';
import { median } from './pairs.mjs';

const TIMES = 5;

async function took(what) {
	const began = Date.now();
	await what();
	return (Date.now() - began) / 1000;
}

const fresh = async () => {
	const folder = newFolder();
	return new Instance(join(folder, 'instance'), await freePortBase(), folder);
};

async function first({ say }) {
	const seconds = [];
	for (let n = 1; n <= TIMES; n++) {
		const icert = await fresh();
		try {
			seconds.push(await took(() => icert.up()));
		} finally {
			await icert.stop();
		}
		say(n, { ours: seconds.at(-1) });
	}
	return { ours: median(seconds) };
}

async function later({ say }) {
	const icert = await fresh();
	try {
		const seconds = [];
		await icert.up();
		for (let n = 1; n <= TIMES; n++) {
			await icert.down();
			seconds.push(await took(() => icert.up()));
			say(n, { ours: seconds.at(-1) });
		}
		return { ours: median(seconds) };
	} finally {
		await icert.stop();
	}
}

export const firstStart = { name: 'first_start', unit: 's', most: 30, run: first };
export const laterStart = { name: 'later_start', unit: 's', most: 5, run: later };
