-- The roles of the database, made once by PostgreSQL's superuser before the
-- first migration; idempotent.  A role a program, which owns nothing;
-- icert_owner owns every table and never logs in; icert_identity owns the
-- function that turns a session into a person, icert_login those that begin and end
-- one; migrations run as icert_migrate,
-- which row-level security does not stop.
do $$
declare r text;
begin
	foreach r in array array['icert_owner', 'icert_identity', 'icert_login'] loop
		if not exists (select from pg_roles where rolname = r) then
			execute format('create role %I nologin', r);
		end if;
	end loop;
	foreach r in array array['icert_portal', 'icert_desk', 'icert_webhook', 'icert_issuer',
	    'icert_clerk', 'icert_publisher', 'icert_admin', 'icert_migrate'] loop
		if not exists (select from pg_roles where rolname = r) then
			execute format('create role %I login noinherit', r);
		end if;
	end loop;
end $$;

alter role icert_migrate bypassrls inherit;
grant icert_owner, icert_identity, icert_login to icert_migrate;

-- icertctl's role enters the samples and answers the administrator; what it may
-- do with each table is said by the migrations.
revoke all on database icert from public;
grant connect on database icert to icert_portal, icert_desk, icert_webhook, icert_issuer,
	icert_clerk, icert_publisher, icert_admin, icert_migrate;
grant create on database icert to icert_owner, icert_migrate;
revoke all on schema public from public;

alter role icert_portal set statement_timeout = '10s';
alter role icert_desk set statement_timeout = '10s';
alter role icert_webhook set statement_timeout = '5s';
