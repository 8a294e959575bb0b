-- What a status set and a CRL are made of, read in the order of serials from an index alone: with ten million certificates the
-- rows themselves are gigabytes in no such order, and each page of them a search through all.
set role icert_owner;

create index certificate_status on icert.certificate (issuer, serial)
	include (state, revoked_at, reason, not_after, crl_partition);
drop index icert.certificate_issuer;
create index certificate_revoked on icert.certificate (issuer, serial)
	include (state, revoked_at, reason, not_after, crl_partition) where revoked_at is not null;
-- Nearly all are in partition 0, which costs next to nothing.
create index certificate_partition on icert.certificate (issuer, crl_partition);

reset role;
