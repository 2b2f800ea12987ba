SELECT max(date) AS last FROM market_data_cache
