"""Words of well-known variable names, to tell a misspelt one; and what well-known images read.

The words are those that stand most often in the variables of some 1,200 services of public app stores; the names of
an image's own variables are from its documentation (Docker Hub's pages of the official images, gluetun's wiki,
Watchtower's arguments, Homepage's installation page).
"""

from __future__ import annotations

_WORDS_TEXT = (
    "PASSWORD DATABASE SECRET POSTGRES SERVER REDIS ADMIN USERNAME ENABLED STORAGE DEFAULT ACCESS ENABLE PUBLIC CLIENT "
    "TOKEN DISABLE MYSQL CONFIG ALLOW DOMAIN ADDRESS LEVEL DOCKER PROXY ENCRYPTION CACHE CONNECTION LIMIT PRIVATE "
    "ENDPOINT MONGO TIMEOUT UPLOAD SECURITY ALLOWED SERVICE HOSTNAME TRUSTED SESSION PROVIDER DEBUG REGION "
    "AUTHENTICATION PAPERLESS GITEA WORKERS COOKIE SECURE OPTIONS VERSION SIGNUPS INTERVAL DASHBOARD MARIADB UPDATE "
    "METRICS DIRECTORY TIMEZONE WATCHTOWER WORDPRESS NEXTCLOUD SCHEDULE CLEANUP WEBUI WIREGUARD OPENVPN FIREWALL "
    "SUBNETS COUNTRIES ADDRESSES MONGODB INITDB GRAFANA HOMEPAGE AUTHELIA TRAEFIK PIHOLE JELLYFIN TRANSMISSION UMASK "
    "LANGUAGE POSTGRESQL VIRTUAL"
)
WORDS = frozenset(_WORDS_TEXT.split())
_OTHER_WORDS_TEXT = (
    "INTERNAL MAIL GMAIL SERVE PROVIDED RLIMIT POSTGRE POSTGREST SERPER ETERNAL UPDATER SCHEDULER SUBNET SIGNUP WORKER "
    "SERVED SECURED CLEANUPS HOSTNAMES ENABLER DISABLED ALLOWS LIMITS LEVELS MARIA SECRETS TOKENS"
)
OTHER_WORDS = frozenset(_OTHER_WORDS_TEXT.split())
"""Words next to one of those that are words of their own."""

