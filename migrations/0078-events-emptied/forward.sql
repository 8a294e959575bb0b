-- Of months whose keys were destroyed before their notifications were emptied with them: nobody can read those octets, and nobody needs them.
update icert.payment_event e set body = '' from icert.data_key k
	where k.id = e.key_id and k.kind = 'payments-month' and k.destroyed_at is not null and e.body <> '';
