-- A bank line's version: what somebody decides is decided about the line as they saw it, and not over what another has decided meanwhile.
set role icert_owner;
alter table icert.bank_line add column version integer not null default 0;
create function icert.count_version() returns trigger language plpgsql set search_path = '' as $$
begin
	new.version := old.version + 1;
	return new;
end $$;
create trigger bank_line_version before update on icert.bank_line
	for each row execute function icert.count_version();
revoke execute on function icert.count_version() from public;
reset role;
