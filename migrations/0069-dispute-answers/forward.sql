-- A dispute that stops no order, because its money went back before or was too much: it waits until finance has answered it.
set role icert_owner;
create table icert.dispute (
	payment_id uuid primary key references icert.payment,	-- the conclusion "disputed"
	purchase_id uuid not null references icert.purchase,
	returned boolean not null,		-- the money had gone back before: the bank takes it a second time
	state text not null default 'open' check (state in ('open', 'answered', 'ended')),
	opened_at icert.instant not null,
	answered_by uuid references icert.staff,
	answered_at icert.instant,
	check ((answered_by is null) = (answered_at is null)),
	check (state <> 'answered' or answered_by is not null)
);
create index on icert.dispute (purchase_id);
create index dispute_open on icert.dispute (opened_at) where state = 'open';
alter table icert.dispute enable row level security;
alter table icert.dispute force row level security;
grant select, insert on icert.dispute to icert_clerk;
grant update (state, returned, opened_at, answered_by, answered_at) on icert.dispute to icert_clerk;
create policy clerk on icert.dispute to icert_clerk using (true) with check (true);
grant select on icert.dispute to icert_desk;
grant update (state, answered_by, answered_at) on icert.dispute to icert_desk;
create policy desk_select on icert.dispute for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_update on icert.dispute for update to icert_desk
	using (state = 'open' and (select icert.me_has('finance')))
	with check (state = 'answered' and answered_by = (select icert.me_staff()));

-- The payer's page says what was given back.
grant select (payment_id, purchase_id, state) on icert.refund to icert_portal;
create policy portal on icert.refund for select to icert_portal
	using (exists (select from icert.purchase p where p.id = purchase_id));
grant select (id) on icert.payment to icert_portal;
grant select (id) on icert.bank_line to icert_portal;
reset role;
