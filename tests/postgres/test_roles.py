"""The privileges of each role in a database store, and the rows that each may see."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql as quoting

from auditor.errors import StoreRefused
from auditor.store import open_store, sql
from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser, reader
from tests.builders.store_lake import ACME, BOND, P, at, client, cover, listed, publish, stock

Q = "aaaaaaaa-0000-0000-0000-000000000002"
CRUX = "cccccccc-0000-0000-0000-00000000000c"
OTHERS = (BOND, CRUX, Q)


@pytest.fixture(scope="module")
def filled(copy_of: Callable[[str], str], made_once: str) -> str:
    """Two partners; ACME is served by one reseller, BOND by another; and a run for BOND alone."""
    url = copy_of(made_once)
    store = PostgresStore.open(url)
    for day in (1, 2):
        rows = {
            "coverage": [
                *(cover(c, country) for c in (ACME, BOND) for country in ("", "DE")),
                cover("", "DE"),
            ],
            "customer": [
                client(ACME, "Acme", reseller_id="7"),
                client(BOND, "Bond", reseller_id="8"),
            ],
            "inventory": [
                stock(c, sku, "restricted" if day == 2 else "unrestricted", at(day))
                for c in (ACME, BOND)
                for sku in ("1", "2")
            ],
            "sku": [listed("1"), listed("2")],
            "check_outcome": [
                {"check_id": f"{c}{day}", "customer_id": c, "country": "DE", "outcome": "answered"}
                for c in (ACME, BOND)
            ],
            "change": [
                {"event_id": f"{c}{day}", "customer_id": c, "kind": "newly_restricted"}
                for c in (ACME, BOND)
            ],
        }
        publish(store, f"2026110{day}T020000Z-00000{day}", at(day), rows)
    alone = {
        "coverage": [cover(BOND, "DE")],
        "inventory": [stock(BOND, "1", "restricted", at(3))],
    }
    scope = f'{{"customers": ["{BOND}"]}}'
    publish(store, "20261103T020000Z-000003", at(3), alone, kind="partial", scope=scope)
    elsewhere = {
        "coverage": [cover(CRUX, "DE", partner_tenant_id=Q), cover(CRUX, partner_tenant_id=Q)],
        "customer": [client(CRUX, "Crux", partner_tenant_id=Q)],
        "inventory": [stock(CRUX, "1", "restricted", at(4), partner_tenant_id=Q)],
    }
    publish(store, "20261104T020000Z-000004", at(4), elsewhere, partner_tenant_id=Q)
    return url.rpartition("/")[2]


@pytest.fixture
def url(copy_of: Callable[[str], str], filled: str) -> str:
    """Return the URL of a copy of the database."""
    return copy_of(filled)


SCOPES = [
    (("customer", ACME),),
    (("reseller", "7"),),
    (("reseller", "7"), ("customer", ACME)),
]


def visible(con: psycopg.Connection) -> Iterator[quoting.Identifier]:
    """Yield everything with rows that a role may read, from the catalog, new tables included."""
    found = con.execute(
        "SELECT n.nspname, c.relname FROM pg_class AS c"
        " INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN"
        " ('pg_catalog', 'information_schema') AND has_schema_privilege(n.oid, 'USAGE')"
        " AND has_any_column_privilege(c.oid, 'SELECT')"
    ).fetchall()
    for row in found:
        yield quoting.Identifier(*row)


def of_others(rows: object) -> bool:
    return any(other in repr(rows) for other in OTHERS)


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_a_scoped_reader_sees_no_row_of_another_customer(
    scope: tuple[tuple[str, str], ...], url: str
) -> None:
    """S13: in every table and view that it can see, read directly or copied."""
    with psycopg.connect(reader(url, *scope)) as con:
        names = list(visible(con))
        assert {name.as_string(con) for name in names} == {
            f'"public"."{name}"' for name in (*sql.BASE, *sql.VIEWS, "store_info")
        }
        for name in names:
            rows = con.execute(quoting.SQL("SELECT * FROM {}").format(name)).fetchall()
            assert not of_others(rows), name
            with con.cursor().copy(
                quoting.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(name)
            ) as copied:
                assert not of_others(b"".join(map(bytes, copied)).decode()), name
        mine = con.execute("SELECT customer_id, count(*) FROM latest_inventory GROUP BY 1")
        assert mine.fetchall() == [(ACME, 2)]
        assert con.execute("SELECT count(*) FROM latest_sku").fetchone() == (2,)
        assert con.execute("SELECT count(*), count(scope) FROM snapshot").fetchone() == (2, 0)


@pytest.mark.parametrize(
    "attack",
    [
        "SET ROLE auditor_reader",
        "SET SESSION AUTHORIZATION DEFAULT",
        f"SET app.customer_id = '{BOND}'",
        "SET row_security = off",
        "SET session_replication_role = replica",
        "SET ROLE auditor_writer",
        "SET ROLE auditor_owner",
        "SELECT set_config('role', 'auditor_owner', false)",
        "SELECT set_config('search_path', 'auditor_tables', false)",
        "SELECT auditor_tables.readable_customers('x')",
        f"INSERT INTO auditor_tables.reader_scope VALUES (current_user, 'customer', '{BOND}')",
        "SELECT * FROM auditor_tables.inventory_interval",
        "COPY auditor_tables.inventory_interval TO STDOUT",
        "SELECT table_to_xml('auditor_tables.inventory_interval'::regclass, true, false, '')",
        "SELECT query_to_xml('SELECT * FROM auditor_tables.change', true, false, '')",
        "SELECT most_common_vals::text FROM pg_stats",
        "SELECT histogram_bounds::text FROM pg_stats",
        "CREATE VIEW mine AS SELECT * FROM inventory",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_no_setting_and_no_query_lets_a_reader_see_more(attack: str, url: str) -> None:
    """S13: a policy depends only on the role, not on anything the role can set."""
    with as_superuser(url) as con:
        con.execute("ANALYZE")
    with psycopg.connect(reader(url, ("customer", ACME)), autocommit=True) as con:
        try:
            asked = con.execute(attack.encode())
            result = asked.fetchall() if asked.description else []
        except psycopg.Error as error:
            result = [(str(error),)]
        assert not of_others(result)
        for name in (*sql.BASE, *sql.VIEWS):
            try:
                rows = con.execute(f"SELECT * FROM public.{name}".encode()).fetchall()
            except psycopg.Error as error:
                rows = [(str(error),)]
            assert not of_others(rows), name


def test_a_function_that_prints_its_argument_gets_only_rows_of_the_reader(url: str) -> None:
    """S13: the policy is checked first, however low the function's declared cost."""
    with as_superuser(url) as con:
        con.execute("CREATE TABLE public.leaked (what text)")
        con.execute(
            "CREATE FUNCTION public.leak(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001"
            " AS $$ BEGIN RAISE NOTICE '%', what; RETURN true; END $$"
        )
    notices: list[str] = []
    with psycopg.connect(reader(url, ("customer", ACME))) as con:
        con.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
        for name in ("inventory", "current_inventory", "change", "coverage", "latest_customer"):
            con.execute(f"SELECT * FROM {name} WHERE leak(customer_id)".encode())
            with pytest.raises(psycopg.Error) as caught, con.transaction():
                con.execute(f"SELECT 1 / (length(customer_id) - 36) FROM {name}".encode())
            assert not of_others(str(caught.value))
    assert ACME in notices
    assert not of_others(notices)


