-- Notifications applied once more by the administrator; keys of old ones destroyed.
set role icert_owner;

-- One row an event and a request.  The clerk does it; icertctl waits for what it says.
create table icert.payment_replay (
	id uuid primary key,
	run uuid not null,			-- of one request
	gateway text not null,
	event_id text not null,
	rehearsal boolean not null,		-- only tell what would be done
	asked_at icert.instant not null,	-- real time, like all of these
	tries integer not null default 0,
	next_try_at icert.instant not null default 0,
	done_at icert.instant,
	verdict text,
	purchase_id uuid references icert.purchase,
	order_state text,			-- after it
	foreign key (gateway, event_id) references icert.payment_event,
	check ((done_at is null) = (verdict is null))
);
create index on icert.payment_replay (next_try_at) where done_at is null;
create index on icert.payment_replay (run);

alter table icert.payment_replay enable row level security;
alter table icert.payment_replay force row level security;
grant select, insert on icert.payment_replay to icert_admin;
create policy admin_select on icert.payment_replay for select to icert_admin using (true);
create policy admin_insert on icert.payment_replay for insert to icert_admin with check (done_at is null and tries = 0);
grant select on icert.payment_replay to icert_clerk;
grant update (tries, next_try_at, done_at, verdict, purchase_id, order_state) on icert.payment_replay to icert_clerk;
create policy clerk on icert.payment_replay to icert_clerk using (true) with check (true);

-- The administrator sees what became of which event, and of whose order nothing but its number.
grant select (gateway, event_id, received_at, key_id, applied_at, verdict, tries, next_try_at, purchase_id) on icert.payment_event to icert_admin;
create policy admin on icert.payment_event for select to icert_admin using (true);
grant select (id, number, state, state_since, total, currency, gateway, gateway_payment, created_at, expires_at, paid_at, asked_at)
	on icert.purchase to icert_admin;
create policy admin on icert.purchase for select to icert_admin using (true);
grant select on icert.payment to icert_admin;
create policy admin on icert.payment for select to icert_admin using (true);
grant select (id, purchase_id, cents, currency, reason, state, requested_at, tries, gateway_refund, outcome, ended_at) on icert.refund to icert_admin;
create policy admin on icert.refund for select to icert_admin using (true);

-- A month's key is destroyed for good, and no other key.
grant update (wrapped) on icert.data_key to icert_clerk;
create policy clerk_destroys on icert.data_key as restrictive for update to icert_clerk
	using (kind = 'payments-month') with check (kind = 'payments-month' and destroyed_at is not null and wrapped = '');
reset role;
