"""The script that makes backups: it runs in the backup container by its own clock, and by hand, without this program.

It needs what Backrest's Alpine image holds (its Dockerfile.alpine): a POSIX shell with BusyBox's tools, restic, and
the ``docker`` command, by which dumps run inside the databases' own containers.
"""

from __future__ import annotations

from homelab_mcp.core.backup_script_check import CHECK_SH
from homelab_mcp.core.backup_script_found import FOUND_SH
from homelab_mcp.core.backup_script_links import LINKS_SH
from homelab_mcp.core.backup_script_place import PLACE_SH

_BEGIN = r"""#!/bin/sh
# Written by homelab-mcp. Runs a lab's backups with restic; `run.sh` alone says what it can do.
# Mounts: /lab (the lab, read-only), /dumps, /restore, /state (all writable), /backup (this folder), the Docker socket.
umask 077
export RESTIC_CACHE_DIR=/state/cache
# Restic tells how far it is sixty times a second otherwise.
export RESTIC_PROGRESS_FPS=0.5
errors=/state/errors.now
say() { echo "STEP $*"; }
# Several labs may share a repository: each backup has its lab's id as a tag, where the lab has one.
# On another host that is told: a file there of that name may be of a lab that was there before.
own=${HOMELAB_LAB:-$(head -c 32 /lab/.homelab/id 2>/dev/null | tr -cd '0-9a-f')} own=${own:+lab-$own}
# Each Docker host of a lab makes backups of what it has. They may share a repository: each has its host's name.
origin=lab${HOMELAB_HOST:+/$HOMELAB_HOST}
# A script of before there were hosts lets go of all that is marked "homelab", whichever host's.
mark=homelab${HOMELAB_HOST:+-host}
"""