def test_a_member_without_a_scope_sees_nothing(url: str) -> None:
    """S13: neither does the group role, which each member could take by SET ROLE."""
    with psycopg.connect(reader(url)) as con:
        for name in set(sql.BASE):
            assert con.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() == (0,), name
    with as_superuser(url) as con, pytest.raises(psycopg.errors.CheckViolation):
        con.execute("INSERT INTO reader_scope VALUES ('auditor_reader', 'everything')")


def test_a_reseller_that_lost_a_customer_no_longer_sees_it(url: str) -> None:
    """S13."""
    rows = {
        "coverage": [cover(ACME)],
        "customer": [client(ACME, "Acme", reseller_id="8")],
    }
    store = open_store(url)
    assert isinstance(store, PostgresStore)
    publish(store, "20261105T020000Z-000005", at(5), rows)
    for reseller, seen in (("7", set()), ("8", {ACME, BOND})):
        with psycopg.connect(reader(url, ("reseller", reseller))) as con:
            found = con.execute(
                "SELECT customer_id FROM customer UNION SELECT customer_id FROM change"
            )
            assert {row[0] for row in found.fetchall()} == seen


def test_a_reader_of_a_partner_or_of_everything_sees_all_of_it(url: str) -> None:
    everything = reader(url, ("everything", ""))
    whole = open_store(everything)
    for name in (*sql.BASE, *sql.VIEWS):
        assert whole.sql(f"SELECT * FROM {name}").num_rows == (
            open_store(url).sql(f"SELECT * FROM {name}").num_rows
        ), name
    of_partner = open_store(reader(url, ("partner", P)))
    found = of_partner.sql("SELECT DISTINCT customer_id FROM latest_inventory")
    assert set(found.column("customer_id").to_pylist()) == {ACME, BOND}
    scopes = of_partner.sql(f"SELECT 1 FROM snapshot WHERE scope LIKE '%{BOND}%'")
    assert scopes.num_rows == 1


