-- Money given back: finance asks, another person confirms, the clerk has the gateway do it.  Disputes, as gateways report them.
set role icert_owner;

create table icert.refund (
	id uuid primary key,			-- also the idempotency key at the gateway
	purchase_id uuid not null references icert.purchase,
	payment_id uuid not null references icert.payment,	-- the conclusion that it is about
	own boolean not null,			-- the order's own money, and no second or late payment
	cents bigint not null check (cents > 0),
	currency text not null check (currency ~ '^[A-Z]{3}$'),
	reason text not null check (reason in ('authority_fault', 'again', 'late', 'mismatch', 'other')),
	words icert.sealed not null,		-- under the order's key
	state text not null default 'open' check (state in ('open', 'confirmed', 'withdrawn', 'done', 'failed')),
	requested_by uuid not null references icert.staff,
	requested_at icert.instant not null,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	tries integer not null default 0,
	next_try_at icert.instant not null default 0,	-- real time
	gateway_refund text not null default '',
	outcome text not null default '',	-- a code, when it failed
	ended_at icert.instant,
	check ((state = 'open') = (decided_by is null)),
	check ((decided_by is null) = (decided_at is null)),
	check (state in ('open', 'withdrawn') or decided_by <> requested_by),
	check ((state in ('done', 'failed')) = (ended_at is not null))
);
-- No money is given back twice.
create unique index refund_living on icert.refund (payment_id) where state in ('open', 'confirmed', 'done');
create index on icert.refund (purchase_id);
create index refund_due on icert.refund (next_try_at) where state = 'confirmed';

alter table icert.refund enable row level security;
alter table icert.refund force row level security;
grant select, insert on icert.refund to icert_desk;
grant update (state, decided_by, decided_at) on icert.refund to icert_desk;
create policy desk_select on icert.refund for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_insert on icert.refund for insert to icert_desk
	with check (state = 'open' and tries = 0 and requested_by = (select icert.me_staff()) and (select icert.me_has('finance'))
		and exists (select from icert.payment y where y.id = payment_id and y.purchase_id = refund.purchase_id
			and y.cents = refund.cents and y.currency = refund.currency));
create policy desk_update on icert.refund for update to icert_desk
	using (state = 'open' and (select icert.me_has('finance', 'national')))
	with check (decided_by = (select icert.me_staff()) and
		(state = 'withdrawn' or (state = 'confirmed' and icert.other_person(requested_by))));

grant select on icert.refund to icert_clerk;
grant update (state, tries, next_try_at, gateway_refund, outcome, ended_at) on icert.refund to icert_clerk;
create policy clerk on icert.refund to icert_clerk using (state in ('confirmed', 'done', 'failed'))
	with check (state in ('confirmed', 'done', 'failed'));
reset role;

insert into icert.transition (machine, from_state, to_state, program) values
	('purchase', 'paid', 'disputed', 'icert_clerk'),
	('purchase', 'used', 'disputed', 'icert_clerk'),
	('purchase', 'disputed', 'paid', 'icert_clerk'),
	('purchase', 'disputed', 'used', 'icert_clerk'),
	('purchase', 'disputed', 'refunded', 'icert_clerk');