_REST = r"""wrong() { echo "PROBLEM $*"; echo "$*" >>"$errors"; }
container() {
  docker ps -q --filter "label=com.docker.compose.project=$1" --filter "label=com.docker.compose.service=$2" \
    --filter "label=com.docker.compose.oneoff=False" | head -n 1
}

# dump PROJECT SERVICE FILE COMMAND [OTHERS]: a dump is kept only whole; OTHERS lists what else the server has.
dump() {
  say "dumping $1/$2"
  c=$(container "$1" "$2")
  if [ -z "$c" ]; then wrong "$1/$2 does not run, so its database was not dumped; the last dump stays"; return; fi
  mkdir -p "/dumps/${3%/*}"
  if docker exec "$c" sh -c "$4" >"/dumps/$3.part" 2>/state/said && [ -s "/dumps/$3.part" ]; then
    mv "/dumps/$3.part" "/dumps/$3"
    [ -n "${5:-}" ] || return 0
    others=$(docker exec "$c" sh -c "$5" 2>/dev/null </dev/null | head -n 20 | tr '\n' ' ' | cut -c1-200)
    [ -z "$others" ] || wrong "$1/$2 has more databases than its dump holds, and they are in no backup: ${others% }"
  else
    rm -f "/dumps/$3.part"
    wrong "the dump of $1/$2 failed: $(tail -n 1 /state/said | cut -c1-200)"
  fi
}
# save PROJECT SERVICE COMMAND: lets a store write its own file, which is then copied with the rest.
save() {
  c=$(container "$1" "$2")
  [ -n "$c" ] || return 0
  say "saving $1/$2"
  docker exec "$c" sh -c "$3" >/state/said 2>&1 || wrong "$1/$2 did not save: $(tail -n 1 /state/said | cut -c1-200)"
}
owner() {
  case "$here" in "$1"/*) c=$(container "$2" "$3"); [ -z "$c" ] || holders="$holders $c" ;; esac
}

# A database file is copied with its log, and the copy counts when neither changed meanwhile.
copied() {
  rm -f "$to" "$to-wal" "$to-journal"
  for end in "" -wal -journal; do [ ! -e "$file$end" ] || cp -p "$file$end" "$to$end" 2>/dev/null; done
  for end in "" -wal -journal; do
    if [ -e "$file$end" ] || [ -e "$to$end" ]; then cmp -s "$file$end" "$to$end" || return 1; fi
  done
}
release() {
  for c in $(cat /state/paused 2>/dev/null); do docker unpause "$c" >/dev/null 2>&1; done
  rm -f /state/paused
}
sqlite_one() {
  here=${file#/lab/} to=/dumps/sqlite/${file#/lab/}
  mkdir -p "${to%/*}"
  for try in 1 2 3; do if copied; then done_with=yes; break; fi; done_with=no; sleep 0.2; done
  if [ "$done_with" = no ]; then
    holders=""
    owners
    if [ -z "$holders" ]; then wrong "$here was written to all the time, so its copy may be torn"; return; fi
    # It is never quiet: whoever writes it stands still for the copy.
    echo "$holders" >/state/paused
    for c in $holders; do docker pause "$c" >/dev/null 2>&1; done
    copied || wrong "$here could not be copied whole"
    release
  fi
  for end in "" -wal -shm -journal; do echo "$file$end" | sed 's/[][*?\\]/[&]/g' >>/state/excludes; done
}
sqlite() {
  : >/state/excludes; rm -rf /dumps/sqlite; set --
  # On each disk that is mounted in the lab as well, as restic copies those; but not into what is left out as a whole.
  while IFS= read -r path; do
    case "$path" in *[][*?\\]*) ;; /*) set -- "$@" -path "$path" -prune -o ;; esac
  done </backup/excludes
  find /lab "$@" -type f -size +0 \( -name '*.db' -o -name '*.sqlite' -o -name '*.sqlite3' -o -name '*.db3' \) -print \
    >/state/found 2>/dev/null
  while IFS= read -r file; do
    if skipped "$file"; then continue; fi
    [ "$(head -c 15 "$file" 2>/dev/null)" = "SQLite format 3" ] || continue
    say "copying ${file#/lab/}"
    sqlite_one </dev/null
  done </state/found
}
skipped() {
  while IFS= read -r pattern; do
    # shellcheck disable=SC2254
    case "$1" in $pattern | $pattern/*) return 0 ;; esac
  done </backup/excludes
  return 1
}

finish() {
  result=$1
  [ "$result" = failed ] || [ ! -s "$errors" ] || result=incomplete
  { printf '{"result":"%s","run":"%s","started":%s,"ended":%s,"snapshot":"%s","problems":[' \
      "$result" "$(cat /proc/sys/kernel/random/uuid)" "$begun" "$(date +%s)" "$2"
    comma=""
    tr '"' "'" <"$errors" | tr -d '\000-\011\013-\037\\' |
      while IFS= read -r line; do printf '%s"%s"' "$comma" "$line"; comma=,; done
    printf ']}\n'
  } >/state/last.json.part
  mv /state/last.json.part /state/last.json
  rm -f /state/begun
  if [ "$result" = ok ]; then cp /state/last.json /state/last-ok.json; fi
  say "ended: $result"
  [ "$result" = ok ]
}

backup() {
  exec 9>/state/lock 7>/state/checking
  # Whoever asks whether a run is at work holds the lock for an instant.
  if ! { flock -n 9 || { sleep 1; flock -n 9; }; }; then echo "PROBLEM another run is at work"; exit 75; fi
  # Restic's check keeps everybody else from the repository.
  flock -n 7 || { say "waiting until the check of the repository has ended"; flock 7; }
  exec 7>&-
  begun=$(date +%s | tee /state/begun)
  : >"$errors"
  release
  . /backup/jobs.sh
  if ! repository; then wrong "the repository: $(why)"; finish failed ""; exit 1; fi
  # Locks of a run that was killed; those of living ones stay.
  restic unlock >/dev/null 2>&1
  dumps
  sqlite
  [ -n "$own" ] || [ ! -e /lab/.homelab/id ] ||
    wrong "the lab's id (.homelab/id) cannot be read, so this backup is not marked as this lab's"
  # What a restore must know: which of what is here then was never in it.
  cp /backup/excludes /dumps/.excludes
  links
  say "copying into the repository"
  eval "set -- /lab /dumps $ALSO"
  { patient restic backup --json --host "$origin" --tag "$mark" ${own:+--tag "$own"} \
      --exclude-file /backup/excludes --exclude-file /state/excludes "$@"; echo $? >/state/code; } |
    tee /state/restic.out | grep '^{"message_type":"s'
  id=$(sed -n 's/.*"message_type":"summary".*"snapshot_id":"\([0-9a-f]*\)".*/\1/p' /state/restic.out | tail -n 1)
  if [ -z "$id" ]; then wrong "restic: $(why)"; finish failed ""; exit 1; fi
  wording() { { grep -m 1 -i error /state/said || head -n 1 /state/said; } | cut -c1-200; }
  # Status 3: a snapshot was made, but not all could be read. Words alone mean nothing: a server greets, a try is
  # repeated.
  [ "$(cat /state/code)" = 0 ] || wrong "not all was read: $(wording)"
  if [ -n "$KEEP" ]; then
    say "letting go of old snapshots"
    let_go
  fi
  finish ok "$id"
}
let_go() {
  # A tag that is asked for is found among others too: without an id of its own a lab would let go of every lab's.
  if [ -z "$own" ]; then
    restic snapshots --no-lock --json --tag "$mark" --host "$origin" >/state/listing.own 2>/state/said ||
      { wrong "old snapshots stay, as whose they are cannot be asked: $(why)"; return; }
    if grep -q '"lab-' /state/listing.own; then
      wrong "old snapshots stay: this lab has no id (.homelab/id), and labs that have one keep theirs in the repository"
      return
    fi
  fi
  # Those without a lab's tag may be another's that has an older version: nobody lets go of them.
  # shellcheck disable=SC2086
  patient restic forget --quiet --host "$origin" --tag "$mark${own:+,$own}" --group-by tags $KEEP --prune \
    >/dev/null || wrong "old snapshots stay: $(why)"
}

# A path as restic's filters take it: what is a pattern's sign there stands for itself.
plainly() {
  case "$1" in *[][*?\\]*) printf '%s\n' "$1" | sed 's/[][*?\\]/\\&/g' ;; *) printf '%s\n' "$1" ;; esac
}
# fetch SNAPSHOT FOLDER PATH...: all at once, for each start of restic opens the repository anew.
fetch() {
  snapshot=$1 into=$2; shift 2
  for one in "$@"; do shift; set -- "$@" --include "$(plainly "$one")"; done
  # Without a lock, as a check holds one for hours, and who needs data back cannot wait.
  restic restore "$snapshot" ${whose:+--tag "$whose" --host "$origin"} --no-lock --target "$into" "$@" \
    >/state/said 2>&1 </dev/null
}
# restore SNAPSHOT ID PATH...: below /restore/ID; a database file comes from its copy.
restore() {
  newest "$1"
  from=$1 to=/restore/$2; shift 2
  find /restore -mindepth 1 -maxdepth 1 -mtime +2 -exec rm -rf {} \;
  rm -rf "$to"; mkdir -p "$to"
  for path in "$@"; do say "restoring $path"; done
  both() {
    for path in "$@"; do
      shift
      set -- "$@" "/lab/$path" "/dumps/sqlite/$path"
      # One file of a database comes with its log.
      [ -d "/lab/$path" ] || for end in -wal -journal; do
        set -- "$@" "/lab/$path$end" "/dumps/sqlite/$path$end"
      done
    done
    fetch "$from" "$to" "$@" /dumps/.excludes
  }
  both "$@" || { echo "PROBLEM $(why)"; exit 1; }
  if [ -d "$to/dumps/sqlite" ]; then (cd "$to/dumps/sqlite" && find . -type f) | while IFS= read -r one; do
    mkdir -p "$to/lab/${one%/*}"; mv "$to/dumps/sqlite/$one" "$to/lab/$one"
  done; fi
  for path in "$@"; do told "$path"; done
}
# Whether all came but for owners, which a file server's share may not let even root set: restic tells each thing that
# it could not do, and at last how many those were.
only_owners() {
  many=$(grep -c '^ignoring error for ' /state/said)
  [ "$many" = "$(grep -cE '^ignoring error for /[^:]*: (Lchown: )?lchown [^:]*: ' /state/said)" ] &&
    grep -qx "Fatal: There were $many errors" /state/said
}
# dumped SNAPSHOT ID FILE FOLDER...: a dump, and empty folders for the database to begin anew in.
dumped() {
  newest "$1"
  from=$1 to=/restore/$2 file=$3; shift 3
  mkdir -p "$to/dumps/${file%/*}"
  # The backup holds each empty folder, with its owner.
  folders() { for path in "$@"; do shift; set -- "$@" "/lab/$path"; done; fetch "$from" "$to/raw" "/dumps/$file" "$@"; }
  ownerless=""
  if ! folders "$@"; then
    only_owners || { echo "PROBLEM $(why)"; exit 1; }
    ownerless=$(sed -n 's/^ignoring error for //p' /state/said | head -n 1 | cut -c1-200)
  fi
  [ -s "$to/raw/dumps/$file" ] || { echo "MISSING $file"; exit 0; }
  mv "$to/raw/dumps/$file" "$to/dumps/$file"
  for path in "$@"; do
    mkdir -p "$to/empty/${path%/*}"
    mv "$to/raw/lab/$path" "$to/empty/$path" || { echo "PROBLEM the backup has no folder $path"; exit 1; }
  done
  [ -z "$ownerless" ] || echo "PROBLEM an owner could not be set, so the database may not start there: $ownerless"
  echo "FOUND $file"
  # Where its database did not run it is that of an earlier run.
  echo "DATED $(stat -c %Y "$to/dumps/$file") $file"
}
# load STACK/SERVICE FILE: a file below /restore, into a database that has just begun.
load() {
  c=""
  say "loading into $1/$2"
  for try in $(seq 1 90); do
    c=$(container "$1" "$2")
    # A question that every database answers once it listens, with nothing to read.
    [ -z "$c" ] || ! docker exec -i "$c" sh -c "$3" </dev/null >/dev/null 2>&1 || break
    c=""; sleep 1
  done
  [ -n "$c" ] || { echo "PROBLEM $1/$2 did not begin to answer"; exit 1; }
  docker exec -i "$c" sh -c "$3" <"$dumpfile" >/state/said 2>&1 ||
    { echo "PROBLEM $(tail -n 3 /state/said | cut -c1-300)"; exit 1; }
}
"""

