"""SQL of the minimal pipeline of the tests."""

# The path gives the partition keys of a table without them.
CURRENT = """\
SELECT "id", "total", "created", "year", "month", "day", "_sequence_number", "_changed_at"
FROM (
  SELECT *, regexp_extract("$path", '/year=([^/]+)/', 1) AS "year",\
 regexp_extract("$path", '/month=([^/]+)/', 1) AS "month",\
 regexp_extract("$path", '/day=([^/]+)/', 1) AS "day",
    rank() OVER (
      PARTITION BY "_key"\
 ORDER BY coalesce("_stream_epoch", '') || lpad("_sequence_number", 40, '0') DESC
    ) AS "_rank",
    row_number() OVER (\
PARTITION BY "_event_id", coalesce("_stream_epoch", ''), "_row") AS "_copy"
  FROM "shop_test"."orders_objects"
  WHERE coalesce("_stream_epoch", '') >= (
    SELECT coalesce(max("_stream_epoch"), '') FROM "shop_test"."orders_objects"\
 WHERE "_op" = 'BACKFILL'
  )
) AS "changes"
WHERE "_rank" = 1 AND "_copy" = 1 AND "_op" NOT IN ('REMOVE', 'BACKFILL')"""

KEYS = [
    f""" regexp_extract("$path", '/{key}=([^/]+)/', 1) AS "{key}","""
    for key in ("year", "month", "day")
]
CURRENT_BY_PARTITION = CURRENT.replace("".join(KEYS), "").replace("orders_objects", "orders")

CRAWLED = """\
SELECT DISTINCT *
FROM "shop_test"."orders"
WHERE ("_key", coalesce("_stream_epoch", '') || lpad("_sequence_number", 40, '0')) IN (
    SELECT "_key", max(coalesce("_stream_epoch", '') || lpad("_sequence_number", 40, '0'))
    FROM "shop_test"."orders"
    GROUP BY "_key"
  )
  AND ("_event_id", coalesce("_stream_epoch", ''), "_row",\
 CAST("year" AS varchar) || '/' || CAST("month" AS varchar)) IN (
    SELECT "_event_id", coalesce("_stream_epoch", ''), "_row",\
 min(CAST("year" AS varchar) || '/' || CAST("month" AS varchar))
    FROM "shop_test"."orders"
    GROUP BY "_event_id", coalesce("_stream_epoch", ''), "_row"
  )
  AND coalesce("_stream_epoch", '') >= (
    SELECT coalesce(max("_stream_epoch"), '') FROM "shop_test"."orders" WHERE "_op" = 'BACKFILL'
  )
  AND "_op" NOT IN ('REMOVE', 'BACKFILL')"""

LATEST_CHANGES = """\
SELECT *
FROM "shop_test"."orders"
ORDER BY coalesce("_stream_epoch", '') || lpad("_sequence_number", 40, '0') DESC
LIMIT 100"""

ROWS_PER_PARTITION = """\
SELECT "year", "month", "day", count(*) AS "rows"
FROM "shop_test"."orders"
GROUP BY "year", "month", "day"
ORDER BY "year", "month", "day\""""
