delete from icert.transition where program = 'icert_desk' and ((machine = 'certificate' and to_state = 'revoked')
	or (machine = 'application' and to_state = 'closed_revoked'));
set role icert_owner;
drop policy desk_revoke on icert.status_change;
revoke insert on icert.status_change from icert_desk;
drop policy desk_revoke on icert.certificate;
revoke update (state, revoked_at, reason, reason_code, revoked_by) on icert.certificate from icert_desk;
drop table icert.revocation_request;
reset role;
