import pytest

from lungline.masked import masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://:secret@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("rediss://user:se@cr/et@host/0", "rediss://user:***@host/0"),
        ("postgresql+psycopg://u:p%40ss@host:5432/db?sslmode=require", "postgresql+psycopg://u:***@host:5432/db?sslmode=require"),
        ("postgresql+psycopg:///db?host=/run/pg&password=secret&user=u", "postgresql+psycopg:///db?host=/run/pg&password=***&user=u"),
        ("sqlite:////srv/a:b@c/lungline.db", "sqlite:////srv/a:b@c/lungline.db"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
    ],
)
def test_masked(address: str, shown: str) -> None:
    assert masked(address) == shown
