-- Deposits and transfers: where they are made, what the bank's statements say, and which line two people take as whose payment.
set role icert_owner;

-- An account counts once another administrator has confirmed it; a row is never rewritten.
create table icert.bank_account (
	id uuid primary key,
	province smallint references icert.province,	-- NULL: of the whole country
	bank text not null check (length(bank) between 2 and 80),
	kind text not null check (kind in ('savings', 'current')),
	number text not null check (number ~ '^[0-9]{6,20}$'),
	holder text not null check (length(holder) between 2 and 120),
	holder_id text not null check (holder_id ~ '^[0-9]{10}([0-9]{3})?$'),	-- cédula or RUC
	state text not null default 'open' check (state in ('open', 'confirmed', 'withdrawn', 'closed')),
	requested_by uuid not null references icert.staff,
	requested_at icert.instant not null,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	check ((state = 'open') = (decided_by is null)),
	check ((decided_by is null) = (decided_at is null)),
	check (state <> 'confirmed' or decided_by <> requested_by)
);
create unique index bank_account_living on icert.bank_account (bank, number, coalesce(province, 0)) where state in ('open', 'confirmed');

create table icert.bank_import (
	id uuid primary key,
	account_id uuid not null references icert.bank_account,
	profile text not null,
	sha256 bytea not null check (length(sha256) = 32),	-- of the file as it came
	lines integer not null,			-- credits in it
	known integer not null,			-- of these, there from an earlier import
	imported_by uuid not null references icert.staff,
	imported_at icert.instant not null
);

-- One credit.  What the bank wrote about it is read for the order's number at the import and not kept: it names people.
create table icert.bank_line (
	id uuid primary key,			-- also the payment's id, at the gateway "transfer"
	import_id uuid not null references icert.bank_import,
	digest bytea not null unique check (length(digest) = 32),	-- account, day, cents, texts, and which of equal ones
	day date not null,
	cents bigint not null check (cents > 0),
	reference text not null check (length(reference) <= 64),	-- the bank's number of it
	number text not null default '',	-- of the order that it seems to name
	state text not null default 'new' check (state in ('new', 'confirmed', 'applied', 'other')),
	purchase_id uuid references icert.purchase,
	imported_by uuid not null references icert.staff,
	decided_by uuid references icert.staff,
	decided_at icert.instant,
	verdict text not null default '',	-- what the clerk concluded
	check ((state = 'new') = (decided_by is null)),
	check ((decided_by is null) = (decided_at is null)),
	check ((state in ('confirmed', 'applied')) = (purchase_id is not null)),
	check (state not in ('confirmed', 'applied') or decided_by <> imported_by)
);
create index bank_line_waits on icert.bank_line (day) where state in ('new', 'confirmed');
create index on icert.bank_line (purchase_id) where purchase_id is not null;
create index on icert.bank_line (import_id);

alter table icert.bank_account enable row level security;
alter table icert.bank_account force row level security;
alter table icert.bank_import enable row level security;
alter table icert.bank_import force row level security;
alter table icert.bank_line enable row level security;
alter table icert.bank_line force row level security;

grant select, insert on icert.bank_account to icert_desk;
grant update (state, decided_by, decided_at) on icert.bank_account to icert_desk;
create policy desk_select on icert.bank_account for select to icert_desk
	using ((select icert.me_has('administrator', 'finance', 'national', 'auditor')));
create policy desk_insert on icert.bank_account for insert to icert_desk
	with check (state = 'open' and requested_by = (select icert.me_staff()) and (select icert.me_has('administrator')));
create policy desk_update on icert.bank_account for update to icert_desk
	using (state in ('open', 'confirmed') and (select icert.me_has('administrator')))
	with check (decided_by = (select icert.me_staff()) and
		(state in ('withdrawn', 'closed') or (state = 'confirmed' and icert.other_person(requested_by))));
grant select (id, province, bank, kind, number, holder, holder_id, state) on icert.bank_account to icert_portal;
create policy portal on icert.bank_account for select to icert_portal using (state = 'confirmed');

grant select, insert on icert.bank_import to icert_desk;
create policy desk_select on icert.bank_import for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_insert on icert.bank_import for insert to icert_desk
	with check (imported_by = (select icert.me_staff()) and (select icert.me_has('finance'))
		and exists (select from icert.bank_account a where a.id = account_id and a.state in ('confirmed', 'closed')));

grant select, insert on icert.bank_line to icert_desk;
grant update (state, purchase_id, decided_by, decided_at) on icert.bank_line to icert_desk;
create policy desk_select on icert.bank_line for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_insert on icert.bank_line for insert to icert_desk
	with check (state = 'new' and verdict = '' and imported_by = (select icert.me_staff()) and (select icert.me_has('finance'))
		and exists (select from icert.bank_import i where i.id = import_id and i.imported_by = bank_line.imported_by));
create policy desk_update on icert.bank_line for update to icert_desk
	using (state = 'new' and (select icert.me_has('finance', 'national')))
	with check (decided_by = (select icert.me_staff()) and
		(state = 'other' or (state = 'confirmed' and icert.other_person(imported_by))));

grant select on icert.bank_line to icert_clerk;
grant update (state, verdict) on icert.bank_line to icert_clerk;
create policy clerk on icert.bank_line to icert_clerk using (state in ('confirmed', 'applied')) with check (state = 'applied');

-- What became of a transfer is said on the order's own page.
grant select (purchase_id, cents, state, verdict, decided_at) on icert.bank_line to icert_portal;
create policy portal on icert.bank_line for select to icert_portal
	using (exists (select from icert.purchase p where p.id = bank_line.purchase_id));
reset role;
