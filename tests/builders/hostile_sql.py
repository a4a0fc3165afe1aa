"""SQL that tries to write or to read outside the store, and SQL that does neither.

The writing SQL is a matrix: every kind of write at every place where a query can stand, and every
target for some of them. `{lake}` is the store, `{beside}` its parent folder.
"""

import hashlib
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

TARGETS = (
    "{lake}/{published}",  # a published file
    "{lake}/{manifest}",
    "{lake}/latest.parquet",
    "{lake}/store.json",
    "{lake}/_schema/snapshot.parquet",
    "{lake}/new.parquet",
    "{lake}/../lake/new.parquet",
    "{beside}/outside.parquet",
    "~/auditor-outside.parquet",
    "/dev/shm/auditor-outside.parquet",  # noqa: S108 - nothing may be made there
    "/proc/self/cwd/auditor-outside.parquet",
    "s3://bucket/outside.parquet",
    "https://127.0.0.1:9/outside.parquet",
)
_COPIES = (
    "COPY (SELECT 1 AS a) TO '{target}' (FORMAT parquet)",
    "COPY (SELECT 1 AS a, 2 AS b) TO '{target}' (FORMAT parquet, PARTITION_BY a, OVERWRITE)",
    "COPY (SELECT 1 AS a) TO '{target}' (FORMAT parquet, USE_TMP_FILE false)",
)
WRITES = (
    *_COPIES,
    "COPY (FROM range(500000) t(a)) TO '{target}' (FORMAT parquet, PER_THREAD_OUTPUT, OVERWRITE)",
    "COPY snapshot TO '{target}' (FORMAT csv)",
    "COPY (FROM range(500000) t(a), range(3) u(p)) TO '{target}' (PARTITION_BY p, APPEND)",
    "COPY (SELECT 1 AS a) TO '{target}' (FORMAT json)",
    "INSERT INTO snapshot SELECT * FROM snapshot RETURNING *",
    "UPDATE snapshot SET calls = 0 RETURNING *",
    "DELETE FROM snapshot RETURNING *",
)
PLACES = (
    "{write}",
    "WITH x AS ({write}) FROM x",
    "WITH x AS ({write}) SELECT * FROM x",
    "with X as ( {write} ) select 1",
    "WITH x AS MATERIALIZED ({write}) FROM x",
    "WITH x AS NOT MATERIALIZED ({write}) FROM x",
    "WITH a AS (SELECT 1), x AS ({write}) SELECT * FROM a, x",
    "WITH RECURSIVE x AS ({write}) FROM x",
    "WITH outer_ AS (WITH x AS ({write}) FROM x) FROM outer_",
    "(WITH x AS ({write}) FROM x)",
    "/* SELECT 1 */ WITH x AS /* ( */ ({write}) -- )\nFROM x",
    "\n\t;WITH x AS ({write}) FROM x;",
    "SELECT 1; {write}",
    "{write}; SELECT 1",
    "SELECT 1; WITH x AS ({write}) FROM x",
    "SELECT * FROM (WITH x AS ({write}) FROM x)",
    "SELECT (WITH x AS ({write}) SELECT 1 FROM x)",
    "SELECT 1 WHERE EXISTS (WITH x AS ({write}) FROM x)",
    "SELECT 1 UNION ALL (WITH x AS ({write}) SELECT 1 FROM x)",
    "WITH x AS ({write}) SELECT 1 UNION SELECT 2",
    "SELECT * FROM snapshot, LATERAL (WITH x AS ({write}) FROM x)",
    "SELECT * FROM snapshot JOIN (WITH x AS ({write}) FROM x) y ON true",
    "SELECT 1 ORDER BY (WITH x AS ({write}) SELECT 1 FROM x)",
    "VALUES ((WITH x AS ({write}) SELECT 1 FROM x))",
    "SELECT list_transform([1], lambda v: (WITH x AS ({write}) SELECT 1 FROM x))",
    "SELECT CASE WHEN true THEN (WITH x AS ({write}) SELECT 1 FROM x) END",
    "EXPLAIN {write}",
    "EXPLAIN ANALYZE {write}",
    "EXPLAIN WITH x AS ({write}) FROM x",
    "EXPLAIN ANALYZE WITH x AS ({write}) FROM x",
    "explain analyze(WITH x AS ({write}) FROM x)",
    "EXPLAIN (ANALYZE, FORMAT json) WITH x AS ({write}) FROM x",
    "EXPLAIN/**/ANALYZE/**/WITH x AS ({write}) FROM x",
    "DESCRIBE WITH x AS ({write}) FROM x",
    "SUMMARIZE WITH x AS ({write}) FROM x",
    "SHOW (WITH x AS ({write}) FROM x)",
    "PREPARE p AS WITH x AS ({write}) FROM x",
    "PREPARE p AS {write}; EXECUTE p",
    "CREATE VIEW v AS WITH x AS ({write}) FROM x",
    "CREATE TABLE t AS WITH x AS ({write}) FROM x",
    "CREATE MACRO m() AS TABLE WITH x AS ({write}) FROM x",
    "CREATE TRIGGER t AFTER INSERT ON snapshot FOR EACH STATEMENT {write}",
    "BEGIN; {write}; COMMIT",
    "COMMIT; {write}",
    "PIVOT (WITH x AS ({write}) FROM x) ON a IN (1)",
    "PIVOT (WITH x AS ({write}) FROM x) ON a",
    "UNPIVOT (WITH x AS ({write}) FROM x) ON a",
    "FROM query($q${write}$q$)",
    "FROM query($q$WITH x AS ({write}) FROM x$q$)",
    "FROM system.main.QUERY('WI' || $q$TH x AS ({write}) FROM x$q$)",
    "FROM json_execute_serialized_sql(json_serialize_sql($q$WITH x AS ({write}) FROM x$q$))",
    "PRAGMA json_execute_serialized_sql('{{}}')",
    "CALL query($q${write}$q$)",
    "COPY (WITH x AS ({write}) FROM x) TO '{lake}/new.csv'",
)
STATEMENTS = (
    "ATTACH '{lake}/new.db'",
    "ATTACH '{lake}/new.db' AS other (READ_ONLY)",
    "ATTACH '{beside}/outside.db'; CREATE TABLE outside.t AS SELECT 1",
    "DETACH memory",
    "USE memory",
    "EXPORT DATABASE '{lake}/export'",
    "EXPORT DATABASE '{beside}/outside'",
    "IMPORT DATABASE '{lake}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{lake}/new.so'",
    "FORCE INSTALL httpfs FROM 'https://127.0.0.1:9'",
    "UPDATE EXTENSIONS",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET lock_configuration = false",
    "SET temp_directory = '{lake}/new'",
    "SET log_query_path = '{lake}/new.log'",
    "SET home_directory = '{lake}'",
    "SET VARIABLE inventory_files = ['/etc/passwd']",
    "RESET enable_external_access",
    "PRAGMA enable_profiling = 'json'",
    "PRAGMA profiling_output = '{lake}/new.json'",
    "PRAGMA copy_database('memory', 'other')",
    "PRAGMA version",
    "CALL enable_logging(storage = 'file', storage_path = '{lake}/log')",
    "CALL enable_profiling(save_location = '{lake}/profile.json')",
    "CALL pragma_version()",
    "FROM enable_logging(storage = 'file', storage_path = '{lake}/log')",
    "FROM enable_profiling(save_location = '{lake}/profile.json')",
    "FROM disable_logging()",
    "FROM truncate_duckdb_logs()",
    "FROM checkpoint()",
    "FROM force_checkpoint()",
    "FROM arrow_scan(1, 2, 3)",
    "FROM pandas_scan(1)",
    "FROM python_map_function(1)",
    "FROM create_external_resource('a', 'b')",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "VACUUM snapshot",
    "CREATE TABLE t (a INTEGER)",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW snapshot AS SELECT 1",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE PERSISTENT SECRET p (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE SCHEMA s",
    "CREATE SEQUENCE s",
    "CREATE TYPE t AS ENUM ('a')",
    "CREATE INDEX i ON snapshot (calls)",
    "CREATE MACRO f(a) AS a",
    "CREATE FUNCTION f() AS TABLE SELECT 1",
    "ALTER TABLE snapshot ADD COLUMN a INTEGER",
    "ALTER VIEW snapshot RENAME TO other",
    "DROP VIEW snapshot",
    "DROP VIEW IF EXISTS nothing",
    "TRUNCATE snapshot",
    "COMMENT ON VIEW snapshot IS 'x'",
    "MERGE INTO snapshot USING snapshot AS s ON true WHEN MATCHED THEN DELETE",
    "REPLACE INTO snapshot SELECT * FROM snapshot",
    "INSERT OR IGNORE INTO snapshot DEFAULT VALUES",
    "EXECUTE p",
    "DEALLOCATE p",
    "BEGIN",
    "START TRANSACTION",
    "ROLLBACK",
    "COPY snapshot FROM '/etc/passwd'",
    "COPY snapshot FROM '{lake}/latest.parquet'",
    "COPY FROM DATABASE memory TO other",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY (SELECT 1) TO PROGRAM 'touch {lake}/new'",
    "",
    "-- only a comment",
    ";",
    "SELECT",
    "SELECT 1; SELECT 2",
    "SELECT '\ud800'",
    "SELECT 1\0; DELETE FROM snapshot",
)
OUTSIDE = (
    "FROM read_csv('/etc/passwd')",
    "FROM read_csv_auto('/etc/passwd')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')",
    "FROM read_json('/etc/passwd')",
    "FROM read_json_auto('/etc/passwd')",
    "FROM read_ndjson_objects('/etc/passwd')",
    "FROM read_parquet('/etc/passwd')",
    "FROM parquet_metadata('/etc/passwd')",
    "FROM parquet_kv_metadata('/etc/passwd')",
    "FROM read_text('{beside}/secret.txt')",
    "FROM read_text('{lake}/../secret.txt')",
    "FROM read_text('{lake}/link.txt')",
    "FROM read_text(['{lake}/store.json', '/etc/passwd'])",
    "FROM glob('{beside}/*')",
    "FROM glob('/etc/*')",
    "FROM '/etc/passwd'",
    "FROM '{beside}/secret.txt'",
    "FROM read_text('/proc/self/environ')",
    "FROM read_text('/proc/self/cwd/../../../../../../etc/passwd')",
    "FROM read_csv('/dev/stdin')",
    "FROM read_text('~/.bashrc')",
    "FROM read_duckdb('{beside}/outside.db')",
    "FROM read_duckdb('{lake}/nothing.db')",
    "FROM read_parquet('{lake}/nothing.parquet')",
    "FROM '{lake}/nothing.duckdb'",
    "FROM read_text('https://127.0.0.1:9/x')",
    "FROM read_parquet('s3://bucket/x.parquet')",
    "FROM 'hf://datasets/x/y.parquet'",
    "FROM 's3://bucket/x.parquet'",
    "SELECT getenv('HOME')",
    "SELECT * FROM local_frame",
    "FROM which_secret('s3://a', 's3')",
    "SELECT content FROM read_text(getvariable('inventory_files')[1] || '/../../../secret.txt')",
)


