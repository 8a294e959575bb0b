set role icert_owner;
drop table icert.parked_form, icert.staff_try, icert.code, icert.session, icert.contact, icert.staff_role,
	icert.staff, icert.data_key, icert.policy, icert.province;
drop domain icert.sealed;
drop domain icert.sha256;
drop domain icert.instant;
reset role;