_END = r"""
keys
case "${1:-}" in
  schedule)
    mkdir -p /state/cron /dumps /restore
    # What a check left that ended with the container.
    rm -rf /restore/verify
    release
    cp /backup/crontab /state/cron/root
    exec crond -f -l 8 -L /dev/stdout -c /state/cron ;;
  backup) backup ;;
  restore | dumped | verify) command=$1; shift; exec 8>/state/reading; "$command" "$@" ;;
  load)
    . /backup/jobs.sh
    dumpfile=$3
    loads "$2" || { echo "PROBLEM nothing is known of how to load $2"; exit 1; } ;;
  snapshots)
    said=/state/listing.$$
    # Restic tries again for a quarter of an hour; who asks waits two minutes.
    # Without a lock: a check, or a run that lets go of old ones, keeps everybody else out meanwhile.
    timeout 110 restic ${ca:+--cacert "$ca"} snapshots --no-lock --json \
      --tag homelab --tag homelab-host 2>"$said" && code=0 || code=$?
    case $code in 0) ;; 124 | 143) echo "no answer within 110 seconds: $(why "$said")" >&2 ;; *) why "$said" >&2 ;; esac
    rm -f "$said"
    exit $code ;;
  status)
    for f in last last-ok; do cat "/state/$f.json" 2>/dev/null || echo null; done
    # A run that was killed leaves its beginning; none can begin while this is looked at.
    flock -s -n /state/lock sh -c '[ ! -s /state/begun ] || echo "BROKE $(cat /state/begun)"' || echo "WORKS backup"
    flock -s -n /state/checking true || echo "WORKS check"
    [ -z "${HOMELAB_FILES:-}" ] || echo "FILES $HOMELAB_FILES"
    cat /state/checked 2>/dev/null || : ;;
  *) echo "run.sh backup | restore SNAPSHOT ID PATH... | verify COUNT [PERCENT] | snapshots | status"; exit 2 ;;
esac
"""

RUN_SH = _BEGIN + PLACE_SH + LINKS_SH + FOUND_SH + _REST + CHECK_SH + _END
"""The whole script, as it lies in the backup's ``engine`` folder."""