def writing() -> list[str]:
    """Return statements that write: every kind at every place, and every target for `COPY`."""
    found, targets = [*STATEMENTS], cycle(TARGETS)
    for place in PLACES:
        for write in WRITES:
            target = next(targets)
            if "PARTITION_BY" in write or "PER_THREAD" in write:  # these make a folder
                target = target.replace("{published}", "{folder}").replace("{manifest}", "{folder}")
            found.append(place.replace("{write}", write.replace("{target}", target)))
    for target in TARGETS:
        for write in _COPIES:
            copied = write.replace("{target}", target)
            found += [f"WITH x AS ({copied}) FROM x", f"EXPLAIN ANALYZE {copied}", copied]
    return list(dict.fromkeys(found))


def filled(statement: str, lake: Path) -> str:
    """Return a statement with its `{…}` replaced by paths of a store."""
    published = next(lake.glob("snapshot=*/inventory/*.parquet")).relative_to(lake)
    named = {
        "lake": lake,
        "beside": lake.parent,
        "published": published,
        "manifest": next(lake.glob("snapshot=*/manifest.json")).relative_to(lake),
        "folder": published.parent,
    }
    for name, value in named.items():
        statement = statement.replace(f"{{{name}}}", str(value))
    return statement


def everything(*folders: Path) -> list[tuple[str, ...]]:
    """Return name, mode, time of change, inode and hash of every file."""
    return sorted(found for folder in folders for found in _everything(folder))


