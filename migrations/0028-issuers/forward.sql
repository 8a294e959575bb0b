-- Several issuing CAs, one after another, and lists of revoked certificates in parts: what a certificate says of both.
set role icert_owner;

alter table icert.certificate
	add issuer smallint not null default 1 check (issuer between 1 and 8),
	add crl_partition smallint not null default 0 check (crl_partition between 0 and 16);
-- One CA's certificates in the order of their serials.
create index certificate_issuer on icert.certificate (issuer, serial);
alter table icert.lost_certificate
	add issuer smallint not null default 1 check (issuer between 1 and 8);

alter table icert.crl
	add issuer smallint not null default 1,
	add crl_partition smallint not null default 0,
	drop constraint crl_pkey,
	add primary key (issuer, number);

grant select (issuer, crl_partition) on icert.certificate to icert_publisher;
grant select (issuer) on icert.lost_certificate to icert_publisher;
grant update (issuer, crl_partition) on icert.certificate to icert_issuer;

reset role;
