UPDATE positions AS p
SET market_value = round(new.value::numeric, 2),
    unrealized_pnl = round(new.pnl::numeric, 2),
    last_price = round(new.price::numeric, 4),
    updated_at = now()
FROM unnest(%s::uuid[], %s::float8[], %s::float8[], %s::float8[])
    AS new (id, value, pnl, price)
WHERE p.id = new.id
    AND new.value <> 'NaN'
    AND (p.market_value, p.unrealized_pnl, p.last_price) IS DISTINCT FROM (
        round(new.value::numeric, 2), round(new.pnl::numeric, 2),
        round(new.price::numeric, 4))
