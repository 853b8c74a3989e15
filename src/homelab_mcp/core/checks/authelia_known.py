"""The keys of Authelia's configuration, three levels deep, as Authelia 4.39 lists them (its published schema)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

from homelab_mcp.core.checks.key_tree import Tree, tree_of
from homelab_mcp.core.yaml12 import Path

_TEXT = (
    "access_control(default_policy networks(name networks) rules(domain domain_regex methods networks policy query "
    "resources subject)) authentication_backend(file(extra_attributes password path search watch) "
    "ldap(additional_groups_dn additional_users_dn address attributes base_dn group_search_mode groups_filter "
    "implementation password permit_referrals permit_unauthenticated_bind pooling start_tls timeout tls user "
    "users_filter) password_change(disable) password_reset(custom_url disable) refresh_interval) "
    "certificates_directory default_2fa_method default_redirection_url definitions(network user_attributes) "
    "duo_api(disable enable_self_enrollment hostname integration_key secret_key) "
    "identity_providers(oidc(authorization_policies claims_policies clients cors discovery_signed_response_alg "
    "discovery_signed_response_key_id enable_client_debug_messages enable_jwt_access_token_stateless_introspection "
    "enable_pkce_plain_challenge enforce_pkce hmac_secret issuer_certificate_chain issuer_private_key jwks "
    "lifespans minimum_parameter_entropy require_pushed_authorization_requests scopes)) "
    "identity_validation(elevated_session(characters code_lifespan elevation_lifespan require_second_factor "
    "skip_second_factor) reset_password(jwt_algorithm jwt_lifespan jwt_secret)) log(file_path format keep_stdout "
    "level) notifier(disable_startup_check filesystem(filename) smtp(address disable_html_emails "
    "disable_require_tls disable_starttls host identifier password port sender startup_check_address subject "
    "timeout tls username) template_path) ntp(address disable_failure disable_startup_check max_desync version) "
    "password_policy(standard(enabled max_length min_length require_lowercase require_number require_special "
    "require_uppercase) zxcvbn(enabled min_score)) privacy_policy(enabled policy_url require_user_acceptance) "
    "regulation(ban_time find_time max_retries modes) server(address asset_path buffers(read write) "
    "disable_healthcheck endpoints(authz enable_expvars enable_pprof rate_limits) headers(csp_template) "
    "timeouts(idle read write) tls(certificate client_certificates key)) session(cookies(authelia_url "
    "default_redirection_url domain expiration inactivity name remember_me same_site) domain expiration inactivity "
    "name redis(database_index high_availability host max_retries maximum_active_connections "
    "minimum_idle_connections password port timeout tls username) remember_me same_site secret) "
    "storage(encryption_key local(path) mysql(address database password timeout tls username) postgres(address "
    "database password schema servers ssl timeout tls username)) telemetry(metrics(address buffers enabled "
    "timeouts)) theme totp(algorithm allowed_algorithms allowed_digits allowed_periods digits disable "
    "disable_reuse_security_policy issuer period secret_size skew) webauthn(attestation_conveyance_preference "
    "disable display_name enable_passkey_login experimental_enable_passkey_upgrade "
    "experimental_enable_passkey_uv_two_factors filtering(permitted_aaguids prohibit_backup_eligibility "
    "prohibited_aaguids) metadata(cache_policy enabled validate_entry validate_entry_permit_zero_aaguid "
    "validate_status validate_status_permitted validate_status_prohibited validate_trust_anchor) "
    "selection_criteria(attachment discoverability user_verification) timeout)"
)
"""``key(key key)``; what is below a key without brackets is not judged."""


@cache
def _tree() -> Tree:
    return tree_of(_TEXT)


def misspelt(data: Any, known: Tree | None = None, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """(path of a key, the key that is meant) of keys that Authelia does not know, but nearly."""
    known = _tree() if known is None else known
    if isinstance(data, list):
        for n, item in enumerate(data):
            yield from misspelt(item, known, (*path, n))
    for key, value in data.items() if isinstance(data, dict) and known else ():
        if str(key) in known:
            yield from misspelt(value, known[str(key)] or {}, (*path, key)) if known[str(key)] else ()
            continue
        near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.8)
        if near and near[0] not in data:
            yield (*path, key), near[0]
