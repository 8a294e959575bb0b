-- A notification that nobody may read any more is not kept as octets either: its body is emptied, and never changed otherwise.
set role icert_owner;
create function icert.body_only_emptied() returns trigger language plpgsql set search_path = '' as $$
begin
	if new.body <> '' then
		raise exception 'what was notified is not changed';
	end if;
	return new;
end $$;
create trigger body_only_emptied before update of body on icert.payment_event for each row execute function icert.body_only_emptied();
grant update (body) on icert.payment_event to icert_clerk;
reset role;