def test_a_scoped_reader_can_read_through_the_store_class(url: str) -> None:
    store = open_store(reader(url, ("customer", ACME)))
    assert store.find_customer("Acme") == ACME
    assert len(store.published()) == 2
    assert not of_others(store.arrow("latest_inventory").to_pylist())
    assert not of_others(store.changes().to_pylist())
    with pytest.raises(StoreRefused) as caught, store.publishing(0.0):
        pass
    assert caught.value.exit_status == 77


KEPT = {"snapshot", "publication_digest", "coverage", "change", "ending"}
"""Tables whose rows are written once and never changed."""


def rights(con: psycopg.Connection, role: str) -> dict[str, set[str]]:
    """Return the privileges of a role on each table, on at least some of its columns."""
    rows = con.execute(
        "SELECT t.tablename, v.verb FROM pg_tables AS t CROSS JOIN unnest(%s::text[]) AS v (verb)"
        " WHERE t.schemaname = 'auditor_tables' AND CASE"
        " WHEN v.verb IN ('DELETE', 'TRUNCATE', 'TRIGGER')"
        " THEN has_table_privilege(%s, 'auditor_tables.' || t.tablename, v.verb)"
        " ELSE has_any_column_privilege(%s, 'auditor_tables.' || t.tablename, v.verb) END",
        (["SELECT", "INSERT", "UPDATE", "REFERENCES", "DELETE", "TRUNCATE", "TRIGGER"], role, role),
    ).fetchall()
    tables = con.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'auditor_tables'")
    found: dict[str, set[str]] = {name: set() for (name,) in tables.fetchall()}
    for name, verb in rows:
        found[name].add(verb)
    return found


def expected(name: str) -> set[str]:
    """Return exactly the privileges that the writer must have on a table."""
    special: dict[str, set[str]] = {
        "reader_scope": set(),
        "schema_step": {"SELECT"},
        "store": {"SELECT", "UPDATE"},
    }
    if name in special:
        return special[name]
    more: set[str] = set() if name in KEPT else {"DELETE"}
    if name in {"latest", "publication"}:
        more = {"UPDATE"}
    if name == "attempt":
        more = {"UPDATE", "DELETE"}
    if name.endswith("_interval") and not name.startswith("staged_"):
        more = {"UPDATE", "DELETE"}
    return {"SELECT", "INSERT", *more}


def test_the_writer_has_exactly_the_privileges_that_it_needs(url: str) -> None:
    """S15: role by table by verb, from the catalog; of an interval only the end may be written."""
    with as_superuser(url) as con:
        for name, verbs in rights(con, "auditor_writer").items():
            assert verbs == expected(name), name
        updates = con.execute(
            "SELECT DISTINCT attname FROM pg_attribute, aclexplode(attacl) AS a"
            r" WHERE attrelid::regclass::text LIKE '%\_interval' AND a.privilege_type = 'UPDATE'"
        ).fetchall()
    assert updates == [("valid_to",)]


@pytest.mark.parametrize("role", ["auditor_writer", "auditor_reader"])
@pytest.mark.parametrize(
    "wanted",
    [
        "CREATE TABLE public.mine (x int)",
        "CREATE TABLE auditor_tables.mine (x int)",
        "CREATE SCHEMA mine",
        "DROP VIEW public.inventory",
        "ALTER TABLE auditor_tables.change DISABLE ROW LEVEL SECURITY",
        "DROP POLICY readable ON auditor_tables.change",
        "TRUNCATE auditor_tables.change",
        "DELETE FROM auditor_tables.change",
        "UPDATE auditor_tables.change SET kind = ''",
        "CREATE ROLE mine",
        "GRANT auditor_owner TO auditor_reader",
        "SET ROLE auditor_owner",
    ],
)
def test_what_writer_and_reader_must_not_do_is_refused(role: str, wanted: str, url: str) -> None:
    """S15."""
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(reader(url, role=role)) as con, refused:
        con.execute(wanted.encode())


def test_no_role_of_ours_has_wide_powers_and_the_owner_cannot_log_in(url: str) -> None:
    """S15."""
    with as_superuser(url) as con:
        found = con.execute(
            r"SELECT rolname FROM pg_roles WHERE rolname LIKE 'auditor\__%' AND"
            " (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin)"
        ).fetchall()
        assert found == []
        owned = con.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'auditor_tables'"
        ).fetchall()
        assert owned == [("auditor_owner",)]
        bare = con.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'auditor_tables'::regnamespace"
            " AND relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)"
            " AND has_table_privilege('auditor_reader', oid, 'SELECT') ORDER BY 1"
        ).fetchall()
        assert bare == [("schema_step",), ("store",)]
        materialized = con.execute("SELECT count(*) FROM pg_matviews").fetchone()
        assert materialized == (0,)
