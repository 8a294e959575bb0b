set role icert_owner;
grant create on schema icert to icert_login;
reset role;

set role icert_login;
create or replace function icert.own_case(p_application uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.application a join icert.staff s on s.person_hash = a.person_hash
		where a.id = p_application and s.id = (select icert.me_staff()))
$$;

create or replace function icert.same_person(p_one uuid, p_other uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select p_one = p_other or exists (select from icert.staff a join icert.staff b on a.person_hash = b.person_hash
		where a.id = p_one and b.id = p_other)
$$;

create or replace function icert.other_person(p_staff uuid) returns boolean language sql stable security definer
set search_path = '' as $$
	select exists (select from icert.staff a join icert.staff b on b.person_hash <> a.person_hash and b.id <> a.id
		where a.id = (select icert.me_staff()) and b.id = p_staff)
$$;
reset role;

set role icert_owner;
revoke create on schema icert from icert_login;
alter table icert.staff drop column passport_hash;
reset role;
