-- Where the payer goes on with a checkout that stands: asked from the gateway once, since not every gateway gives the same one twice.
set role icert_owner;
alter table icert.purchase add column gateway_url text not null default '' check (length(gateway_url) < 2048);
grant update (gateway_url) on icert.purchase to icert_portal;
reset role;
