-- The tags in use in portfolios, each with the positions that carry it. Archived tags are hidden.
SELECT
    t.id::text AS id,
    t.name,
    t.color,
    t.description,
    array_agg(l.position_id::text) AS positions
FROM position_tags AS l
JOIN positions AS p ON p.id = l.position_id
JOIN tags_v2 AS t ON t.id = l.tag_id
WHERE p.portfolio_id = ANY(cast(:portfolios AS uuid[])) AND NOT t.is_archived
GROUP BY t.id
ORDER BY t.display_order, t.name, t.id