_GLUETUN = (
    "VPN_SERVICE_PROVIDER VPN_TYPE VPN_INTERFACE VPN_PORT_FORWARDING VPN_PORT_FORWARDING_PROVIDER "
    "VPN_PORT_FORWARDING_LISTENING_PORT VPN_PORT_FORWARDING_STATUS_FILE VPN_PORT_FORWARDING_UP_COMMAND "
    "VPN_PORT_FORWARDING_DOWN_COMMAND VPN_PORT_FORWARDING_USERNAME VPN_PORT_FORWARDING_PASSWORD VPN_ENDPOINT_IP "
    "VPN_ENDPOINT_PORT VPN_UP_COMMAND VPN_DOWN_COMMAND VPN_PORT_FORWARDING_PORTS_COUNT OPENVPN_USER OPENVPN_PASSWORD "
    "OPENVPN_PROTOCOL OPENVPN_VERSION OPENVPN_ENDPOINT_IP OPENVPN_ENDPOINT_PORT OPENVPN_VERBOSITY OPENVPN_FLAGS "
    "OPENVPN_ROOT OPENVPN_CIPHERS OPENVPN_AUTH OPENVPN_MSSFIX OPENVPN_CUSTOM_CONFIG OPENVPN_INTERFACE OPENVPN_PORT "
    "OPENVPN_CERT OPENVPN_KEY OPENVPN_ENCRYPTED_KEY OPENVPN_KEY_PASSPHRASE OPENVPN_PROCESS_USER OPENVPN_IPV6 "
    "OPENVPN_CLIENTCRT_SECRETFILE OPENVPN_CLIENTKEY_SECRETFILE OPENVPN_ENCRYPTED_KEY_SECRETFILE "
    "OPENVPN_KEY_PASSPHRASE_SECRETFILE OPENVPN_USER_SECRETFILE OPENVPN_PASSWORD_SECRETFILE WIREGUARD_PRIVATE_KEY "
    "WIREGUARD_PRESHARED_KEY WIREGUARD_ADDRESSES WIREGUARD_ADDRESS WIREGUARD_PUBLIC_KEY WIREGUARD_ENDPOINT_IP "
    "WIREGUARD_ENDPOINT_PORT WIREGUARD_ALLOWED_IPS WIREGUARD_IMPLEMENTATION WIREGUARD_MTU WIREGUARD_INTERFACE "
    "WIREGUARD_PERSISTENT_KEEPALIVE_INTERVAL WIREGUARD_PRIVATE_KEY_SECRETFILE WIREGUARD_PRESHARED_KEY_SECRETFILE "
    "WIREGUARD_ADDRESSES_SECRETFILE WIREGUARD_CONF_SECRETFILE SERVER_COUNTRIES SERVER_REGIONS SERVER_CITIES "
    "SERVER_HOSTNAMES SERVER_NAMES SERVER_CATEGORIES SERVER_NUMBER FIREWALL_VPN_INPUT_PORTS FIREWALL_INPUT_PORTS "
    "FIREWALL_OUTBOUND_SUBNETS FIREWALL_DEBUG FIREWALL_ENABLED_DISABLING_IT_SHOOTS_YOU_IN_YOUR_FOOT FIREWALL "
    "FIREWALL_IPTABLES_LOG_LEVEL"
)
OWN_NAMES: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {
    image: (tuple(first.split()), frozenset(names.split()))
    for image, first, names in (
        (
            "postgres",
            "POSTGRES_",
            "POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS POSTGRES_INITDB_WALDIR "
            "POSTGRES_HOST_AUTH_METHOD POSTGRES_INITDB_XLOGDIR",
        ),
        (
            "mariadb",
            "MARIADB_ MYSQL_",
            "MARIADB_ROOT_PASSWORD MARIADB_ALLOW_EMPTY_ROOT_PASSWORD MARIADB_RANDOM_ROOT_PASSWORD MARIADB_DATABASE "
            "MARIADB_ROOT_HOST MARIADB_ROOT_PASSWORD_HASH MARIADB_USER MARIADB_PASSWORD MARIADB_PASSWORD_HASH "
            "MARIADB_AUTO_UPGRADE MARIADB_DISABLE_UPGRADE_BACKUP MARIADB_INITDB_SKIP_TZINFO "
            "MARIADB_MYSQL_LOCALHOST_USER MARIADB_MYSQL_LOCALHOST_GRANTS MARIADB_HEALTHCHECK_GRANTS "
            "MARIADB_REPLICATION_USER MARIADB_REPLICATION_PASSWORD MARIADB_MASTER_HOST MARIADB_MASTER_PORT "
            "MYSQL_ROOT_PASSWORD "
            "MYSQL_ALLOW_EMPTY_PASSWORD MYSQL_RANDOM_ROOT_PASSWORD MYSQL_DATABASE MYSQL_ROOT_HOST MYSQL_USER "
            "MYSQL_PASSWORD MYSQL_INITDB_SKIP_TZINFO MYSQL_LOG_CONSOLE",
        ),
        (
            "mysql",
            "MYSQL_",
            "MYSQL_ROOT_PASSWORD MYSQL_ALLOW_EMPTY_PASSWORD MYSQL_RANDOM_ROOT_PASSWORD MYSQL_DATABASE MYSQL_ROOT_HOST "
            "MYSQL_USER MYSQL_PASSWORD MYSQL_INITDB_SKIP_TZINFO MYSQL_ONETIME_PASSWORD MYSQL_LOG_CONSOLE",
        ),
        (
            "mongo",
            "MONGO_INITDB_",
            "MONGO_INITDB_ROOT_USERNAME MONGO_INITDB_ROOT_PASSWORD MONGO_INITDB_DATABASE",
        ),
        ("gluetun", "VPN_ OPENVPN_ WIREGUARD_ SERVER_ FIREWALL_", _GLUETUN),
        (
            "watchtower",
            "WATCHTOWER_",
            "WATCHTOWER_SCHEDULE WATCHTOWER_POLL_INTERVAL WATCHTOWER_CLEANUP WATCHTOWER_LABEL_ENABLE WATCHTOWER_SCOPE "
            "WATCHTOWER_INCLUDE_STOPPED WATCHTOWER_REVIVE_STOPPED WATCHTOWER_INCLUDE_RESTARTING WATCHTOWER_RUN_ONCE "
            "WATCHTOWER_MONITOR_ONLY WATCHTOWER_NO_RESTART WATCHTOWER_NO_PULL WATCHTOWER_REMOVE_VOLUMES "
            "WATCHTOWER_ROLLING_RESTART WATCHTOWER_TIMEOUT WATCHTOWER_DEBUG WATCHTOWER_TRACE WATCHTOWER_LOG_LEVEL "
            "WATCHTOWER_LOG_FORMAT WATCHTOWER_NOTIFICATIONS WATCHTOWER_NOTIFICATION_URL WATCHTOWER_NOTIFICATION_REPORT "
            "WATCHTOWER_NOTIFICATION_TEMPLATE WATCHTOWER_NOTIFICATIONS_HOSTNAME WATCHTOWER_NOTIFICATIONS_LEVEL "
            "WATCHTOWER_NOTIFICATIONS_DELAY WATCHTOWER_NO_STARTUP_MESSAGE WATCHTOWER_HTTP_API_UPDATE "
            "WATCHTOWER_HTTP_API_TOKEN WATCHTOWER_HTTP_API_METRICS WATCHTOWER_HTTP_API_PERIODIC_POLLS "
            "WATCHTOWER_DISABLE_CONTAINERS WATCHTOWER_LIFECYCLE_HOOKS WATCHTOWER_LABEL_TAKE_PRECEDENCE "
            "WATCHTOWER_WARN_ON_HEAD_FAILURE WATCHTOWER_PORCELAIN",
        ),
        ("homepage", "HOMEPAGE_ALLOWED", "HOMEPAGE_ALLOWED_HOSTS"),
    )
}
"""Image -> the beginnings that its variables have, and all variables of its that begin so (``_FILE`` may follow)."""
ALIASES = {
    "POSTGRES_DATABASE": "POSTGRES_DB",
    "POSTGRES_DBNAME": "POSTGRES_DB",
    "POSTGRES_NAME": "POSTGRES_DB",
    "POSTGRES_PASS": "POSTGRES_PASSWORD",
    "POSTGRES_USERNAME": "POSTGRES_USER",
    "MYSQL_DB": "MYSQL_DATABASE",
    "MYSQL_PASS": "MYSQL_PASSWORD",
    "MYSQL_USERNAME": "MYSQL_USER",
    "MYSQL_ROOT_PASS": "MYSQL_ROOT_PASSWORD",
    "MARIADB_DB": "MARIADB_DATABASE",
    "MARIADB_PASS": "MARIADB_PASSWORD",
    "MARIADB_USERNAME": "MARIADB_USER",
    "MONGO_INITDB_USERNAME": "MONGO_INITDB_ROOT_USERNAME",
    "MONGO_INITDB_PASSWORD": "MONGO_INITDB_ROOT_PASSWORD",
    "VPN_PROVIDER": "VPN_SERVICE_PROVIDER",
}
"""Names that look right and that no image reads, with the one that is meant."""
PROVIDERS = frozenset(
    {
        "airvpn",
        "azirevpn",
        "cryptostorm",
        "cyberghost",
        "custom",
        "expressvpn",
        "fastestvpn",
        "giganews",
        "hidemyass",
        "ipvanish",
        "ivpn",
        "example",
    }
    | {"mullvad", "nordvpn", "ovpn", "perfect privacy", "pia", "privado", "private internet access", "privatevpn"}
    | {"protonvpn", "purevpn", "slickvpn", "surfshark", "torguard", "vpn secure", "vpnsecure", "vpn unlimited"}
    | {"vyprvpn", "wevpn", "windscribe"}
)
"""VPN providers that gluetun's releases know or knew (its wiki, a page each; internal/constants/providers). Each
release may bring more, so a word that is none of these is not wrong for that."""


