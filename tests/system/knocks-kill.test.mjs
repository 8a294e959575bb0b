// Kill -9 of each process in turn, at random moments, while ten applicants are
// under way: all ten finish, nothing is lost or doubled.  KILL_SEED=n repeats a run;
// `make soak` does the same for many rounds.
import { killing } from './killing.mjs';

const { KILL_SEED: seed = Date.now() % 1e9, KILL_ROUNDS: rounds = 1, KILL_APART_MS: apart = 600 } = process.env;

killing(Number(seed), Number(rounds), Number(apart));
