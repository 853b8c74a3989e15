"""How the backup's script tells of folders that it has as links alone."""

from __future__ import annotations

LINKS_SH = r"""
# A link is copied as a link. Where it leads to what is copied by its own name, nothing is lacking.
links() { (owner() { echo "$1"; }; owners) | sort -u | while IFS= read -r one; do linked "$one"; done; }
linked() {
  what=$1 at=/lab rest=$1/ said="" hops=0
  while [ -n "$rest" ]; do
    part=${rest%%/*} rest=${rest#*/}
    case "$part" in "" | .) continue ;; ..) at=${at%/*}; continue ;; esac
    at=$at/$part
    [ -L "$at" ] || continue
    if [ -z "$said" ] && skipped "$at"; then return; fi
    to=$(readlink "$at") hops=$((hops + 1))
    said=${said:-$to}
    # One that leads round in a circle ends nowhere.
    [ "$hops" -lt 40 ] || { at=/nowhere; break; }
    here=$(by_own_name "$to")
    case "$here" in /*) at="" ;; *) at=${at%/*} ;; esac
    rest=$here/$rest
  done
  [ -n "$said" ] || return 0
  eval "set -- /lab $ALSO"
  for kept in "$@"; do case "$at" in "$kept" | "$kept"/*) [ ! -e "$at" ] || return 0 ;; esac; done
  wrong "$what lies behind a link to $said, and what is there is not copied, but the link alone"
}
# A path by the lab's name here, where it is written by one that the lab has on its machine.
by_own_name() {
  path=$1
  eval "set -- $LABS"
  for root in "$@"; do
    case "$path" in "$root" | "$root"/*) path=/lab${path#"$root"}; break ;; esac
  done
  printf '%s\n' "$path"
}
"""
"""Shell functions ``links`` and ``linked``, for BusyBox's shell; they use ``owners``, ``skipped`` and ``wrong``, and of
``jobs.sh`` what else is copied (``ALSO``) and the lab's names on its machine (``LABS``)."""
