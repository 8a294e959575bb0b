-- What finance looks for an order by: who pays, whose application it serves, the bank's reference, an amount, a day.
set role icert_owner;
-- Keyed (label person), of the buyer's number on the invoice; null for the final consumer.
alter table icert.purchase add column buyer_hash icert.sha256;
create index purchase_buyer on icert.purchase (buyer_hash) where buyer_hash is not null;
create index purchase_newest on icert.purchase (created_at desc, id);
create index purchase_paid on icert.purchase (paid_at) where paid_at is not null;
create index purchase_total on icert.purchase (total, created_at desc);
create index purchase_payment on icert.purchase (gateway_payment) where gateway_payment is not null;
create index payment_cents on icert.payment (cents, at);
create index payment_payment on icert.payment (gateway_payment);
create index bank_line_reference on icert.bank_line (reference) where reference <> '';
create index bank_line_day on icert.bank_line (day);
create index bank_line_cents on icert.bank_line (cents);
grant create on schema icert to icert_login;
reset role;
set role icert_login;
create function icert.orders_of_person(p_hashes bytea[]) returns setof uuid language sql stable
security definer set search_path = '' as $$
	select a.purchase_id from icert.application a where a.person_hash = any(p_hashes) and a.state <> 'removed'
		and (select icert.me_has('finance', 'national', 'auditor'))
$$;
revoke execute on function icert.orders_of_person(bytea[]) from public;
grant execute on function icert.orders_of_person(bytea[]) to icert_desk;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
