"""SQL of the minimal pipeline of the tests."""

CURRENT = """\
SELECT "id", "total", "created", "year", "month", "day", "_sequence_number", "_changed_at"
FROM (
  SELECT *,
    rank() OVER (
      PARTITION BY "_key" ORDER BY lpad("_sequence_number", 40, '0') DESC
    ) AS "_rank",
    row_number() OVER (PARTITION BY "_event_id", "_row") AS "_copy"
  FROM "shop_test"."orders"
) AS "changes"
WHERE "_rank" = 1 AND "_copy" = 1 AND "_op" <> 'REMOVE'"""

CRAWLED = """\
SELECT DISTINCT *
FROM "shop_test"."orders"
WHERE ("_key", lpad("_sequence_number", 40, '0')) IN (
    SELECT "_key", max(lpad("_sequence_number", 40, '0'))
    FROM "shop_test"."orders"
    GROUP BY "_key"
  )
  AND ("_event_id", "_row", CAST("year" AS varchar) || '/' || CAST("month" AS varchar)) IN (
    SELECT "_event_id", "_row", min(CAST("year" AS varchar) || '/' || CAST("month" AS varchar))
    FROM "shop_test"."orders"
    GROUP BY "_event_id", "_row"
  )
  AND "_op" <> 'REMOVE'"""

LATEST_CHANGES = """\
SELECT *
FROM "shop_test"."orders"
ORDER BY lpad("_sequence_number", 40, '0') DESC
LIMIT 100"""

ROWS_PER_PARTITION = """\
SELECT "year", "month", "day", count(*) AS "rows"
FROM "shop_test"."orders"
GROUP BY "year", "month", "day"
ORDER BY "year", "month", "day\""""
