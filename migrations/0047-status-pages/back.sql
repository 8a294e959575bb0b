set role icert_owner;
create index certificate_issuer on icert.certificate (issuer, serial);
drop index icert.certificate_status, icert.certificate_revoked, icert.certificate_partition;
reset role;
