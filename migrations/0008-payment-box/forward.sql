-- Where icert-webhook finds the public half of the month's box; the other half
-- follows from a data key that only the clerk can have unwrapped.
set role icert_owner;

create table icert.payment_box (
	key_id uuid primary key references icert.data_key,
	public icert.sha256 not null,		-- X25519, 32 bytes
	created_at icert.instant not null
);
create index on icert.payment_box (created_at);

alter table icert.payment_box enable row level security;
alter table icert.payment_box force row level security;
grant select on icert.payment_box to icert_webhook, icert_clerk;
grant insert on icert.payment_box to icert_clerk;
create policy webhook on icert.payment_box for select to icert_webhook using (true);
create policy clerk on icert.payment_box to icert_clerk using (true) with check (true);

reset role;
