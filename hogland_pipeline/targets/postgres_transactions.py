"""Open transactions of others on a PostgreSQL server, by their virtual numbers: every transaction has one."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

RUNNING = sql.SQL("SELECT virtualtransaction FROM pg_locks WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()")

Connection = psycopg.Connection[TupleRow]


def running(connection: Connection) -> set[str]:
    """All that are open now."""
    return {str(number) for (number,) in connection.execute(RUNNING)}


def readers_of(connection: Connection, schema: str) -> set[str]:
    """Those that have planned or run a query of a table in a schema."""
    rows = connection.execute(
        "SELECT virtualtransaction FROM pg_locks JOIN pg_class ON pg_class.oid = relation "
        "WHERE relnamespace = to_regnamespace(%s) AND mode = 'AccessShareLock' AND pid <> pg_backend_pid() "
        "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [schema],
    )
    return {str(number) for (number,) in rows}
