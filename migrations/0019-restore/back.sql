set role icert_owner;
drop table icert.lost_certificate;
drop function icert.check_lost_certificate();
alter table icert.certificate drop constraint certificate_revoked_by_check;
alter table icert.certificate add constraint certificate_revoked_by_check
	check (revoked_by in ('', 'holder', 'code', 'national', 'deadline'));
reset role;
