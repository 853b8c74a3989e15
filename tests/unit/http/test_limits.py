"""Token buckets and places at work."""

from homelab_mcp.http.limits import MANY, Buckets, Slots


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    now = 100.0
    buckets = Buckets(2.0, 3, lambda: now)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0, "each caller has its own"
    now += 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") == 0.5
    now += 3600
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_asking_while_it_is_empty_does_not_push_the_wait_out() -> None:
    now = 0.0
    buckets = Buckets(1.0, 1, lambda: now)
    assert buckets.take("a") == 0
    for _ in range(100):
        now += 0.009
        assert buckets.take("a") > 0
    now += 0.2
    assert buckets.take("a") == 0


def test_buckets_stay_few() -> None:
    buckets = Buckets(1.0, 1, lambda: 0.0)
    for n in range(3 * MANY):
        buckets.take(f"{n}")
    assert len(buckets._kept) == MANY


def test_rate_zero_is_no_limit() -> None:
    buckets = Buckets(0.0, 1, lambda: 0.0)
    assert not any(buckets.take("a") for _ in range(1000))


def test_places_are_given_back() -> None:
    slots = Slots(3, 2)
    with slots.hold("a"), slots.hold("a"):
        assert slots.full("a")
        assert not slots.full("b")
        with slots.hold("b"):
            assert slots.full("c")
    assert not slots.full("a")
    assert not slots._at_work
