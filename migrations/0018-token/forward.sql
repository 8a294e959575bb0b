-- Keys that were made in a token: which, for which case, and who brought the request.
set role icert_owner;

-- A key belongs to one case for good, also after another has taken its place there.
create table icert.token_request (
	spki_sha256 icert.sha256 primary key,
	application_id uuid not null references icert.application,
	spki bytea not null check (sha256(spki) = spki_sha256),
	request icert.sealed not null,		-- PKCS#10; its subject may name somebody
	bits smallint not null check (bits in (2048, 3072, 4096)),
	staff_id uuid not null references icert.staff,
	at icert.instant not null,
	replaced_at icert.instant
);
create unique index token_request_standing on icert.token_request (application_id) where replaced_at is null;

-- A refused attempt leaves the token's key to the next attempt of its case; a key of ours is made anew each time.
drop index icert.certificate_key;
create unique index certificate_key on icert.certificate (spki_sha256) where state <> 'refused';

alter table icert.token_request enable row level security, force row level security;

grant select, insert on icert.token_request to icert_desk;
grant update (staff_id, at, replaced_at) on icert.token_request to icert_desk;
create policy desk_select on icert.token_request for select to icert_desk
	using (exists (select from icert.application a where a.id = application_id));
create policy desk_insert on icert.token_request for insert to icert_desk
	with check (staff_id = (select icert.me_staff()) and replaced_at is null and not icert.own_case(application_id) and
		exists (select from icert.application a where a.id = application_id and a.state = 'identified' and
			a.container = 'token' and a.province = any ((select icert.me_works())::smallint[])));
create policy desk_update on icert.token_request for update to icert_desk
	using (exists (select from icert.application a where a.id = application_id and a.state = 'identified' and
		a.province = any ((select icert.me_works())::smallint[])));

grant select (spki_sha256, application_id, bits, at, replaced_at) on icert.token_request to icert_portal;
create policy portal on icert.token_request for select to icert_portal
	using (exists (select from icert.application a where a.id = application_id));

grant select (spki_sha256, application_id, spki, request, replaced_at) on icert.token_request to icert_issuer;
create policy issuer on icert.token_request for select to icert_issuer
	using (exists (select from icert.application a where a.id = application_id));

grant create on schema icert to icert_login;
reset role;

set role icert_login;
-- Whether anybody's certificate has that key, of any province, revoked or expired ones too.
create function icert.key_certified(p_spki_sha256 bytea) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.certificate where spki_sha256 = p_spki_sha256 and state <> 'refused')
$$;
revoke execute on function icert.key_certified(bytea) from public;
grant execute on function icert.key_certified(bytea) to icert_desk;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;
reset role;
