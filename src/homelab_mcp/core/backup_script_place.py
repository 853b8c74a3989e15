"""The part of the backups' script on where they go: keys, the repository, and what is wrong with it."""

from __future__ import annotations

PLACE_SH = r"""# SSH takes no files of another owner or that others may write; a person puts them here as themselves.
keys() {
  authority
  [ -d /keys/ssh ] || return 0
  mkdir -p /root/.ssh
  for file in /keys/ssh/*; do
    to=/root/.ssh/${file##*/}
    [ -f "$file" ] && ! cmp -s "$file" "$to" || continue
    cp "$file" "$to.part.$$" && mv "$to.part.$$" "$to"
  done
  for to in /root/.ssh/*; do
    # Hosts that SSH itself has noted stay, and what another call of this is about to put there.
    case "$to" in */known_hosts | *.part.[0-9]*) continue ;; esac
    [ -e "/keys/ssh/${to##*/}" ] || rm -f "$to"
  done
}
# A store at home may have a certificate of its own authority: known besides those that the image knows.
authority() {
  ca=""
  for file in /keys/ca/*; do [ ! -f "$file" ] || ca=/state/ca.pem; done
  [ -n "$ca" ] || return 0
  for file in /etc/ssl/certs/ca-certificates.crt /keys/ca/*; do
    [ ! -f "$file" ] || { cat "$file"; echo; }
  done >"$ca.part.$$" && mv "$ca.part.$$" "$ca"
  export RCLONE_CA_CERT="$ca"
}
restic() { command restic ${ca:+--cacert "$ca"} "$@"; }
# patient COMMAND...: another host's run may have the repository for itself, a check for up to twelve hours.
# What it says of errors is in /state/said.
patient() {
  for try in $(seq 1 1450); do
    "$@" 2>/state/said && return 0
    code=$?
    grep -q "already locked" /state/said || return $code
    [ "$try" != 1 ] || say "waiting until another run has left the repository" >&2
    sleep $((try < 12 ? 5 : 30))
    # Of a run that was killed, by now. Those of living ones stay.
    restic unlock >/dev/null 2>&1
  done
  return $code
}
# What SSH itself says when it is asked: restic ends before it has passed that on, or passes on a greeting alone.
ssh_says() {
  place=${RESTIC_REPOSITORY#sftp:}
  case "$place" in
    //*) place=${place#//} place=${place%%/*} ;;
    *]:*) place="${place%%]:*}]" ;;
    *) place=${place%%:*} ;;
  esac
  told=$(ssh -o BatchMode=yes -o ConnectTimeout=10 -o LogLevel=ERROR "ssh://$place" -s sftp </dev/null 2>&1 >/dev/null)
  [ -z "$told" ] || printf 'ssh: %s\n' "$told" | grep -v '^[[:space:]]*$' | tail -n 1
}
# why [FILE]: the cause among what restic said; ssh and rclone, which it runs, know more than itself.
why() {
  sed '/^Is there a repository at/,$d' "${1:-/state/said}" | grep -v '^[[:space:]]*$' >/state/why.$$
  last=$(tail -n 1 /state/why.$$)
  case "$last" in
    *sftp\ session*) known=$(ssh_says) ;;
    # What follows tells how to remove a lock, and another run may need it.
    *stale\ locks*) known=$(grep "already locked" /state/why.$$ | tail -n 1) ;;
    *) known=$(grep -E '^rclone: .*(CRITICAL|ERROR) *: ' /state/why.$$ | tail -n 1) ;;
  esac
  rm -f /state/why.$$
  printf '%s\n' "${known:-$last}" | cut -c1-300 |
    sed -E 's,^rclone: ([0-9/]+ [0-9:]+ (CRITICAL|ERROR) *: )?,rclone: ,; s/^(Fatal|subprocess ssh): //'
}

# The repository as the host calls it: in here every folder is /repository.
outside() {
  mounts='{{range .Mounts}}{{if eq .Destination "/repository"}}{{.Source}}{{end}}{{end}}'
  { [ "$RESTIC_REPOSITORY" = /repository ] && docker inspect -f "$mounts" "$(hostname)" 2>/dev/null | grep .; } ||
    echo "$RESTIC_REPOSITORY"
}
repository() {
  # A container that was made before it was told the place may have noted /repository, which then means this one.
  where=${HOMELAB_REPOSITORY:-$(outside)} noted=${HOMELAB_REPOSITORY:-$RESTIC_REPOSITORY}
  note() { grep -Fxqe "$where" /state/repository 2>/dev/null || printf '%s\n' "$where" >>/state/repository; }
  if restic cat config --no-lock >/dev/null 2>/state/said; then note; return 0; fi
  # A password that is wrong, or a repository out of reach, is no reason to make another.
  if grep -qiE 'wrong password|no key found|timeout|refused|denied|no such host' /state/said; then return 1; fi
  if grep -Fxq -e "$where" -e "$noted" -e "${HOMELAB_REPOSITORY_NOTED:-$noted}" /state/repository 2>/dev/null; then
    # A disk that is not mounted looks like an empty folder: a new repository there would fill the wrong disk.
    seen=$(why)
    case "$seen" in
      *" our records"*) ;;
      *"not exist"* | *"no such file"*)
        echo "it was there before, so none is made anew (mount its disk and restart this container, or take it" \
          "out of state/repository to begin a new one): $seen" >/state/said ;;
    esac
    return 1
  fi
  # Two that make one at the same time leave one that nobody can read: it is the first host's to make.
  if [ -n "${HOMELAB_SHARED:-}" ]; then
    say "waiting for the repository, which $HOMELAB_SHARED makes"
    for try in $(seq 1 60); do
      sleep 5
      if restic cat config --no-lock >/dev/null 2>/state/said; then note; return 0; fi
    done
    echo "it is not there yet: make a backup of $HOMELAB_SHARED first, whose it is too" >/state/said
    return 1
  fi
  say "making the repository"
  restic init >/state/said 2>&1 && note
}
# newest SNAPSHOT: "latest" is this lab's. Where none is known to be, it is nobody's among several labs'.
newest() {
  [ "$1" = latest ] || return 0
  whose
  [ "$whose" = "$mark" ] || return 0
  # Those without a lab's tag may be of yet another lab, which has no id.
  marks='"lab-[^"]*"|"tags":\["'"$mark"'"]'
  restic snapshots --no-lock --json --tag "$mark" --host "$origin" >/state/listing.newest 2>/state/said ||
    { echo "PROBLEM $(why)"; exit 1; }
  [ "$(grep -oE "$marks" /state/listing.newest | sort -u | grep -c .)" -gt 1 ] || return 0
  echo "PROBLEM none of the backups is known to be this lab's, and they are of several: name one by its id"
  exit 1
}
"""
"""Shell functions ``keys``, ``authority``, ``restic``, ``patient``, ``ssh_says``, ``why``, ``repository`` and
``newest``, for BusyBox's shell; they use ``say`` and ``whose``.

``/state/repository`` holds each place that was reached, one a line. It was the last one alone once, with
``/repository`` for every local folder.
"""