def one_off(word: str, meant: str) -> bool:
    """True when one letter too many, too few, another or two in the wrong order make one word of the other."""
    if word == meant or abs(len(word) - len(meant)) > 1:
        return False
    at = 0
    while at < min(len(word), len(meant)) and word[at] == meant[at]:
        at += 1
    if len(word) == len(meant):
        swapped = word[at : at + 2] == meant[at : at + 2][::-1] and word[at + 2 :] == meant[at + 2 :]
        return swapped or word[at + 1 :] == meant[at + 1 :]
    short, long = sorted((word, meant), key=len)
    return short[at:] == long[at + 1 :]


def stops_gluetun(key: str, value: str, message: str) -> bool:
    """True where gluetun is sure to end over a variable's value, of which ``message`` says what is wrong.

    The words of two variables are all known; of the providers only a slip of one letter is sure to be none.
    """
    if key == "VPN_SERVICE_PROVIDER":
        return any(one_off(value.strip().lower(), provider) for provider in PROVIDERS)
    return key in {"VPN_TYPE", "OPENVPN_PROTOCOL"} and "Did you mean" in message


def misspelt(word: str) -> str:
    """The word that is meant, "" where this one is a word of its own."""
    if len(word) < 5 or word in WORDS or word in OTHER_WORDS:
        return ""
    for meant in WORDS:
        if one_off(word, meant) and word.rstrip("SDR") != meant.rstrip("SDR"):
            return meant
    return ""
