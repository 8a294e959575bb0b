revoke select (login, enabled) on icert.staff from icert_desk;
drop table icert.contact_attempt;
