// The slow senders of slow_senders, in a thread of their own: what they cost here is not the honest one's.
import { parentPort, workerData } from 'node:worker_threads';
import { randomBytes } from 'node:crypto';
import { alive, begin } from './floods.mjs';

const { icert, person, first, senders, slice, length, period } = workerData;
const STEP = 20;	// ms
const sockets = await begin(icert, person, senders, slice, length, first);
const octets = randomBytes(slice);
let at = 0, due = 0;
const timer = setInterval(() => {
	for (due += senders * STEP / period; due >= 1; due--) sockets[at++ % senders].write(octets);
}, STEP);
parentPort.postMessage('begun');
parentPort.once('message', () => {
	clearInterval(timer);
	alive(sockets);
	for (const socket of sockets) socket.destroy();
});
