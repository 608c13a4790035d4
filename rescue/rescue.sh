#!/usr/bin/env bash
# Restores from a Lifeboat vault without Lifeboat: needs bash, age, zstd, awk and coreutils, and no network.
# It reads vault format 1 (docs/vault-format.md). A copy lies in every vault.
set -euo pipefail
export LC_ALL=C
umask 077

usage() {
  cat >&2 <<'END'
usage:
  rescue.sh list DIR
      the restore points in DIR, a folder that holds a vault's objects
  rescue.sh restore DIR IDENTITY_FILE [SYSTEM/]DATASET[@TIME_OR_ID] TARGET
      restores one of them into TARGET, a new or empty folder. TIME may be cut short: @2026-11-21 is the
      newest of that day. Without @ it is the newest of all. SYSTEM may be left out where only one has such a dataset.
Decrypted data is held in $TMPDIR (or /tmp) meanwhile: about 100 MiB.
END
  exit 64
}

say() { printf '%s\n' "$*" | shown; }
die() { printf 'rescue: %s\n' "$*" | shown >&2; exit 2; }

# Text as it may reach a terminal. Names in a vault may be an attacker's: whatever is not a character to read, or turns the
# order of those around, becomes \xNN.
shown() {
  awk '
    BEGIN { for (i = 0; i < 256; i++) code[sprintf("%c", i)] = sprintf("\\x%02x", i) }
    { rest = $0; out = ""
      while (rest != "") {
        if (match(rest, /^[ -~]+/)) n = RLENGTH
        else if (match(rest, /^(\330\234|\342\200[\216\217\250-\256]|\342\201[\246-\251])/)) n = 0
        else if (match(rest, /^(\302[\240-\277]|[\303-\337][\200-\277])/)) n = 2
        else if (match(rest, /^(\340[\240-\277]|[\341-\354\356\357][\200-\277]|\355[\200-\237])[\200-\277]/)) n = 3
        else if (match(rest, /^(\360[\220-\277]|[\361-\363][\200-\277]|\364[\200-\217])[\200-\277][\200-\277]/)) n = 4
        else n = 0
        out = out (n ? substr(rest, 1, n) : code[substr(rest, 1, 1)])
        rest = substr(rest, n ? n + 1 : 2)
      }
      print out }'
}

