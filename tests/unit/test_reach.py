from __future__ import annotations

from ipaddress import ip_address

import pytest

from messaging.reach import PUBLIC, OutOfReach, Reach, parts_of

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - asked about, and not bound to
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
]


def resolving(*addresses: str):  # noqa: ANN201 - a resolver
    async def resolve(_host: str, _port: int) -> tuple[str, ...]:
        return addresses

    return resolve


@pytest.mark.parametrize("address", INSIDE)
def test_a25_an_address_that_is_not_public_is_out_of_reach(address: str) -> None:
    assert not PUBLIC.permits(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "91.186.80.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_within_reach(address: str) -> None:
    assert PUBLIC.permits(ip_address(address))


def test_a_network_that_the_operator_names_is_within_reach_and_its_neighbour_is_not() -> None:
    reach = Reach.to("10.20.0.0/16", "fd00:1::/32")
    for address in ("10.20.1.2", "::ffff:10.20.1.2", "fd00:1::5"):
        assert reach.permits(ip_address(address))
    for address in ("10.21.0.1", "fd00:2::5", "127.0.0.1"):
        assert not reach.permits(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://[::1]/",
        "http://localhost:8080/",
        "https://169.254.169.254/latest/meta-data/",
        "http://[::ffff:a00:1]/",
    ],
)
async def test_a25_a_url_that_leads_inside_is_refused_when_it_is_read(url: str) -> None:
    with pytest.raises(ValueError, match="SAMHANDLING_CALLS_ALLOWED"):
        await PUBLIC.check(url)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://x.example/", "ftp://x.example/", "//x.example/", "https:///path", "x"]
)
async def test_a25_only_http_and_https_are_called(url: str) -> None:
    with pytest.raises(ValueError, match="must be http"):
        await PUBLIC.check(url)


def test_a25_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="no user and no password") as refused:
        parts_of("https://user:hush@receiver.example/")
    assert "hush" not in str(refused.value)


async def test_a_name_that_does_not_resolve_now_is_left_for_later() -> None:
    async def away(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    await PUBLIC.check("https://receiver.example/", away)


async def test_a25_of_a_names_addresses_only_the_public_ones_are_given() -> None:
    both = resolving("10.0.0.1", "8.8.8.8", "::1")
    assert await PUBLIC.addresses("receiver.example", 443, both) == ["8.8.8.8"]
    with pytest.raises(OutOfReach, match=r"receiver.example is an address of a private or special network"):
        await PUBLIC.addresses("receiver.example", 443, resolving("10.0.0.1"))
