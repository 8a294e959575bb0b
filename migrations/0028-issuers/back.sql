set role icert_owner;
delete from icert.crl where issuer <> 1 or crl_partition <> 0;
alter table icert.crl drop constraint crl_pkey, drop issuer, drop crl_partition, add primary key (number);
alter table icert.lost_certificate drop issuer;
drop index icert.certificate_issuer;
alter table icert.certificate drop issuer, drop crl_partition;
reset role;
