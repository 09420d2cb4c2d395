"""What Redis must allow the account of LUNGLINE_BROKER_URL (Redis ACL), and what of that it does not."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

_PIDBOX: Final = "celery.pidbox"  # through which Flower asks workers how they are
_COMMAND: Final = "to run the '"  # what Redis says where it is not the key or channel that is denied
_PRIORITY: Final = "\x06\x163"  # kombu looks into queues of other priorities, too, though we use none
_EVENTS: Final = "celeryev"  # what workers tell Flower


def missing(client: Redis, queues: Sequence[str], *, optional: bool = False) -> list[str]:
    """The commands, keys and channels that the account may not use, in words such as `keys stat, scans`; empty if it may use all.

    Redis judges a command when a transaction takes it, and this transaction is discarded: nothing is changed, taken or sent, and the
    account needs no right to ask for its rights.

    Args:
        client: a connection of this account.
        queues: names of the queues.
        optional: asks instead for what Lungline can do without.

    Raises:
        RedisError, OSError: Redis cannot be reached, or refuses the account altogether.
    """
    needed = [_Use("INFO")] if optional else _list_uses(queues, client.get_connection_kwargs().get("db", 0))
    denied: dict[str, dict[str, None]] = {"commands": {}, "keys": {}, "channels": {}}
    connection: Any = client.connection_pool.get_connection()
    try:
        # EXEC comes first, when there is nothing to execute.
        for use in (_Use("EXEC"), _Use("MULTI"), *needed, _Use("DISCARD")):
            connection.send_command(use.command, *use.arguments)
            try:
                connection.read_response()
            except ResponseError as error:  # others: nothing to execute, or no room in a full Redis
                if isinstance(error, NoPermissionError) or _COMMAND in str(error):  # of EXEC it says so in another kind of error
                    kind = "commands" if _COMMAND in str(error) else "channels" if use.on.startswith("/") else "keys"
                    denied[kind][use.command if kind == "commands" else use.on] = None
                if use.command == "MULTI":  # what follows would be done
                    break
    finally:
        connection.disconnect()  # ends the transaction, where DISCARD is not allowed
        client.connection_pool.release(connection)
    denied["commands"].pop("DISCARD", None)
    return [f"{kind} {', '.join(names)}" for kind, names in denied.items() if names]


class _Use(NamedTuple):
    command: str
    on: str = ""  # key or channel
    arguments: tuple[str, ...] = ()


def _list_uses(queues: Sequence[str], database: int) -> Iterator[_Use]:
    """As kombu's transport for Redis and Celery's events do."""

    def on(name: str, **commands: Sequence[str]) -> Iterator[_Use]:
        for command, others in commands.items():
            yield _Use(command, name, (name, *others))

    yield from (_Use("PING"), _Use("TIME"), _Use("SCRIPT LOAD", arguments=("",)), _Use("SCRIPT EXISTS", arguments=("",)))
    for key in (*queues, f"{_EVENTS}.0", f"0.reply.{_PIDBOX}"):
        yield from on(key, LLEN=(), LPUSH=("",), BRPOP=("1",), EXISTS=(), DEL=())
        yield _Use("LLEN", f"{key}*", (f"{key}{_PRIORITY}",))
    for key in ("_kombu.binding.lungline", f"_kombu.binding.{_PIDBOX}"):
        yield from on(key, SADD=("",), SREM=("",), SMEMBERS=())
        yield _Use("EVALSHA", key, ("0" * 40, "1", key))
    for key in ("_kombu.binding_deadlines", "unacked_index"):
        yield from on(key, ZADD=("0", ""), ZREM=("",), ZRANGE=("0", "0"), ZRANGEBYSCORE=("0", "0"))
    yield from on("unacked", HSET=("", ""), HGET=("",), HDEL=("",))
    yield from on("unacked_mutex", SET=("",), GET=(), DEL=())
    for channel in (f"/{database}.{_EVENTS}/worker.heartbeat", f"/{database}.{_PIDBOX}"):
        yield from on(channel, PUBLISH=("",))
    for pattern in (f"/{database}.{_EVENTS}/*", f"/{database}.{_PIDBOX}"):
        yield from on(pattern, PSUBSCRIBE=())
