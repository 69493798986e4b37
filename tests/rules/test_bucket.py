"""Which orders share a batch: an account is in one lane at a time, and so are the models whose tiers count."""

import asyncio

import pytest

from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.metering.bucket import Bucket, Job
from tokenhouse.domain.metering.types import Order


@pytest.fixture
def bucket():
    loop = asyncio.new_event_loop()
    bucket = Bucket(0, [])

    def put(*orders):
        for number, (account, model) in enumerate(orders):
            order = Order(Command(Party(account, 0, str(account)), str(number), ""), "charge", model_id=model)
            bucket.queue.append(Job(order, loop.create_future()))

    bucket_of = (bucket, put)
    yield bucket_of
    loop.close()


def counts(order):
    return order.model_id == "tiers"


def named(batch):
    return [(job.order.command.party.id, job.order.model_id) for job in batch]


def test_an_account_is_in_one_lane(bucket):
    bucket, put = bucket
    put((1, None), (2, None), (1, "m"), (3, None))
    first = bucket.take(2, counts)
    assert named(first) == [(1, None), (2, None)]
    second = bucket.take(2, counts)
    assert named(second) == [(3, None)]
    bucket.leave(first)
    assert named(bucket.take(2, counts)) == [(1, "m")]
    assert not bucket.queue


def test_counting_models_are_in_one_lane(bucket):
    bucket, put = bucket
    put((1, "tiers"), (2, "tiers"), (3, "m"), (4, "tiers"), (5, "m"))
    first = bucket.take(2, counts)
    assert named(first) == [(1, "tiers"), (2, "tiers")]
    second = bucket.take(9, counts)
    assert named(second) == [(3, "m"), (5, "m")]  # 4 would wait in the database for the first one's commit
    bucket.leave(second)
    assert bucket.take(9, counts) == []
    bucket.leave(first)
    assert named(bucket.take(9, counts)) == [(4, "tiers")]


def test_what_is_kept_back_keeps_the_order_of_its_account(bucket):
    bucket, put = bucket
    put((1, "tiers"), (2, "tiers"), (2, "m"), (3, "m"))
    first = bucket.take(1, counts)
    assert named(first) == [(1, "tiers")]
    assert named(bucket.take(9, counts)) == [(3, "m")]  # not 2's second before its first
    bucket.leave(first)
    assert named(bucket.take(9, counts)) == [(2, "tiers"), (2, "m")]


def test_looking_past_what_waits_has_an_end(bucket):
    bucket, put = bucket
    put((1, "tiers"), *[(10 + number, "tiers") for number in range(50)], (2, "m"))
    assert len(bucket.take(1, counts)) == 1
    assert bucket.take(1, counts) == []
    assert len(bucket.queue) == 51
    assert bucket.queue[0].order.command.party.id == 10
