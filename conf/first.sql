-- What an installation begins with: the offices, what is sold, and the policy.  Copy it, put the offices' own telephones, hours, addresses and
-- mailboxes in, and enter it once as icert_admin (docs/operating.md).  What stands here serves samples: telephones end in numbers that
-- nobody has.  Idempotent: what is there stays.

insert into icert.province (id, name, telephone, hours, address, mailbox, galapagos) values
	(1, 'Azuay', '(07) 200-0001', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Cuenca', 'provincia01@icert.example', false),
	(2, 'Bolívar', '(03) 200-0002', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Guaranda', 'provincia02@icert.example', false),
	(3, 'Cañar', '(07) 200-0003', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Azogues', 'provincia03@icert.example', false),
	(4, 'Carchi', '(06) 200-0004', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Tulcán', 'provincia04@icert.example', false),
	(5, 'Cotopaxi', '(03) 200-0005', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Latacunga', 'provincia05@icert.example', false),
	(6, 'Chimborazo', '(03) 200-0006', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Riobamba', 'provincia06@icert.example', false),
	(7, 'El Oro', '(07) 200-0007', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Machala', 'provincia07@icert.example', false),
	(8, 'Esmeraldas', '(06) 200-0008', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Esmeraldas', 'provincia08@icert.example', false),
	(9, 'Guayas', '(04) 200-0009', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Guayaquil', 'provincia09@icert.example', false),
	(10, 'Imbabura', '(06) 200-0010', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Ibarra', 'provincia10@icert.example', false),
	(11, 'Loja', '(07) 200-0011', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Loja', 'provincia11@icert.example', false),
	(12, 'Los Ríos', '(05) 200-0012', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Babahoyo', 'provincia12@icert.example', false),
	(13, 'Manabí', '(05) 200-0013', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Portoviejo', 'provincia13@icert.example', false),
	(14, 'Morona Santiago', '(07) 200-0014', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Macas', 'provincia14@icert.example', false),
	(15, 'Napo', '(06) 200-0015', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Tena', 'provincia15@icert.example', false),
	(16, 'Pastaza', '(03) 200-0016', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Puyo', 'provincia16@icert.example', false),
	(17, 'Pichincha', '(02) 200-0017', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Quito', 'provincia17@icert.example', false),
	(18, 'Tungurahua', '(03) 200-0018', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Ambato', 'provincia18@icert.example', false),
	(19, 'Zamora Chinchipe', '(07) 200-0019', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Zamora', 'provincia19@icert.example', false),
	(20, 'Galápagos', '(05) 200-0020', 'lunes a viernes, de 08:00 a 16:30 (hora de Galápagos)', 'Dirección Provincial, Puerto Baquerizo Moreno', 'provincia20@icert.example', true),
	(21, 'Sucumbíos', '(06) 200-0021', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Nueva Loja', 'provincia21@icert.example', false),
	(22, 'Orellana', '(06) 200-0022', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Francisco de Orellana', 'provincia22@icert.example', false),
	(23, 'Santo Domingo de los Tsáchilas', '(02) 200-0023', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Santo Domingo', 'provincia23@icert.example', false),
	(24, 'Santa Elena', '(04) 200-0024', 'lunes a viernes, de 08:00 a 16:30', 'Dirección Provincial, Santa Elena', 'provincia24@icert.example', false),
	(25, 'Planta Central', '(02) 200-0025', 'lunes a viernes, de 08:00 a 16:30', 'Quito', 'planta.central@icert.example', false)
on conflict do nothing;

insert into icert.product (container, policy_oid, san_container) values
	('file', '1.3.6.1.4.1.43745.1.2.1.1.2.1', 'ARCHIVO PKCS#12'),
	('token', '1.3.6.1.4.1.43745.1.2.1.1.1.1', 'TOKEN'),
	('remote', '1.3.6.1.4.1.43745.1.2.1.1.1.2', 'REMOTO')
on conflict do nothing;

-- Seconds unless the key says otherwise.
insert into icert.policy (key, valid_from, number) values
	('session.contact_idle', 0, 1800),
	('session.contact_absolute', 0, 43200),
	('session.staff_idle', 0, 900),
	('session.staff_absolute', 0, 36000),
	('session.fresh', 0, 300),
	('code.seconds', 0, 1200),
	('code.tries', 0, 5),
	('code.tries_day', 0, 20),
	('staff.tries', 0, 5),
	('staff.tries_day', 0, 50),
	('link.days', 0, 90),
	('purchase.expires', 0, 604800),
	('payment_event.months', 0, 24),
	('draft.days', 0, 30),
	('breaker.clock_seconds', 0, 300),
	('breaker.away_seconds', 0, 86400),
	('breaker.ceiling_hour', 0, 50),
	('application.days', 0, 30),
	('application.warn_days_1', 0, 15),
	('application.warn_days_2', 0, 25),
	('application.warn_days_3', 0, 29),
	('contract.hours', 0, 120),
	('contract.return_hours', 0, 48),
	('contract.bytes', 0, 2097152),
	('contract.extension_hours', 0, 120),
	('outage.seconds', 0, 900),
	('outage.days_back', 0, 30),
	('anew.cedula_days', 0, 365),
	('anew.voting_days', 0, 365),
	('anew.utility_days', 0, 90),
	('renewal.days', 0, 60),
	('renewal.signed', 0, 1),
	('renewal.signed_years', 0, 3),
	('delivery.days', 0, 15),
	('invoice.production', 0, 1),
	('invoice.consumer_max', 0, 5000),
	('identified.hours', 0, 24),
	('appointment.minutes', 0, 30),
	('appointment.ahead_days', 0, 30),
	('photo.width', 0, 600),
	('photo.height', 0, 500),
	('photo.background_mean', 0, 160),
	('photo.background_deviation', 0, 45)
on conflict do nothing;
