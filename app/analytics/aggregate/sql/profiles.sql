-- What is known of the sectors of symbols.
SELECT symbol, sector, coalesce(is_etf, false) OR coalesce(is_fund, false) AS is_fund
FROM company_profiles
WHERE symbol = ANY(cast(:symbols AS text[]))
