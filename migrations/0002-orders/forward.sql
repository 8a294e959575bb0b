-- What is sold, orders, and what gateways say about payments.
set role icert_owner;

-- A container: what stands in the certificate for it.
create table icert.product (
	container text primary key check (container in ('file', 'token', 'remote')),
	policy_oid text not null,
	san_container text not null
);

-- Prices; a row is never changed, a new one is written with its date of effect.
create table icert.tariff (
	id uuid primary key,
	container text not null references icert.product,
	kind text not null check (kind in ('new', 'renewal')),
	years smallint not null check (years between 1 and 5),
	net bigint not null check (net between 0 and 100000000),	-- cents
	tax_bp integer not null check (tax_bp between 0 and 10000),	-- 1500 is 15 %
	currency text not null check (currency ~ '^[A-Z]{3}$'),
	on_sale boolean not null,
	sale_from icert.instant,		-- for items not yet on sale; NULL unknown
	valid_from icert.instant not null,
	valid_until icert.instant,
	check (valid_until is null or valid_until > valid_from)
);
create index on icert.tariff (container, kind, years, valid_from);

create sequence icert.purchase_number;

create table icert.purchase (
	id uuid primary key,
	number text not null unique,
	state text not null check (state in ('created', 'pending', 'paid', 'used', 'expired',
		'refunding', 'refunded', 'disputed')),
	version integer not null default 1,
	contact_id uuid not null references icert.contact,
	key_id uuid not null references icert.data_key,
	tariff_id uuid not null references icert.tariff,
	container text not null references icert.product,
	kind text not null,
	years smallint not null,
	net bigint not null check (net >= 0),
	tax bigint not null check (tax >= 0),
	total bigint not null,
	tax_bp integer not null,
	currency text not null,
	billing icert.sealed not null,
	once text not null,			-- of the page's form: a double submit is one order
	gateway text,
	gateway_payment text,
	created_at icert.instant not null,
	state_since icert.instant not null,
	expires_at icert.instant not null,
	paid_at icert.instant,
	asked_at icert.instant,			-- when the gateway was last asked
	unique (contact_id, once),
	unique (gateway, gateway_payment),
	check (total = net + tax)
);
create unique index purchase_key on icert.purchase (key_id);
create index on icert.purchase (contact_id, created_at);
create index on icert.purchase (state, asked_at) where state = 'pending';

-- Notifications as received, sealed in a box that the clerk alone opens.
create table icert.payment_event (
	gateway text not null check (length(gateway) < 24),
	event_id text not null check (length(event_id) between 1 and 255),
	body bytea not null,
	received_at icert.instant not null,
	key_id uuid references icert.data_key,
	applied_at icert.instant,
	verdict text,
	tries integer not null default 0,
	next_try_at icert.instant not null default 0,
	primary key (gateway, event_id)
);
create index on icert.payment_event (next_try_at) where applied_at is null;

-- What was concluded from each payment: finance's list.
create table icert.payment (
	id uuid primary key,
	purchase_id uuid references icert.purchase,
	gateway text not null,
	gateway_payment text not null,
	verdict text not null,
	cents bigint,
	currency text,
	at icert.instant not null,
	unique (gateway, gateway_payment, verdict)
);
create index on icert.payment (purchase_id);

reset role;
