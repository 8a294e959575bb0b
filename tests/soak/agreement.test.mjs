// OCSP and the CRL agree within a minute, for as long as it is asked for: SOAK_ROUNDS batches of certificates that come and go.
import { after, before, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { issuerOf } from '../lib/ocsp.mjs';
import { agreement } from '../system/agreement.mjs';

const rounds = Number(process.env.SOAK_ROUNDS ?? 60);
const seed = Number(process.env.AGREEMENT_SEED ?? Date.now() % 1e9);
let icert;
before(async () => { icert = await startInstance(); });
after(() => icert?.stop());

test(`answers and list agree, seed ${seed}`, () => agreement({ icert, issuer: issuerOf(readFileSync(icert.files.issuer)), rounds, seed }));
