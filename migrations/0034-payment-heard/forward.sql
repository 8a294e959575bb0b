-- The applicant's page says what the gateway has said of their payment: being checked, not approved.
set role icert_owner;
grant select (purchase_id, gateway, gateway_payment, verdict, at) on icert.payment to icert_portal;
create policy portal on icert.payment for select to icert_portal
	using (exists (select from icert.purchase p where p.id = purchase_id));
reset role;
