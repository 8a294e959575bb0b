-- Takes every policy and grant of 0007-rows back.
set role icert_owner;
do $$
declare r record; p record;
begin
	for p in select tablename, policyname from pg_policies where schemaname = 'icert' loop
		execute format('drop policy %I on icert.%I', p.policyname, p.tablename);
	end loop;
	for r in select c.relname from pg_class c where c.relnamespace = 'icert'::regnamespace and c.relkind = 'r'
	    and c.relname <> 'migration' loop
		execute format('alter table icert.%I no force row level security, disable row level security', r.relname);
		execute format('revoke all on icert.%I from icert_portal, icert_desk, icert_webhook, icert_issuer, icert_clerk,
			icert_publisher, icert_admin, icert_identity, icert_login', r.relname);
	end loop;
	for r in select c.relname from pg_class c where c.relnamespace = 'icert'::regnamespace and c.relkind = 'S' loop
		execute format('revoke all on sequence icert.%I from icert_portal, icert_desk', r.relname);
	end loop;
end $$;
delete from icert.transition;
revoke usage on schema icert from icert_portal, icert_desk, icert_webhook, icert_issuer, icert_clerk, icert_publisher,
	icert_admin;
reset role;
