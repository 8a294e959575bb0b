-- Samples for an instance that serves trying and testing, over conf/first.sql: a tariff, and staff of two provinces and the national
-- office.  Passwords and second factors are entered by `icertctl` (a person without a password cannot log in).  Idempotent.

-- Cents; tax in hundredths of a percent.  A token's renewal and remote are shown, not sold.
insert into icert.tariff (id, container, kind, years, net, tax_bp, currency, on_sale, sale_from, valid_from) values
	('7a000000-0000-4000-8000-000000000001', 'file', 'new', 2, 2700, 1500, 'USD', true, null, 0),
	('7a000000-0000-4000-8000-000000000002', 'file', 'renewal', 2, 2700, 1500, 'USD', true, null, 0),
	('7a000000-0000-4000-8000-000000000003', 'file', 'new', 1, 1800, 1500, 'USD', true, null, 0),
	('7a000000-0000-4000-8000-000000000004', 'token', 'new', 2, 4900, 1500, 'USD', true, null, 0),
	('7a000000-0000-4000-8000-000000000005', 'token', 'renewal', 2, 2700, 1500, 'USD', false, 1798761600, 0),
	('7a000000-0000-4000-8000-000000000006', 'remote', 'new', 2, 3200, 1500, 'USD', false, 1806537600, 0)
on conflict do nothing;

insert into icert.staff (id, login, name, email, created_at) values
	('57000000-0000-4000-8000-000000000001', 'operador.pichincha', 'Operadora de Pichincha', 'operador.pichincha@icert.example', 0),
	('57000000-0000-4000-8000-000000000002', 'director.pichincha', 'Director de Pichincha', 'director.pichincha@icert.example', 0),
	('57000000-0000-4000-8000-000000000003', 'operador.guayas', 'Operador de Guayas', 'operador.guayas@icert.example', 0),
	('57000000-0000-4000-8000-000000000004', 'director.guayas', 'Directora de Guayas', 'director.guayas@icert.example', 0),
	('57000000-0000-4000-8000-000000000005', 'finanzas', 'Área Financiera', 'finanzas@icert.example', 0),
	('57000000-0000-4000-8000-000000000006', 'central', 'Planta Central', 'central@icert.example', 0),
	('57000000-0000-4000-8000-000000000007', 'administrador', 'Administradora', 'administrador@icert.example', 0),
	('57000000-0000-4000-8000-000000000008', 'auditor', 'Auditor', 'auditor@icert.example', 0),
	('57000000-0000-4000-8000-000000000009', 'central.segunda', 'Planta Central, segunda firma', 'central.segunda@icert.example', 0),
	('57000000-0000-4000-8000-00000000000a', 'administrador.segundo', 'Administrador, segunda firma', 'administrador.segundo@icert.example', 0)
on conflict do nothing;

insert into icert.staff_role (staff_id, role, province, since) values
	('57000000-0000-4000-8000-000000000001', 'operator', 17, 0),
	('57000000-0000-4000-8000-000000000002', 'director', 17, 0),
	('57000000-0000-4000-8000-000000000003', 'operator', 9, 0),
	('57000000-0000-4000-8000-000000000004', 'director', 9, 0),
	('57000000-0000-4000-8000-000000000005', 'finance', null, 0),
	('57000000-0000-4000-8000-000000000006', 'national', null, 0),
	('57000000-0000-4000-8000-000000000007', 'administrator', null, 0),
	('57000000-0000-4000-8000-000000000008', 'auditor', null, 0),
	('57000000-0000-4000-8000-000000000009', 'national', null, 0),
	('57000000-0000-4000-8000-00000000000a', 'administrator', null, 0)
on conflict do nothing;

-- Invoices of a sample issuer, in the tax authority's trial environment.
insert into icert.policy (key, valid_from, text) values ('invoice.ruc', 0, '1769999930001') on conflict do nothing;
insert into icert.policy (key, valid_from, number) values ('invoice.production', 1, 0) on conflict do nothing;
