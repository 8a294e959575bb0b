-- A checkout that its order has left behind: another payment paid the order, or another checkout took its place.  Whoever has its page open can pay there still.
set role icert_owner;
create table icert.checkout (
	gateway text not null,
	gateway_payment text not null,
	purchase_id uuid not null references icert.purchase,
	left_at icert.instant not null,
	asked_at icert.instant,
	ended_at icert.instant,			-- nothing can be paid there any more, or it was
	primary key (gateway, gateway_payment)
);
create index on icert.checkout (purchase_id);
create index checkout_payment on icert.checkout (gateway_payment);
create index checkout_open on icert.checkout (left_at) where ended_at is null;
alter table icert.checkout enable row level security;
alter table icert.checkout force row level security;
grant select, insert on icert.checkout to icert_portal;
create policy portal_select on icert.checkout for select to icert_portal
	using (exists (select from icert.purchase p where p.id = purchase_id));
create policy portal_insert on icert.checkout for insert to icert_portal
	with check (asked_at is null and ended_at is null and exists (select from icert.purchase p where p.id = purchase_id));
grant select, insert on icert.checkout to icert_clerk;
grant update (asked_at, ended_at) on icert.checkout to icert_clerk;
create policy clerk on icert.checkout to icert_clerk using (true) with check (true);
grant select on icert.checkout to icert_desk;
create policy desk on icert.checkout for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
reset role;
