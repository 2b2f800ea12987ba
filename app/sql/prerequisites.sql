-- What the analytics cannot do without.
SELECT
    (SELECT count(*) FROM factor_definitions WHERE is_active) AS factors,
    (SELECT count(*) FROM stress_test_scenarios WHERE active) AS scenarios
