-- An order's whole story for finance: what gateways said and what came of it, mails, acts, and how its case stands.
set role icert_owner;

alter table icert.payment_event add column purchase_id uuid references icert.purchase;	-- known once it was applied
create index on icert.payment_event (purchase_id) where purchase_id is not null;
create index audit_order on icert.audit (subject, at_us) where subject_kind = 'order';
create index on icert.outbox (purchase_id) where purchase_id is not null;

grant update (purchase_id) on icert.payment_event to icert_clerk;
grant select (gateway, event_id, received_at, applied_at, verdict, tries, purchase_id) on icert.payment_event to icert_desk;
create policy desk on icert.payment_event for select to icert_desk
	using ((select icert.me_has('finance', 'national', 'auditor')));
create policy desk_finance on icert.audit for select to icert_desk
	using (subject_kind = 'order' and (select icert.me_has('finance')));

-- How far the case of an order is: finance sees no case, and needs this to know what becomes of the money.
grant create on schema icert to icert_login;
reset role;
set role icert_login;
create function icert.order_case(p_purchase uuid, out number text, out state text, out certificate text) language sql stable
security definer set search_path = '' as $$
	select a.number, a.state, c.state from icert.application a left join icert.certificate c on c.application_id = a.id
	where a.purchase_id = p_purchase and a.state <> 'removed' and (select icert.me_has('finance', 'national', 'auditor'))
	order by a.created_at desc, c.created_at desc limit 1
$$;
revoke execute on function icert.order_case(uuid) from public;
grant execute on function icert.order_case(uuid) to icert_desk;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