def _everything(folder: Path) -> Iterator[tuple[str, ...]]:
    for path in (folder, *folder.rglob("*")):
        stat = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        hashed = hashlib.sha256(content).hexdigest()
        yield str(path), oct(stat.st_mode), str(stat.st_mtime_ns), str(stat.st_ino), hashed


HARMLESS = (
    "SELECT 1",
    "select count(*) from latest_inventory",
    "SELECT COUNT(*) FROM LATEST_INVENTORY",
    "SELECT 1;",
    "  -- a comment\nSELECT 1 /* and another */",
    "(SELECT 1)",
    "FROM snapshot",
    "FROM snapshot SELECT snapshot_id",
    "TABLE snapshot",
    "VALUES (1, 'a'), (2, 'b')",
    "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
    "WITH x AS (WITH y AS (FROM snapshot) FROM y) FROM x",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) FROM n",
    "WITH x AS MATERIALIZED (SELECT 1) FROM x",
    "SELECT 1 UNION ALL SELECT 2",
    "SELECT 1 UNION SELECT 2 EXCEPT SELECT 1 ORDER BY ALL LIMIT 1",
    "SELECT 'COPY x TO y'",
    "SELECT 'DELETE FROM snapshot; DROP TABLE x' AS \"insert\"",
    'SELECT 1 AS "copy", 2 AS "COPY x TO y"',
    'WITH "copy" AS (SELECT 1) FROM "copy" -- COPY x TO \'y\'',
    "SELECT {'type': 'COPY_QUERY_NODE', 'cte_map': 1}",
    "SELECT row_number() OVER (PARTITION BY customer_id ORDER BY sku_id) FROM latest_inventory",
    "SELECT customer_id FROM latest_inventory QUALIFY row_number() OVER (ORDER BY sku_id) = 1",
    "SELECT * FROM snapshot AS s, LATERAL (SELECT s.calls + 1)",
    "SELECT * FROM snapshot LEFT JOIN coverage USING (snapshot_id)",
    "SELECT * FROM snapshot WHERE snapshot_id IN (SELECT snapshot_id FROM coverage)",
    "SELECT verdict, count(*) FROM latest_inventory GROUP BY ALL HAVING count(*) > 0",
    "SELECT [x + 1 FOR x IN [1, 2]], list_transform([1], lambda x: x + 1)",
    "SELECT CASE WHEN true THEN 1 END, CAST('1' AS INTEGER), COLUMNS('calls') FROM snapshot",
    "PIVOT latest_inventory ON verdict IN ('restricted', 'unrestricted') GROUP BY country",
    "FROM (PIVOT (FROM snapshot) ON kind IN ('full', 'partial') USING count(*))",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
    "DESCRIBE latest_inventory",
    "DESCRIBE SELECT 1",
    "SUMMARIZE snapshot",
    "SUMMARIZE SELECT 1 AS a",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SELECT column_name FROM (DESCRIBE snapshot)",
    "EXPLAIN SELECT 1",
    "explain analyze SELECT count(*) FROM snapshot",
    "EXPLAIN (FORMAT json) SELECT 1",
    "EXPLAIN ANALYZE (SELECT 1)",
    "EXPLAIN FROM snapshot",
    "SELECT * FROM range(3), unnest([1, 2])",
    "FROM query_table('snapshot')",
    "SELECT table_name FROM information_schema.tables",
    "SELECT comment FROM duckdb_columns() WHERE table_name = 'latest_inventory'",
    "SELECT name FROM duckdb_settings() WHERE name = 'threads'",
    "FROM pragma_table_info('snapshot')",
    "SELECT * FROM snapshot TABLESAMPLE 50%",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT now(), current_date, version()",
)
