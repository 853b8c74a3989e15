"""DNS providers that Traefik's certificate resolvers know, and the variables that the common ones need.

From the documentation of lego, which Traefik asks for certificates (https://go-acme.github.io/lego/dns/, a page a
provider); the names were found again in the program of Traefik 3.7, the last three lines in lego's providers/dns
folder: newer Traefik has those too. Each variable may end in ``_FILE``.
"""

from __future__ import annotations

_PROVIDERS_TEXT = (
    "acme-dns active24 alidns allinkl arvancloud auroradns autodns axelname azion azure azuredns baiducloud bindman "
    "bluecat bookmyname brandit bunny checkdomain civo clouddns cloudflare cloudns cloudru cloudxns conoha conohav3 "
    "constellix corenetworks cpanel derak desec designate digitalocean directadmin dnshomede dnsimple dnsmadeeasy "
    "dnspod dode domeneshop dreamhost duckdns dyn dyndnsfree dynu easydns edgedns edgeone efficientip epik exec "
    "exoscale f5xc freemyip gandi gandiv5 gcloud gcore glesys godaddy googledomains gravity hetzner hostingde "
    "hostinger hosttech "
    "httpnet httpreq huaweicloud hurricane hyperone ibmcloud iij iijdpf infoblox infomaniak internetbs inwx "
    "ionos ionoscloud ipv64 iwantmyname joker keyhelp liara lightsail limacity linode liquidweb loopia luadns "
    "mailinabox manageengine manual metaname metaregistrar mijnhost mittwald myaddr mydnsjp mythicbeasts namecheap "
    "namedotcom namesilo nearlyfreespeech netcup netlify nicmanager nicru nifcloud njalla nodion ns1 octenium "
    "oraclecloud otc ovh pdns plesk porkbun rackspace rainyun rcodezero regfish regru rfc2136 rimuhosting route53 "
    "safedns sakuracloud scaleway selectel selectelv2 selfhostde servercow shellrent simply sonic spaceship stackpath "
    "syse technitium tencentcloud timewebcloud todaynic transip ultradns variomedia vegadns vercel versio vinyldns "
    "virtualname vkcloud volcengine vscale vultr webnames webnamesca websupport wedos westcn yandex yandex360 "
    "yandexcloud zoneedit zoneee zonomi "
    "abion afraid aliesa alwaysdata anexia artfiles beget binarylane bluecatv2 com35 combell comlaude curanet czechia "
    "dandomain ddnss dinahosting dns51 dnscale dnsexit dnsla dnsservices dnsupdate dynadot edgecenter eurodns euserv "
    "excedo feno fornex gehirn gigahostno gname hetznerv1"
)
PROVIDERS = frozenset(_PROVIDERS_TEXT.split())
"""Codes of providers."""

NEEDED: dict[str, tuple[str, ...]] = {
    "cloudflare": (
        "CF_DNS_API_TOKEN",
        "CLOUDFLARE_DNS_API_TOKEN",
        "CF_API_EMAIL CF_API_KEY",
        "CLOUDFLARE_EMAIL CLOUDFLARE_API_KEY",
    ),
    "desec": ("DESEC_TOKEN",),
    "digitalocean": ("DO_AUTH_TOKEN",),
    "dnsimple": ("DNSIMPLE_OAUTH_TOKEN",),
    "domeneshop": ("DOMENESHOP_API_TOKEN DOMENESHOP_API_SECRET",),
    "dreamhost": ("DREAMHOST_API_KEY",),
    "duckdns": ("DUCKDNS_TOKEN",),
    "dynu": ("DYNU_API_KEY",),
    "freemyip": ("FREEMYIP_TOKEN",),
    "gandiv5": ("GANDIV5_PERSONAL_ACCESS_TOKEN", "GANDIV5_API_KEY"),
    "godaddy": ("GODADDY_API_KEY GODADDY_API_SECRET",),
    "hetzner": ("HETZNER_API_TOKEN", "HETZNER_API_KEY"),
    "infomaniak": ("INFOMANIAK_ACCESS_TOKEN",),
    "inwx": ("INWX_USERNAME INWX_PASSWORD",),
    "ionos": ("IONOS_API_KEY",),
    "linode": ("LINODE_TOKEN",),
    "namecheap": ("NAMECHEAP_API_USER NAMECHEAP_API_KEY",),
    "namesilo": ("NAMESILO_API_KEY",),
    "netcup": ("NETCUP_CUSTOMER_NUMBER NETCUP_API_KEY NETCUP_API_PASSWORD",),
    "netlify": ("NETLIFY_TOKEN",),
    "njalla": ("NJALLA_TOKEN",),
    "porkbun": ("PORKBUN_API_KEY PORKBUN_SECRET_API_KEY",),
    "vercel": ("VERCEL_API_TOKEN",),
    "vultr": ("VULTR_API_KEY",),
}
"""Provider -> sets of variables of which one must be there whole."""
