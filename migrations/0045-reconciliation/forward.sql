-- Each day's payments as every gateway lists them, against ours: what differs waits for finance.
set role icert_owner;

create table icert.reconciliation (
	gateway text not null check (length(gateway) < 24),
	day date not null,			-- of Ecuador's mainland
	state text not null default 'open' check (state in ('open', 'done')),
	payments integer not null default 0,	-- that the gateway listed
	tries integer not null default 0,
	next_try_at icert.instant not null default 0,	-- real time
	outcome text not null default '',	-- a code, while the gateway gives no list
	ended_at icert.instant,
	primary key (gateway, day),
	check ((state = 'done') = (ended_at is not null))
);
create index reconciliation_due on icert.reconciliation (next_try_at) where state = 'open';

create table icert.difference (
	id uuid primary key default gen_random_uuid(),
	gateway text not null,
	day date not null,
	payment text not null check (length(payment) < 128),	-- its id at the gateway
	kind text not null check (kind in ('paid_there', 'paid_here', 'amount', 'refunded_there', 'disputed_there')),
	purchase_id uuid references icert.purchase,
	here bigint,				-- cents
	there bigint,
	state text not null default 'open' check (state in ('open', 'ask', 'solved', 'explained')),
	reason text not null default '' check (reason in ('', 'delay', 'by_hand', 'gateway', 'trial', 'other')),
	verdict text not null default '',	-- of the last question
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	unique (gateway, payment, kind),
	foreign key (gateway, day) references icert.reconciliation,
	check ((state = 'explained') = (reason <> '')),
	check (state = 'open' or state = 'solved' or decided_by is not null)
);
create index difference_waits on icert.difference (day) where state in ('open', 'ask');
create index on icert.difference (purchase_id) where purchase_id is not null;
create index on icert.difference (gateway, day);
create index payment_day on icert.payment (gateway, at);

alter table icert.reconciliation enable row level security;
alter table icert.reconciliation force row level security;
alter table icert.difference enable row level security;
alter table icert.difference force row level security;
grant select, insert on icert.reconciliation, icert.difference to icert_clerk;
grant update (state, payments, tries, next_try_at, outcome, ended_at) on icert.reconciliation to icert_clerk;
grant update (state, verdict) on icert.difference to icert_clerk;
create policy clerk on icert.reconciliation to icert_clerk using (true) with check (true);
create policy clerk on icert.difference to icert_clerk using (true) with check (state in ('open', 'solved'));
grant select on icert.reconciliation, icert.difference to icert_desk;
grant update (state, reason, decided_by, decided_at) on icert.difference to icert_desk;
create policy desk on icert.reconciliation for select to icert_desk using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_select on icert.difference for select to icert_desk using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_update on icert.difference for update to icert_desk
	using (state = 'open' and (select icert.me_has('finance')))
	with check (state in ('ask', 'explained') and decided_by = (select icert.me_staff()));
reset role;
