"""DNS providers for ACME's DNS-01 challenge, and what each wants to know.

Source: go-acme/lego, ``providers/dns/<code>/<code>.toml`` (v4.35, which Traefik 3.7 is built with), section
``Configuration.Credentials``; codes and variables are lego's own. Whether Traefik takes each code is tested with the
real program.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DnsProvider:
    """One provider.

    Args:
        code: what Traefik calls it.
        name: what people call it.
        secret: variables that hold a secret; all are needed.
        plain: variables that are needed and no secret (a user's name, an endpoint).
        file_form: whether lego also takes ``<VARIABLE>_FILE``, a path to a file that holds the value alone.
        slow: the TXT record of one challenge replaces the one before, or its name servers answer late: checks then
            ask public resolvers alone, and begin after a minute.
        note: what a person should know before.
    """

    code: str
    name: str
    secret: tuple[str, ...]
    plain: tuple[str, ...] = ()
    file_form: bool = True
    slow: bool = False
    note: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable, plain ones first."""
        return (*self.plain, *self.secret)


_ONE_RECORD = (
    "It keeps one TXT record a domain, so the two challenges of a wildcard are met one after the other: the first "
    "certificate takes some minutes."
)

PROVIDERS: tuple[DnsProvider, ...] = (
    DnsProvider("duckdns", "DuckDNS", ("DUCKDNS_TOKEN",), slow=True, note=_ONE_RECORD),
    DnsProvider(
        "cloudflare",
        "Cloudflare",
        ("CF_DNS_API_TOKEN",),
        note="A token with Zone:Read and DNS:Edit for the one zone is enough; never the account's global key.",
    ),
    DnsProvider("acme-dns", "acme-dns", (), ("ACME_DNS_API_BASE", "ACME_DNS_STORAGE_PATH")),
    DnsProvider("active24", "Active24", ("ACTIVE24_API_KEY", "ACTIVE24_SECRET")),
    DnsProvider("allinkl", "all-inkl", ("ALL_INKL_PASSWORD",), ("ALL_INKL_LOGIN",)),
    DnsProvider("azuredns", "Azure DNS", ("AZURE_CLIENT_SECRET",), ("AZURE_CLIENT_ID", "AZURE_TENANT_ID")),
    DnsProvider("bunny", "Bunny", ("BUNNY_API_KEY",)),
    DnsProvider("cloudns", "ClouDNS", ("CLOUDNS_AUTH_PASSWORD",), ("CLOUDNS_AUTH_ID",)),
    DnsProvider("desec", "deSEC", ("DESEC_TOKEN",)),
    DnsProvider("digitalocean", "DigitalOcean", ("DO_AUTH_TOKEN",)),
    DnsProvider("dnsimple", "DNSimple", ("DNSIMPLE_OAUTH_TOKEN",)),
    DnsProvider("domeneshop", "Domeneshop", ("DOMENESHOP_API_TOKEN", "DOMENESHOP_API_SECRET")),
    DnsProvider("dynu", "Dynu", ("DYNU_API_KEY",)),
    DnsProvider("easydns", "easyDNS", ("EASYDNS_TOKEN", "EASYDNS_KEY")),
    DnsProvider("freemyip", "freemyip.com", ("FREEMYIP_TOKEN",), slow=True, note=_ONE_RECORD),
    DnsProvider("gandiv5", "Gandi", ("GANDIV5_PERSONAL_ACCESS_TOKEN",)),
    DnsProvider(
        "godaddy",
        "GoDaddy",
        ("GODADDY_API_KEY", "GODADDY_API_SECRET"),
        note="Its API is only open to accounts with ten domains or more.",
    ),
    DnsProvider("hetzner", "Hetzner", ("HETZNER_API_TOKEN",)),
    DnsProvider("hostinger", "Hostinger", ("HOSTINGER_API_TOKEN",)),
    DnsProvider(
        "httpreq",
        "your own HTTP service",
        (),
        ("HTTPREQ_ENDPOINT",),
        note="It is asked to set and remove records: POST /present and /cleanup, with fqdn and value.",
    ),
    DnsProvider("hurricane", "Hurricane Electric", ("HURRICANE_TOKENS",), note="One record:token pair a name."),
    DnsProvider("infomaniak", "Infomaniak", ("INFOMANIAK_ACCESS_TOKEN",)),
    DnsProvider("inwx", "INWX", ("INWX_PASSWORD",), ("INWX_USERNAME",)),
    DnsProvider("ionos", "IONOS", ("IONOS_API_KEY",)),
    DnsProvider("ipv64", "IPv64", ("IPV64_API_KEY",)),
    DnsProvider("joker", "Joker", ("JOKER_PASSWORD",), ("JOKER_API_MODE", "JOKER_USERNAME")),
    DnsProvider("linode", "Linode", ("LINODE_TOKEN",)),
    DnsProvider("loopia", "Loopia", ("LOOPIA_API_PASSWORD",), ("LOOPIA_API_USER",)),
    DnsProvider("luadns", "LuaDNS", ("LUADNS_API_TOKEN",), ("LUADNS_API_USERNAME",)),
    DnsProvider("mythicbeasts", "Mythic Beasts", ("MYTHICBEASTS_PASSWORD",), ("MYTHICBEASTS_USERNAME",)),
    DnsProvider("namecheap", "Namecheap", ("NAMECHEAP_API_KEY",), ("NAMECHEAP_API_USER",)),
    DnsProvider("namedotcom", "Name.com", ("NAMECOM_API_TOKEN",), ("NAMECOM_USERNAME",)),
    DnsProvider("namesilo", "NameSilo", ("NAMESILO_API_KEY",)),
    DnsProvider("netcup", "netcup", ("NETCUP_API_KEY", "NETCUP_API_PASSWORD"), ("NETCUP_CUSTOMER_NUMBER",)),
    DnsProvider("njalla", "Njalla", ("NJALLA_TOKEN",)),
    DnsProvider("ns1", "NS1", ("NS1_API_KEY",)),
    DnsProvider(
        "ovh",
        "OVH",
        ("OVH_APPLICATION_KEY", "OVH_APPLICATION_SECRET", "OVH_CONSUMER_KEY"),
        ("OVH_ENDPOINT",),
        note="OVH_ENDPOINT is ovh-eu or ovh-ca.",
    ),
    DnsProvider("pdns", "PowerDNS", ("PDNS_API_KEY",), ("PDNS_API_URL",)),
    DnsProvider("porkbun", "Porkbun", ("PORKBUN_API_KEY", "PORKBUN_SECRET_API_KEY")),
    DnsProvider(
        "route53",
        "Amazon Route 53",
        ("AWS_SECRET_ACCESS_KEY",),
        ("AWS_ACCESS_KEY_ID", "AWS_REGION"),
        file_form=False,
        note="Amazon's own client reads these, so they have no _FILE form.",
    ),
    DnsProvider("scaleway", "Scaleway", ("SCW_SECRET_KEY",)),
    DnsProvider("servercow", "Servercow", ("SERVERCOW_PASSWORD",), ("SERVERCOW_USERNAME",)),
    DnsProvider("simply", "Simply.com", ("SIMPLY_API_KEY",), ("SIMPLY_ACCOUNT_NAME",)),
    DnsProvider("spaceship", "Spaceship", ("SPACESHIP_API_KEY", "SPACESHIP_API_SECRET")),
    DnsProvider("technitium", "Technitium", ("TECHNITIUM_API_TOKEN",), ("TECHNITIUM_SERVER_BASE_URL",)),
    DnsProvider("vultr", "Vultr", ("VULTR_API_KEY",)),
    DnsProvider("websupport", "Websupport", ("WEBSUPPORT_API_KEY", "WEBSUPPORT_SECRET")),
)
"""The two usual ones first, then by code."""


def provider(code: str) -> DnsProvider | None:
    """The provider of that code, None where it is not in the table."""
    return next((p for p in PROVIDERS if p.code == code), None)
