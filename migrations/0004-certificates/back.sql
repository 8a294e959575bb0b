set role icert_owner;
drop table icert.crl, icert.status_change, icert.delivery, icert.certificate;
reset role;
