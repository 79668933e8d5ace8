"""The ports that tests are given."""

from tests.e2e.appliance import free_port


def test_nobody_gets_the_port_of_somebody_who_has_not_begun() -> None:
    """Servers listen long after they were given their port: some are down, some not yet up."""
    given = [free_port() for _ in range(500)]
    assert len(set(given)) == len(given)
    assert all(10_240 <= port < 30_000 for port in given)
