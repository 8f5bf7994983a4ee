"""A connection to PostgreSQL for tests and benchmarks: libpq through ctypes, so that there is nothing to install."""

import ctypes
import ctypes.util


class SQLError(RuntimeError):
    """What the server said, with its SQLSTATE."""

    def __init__(self, message, state=''):
        super().__init__(message)
        self.state = state


class Connection:
    """One session; calls release Python's lock while they wait, so that threads run statements side by side."""

    SQLSTATE = ord('C')

    def __init__(self, conninfo):
        self.pq = ctypes.CDLL(ctypes.util.find_library('pq') or 'libpq.so.5')
        for name in ('PQconnectdb', 'PQexec', 'PQgetvalue', 'PQerrorMessage', 'PQresultErrorField'):
            getattr(self.pq, name).restype = ctypes.c_void_p
        for name in ('PQexec', 'PQgetvalue', 'PQgetisnull', 'PQntuples', 'PQnfields', 'PQclear', 'PQresultStatus', 'PQstatus',
                     'PQerrorMessage', 'PQresultErrorField', 'PQfinish'):
            getattr(self.pq, name).argtypes = [ctypes.c_void_p, *{
                'PQexec': [ctypes.c_char_p], 'PQgetvalue': [ctypes.c_int, ctypes.c_int],
                'PQgetisnull': [ctypes.c_int, ctypes.c_int], 'PQresultErrorField': [ctypes.c_int]}.get(name, [])]
        self.conn = self.pq.PQconnectdb(conninfo.encode())
        if self.pq.PQstatus(self.conn) != 0:
            error = self.error()
            self.close()
            raise SQLError(error)

    def error(self):
        return ctypes.string_at(self.pq.PQerrorMessage(self.conn)).decode()

    def rows(self, sql):
        """Runs statements; returns the rows of the last one: texts, and None for null."""
        result = self.pq.PQexec(self.conn, sql.encode())
        try:
            if self.pq.PQresultStatus(result) not in (1, 2):
                state = self.pq.PQresultErrorField(result, self.SQLSTATE)
                raise SQLError(f'{sql}: {self.error()}', ctypes.string_at(state).decode() if state else '')
            return [[None if self.pq.PQgetisnull(result, r, c) else ctypes.string_at(self.pq.PQgetvalue(result, r, c)).decode()
                     for c in range(self.pq.PQnfields(result))] for r in range(self.pq.PQntuples(result))]
        finally:
            self.pq.PQclear(result)

    def value(self, sql):
        rows = self.rows(sql)
        return rows[0][0] if rows else None

    def close(self):
        self.pq.PQfinish(self.conn)


def quote(value):
    """A literal for SQL text."""
    return 'NULL' if value is None else "'" + str(value).replace("'", "''") + "'"
