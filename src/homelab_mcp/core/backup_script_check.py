"""The part of the backups' script that checks the repository, and restores a sample to compare it."""

from __future__ import annotations

CHECK_SH = r"""
# verify COUNT: as compared() says; /state/checked holds what the last one told that came to its end.
verify() {
  exec 7>/state/checking
  # Whoever asks whether one is at work holds it for an instant.
  if ! { flock -n 7 || { sleep 1; flock -n 7; }; }; then echo "PROBLEM another check is at work"; exit 75; fi
  if ! flock -s -n /state/lock true; then echo "PROBLEM a backup is at work"; exit 75; fi
  begun=$(date +%s)
  echo 1 >/state/checking.code
  (compared "$@"; echo $? >/state/checking.code) | tee /state/checked.part
  rm -rf /restore/verify
  code=$(cat /state/checking.code)
  # Nothing was looked at, so the check before is the last.
  if [ "$code" = 75 ]; then rm -f /state/checked.part; return 75; fi
  grep -v "^STEP " /state/checked.part >/state/checked.told
  { echo "CHECKED $begun $(date +%s) $code"; cat /state/checked.told; } >/state/checked.part
  mv /state/checked.part /state/checked
  rm -f /state/checked.told
  return "$code"
}
# What is restored to be compared lies on the lab's own disk.
small() { [ -f "$1" ] && [ "$(stat -c %s "$1" 2>/dev/null || echo 99999999)" -lt 20000000 ]; }
# whose: the tags by which restic's "latest" is this lab's; any lab's where none has its tag yet.
whose() {
  whose=$mark
  [ -z "$own" ] || ! restic snapshots --no-lock --json --latest 1 --tag "$mark,$own" --host "$origin" 2>/dev/null |
    grep -q '"time"' || whose=$mark,$own
}
# compared COUNT: the repository's own check, and a sample restored and compared with what is here.
compared() {
  . /backup/jobs.sh
  say "checking the repository"
  # Whoever waits for its end, a night's backup among them, must not wait for a place that no longer answers.
  timeout 43200 restic ${ca:+--cacert "$ca"} check --read-data-subset="${2:-5}%" >/state/checking.said 2>&1 ||
    {
      if ! grep -q "already locked" /state/checking.said; then echo "PROBLEM $(why /state/checking.said)"; return 1; fi
      echo "PROBLEM a backup or a check of another host has the repository"; return 75
    }
  rm -rf /restore/verify; mkdir -p /restore/verify
  whose
  { restic ls latest --no-lock --tag "$whose" --host "$origin" /lab --recursive 2>/dev/null ||
      restic ls latest --no-lock --tag "$whose" --host "$origin" /lab; } >/state/listed 2>/dev/null
  { grep '^/lab/' /state/listed | shuf | while IFS= read -r f; do ! small "$f" || echo "$f"; done | head -n "$1"
    find /dumps -type f -size -20000k | head -n 20; } >/state/sample
  set --
  while IFS= read -r f; do set -- "$@" "$f"; done </state/sample
  say "restoring $# files to compare"
  [ $# = 0 ] || fetch latest /restore/verify "$@"
  while IFS= read -r f; do
    say "comparing $f"
    if [ ! -f "/restore/verify$f" ]; then echo "DIFFERS $f (not restored)"
    elif cmp -s "$f" "/restore/verify$f"; then echo "SAME $f"
    elif [ "$(stat -c %Y "$f")" -gt "$(stat -c %Y "/restore/verify$f")" ]; then echo "NEWER $f"
    else echo "DIFFERS $f"; fi
  done </state/sample
}
"""
"""Shell functions ``verify``, ``small``, ``whose`` and ``compared``; they use ``say``, ``why`` and ``fetch``."""
