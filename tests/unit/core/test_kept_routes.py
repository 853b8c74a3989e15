"""Which routes a plan must leave serving that it does not make itself: those through what it starts anew."""

from __future__ import annotations

from homelab_mcp.core.kept_routes import with_kept_routes
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.settings import build_settings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, RouteCheck, Verification

SETTINGS = build_settings({"domain": "lab.test"})
CORE = """\
services:
  traefik:
    image: traefik:v3.7.13
    labels: {traefik.enable: "true", traefik.http.routers.t.rule: "Host(`traefik.${DOMAIN}`)",
      traefik.http.routers.t.middlewares: authelia@docker}
  traefik-socket: {image: proxy:1, labels: {homelab.companion-of: traefik}}
  authelia:
    image: authelia/authelia:4.39.24
    labels: {traefik.enable: "true", traefik.http.routers.a.rule: "Host(`auth.${DOMAIN}`)",
      traefik.http.middlewares.authelia.forwardauth.address: "http://authelia:9091/api"}
  sessions: {image: redis:8, labels: {homelab.companion-of: authelia}}
"""
APPS = """\
services:
  web:
    image: web:1
    labels: {traefik.http.routers.w.rule: "Host(`web.${DOMAIN}`)", traefik.http.routers.w.middlewares: authelia@docker}
  open: {image: open:1, labels: {traefik.http.routers.o.rule: "Host(`open.${DOMAIN}`)"}}
  asleep: {image: z:1, labels: {traefik.http.routers.z.rule: "Host(`z.${DOMAIN}`)", sablier.enable: "true"}}
"""


def lab(domain: str = "lab.test") -> Snapshot:
    env = f"DOMAIN={domain}\n"
    stacks = [StackFiles(n, f"{n}/compose.yaml", t, env) for n, t in (("apps", APPS), ("core", CORE))]
    return Snapshot(tuple(stacks), None)


def draft(kind: ActionKind, stack: str, *services: str, **more: object) -> Draft:
    return Draft("some_change", "Change", (), (EngineAction(kind, "why", stack, services),), **more)  # type: ignore[arg-type]


def kept(made: Draft, after: Snapshot | None = None, domain: str = "lab.test") -> set[tuple[str, bool, str]]:
    seen = with_kept_routes(made, view(lab()), view(after or lab()), SETTINGS, build_settings({"domain": domain}))
    assert seen.verifications[: len(made.verifications)] == made.verifications
    return {(r.host, r.sso, r.was) for v in seen.verifications for r in v.routes if r.was}


ALL = {
    ("auth.lab.test", False, "auth.lab.test"),
    ("open.lab.test", False, "open.lab.test"),
    ("traefik.lab.test", True, "traefik.lab.test"),
    ("web.lab.test", True, "web.lab.test"),
}


def test_every_route_is_asked_where_traefik_the_log_in_or_a_companion_of_theirs_starts_anew() -> None:
    for one in ("traefik", "traefik-socket", "authelia", "sessions"):
        for kind in (ActionKind.UP, ActionKind.RESTART, ActionKind.RECREATE):
            assert kept(draft(kind, "core", one)) == ALL, (one, kind)
    assert kept(draft(ActionKind.UP, "core")) == ALL, "the whole stack"


def test_none_is_asked_where_only_others_do_or_somebody_stops() -> None:
    assert kept(draft(ActionKind.UP, "apps", "web")) == set()
    assert kept(draft(ActionKind.STOP, "core", "authelia")) == set()


def test_routes_that_the_plan_asks_itself_takes_away_or_makes_new_are_left_to_it() -> None:
    own = Verification("apps", ("web",), ("open",), (RouteCheck("web", "web.lab.test", sso=True),))
    hosts = {host for host, _, _ in kept(draft(ActionKind.UP, "core", "authelia", verification=own))}
    assert hosts == {"auth.lab.test", "traefik.lab.test"}
    stacks = [
        StackFiles(s.name, s.compose_path, s.compose_text.replace("open.$", "other.$"), s.env_text)
        for s in lab().stacks
    ]
    hosts = {host for host, _, _ in kept(draft(ActionKind.UP, "core", "traefik"), Snapshot(tuple(stacks), None))}
    assert hosts == {"auth.lab.test", "traefik.lab.test", "web.lab.test"}


def test_a_change_of_the_domain_asks_by_the_new_name_what_served_by_the_old_one() -> None:
    moved = Draft("change_settings", "Change", (), (EngineAction(ActionKind.UP, "why", "apps", ("web",)),))
    assert kept(moved, lab("new.test"), "new.test") == {("web.new.test", True, "web.lab.test")}
