-- Pairs that cannot be, and pairs whose mirror image is another or is missing.
SELECT
    (SELECT count(*) FROM pairwise_correlations),
    (SELECT count(*) FROM pairwise_correlations WHERE correlation_value NOT BETWEEN -1 AND 1),
    (SELECT count(*) FROM pairwise_correlations WHERE symbol_1 = symbol_2 AND correlation_value <> 1),
    (
        SELECT count(*)
        FROM pairwise_correlations AS p
        WHERE NOT EXISTS (
            SELECT FROM pairwise_correlations AS mirror
            WHERE mirror.correlation_calculation_id = p.correlation_calculation_id
                AND mirror.symbol_1 = p.symbol_2
                AND mirror.symbol_2 = p.symbol_1
                AND mirror.correlation_value = p.correlation_value
        )
    ),
    (SELECT count(*) FROM correlation_calculations WHERE overall_correlation NOT BETWEEN 0 AND 1)
