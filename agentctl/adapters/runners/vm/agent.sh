#!/bin/sh
# agentctl's agent in a machine: runs commands that come over the serial line, and tells how they ended.
#
# It needs a POSIX shell, cgroup v2 at /sys/fs/cgroup, a folder /run in memory, and base64, dd, find,
# head, mkfifo, readlink, sha256sum, stat, tail, wc and xargs (busybox has them all). It runs as root,
# started by the image's init and started again when it ends. AGENTCTL_TREE is the file system that
# snapshots tell of (/), AGENTCTL_HALT the command that switches the machine off (poweroff).
#
# A request is one line, `agentctl VERB ID [NUMBER...]`, and for `run` so many raw bytes after it.
# An answer is one line, `agentctl LENGTH JSON`, with an empty line before it. One host at a time; a
# `hello` ends whatever an earlier host left running, and thaws what it left frozen.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
tree=${AGENTCTL_TREE:-/}
halt=${AGENTCTL_HALT:-poweroff}
work=/run/agentctl
job=/sys/fs/cgroup/agentctl-job
newline='
'

find_port() {
  for one in /sys/class/virtio-ports/*; do
    if [ "$(cat "$one/name" 2>/dev/null)" = org.agentctl.agent ]; then
      echo "/dev/${one##*/}"
    fi
  done
}

# Sends the JSON in the file $1 in one piece.
answer() {
  { printf '\nagentctl %s ' "$(($(wc -c <"$1")))"; cat "$1"; echo; } >"$1.frame"
  cat "$1.frame" >&3
  rm -f "$1" "$1.frame"
}

# Ends everything of the command before, and waits until it is gone.
cancel() {
  [ -d "$job" ] || return 0
  echo 1 >"$job/cgroup.kill"
  wait
  until rmdir "$job/run" "$job" 2>/dev/null || [ ! -d "$job" ]; do sleep 0.02; done
}

thaw() {
  if [ -e /run/agentctl-frozen ]; then
    fsfreeze -u "$tree" && rm -f /run/agentctl-frozen
  fi
}

# Keeps the first $2 bytes of its input in the file $1, and in $1.dropped how many came after.
drain() {
  dd bs="$2" count=1 iflag=fullblock 2>/dev/null >"$1"
  wc -c >"$1.dropped"
}

# ID SECONDS BYTES SCRIPT_LENGTH: runs what lies in $work/body, a script and then its input.
run() {
  echo 0 >"$job/cgroup.procs"
  head -c "$4" "$work/body" >"$work/script"
  tail -c +"$(($4 + 1))" "$work/body" >"$work/input"
  mkfifo "$work/out.pipe" "$work/err.pipe"
  exec 4<>"$work/out.pipe" 5<>"$work/err.pipe"
  (
    exec <"$work/out.pipe" 3>&- 4>&- 5>&- # by exec: a redirection of a function keeps copies
    drain "$work/out" "$3"
  ) &
  out=$!
  (
    exec <"$work/err.pipe" 3>&- 4>&- 5>&-
    drain "$work/err" "$3"
  ) &
  err=$!
  (
    echo 0 >"$job/run/cgroup.procs"
    exec sh "$work/script" <"$work/input" >&4 2>&5 3>&- 4>&- 5>&-
  ) &
  main=$!
  (
    exec 3>&- 4>&- 5>&-
    sleep "$2"
    : >"$work/late"
    echo 1 >"$job/run/cgroup.kill"
  ) &
  timer=$!
  exec 4>&- 5>&-
  wait "$main"
  code=$?
  kill "$timer" 2>/dev/null
  echo 1 >"$job/run/cgroup.kill"
  wait "$out" "$err"
  late=false
  if [ -e "$work/late" ] && [ "$code" = 137 ]; then late=true; fi
  {
    printf '{"id":"%s","exit_code":%s,"timed_out":%s,' "$1" "$code" "$late"
    printf '"stdout_dropped":%s,' "$(($(cat "$work/out.dropped")))"
    printf '"stderr_dropped":%s,' "$(($(cat "$work/err.dropped")))"
    printf '"stdout":"%s"' "$(base64 <"$work/out" | tr -d '\n')"
    printf ',"stderr":"%s"}' "$(base64 <"$work/err" | tr -d '\n')"
  } >"$work/answer"
  answer "$work/answer"
}

# Prints every file of the tree: mode, digest of what it holds, path. Paths that would break a line,
# and targets of links, are in base64.
list_files() {
  find "$tree" -xdev ! -type d ! -path "*$newline*" ! -path '*\\*' -print0 |
    xargs -0 -r stat -c 'mode %f %n'
  find "$tree" -xdev -type f ! -path "*$newline*" ! -path '*\\*' -print0 |
    xargs -0 -r sha256sum | sed 's/^/file /'
  find "$tree" -xdev -type l ! -path "*$newline*" ! -path '*\\*' -exec sh -c '
    for path do printf "link %s %s\n" "$(readlink "$path" | base64 | tr -d "\n")" "$path"; done' sh {} +
  find "$tree" -xdev ! -type d \( -path "*$newline*" -o -path '*\\*' \) -exec sh -c '
    for path do
      what=-
      if [ -L "$path" ]; then what=$(readlink "$path" | sha256sum)
      elif [ -f "$path" ]; then what=$(sha256sum <"$path"); fi
      printf "odd %s %s %s\n" "$(stat -c %f "$path")" "${what%% *}" "$(printf %s "$path" | base64 | tr -d "\n")"
    done' sh {} +
}

# ID: tells every file and package, and keeps the tree as it is until a thaw.
freeze() {
  sync
  if fsfreeze -f "$tree" 2>/dev/null; then : >/run/agentctl-frozen; fi
  list_files >"$work/files" 2>/dev/null
  : >"$work/packages"
  if [ -r /var/lib/dpkg/status ]; then
    grep -E '^(Package|Status|Architecture|Version):|^$' /var/lib/dpkg/status >"$work/packages"
  fi
  {
    printf '{"id":"%s","files":"' "$1"
    base64 <"$work/files" | tr -d '\n'
    printf '","packages":"'
    base64 <"$work/packages" | tr -d '\n'
    printf '"}'
  } >"$work/answer"
  answer "$work/answer"
}

plain() {
  printf '{"id":"%s","protocol":1}' "$1" >"$work/answer"
  answer "$work/answer"
}

port=$(find_port)
[ -n "$port" ] || exit 1
exec 3<>"$port"
while :; do
  if ! read -r mark verb id seconds bytes script body <&3; then
    sleep 0.05 # no host listens
    continue
  fi
  [ "$mark" = agentctl ] || continue
  case $verb in
    hello)
      cancel
      thaw
      rm -rf "$work"
      mkdir -p "$work"
      plain "$id"
      ;;
    run)
      cancel
      rm -rf "$work"
      mkdir -p "$work" "$job/run"
      head -c "$body" <&3 >"$work/body"
      if [ "$(($(wc -c <"$work/body")))" = "$body" ]; then
        run "$id" "$seconds" "$bytes" "$script" &
      fi
      ;;
    freeze) freeze "$id" ;;
    thaw)
      thaw
      plain "$id"
      ;;
    halt)
      plain "$id"
      sync
      $halt
      ;;
  esac
done
