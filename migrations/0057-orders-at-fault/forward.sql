-- Orders whose certificate was revoked because the authority was at fault: finance gives their money back without being asked, and sees no case.
set role icert_owner;
grant create on schema icert to icert_login;
reset role;
set role icert_login;
create function icert.orders_at_fault() returns table (purchase_id uuid, at bigint) language sql stable
security definer set search_path = '' as $$
	select a.purchase_id, c.revoked_at::bigint from icert.certificate c join icert.application a on a.id = c.application_id
	where c.state = 'revoked' and c.reason_code = 'authority_fault' and (select icert.me_has('finance', 'national', 'auditor'))
$$;
revoke execute on function icert.orders_at_fault() from public;
grant execute on function icert.orders_at_fault() to icert_desk;
reset role;
set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
