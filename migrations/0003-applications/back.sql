set role icert_owner;
drop table icert.approval, icert.envelope, icert.check_item, icert.appointment, icert.observation, icert.document,
	icert.link, icert.application;
do $$
begin
	for p in 1 .. 24 loop
		execute format('drop sequence icert.envelope_%s', to_char(p, 'FM00'));
	end loop;
end $$;
drop sequence icert.application_number;
drop trigger purchase_transition on icert.purchase;
drop function icert.check_version();
drop function icert.check_transition();
drop table icert.transition;
reset role;
