#ifndef ICERT_PROCEDURE_RECEIVED_H
#define ICERT_PROCEDURE_RECEIVED_H
/*
 * SQL: whether a conclusion y of icert.payment stands for money of its own.  One payment of a gateway may be concluded more than once: another amount by
 * its notification and the right one when the gateway was asked; for no order of ours first, late then.  What it paid, or is too
 * much beside what it paid (captured twice), stands; the rest gives way to what is surer.
 */
#define RECEIVED(y) \
	" not exists (select from icert.payment surer where surer.gateway = " y ".gateway and surer.gateway_payment = " y ".gateway_payment" \
	" and surer.verdict = any (case " y ".verdict when 'late' then array['pay'] when 'mismatch' then array['pay', 'again', 'late']" \
	" when 'strange' then array['pay', 'again', 'late', 'mismatch'] else array[]::text[] end))"

#endif
