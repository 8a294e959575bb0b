-- Who is invoiced may be corrected by who ordered, as long as nothing is paid; after that finance's invoice and credit note say it.
set role icert_owner;
create function icert.billing_while_open() returns trigger language plpgsql set search_path = '' as $$
begin
	if old.state not in ('created', 'pending') then
		raise exception 'billing data of an order that is %', old.state using errcode = 'check_violation';
	end if;
	return new;
end $$;
create trigger billing_while_open before update of billing, buyer_hash on icert.purchase for each row execute function icert.billing_while_open();
grant update (billing, buyer_hash) on icert.purchase to icert_portal;
reset role;
