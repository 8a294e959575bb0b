-- What a payer shows of a deposit or transfer: up to five files an order, sealed under the order's key.  None of them pays anything.
set role icert_owner;

create table icert.slip (
	id uuid primary key,
	purchase_id uuid not null references icert.purchase,
	place smallint not null check (place between 1 and 5),
	file uuid not null unique,		-- name of the encrypted file
	type text not null check (type in ('application/pdf', 'image/jpeg', 'image/png')),
	size bigint not null check (size > 0),
	sha256 icert.sha256 not null,		-- of the plain bytes stored
	original_sha256 icert.sha256 not null,	-- of the bytes as they came
	created_at icert.instant not null,
	unique (purchase_id, place),
	unique (purchase_id, original_sha256)
);

alter table icert.slip enable row level security;
alter table icert.slip force row level security;

grant select, insert on icert.slip to icert_portal;
create policy portal_select on icert.slip for select to icert_portal
	using (exists (select from icert.purchase p where p.id = slip.purchase_id));
create policy portal_insert on icert.slip for insert to icert_portal
	with check (exists (select from icert.purchase p where p.id = slip.purchase_id and p.state in ('created', 'pending', 'expired')));

grant select on icert.slip to icert_desk;
create policy desk on icert.slip for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));

-- The clerk drops files that no row names.
grant select (file) on icert.slip to icert_clerk;
create policy clerk on icert.slip for select to icert_clerk using (true);
reset role;
