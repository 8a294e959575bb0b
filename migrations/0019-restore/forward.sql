-- What a restore has to remember: certificates that the signer made and the
-- database that came back knows nothing of.
set role icert_owner;

create table icert.lost_certificate (
	id bigint generated always as identity primary key,
	serial bytea not null unique check (octet_length(serial) = 16),
	case_id uuid not null,			-- as the signer's journal has it; its application may be lost too
	not_after icert.instant not null,
	state text not null check (state in ('good', 'revoked')),
	revoked_at icert.instant,		-- real time, as in status answers
	reason smallint,			-- CRLReason, RFC 5280, 5.3.1
	found_at icert.instant not null,
	published_epoch bigint,			-- of its present state
	revoked_by_first uuid references icert.staff,	-- two people of the national office
	revoked_by_second uuid references icert.staff,
	check ((state = 'revoked') = (revoked_at is not null)),
	check ((revoked_by_first is null) = (revoked_by_second is null)),
	check (revoked_by_first is null or revoked_by_first <> revoked_by_second)
);

-- Revoked stays revoked; else only that it was published is noted.
create function icert.check_lost_certificate() returns trigger language plpgsql set search_path = '' as $$
begin
	if new.serial <> old.serial or new.case_id <> old.case_id or new.not_after <> old.not_after or
	    (old.state = 'revoked' and (new.state <> 'revoked' or new.revoked_at <> old.revoked_at)) then
		raise exception 'lost certificate' using errcode = 'IC001';
	end if;
	return new;
end $$;
create trigger lost_certificate_once before update on icert.lost_certificate
	for each row execute function icert.check_lost_certificate();
revoke execute on function icert.check_lost_certificate() from public;

alter table icert.lost_certificate enable row level security, force row level security;
grant select (id, serial, not_after, state, revoked_at, reason, published_epoch), update (published_epoch)
	on icert.lost_certificate to icert_publisher;
create policy publisher on icert.lost_certificate to icert_publisher using (true) with check (true);
grant select on icert.lost_certificate to icert_admin;
create policy admin on icert.lost_certificate for select to icert_admin using (true);

-- Revoked in what was lost: nobody knows by whom.
alter table icert.certificate drop constraint certificate_revoked_by_check;
alter table icert.certificate add constraint certificate_revoked_by_check
	check (revoked_by in ('', 'holder', 'code', 'national', 'deadline', 'restore'));

reset role;
