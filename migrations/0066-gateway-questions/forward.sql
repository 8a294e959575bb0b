-- What a gateway was asked about an order's payment, and what it answered: part of the order's story.
set role icert_owner;

-- The same answer to the same asker, again and again, is one row: a gateway that is out for a day writes one.
create table icert.payment_question (
	id uuid primary key default gen_random_uuid(),
	purchase_id uuid not null references icert.purchase,
	gateway text not null,
	gateway_payment text not null,
	asker text not null check (asker in ('clerk', 'portal', 'reconciliation', 'refund')),
	answer text not null,			-- a state of the payment, or why there was none
	cents bigint check (cents >= 0),	-- null: not stated
	refunded bigint check (refunded >= 0),
	currency text,
	first_at icert.instant not null,	-- real time
	last_at icert.instant not null,
	times integer not null default 1,
	ms integer not null,			-- that the last one took
	check (times > 0 and ms >= 0 and last_at >= first_at)
);
create index on icert.payment_question (purchase_id, last_at desc);

alter table icert.payment_question enable row level security;
alter table icert.payment_question force row level security;
grant select, insert, update (last_at, times, ms) on icert.payment_question to icert_clerk;
create policy clerk on icert.payment_question to icert_clerk using (true) with check (true);
-- Whoever pays has the portal ask about their own order.
grant select, insert, update (last_at, times, ms) on icert.payment_question to icert_portal;
create policy portal on icert.payment_question to icert_portal
	using (asker = 'portal' and exists (select from icert.purchase p where p.id = purchase_id))
	with check (asker = 'portal' and exists (select from icert.purchase p where p.id = purchase_id));
grant select on icert.payment_question to icert_desk;
create policy desk on icert.payment_question for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
reset role;
