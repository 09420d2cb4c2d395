"""A child process that changes a champion for the page: it loads the networks, which the page never does."""

from lungline.child_process import answer_parent
from operations.page_orders import ChampionChanged, ChampionOrder


def change(order: ChampionOrder) -> ChampionChanged:
    """Promotes or rolls back.

    Raises:
        ModelError: it cannot be done, and why.
    """
    from lungline.settings import load
    from operations import models

    if order.action == "promote":
        done = models.promote(load(), order.version, order.by, order.why, although_refused=order.although_refused)
    else:
        done = models.rollback(load(), order.name, order.by, order.why)
    return ChampionChanged(version=done.files.version, former=done.former)


if __name__ == "__main__":
    answer_parent(ChampionOrder, change)
