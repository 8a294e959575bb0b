delete from icert.deadline where kind in ('certificate_expire', 'certificate_warn');
delete from icert.transition where machine = 'application' and from_state = 'identified' and to_state = 'scheduled'
	and program = 'icert_clerk';
set role icert_owner;
drop policy clerk on icert.check_item;
revoke select (application_id), delete on icert.check_item from icert_clerk;
reset role;
