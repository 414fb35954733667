"""A PostgreSQL database: target kind `postgres`.

`client.py` is the target, `session.py` its connections and transactions, `errors.py` its errors in words, `login.py` where and
as whom; `filters.py`, `tables.py` and `statements.py` are what restoring rows from a backup table needs: the filter of the
file, what the catalog says, the SQL. Importing this package does not import psycopg.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from console.config.options import FilePath, OneLine, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.targets.postgres.client import PostgresTarget
from console.targets.postgres.login import Login, holds_password

KIND = "postgres"


class Options(TableOptions):
    """A PostgreSQL database: by a connection string without a password, or by host, port, dbname and user."""

    dsn: OneLine | None = None
    """A connection string without a password: `postgresql://user@host:5432/dbname` or `host=… dbname=… user=…`."""
    host: OneLine | None = None
    """Its host name, address, or the folder of its socket."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Its port; left out: 5432."""
    dbname: OneLine | None = None
    """The database's name."""
    user: OneLine | None = None
    """The role to sign in as."""
    password: SecretReference | None = None
    """That role's password; left out: ~/.pgpass, or a certificate."""
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = None
    """How much TLS is demanded; left out: what the connection string says, or `prefer`."""
    sslrootcert: FilePath | None = None
    """A PEM file with the authorities to trust."""
    connect_timeout_seconds: PositiveDuration = 5.0
    """How long connecting may take."""

    @field_validator("dsn")
    @classmethod
    def _no_password(cls, dsn: str | None) -> str | None:
        if dsn is not None and holds_password(dsn):
            raise PydanticCustomError("secret_in_file", "a secret is never written in the file")
        return dsn

    @model_validator(mode="after")
    def _one_way_in(self) -> Options:
        fields = [name for name in ("host", "port", "dbname", "user") if getattr(self, name) is not None]
        if self.dsn is not None and fields:
            raise ValueError(f'either "dsn" or {", ".join(fields)}, not both')
        if self.dsn is None and (self.host is None or self.dbname is None):
            raise ValueError('give "dsn", or "host" and "dbname"')
        return self


def build(name: str, options: Options) -> PostgresTarget:
    fields = {
        "host": options.host,
        "port": options.port,
        "dbname": options.dbname,
        "user": options.user,
        "sslmode": options.sslmode,
        "sslrootcert": options.sslrootcert and str(options.sslrootcert),
    }
    login = Login(options.dsn or "", {key: str(value) for key, value in fields.items() if value is not None})
    return PostgresTarget(name, login, options.password, connect_seconds=options.connect_timeout_seconds)
