-- The signer keeps a journal a CA: each is witnessed by itself.
set role icert_owner;
alter table icert.journal_witness add column issuer smallint not null default 1 check (issuer > 0);
alter table icert.journal_witness alter column issuer drop default;
alter table icert.journal_witness drop constraint journal_witness_pkey, add primary key (issuer, sequence);
reset role;