need_tools() {
  local tool missing=()
  for tool in "$@"; do command -v "$tool" >/dev/null || missing+=("$tool"); done
  [ ${#missing[@]} -eq 0 ] || die "these programs are missing: ${missing[*]}. On Debian: apt-get install age zstd coreutils mawk"
}

# Whether this is a file with a name as records have. Others are not ours, and could forge lines of the list.
is_record() {
  case ${1#"$vault"/snapshots/} in *[!A-Za-z0-9._:+/-]*) return 1 ;; esac
  [ -f "$1" ]
}

# Every record of $1 (system/dataset, or */* for all): its file, a tab, its one line of JSON; oldest first within a dataset.
records() {
  local file line
  for file in "$vault"/snapshots/$1/*.json; do
    is_record "$file" || continue
    line=
    IFS= read -r line <"$file" || true
    printf '%s\t%s\n' "$file" "$line"
  done
}

list() {
  need_tools awk
  vault=$1
  [ -f "$vault/vault.json" ] || die "$vault holds no vault.json"
  say 'system/dataset@time                               id                          kind      entries         bytes'
  records '*/*' | awk -F '\t' '
    { n = split($1, part, "/"); name = part[n]; dataset = part[n - 2] "/" part[n - 1]
      time = name; sub(/-[0-9A-Z]*\.json$/, "", time)
      id = name; sub(/\.json$/, "", id); sub(/^.*-/, "", id)
      kind = match($0, /"kind":"[a-z0-9-]*"/) ? substr($0, RSTART + 8, RLENGTH - 9) : "?"
      if (match($0, /"sizes":\{"added":[0-9]+,"entries":[0-9]+,"logical":[0-9]+/)) {
        split(substr($0, RSTART, RLENGTH), number, /[:,]/)
        printf "%-49s %-27s %-9s %7s %13s\n", dataset "@" time, id, kind, number[5], number[7]
      } else print dataset "@" time "  is not a sound record" }'
}

# The dataset with the system that has it: restore points of two systems are never taken for each other's.
with_system() {
  local folder found=()
  case $1 in */*) printf '%s' "$1"; return ;; esac
  for folder in "$vault"/snapshots/*/"$1"; do
    folder=${folder#"$vault"/snapshots/}
    case $folder in '*'*|.*|*[!A-Za-z0-9._:+/-]*) ;; *) found+=("$folder") ;; esac
  done
  [ ${#found[@]} -le 1 ] || die "several systems have a dataset $1. Name one of them: ${found[*]}"
  printf '%s' "${found[0]:-none/$1}"
}

# Sets record, manifest_id, kind; writes the lists that the record names to $tmp/lists, and what the manifest must say too to $tmp/ties.
choose_record() {
  local dataset=${1%%@*} wanted='' file name found=''
  case $1 in *@*) wanted=${1#*@} ;; esac
  case $dataset in ''|.*|*/.*|*/*/*|*[!A-Za-z0-9._:+/-]*) die "'$dataset' is no dataset" ;; esac
  dataset=$(with_system "$dataset")
  wanted=${wanted//[-:]/}
  for file in "$vault"/snapshots/"$dataset"/*.json; do
    name=${file##*/}
    case $name in "$wanted"*|*-"$wanted".json) ! is_record "$file" || found=$file ;; esac
  done
  [ -n "$found" ] || die "no restore point '$1' in $vault. 'rescue.sh list $vault' shows them all"
  record=$found
  say "Restore point: $dataset, ${record##*/}"
  records "$dataset" | awk -F '\t' -v wanted="$record" -v lists="$tmp/lists" -v ties="$tmp/ties" '
    $1 != wanted { next }
    { line = substr($0, length($1) + 2)
      if (!match(line, /"manifest":\["[0-9a-f]+",[0-9]+\]/)) exit 1
      manifest = substr(line, RSTART + 13, 64)
      kind = match(line, /"kind":"[a-z0-9-]*"/) ? substr(line, RSTART + 8, RLENGTH - 9) : "?"
      n = split("vault system dataset kind id time writer previous", name, " ")
      for (i = 1; i <= n; i++) {
        if (!match(line, "\"" name[i] "\":(\"[A-Za-z0-9._:+/=-]*\"|null)[,}]")) exit 1
        value = substr(line, RSTART + length(name[i]) + 3, RLENGTH - length(name[i]) - 4)
        gsub(/"/, "", value)
        print name[i] "\t" (value == "null" ? "-" : value) > ties
      }
      printf "" > lists
      if (!match(line, /"lists":\[/)) exit 1
      line = substr(line, RSTART + 9)
      end = index(line, "]]")
      n = end ? split(substr(line, 3, end - 3), list, /\],\["/) : 0
      for (i = 1; i <= n; i++) {
        if (list[i] !~ /^[0-9a-f]+"/) exit 1
        print substr(list[i], 1, 64) > lists
      }
      print manifest, kind }' >"$tmp/record" || die "the record $record is damaged"
  read -r manifest_id kind <"$tmp/record"
  [ ${#manifest_id} -eq 64 ] || die "the record $record is damaged"
}

object() { printf '%s/%s/%s/%s.age' "$vault" "$1" "${2:0:2}" "$2"; }

open_object() { age -d -i "$identity" -- "$1" | zstd -d -q -c; }

read_manifest() {
  local file id
  file=$(object manifests "$manifest_id")
  [ -f "$file" ] || die "the manifest $file is missing"
  id=$(sha256sum <"$file")
  [ "${id%% *}" = "$manifest_id" ] || die "the manifest $file is damaged: its SHA-256 is not its name"
  open_object "$file" >"$tmp/manifest" 2>"$tmp/raw.errors" || {
    shown <"$tmp/raw.errors" >&2
    die "the manifest cannot be decrypted with $identity"
  }
  # The name of the record is held against it too: it may have been put in another's place.
  awk -F '\t' -v key="${record#"$vault"/snapshots/}" '
    FNR == NR { wanted[$1] = $2 ""; n++; next }
    FNR == 1 && $0 != "lifeboat-manifest\t1" { exit }
    FNR > 1 && FNR <= n + 1 && ($1 in wanted) && ($2 "") == wanted[$1] { right++ }
    $1 == "end" { ended = 1 }
    END {
      time = wanted["time"]; gsub(/[-:]/, "", time)
      here = wanted["system"] "/" wanted["dataset"] "/" time "-" wanted["id"] ".json"
      exit !(right == n && ended && here == key) }' "$tmp/ties" "$tmp/manifest" ||
    die 'the manifest is not one of format 1 for this restore point'
}

# Writes the packs that the lists name to $tmp/packs. Nothing is restored from a list: one that is lost only keeps packs from being
# looked at before they are read.
read_lists() {
  local id file sum
  : >"$tmp/packs"
  while read -r id; do
    file=$vault/lists/${id:0:2}/$id sum=''
    [ ! -f "$file" ] || sum=$(sha256sum <"$file")
    if [ "${sum%% *}" = "$id" ]; then
      tail -c +17 -- "$file" | od -An -v -tx1 -w36 | awk '{ gsub(/ /, ""); print substr($0, 1, 64) }' >>"$tmp/packs"
    else
      say "The list of packs $file is missing or damaged. Nothing is lost by that alone."
      lost_lists=1
    fi
  done <"$tmp/lists"
}

# A pack that the record does not list was kept by chance: the next prune may take it away.
check_listed() {
  [ "$lost_lists" -eq 0 ] || return 0
  awk -F '\t' 'FNR == NR { listed[$1]; next } !($1 in listed) && !($1 in told) { told[$1]; print $1 }' \
    "$tmp/packs" <(cut -d ' ' -f 1 "$tmp/extents" "$tmp/plan/pieces" | cut -f 1) >"$tmp/unlisted"
  [ -s "$tmp/unlisted" ] || return 0
  say 'These packs are used and not listed by the record, so nothing keeps them. Take another restore point as well:'
  shown <"$tmp/unlisted"
}

# Packs that are missing or whose bytes are not what their name says are named; what they hold is still tried.
check_packs() {
  local id file bad=0
  while read -r id; do printf '%s  %s\n' "$id" "$(object packs "$id")"; done <"$tmp/packs" >"$tmp/packs.sha256"
  [ -s "$tmp/packs.sha256" ] || return 0
  sha256sum -c --quiet -- "$tmp/packs.sha256" >"$tmp/packs.bad" 2>/dev/null || bad=1
  [ "$bad" -eq 0 ] || { say 'These packs are missing or damaged:'; shown <"$tmp/packs.bad"; damaged_packs=1; }
}

# Decompresses pack $1 to $tmp/raw; whatever could be read of it is there.
open_pack() {
  open_object "$(object packs "$1")" >"$tmp/raw" 2>"$tmp/raw.errors" && return
  say "Pack $1 could not be read to its end: $(tail -n 1 "$tmp/raw.errors")"
  damaged_packs=1
}

# The list of entries, put together from its extents.
read_body() {
  local word pack offset length last='' sum wanted
  : >"$tmp/body"
  awk -F '\t' '$1 == "extent" { print $2, $3, $4 }' "$tmp/manifest" >"$tmp/extents"
  while read -r pack offset length; do
    case $pack$offset$length in *[!0-9a-f]*) die 'the manifest is damaged' ;; esac
    [ "$pack" = "$last" ] || open_pack "$pack"
    last=$pack
    dd if="$tmp/raw" bs=1M iflag=skip_bytes,count_bytes,fullblock skip="$offset" count="$length" status=none >>"$tmp/body"
  done <"$tmp/extents"
  wanted=$(awk -F '\t' '$1 == "body" { print $2 }' "$tmp/manifest")
  sum=$(sha256sum <"$tmp/body")
  [ "${sum%% *}" = "$wanted" ] || die 'the list of files is damaged: its SHA-256 is not the recorded one. Try another copy or restore point'
}

# Reads the body and writes, into $tmp/plan, what is to be done. Every path becomes './path', quoted for bash, and every
# number is checked to be one, so that nothing in the list can do anything but name a file below TARGET.
make_plan() {
  mkdir "$tmp/plan"
  awk -F '\t' -v plan="$tmp/plan/" '
    function fail(why) { print "rescue: entry " NR ": " why > "/dev/stderr"; failed = 1; exit 1 }
    function joined(text, old, new,   n, part, i, out) {
      n = split(text, part, old)
      out = part[1]
      for (i = 2; i <= n; i++) out = out new part[i]
      return out
    }
    # A name as it is in the list -> one word for bash. Only what must be escaped may be: no hidden dot, slash or NUL.
    function quoted(text,   rest) {
      rest = text
      gsub(/%([01][0-9a-f]|25|7f|[89a-f][0-9a-f])/, "", rest)
      if (index(rest, "%") || index(text, "%00")) fail("a name that cannot be read")
      if (rest == text && index(text, quote) == 0) return quote text quote
      text = joined(text, "\\", "\\\\")
      text = joined(text, quote, "\\" quote)
      return "$" quote joined(text, "%", "\\x") quote
    }
    function path(text) {
      if (text ~ /(^|\/)\.?\.?(\/|$)/) fail("a path that leaves the target")
      return quoted("./" text)
    }
    # Folders come first and links last, so nothing is ever written through a link.
    function folder(text) {
      while (!(text in made) && text != "") {
        made[text] = 1
        print "+\t" path(text) > (plan "folders")
        if (!sub(/\/[^\/]*$/, "", text)) return
      }
    }
    function number(text) { if (text !~ /^[0-9]+$/) fail("a number that is none"); return text }
    function extents(list,   n, part, i, word) {
      n = split(list, part, ",")
      for (i = 1; i <= n; i++) {
        if (split(part[i], word, ":") != 3) fail("an extent that is none")
        number(word[2]); number(word[3])
        if (word[1] != "-") {
          if (word[1] !~ /^[0-9a-f]+$/) fail("an extent that is none")
          print word[1] "\t" word[2] "\t" word[3] "\t" sprintf("%.0f", at) "\t" files "\t" name > (plan "pieces")
        }
        at += word[3]
      }
      ends_in_hole = (word[1] == "-")
    }
    function end_file() {
      if (name != "" && ends_in_hole) print "truncate -s " sprintf("%.0f", at) " -- " name > (plan "holes")
      name = ""
    }
    BEGIN {
      quote = sprintf("%c", 39)
      n = split("folders files links hardlinks others pieces holes owners owners.folders owners.links modes modes.folders times times.folders times.links hashes", out, " ")
      for (i = 1; i <= n; i++) printf "" > (plan out[i])
    }
    $1 == "+" { extents($2); next }
    { end_file()
      if (NF != 10) fail("a line with " NF " columns")
      if ($3 !~ /^[0-7]+$/ || $6 !~ /^-?[0-9]+\.[0-9]+$/) fail("a mode or time that is none")
      here = path($2); number($4); number($5)
      kind = ($1 == "d") ? ".folders" : ($1 == "l") ? ".links" : ""
      if ($1 == "d") folder($2)
      else if (index($2, "/")) { parent = $2; sub(/\/[^\/]*$/, "", parent); folder(parent) }
      if ($10 ~ /(^|,)x:/) attributes++ }
    $1 == "f" {
      files++; at = 0; ends_in_hole = 0; name = here
      number($7)
      print ": >" here > (plan "files")
      print $8 "\t" here > (plan "hashes")
      if ($9 != "-") extents($9) }
    $1 == "d" { folders++ }
    $1 == "l" { print "ln -s -T -- " quoted($9) " " here > (plan "links"); links++ }
    $1 == "h" { print "ln -T -- " path($9) " " here > (plan "hardlinks"); hardlinks++; next }
    $1 == "p" { print "mkfifo -- " here > (plan "others"); others++ }
    $1 == "c" || $1 == "b" { split($9, word, ":"); print "mknod -- " here " " $1 " " number(word[1]) " " number(word[2]) > (plan "others"); others++ }
    $1 == "s" { sockets++; next }
    { print $4 ":" $5 "\t" here > (plan "owners" kind)
      if ($1 != "l") print $3 "\t" here > (plan "modes" kind)
      print $6 "\t" here > (plan "times" kind) }
    END {
      if (failed) exit 1
      end_file()
      print files + 0, folders + 0, links + 0, hardlinks + 0, others + 0, sockets + 0, attributes + 0 > (plan "counts")
    }' "$tmp/body" || die 'the list of files holds something that must not be written; nothing was'
  read -r files folders links hardlinks others sockets attributes <"$tmp/plan/counts"
}

# Turns lines "key<tab>word" into commands "$1key -- word word …", for neighbours of one key, and runs them.
in_batches() {
  awk -F '\t' -v start="$1" '
    function flush() { if (line != "") print line; line = "" }
    # Compared as text: 0 and nothing yet, or 1e1 and 10, are not the same.
    ("=" $1) != key || length(line) > 100000 { flush(); key = "=" $1; line = start ($1 == "+" ? "" : $1) " --" }
    { line = line " " $2 }
    END { flush() }' >"$tmp/batches"
  run "$tmp/batches"
}

by_key() { sort -T "$tmp" -s -t "$tab" -k 1,1 -- "$1"; }

# Runs the commands in file $1, within TARGET; what they complain of is kept.
run() { (cd "$target" && "$BASH" "$1") 2>>"$tmp/errors" || true; }

# Decompresses each pack once and copies each piece of it to where it belongs, several at a time.
write_contents() {
  local pack shard
  mkdir "$tmp/pieces"
  sort -T "$tmp" -t "$tab" -k 1,1 -k 2,2n -- "$tmp/plan/pieces" | awk -F '\t' -v raw="$tmp/raw" -v to="$tmp/pieces/" -v shards="$shards" '
    ($1 "") != pack {
      if (pack != "") for (i = 0; i < shards; i++) close(to pack "." i)
      pack = $1 ""; print pack
      for (i = 0; i < shards; i++) printf "" > (to pack "." i)
    }
    { print "dd if=\"$1\" bs=1M iflag=skip_bytes,count_bytes,fullblock oflag=seek_bytes conv=notrunc status=none skip=" $2 " count=" $3 " seek=" $4 " of=" $6 > (to pack "." ($5 % shards)) }' >"$tmp/needed"
  while read -r pack; do
    open_pack "$pack"
    for ((shard = 0; shard < shards; shard++)); do
      (cd "$target" && "$BASH" "$tmp/pieces/$pack.$shard" "$tmp/raw") 2>>"$tmp/errors" &
    done
    wait
    rm -f -- "$tmp/pieces/$pack".*
  done <"$tmp/needed"
}

# Compares every file's SHA-256 with the recorded one. Files that do not match are listed in $tmp/wrong.
check_files() {
  local shard
  awk -v to="$tmp/hashes." -v shards="$shards" '{ print > (to (NR % shards)) }' "$tmp/plan/hashes"
  for ((shard = 0; shard < shards; shard++)); do
    [ -f "$tmp/hashes.$shard" ] || continue
    { awk -F '\t' '
        length(line) > 100000 { print line; line = "" }
        { line = (line == "" ? "sha256sum --" : line) " " $2 }
        END { if (line != "") print line }' "$tmp/hashes.$shard" >"$tmp/sums.$shard.sh"
      (cd "$target" && "$BASH" "$tmp/sums.$shard.sh") >"$tmp/sums.$shard" 2>>"$tmp/errors" || true
      # Line by line: if a file could not be read at all, those after it count as wrong too, never as right.
      paste -- "$tmp/hashes.$shard" "$tmp/sums.$shard" | awk -F '\t' '
        { sum = $3; sub(/^\\/, "", sum) }
        substr(sum, 1, 64) != $1 { print $2 }' >"$tmp/wrong.$shard"
    } &
  done
  wait
  cat -- "$tmp"/wrong.* >"$tmp/wrong" 2>/dev/null || true
}

restore() {
  local wrong made
  need_tools age zstd awk cat cut dd dirname id ln mkdir mkfifo mknod mktemp nproc od paste rm sha256sum sort tac tail head touch truncate wc chmod chown
  vault=$(cd "$1" && pwd -P) || die "$1 is no folder"
  [ -f "$vault/vault.json" ] || die "$vault holds no vault.json"
  [ -f "$2" ] || die "the identity file $2 is missing"
  identity=$(cd "$(dirname -- "$2")" && pwd -P)/${2##*/}
  mkdir -p -- "$4" || die "cannot make $4"
  target=$(cd "$4" && pwd -P)
  for made in "$target"/* "$target"/.[!.]* "$target"/..?*; do
    [ ! -e "$made" ] && [ ! -L "$made" ] || die "$target is not empty. Name a new folder"
  done
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/rescue.XXXXXXXX")
  trap 'rm -rf -- "$tmp"' EXIT
  trap 'exit 130' INT TERM HUP
  tab=$(printf '\t')
  damaged_packs=0
  lost_lists=0
  shards=$(nproc)
  : >"$tmp/errors"

  choose_record "$3"
  read_manifest
  read_lists
  check_packs
  read_body
  make_plan
  check_listed
  say "Writing $files files, $folders folders, $links symbolic links and $hardlinks hard links to $target"
  in_batches 'mkdir -p' <"$tmp/plan/folders"
  run "$tmp/plan/files"
  write_contents
  run "$tmp/plan/holes"
  check_files
  run "$tmp/plan/hardlinks"
  failed_writes=$(wc -l <"$tmp/errors")
  run "$tmp/plan/others"
  set_metadata
  report
}

# Owners first, because changing them clears set-uid; links after everything that is not one; folders last, inner before outer.
set_metadata() {
  local kind
  [ "$(id -u)" -ne 0 ] || by_key "$tmp/plan/owners" | in_batches 'chown -h '
  by_key "$tmp/plan/modes" | in_batches 'chmod '
  by_key "$tmp/plan/times" | in_batches 'touch -h -c -d @'
  run "$tmp/plan/links"
  for kind in links folders; do
    [ "$(id -u)" -ne 0 ] || by_key "$tmp/plan/owners.$kind" | in_batches 'chown -h '
    by_key "$tmp/plan/times.$kind" | in_batches 'touch -h -c -d @'
  done
  tac -- "$tmp/plan/modes.folders" | in_batches 'chmod '
}

report() {
  local wrong
  wrong=$(wc -l <"$tmp/wrong")
  if [ -s "$tmp/errors" ]; then
    say 'These could not be done:'
    head -n 20 -- "$tmp/errors" | cut -c 1-300 | shown
  fi
  if [ "$wrong" -gt 0 ]; then
    say 'These files are NOT what was backed up:'
    head -n 100 -- "$tmp/wrong" | shown
  fi
  [ "$sockets" -eq 0 ] || say "$sockets sockets were left out: programs make them anew."
  [ "$attributes" -eq 0 ] || say "$attributes entries have extended attributes or ACLs, which this script does not set."
  how_to_load
  say 'The record was not checked for its signature: this script has no tool for it.'
  say "$((files - wrong)) of $files files match their SHA-256."
  [ "$wrong" -eq 0 ] && [ "$failed_writes" -eq 0 ] || exit 1
  [ "$damaged_packs" -eq 0 ] || say 'Packs are damaged, but nothing of this restore point was lost.'
}

# A database is restored as files; these commands load them.
how_to_load() {
  local dump name
  name=$(printf '%q' "$target")
  case $kind in
    postgres)
      say 'To load it into a new server, as its superuser:'
      [ ! -f "$target/globals.sql" ] || say "  psql -X -d postgres -f $name/globals.sql"
      for dump in "$target"/*.pgdump; do
        [ ! -f "$dump" ] || say "  pg_restore --create --exit-on-error -d postgres $(printf '%q' "$dump")"
      done ;;
    sqlite) say "To use it: stop the application, then copy the databases from $name into their place." ;;
  esac
}

case ${1-} in
  list) [ $# -eq 2 ] || usage; list "$2" ;;
  restore) [ $# -eq 5 ] || usage; shift; restore "$@" ;;
  *) usage ;;
esac
