#!/usr/bin/env bash
# Restores from a Lifeboat vault without Lifeboat: needs bash, age, zstd, awk and coreutils, and no network. With openssl it
# checks signatures, with setfattr it restores extended attributes.
# It reads vault format 1 (docs/vault-format.md). A copy lies in every vault.
set -euo pipefail
export LC_ALL=C
umask 077

usage() {
  cat >&2 <<'END'
usage:
  rescue.sh list [--writer KEY] DIR
      the restore points in DIR, a folder that holds a vault's objects
  rescue.sh restore [--writer KEY] DIR IDENTITY_FILE [SYSTEM/]DATASET[@TIME_OR_ID] TARGET
      restores one of them into TARGET, a new or empty folder. TIME may be cut short: @2026-11-21 is the
      newest of that day. Without @ it is the newest of all. SYSTEM may be left out where only one has such a dataset.
KEY is the writer's, as your key file or sheet has it; it may be given several times. With it only records count that were signed
with it, and openssl is needed. Without it nothing tells your records from those of somebody who can write to DIR.
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

# Makes $tmp, and reads which vault this is.
begin() {
  vault=$(cd "$1" && pwd -P) || die "$1 is no folder"
  [ -f "$vault/vault.json" ] || die "$vault holds no vault.json"
  vault_id=$(awk 'match($0, /"vault":"[0-9A-Z]+"/) { print substr($0, RSTART + 9, RLENGTH - 10); exit }' "$vault/vault.json")
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/rescue.XXXXXXXX")
  trap 'rm -rf -- "$tmp"' EXIT
  trap 'exit 130' INT TERM HUP
  tab=$(printf '\t')
  [ ${#writers[@]} -eq 0 ] || need_tools openssl
}

# Reads the fields of record $1, one line of JSON with sorted names, to $tmp/fields, and what its signature is made over to
# $tmp/signed. Fails for what is no such line.
read_fields() {
  awk -v size="$(wc -c <"$1")" -v signed="$tmp/signed" '
    # How long the value is that a text begins with; 0 for none.
    function value(text,   n, depth, all) {
      if (match(text, /^"([^"\\]|\\.)*"/) || match(text, /^(-?[0-9]+|null|true|false)/)) return RLENGTH
      # Long lists of hashes and sizes in one step.
      n = index(text, "]]")
      if (substr(text, 1, 3) == "[[\"" && n && substr(text, 1, n) !~ /[^][0-9a-f,"]/) return n + 1
      do {
        if (match(text, /^"([^"\\]|\\.)*"/) || match(text, /^[^][{}"]+/)) n = RLENGTH
        else {
          n = 1
          if (text ~ /^[[{]/) depth++
          else if (text ~ /^[]}]/) depth--
          else return 0
        }
        all += n; text = substr(text, n + 1)
      } while (depth > 0)
      return depth < 0 ? 0 : all
    }
    { if (NR > 1 || length($0) + 1 != size || substr($0, 1, 1) != "{") { bad = 1; exit }
      rest = "," substr($0, 2); out = "{"
      while (match(rest, /^,"[^"\\]*":/)) {
        head = substr(rest, 2, RLENGTH - 1); rest = substr(rest, RLENGTH + 1)
        name = substr(head, 2, length(head) - 3)
        n = value(rest)
        if (("=" name) <= ("=" last) || n == 0) { bad = 1; exit }
        last = name
        text = substr(rest, 1, n); rest = substr(rest, n + 1)
        if (name != "signature") out = out (out == "{" ? "" : ",") head text
        if (n > 10000) continue
        if (text ~ /^"/) text = substr(text, 2, n - 2)
        print name "\t" text
      }
      if (rest != "}") bad = 1
      ORS = ""; print "lifeboat record\n" out "}" > signed }
    END { exit bad || NR != 1 }' "$1" >"$tmp/fields"
}

# Whether $2, in base64, is a signature over $tmp/signed with the Ed25519 key $1.
is_signed() {
  case $1 in *[!A-Za-z0-9+/=]*|*[!AEIMQUYcgkosw048]=) return 1 ;; esac
  case $2 in *[!A-Za-z0-9+/=]*|*[!AQgw]==) return 1 ;; esac
  [ ${#1} -eq 44 ] && [ ${#2} -eq 88 ] || return 1
  printf -- '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%s\n-----END PUBLIC KEY-----\n' "$1" >"$tmp/writer.pem"
  openssl base64 -d -A <<<"$2" >"$tmp/signature" 2>/dev/null || return 1
  openssl pkeyutl -verify -rawin -pubin -inkey "$tmp/writer.pem" -in "$tmp/signed" -sigfile "$tmp/signature" >/dev/null 2>&1
}

# Sets what there is to say of the record in file $1: writer, and state, which is signed, unchecked (openssl is missing), newer (made
# for later programs), strange (its signature is by none of the writers named), or what is wrong with it.
judge_record() {
  local name value signature='' format='' requires='' algorithm='' key time='' id='' system='' dataset='' of=''
  writer='' state='it is damaged'
  read_fields "$1" || return 0
  while IFS=$tab read -r name value; do
    case $name in
      writer) writer=$value ;; signature) signature=$value ;; algorithm) algorithm=$value ;;
      format) format=$value ;; requires) requires=$value ;; vault) of=$value ;;
      time) time=${value//[-:]/} ;; id) id=$value ;; system) system=$value ;; dataset) dataset=$value ;;
    esac
  done <"$tmp/fields"
  case $writer in *[!A-Za-z0-9+/=]*) return 0 ;; esac
  if [ "$algorithm" != ed25519 ]; then return 0
  elif ! command -v openssl >/dev/null; then state=unchecked
  elif is_signed "$writer" "$signature"; then state=signed
  else state='it is not signed by the writer that it names'; return 0
  fi
  for key in "${writers[@]}"; do [ "$key" != "$writer" ] || break; done
  if [ ${#writers[@]} -gt 0 ] && [ "$key" != "$writer" ]; then state=strange
  elif [ "$format" != 1 ] || [ "$requires" != '[]' ]; then state=newer
  elif [ "$of" != "$vault_id" ]; then state='it belongs to another vault'
  elif [ "${1#"$vault"/snapshots/}" != "$system/$dataset/$time-$id.json" ]; then state='it lies under the name of another'
  fi
}

list() {
  local file line note
  need_tools awk wc mktemp rm
  begin "$1"
  say 'system/dataset@time                               id                          kind      entries         bytes'
  for file in "$vault"/snapshots/*/*/*.json; do
    is_record "$file" || continue
    judge_record "$file"
    case $state in
      signed|unchecked) note= ;;
      strange) continue ;;
      newer) note='needs a newer rescue.sh' ;;
      *) note=$state ;;
    esac
    [ -z "$writer" ] || printf '%s\n' "$writer" >>"$tmp/writers"
    line=
    IFS= read -r line <"$file" || true
    printf '%s\t%s\t%s\n' "$file" "$note" "$line"
  done | awk -F '\t' '
    { n = split($1, part, "/"); name = part[n]; dataset = part[n - 2] "/" part[n - 1]
      time = name; sub(/-[0-9A-Z]*\.json$/, "", time)
      id = name; sub(/\.json$/, "", id); sub(/^.*-/, "", id)
      kind = match($0, /"kind":"[a-z0-9-]*"/) ? substr($0, RSTART + 8, RLENGTH - 9) : "?"
      if (match($0, /"sizes":\{"added":[0-9]+,"entries":[0-9]+,"logical":[0-9]+/)) {
        split(substr($0, RSTART, RLENGTH), number, /[:,]/)
        printf "%-49s %-27s %-9s %7s %13s%s\n", dataset "@" time, id, kind, number[5], number[7], $2 == "" ? "" : "  " toupper($2)
      } else print dataset "@" time "  is not a sound record" }'
  [ -s "$tmp/writers" ] || return 0
  say ''
  awk '{ count[$0]++ } END { for (writer in count) print "Signed by " writer ": " count[writer] }' "$tmp/writers" | shown
  command -v openssl >/dev/null || say 'The signatures were not checked: openssl is missing.'
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

# Sets record, writer, state, manifest_id, kind; writes the lists that the record names to $tmp/lists, the keys of its epochs to
# $tmp/keys, and what the manifest must say too to $tmp/ties. What is newer and no sound record of a writer that counts is told.
choose_record() {
  local dataset=${1%%@*} wanted='' file name found='' at matching=()
  case $1 in *@*) wanted=${1#*@} ;; esac
  case $dataset in ''|.*|*/.*|*/*/*|*[!A-Za-z0-9._:+/-]*) die "'$dataset' is no dataset" ;; esac
  dataset=$(with_system "$dataset")
  wanted=${wanted//[-:]/}
  for file in "$vault"/snapshots/"$dataset"/*.json; do
    name=${file##*/}
    case $name in "$wanted"*|*-"$wanted".json) ! is_record "$file" || matching+=("$file") ;; esac
  done
  for ((at = ${#matching[@]} - 1; at >= 0; at--)); do
    judge_record "${matching[at]}"
    case $state in
      signed|unchecked) found=${matching[at]}; break ;;
      newer) die "${matching[at]} needs a newer rescue.sh. Take one from a later release, or name an older restore point" ;;
      strange) say "Passed over: ${matching[at]} is signed by $writer" ;;
      *) say "Passed over: ${matching[at]}: $state" ;;
    esac
  done
  [ -n "$found" ] || die "no restore point '$1' in $vault. 'rescue.sh list $vault' shows them all"
  record=$found
  one_writer "$dataset" "$wanted"
  say "Restore point: $dataset, ${record##*/}"
  awk -F '\t' '
    { field[$1] = $2 }
    END {
      n = split("vault system dataset kind id time writer previous", name, " ")
      for (i = 1; i <= n; i++) {
        if (!(name[i] in field)) exit 1
        print name[i] "\t" (field[name[i]] == "null" ? "-" : field[name[i]])
      }
      n = split("logical added entries", name, " ")
      for (i = 1; i <= n; i++) {
        if (!match(field["sizes"], "\"" name[i] "\":[0-9]+")) exit 1
        line = line "\t" substr(field["sizes"], RSTART + length(name[i]) + 3, RLENGTH - length(name[i]) - 3)
      }
      print "sizes" line > sizes }' sizes="$tmp/sizes" "$tmp/fields" >"$tmp/ties" || die "the record $record is damaged"
  records "$dataset" | awk -F '\t' -v wanted="$record" -v lists="$tmp/lists" -v keys="$tmp/keys" '
    $1 != wanted { next }
    { line = substr($0, length($1) + 2)
      if (!match(line, /"manifest":\["[0-9a-f]+",[0-9]+\]/)) exit 1
      manifest = substr(line, RSTART + 13, 64)
      kind = match(line, /"kind":"[a-z0-9-]*"/) ? substr(line, RSTART + 8, RLENGTH - 9) : "?"
      printf "" > keys
      if (!match(line, /"keys":\[\[[]["0-9a-f,]+\]\]/)) exit 1
      n = split(substr(line, RSTART + 9, RLENGTH - 11), part, /\],\[/)
      for (i = 1; i <= n; i++) {
        if (part[i] !~ /^"[0-9a-f]+","[0-9a-f]+",[0-9]+$/ || split(part[i], word, "\"") != 5) exit 1
        print word[2], word[4] > keys
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

# Without --writer the newest record of any writer would be taken: whoever can write to the folder signs one with a key of their own.
# Only who names a restore point by its id means that one.
one_writer() {
  local others
  [ ${#writers[@]} -eq 0 ] || return 0
  others=$(records "$1" | awk -v writer="\"writer\":\"$writer\"" 'index($0, writer) == 0 { n++ } END { print n + 0 }')
  [ "$others" -gt 0 ] || return 0
  case ${record##*/} in *-"$2".json) return 0 ;; esac
  die "not all records of $1 are signed by $writer, who signed the newest. Name the writer that is yours with --writer; 'rescue.sh list' shows all"
}

object() { printf '%s/%s/%s/%s.age' "$vault" "$1" "${2:0:2}" "$2"; }

# What is stored is sealed to keys of epochs, and these to the identities of people. They are held in memory.
open_object() { age -d -i <(printf '%s\n' "$epochs") -- "$1" | zstd -d -q -c; }

# Sets epochs: the secret of each epoch that the record names, by the objects that it names or by others of the same epoch, whose
# keys were let in later. An epoch is named by the hash of its public key, so a forged one shows.
open_epochs() {
  local epoch id secret
  epochs=
  while read -r epoch; do
    for id in $(awk -v epoch="$epoch" '$1 == epoch { print $2 }' "$tmp/keys") "$vault/keys/$epoch"/*.age; do
      case $id in */*) ;; *) id=$vault/keys/$epoch/$id.age ;; esac
      [ -f "$id" ] || continue
      secret=$(age -d -i "$identity" -- "$id" 2>"$tmp/raw.errors") || continue
      id=$(age-keygen -y <<<"$secret" 2>/dev/null | tr -d '\n' | sha256sum) || continue
      [ "${id%% *}" = "$epoch" ] && { epochs+=$secret$'\n'; continue 2; }
    done
    shown <"$tmp/raw.errors" >&2
    die "$identity opens no key of epoch $epoch: see $vault/keys/$epoch"
  done < <(cut -d ' ' -f 1 "$tmp/keys" | sort -u)
}

read_manifest() {
  local file id
  file=$(object manifests "$manifest_id")
  [ -f "$file" ] || die "the manifest $file is missing"
  id=$(sha256sum <"$file")
  [ "${id%% *}" = "$manifest_id" ] || die "the manifest $file is damaged: its SHA-256 is not its name"
  open_object "$file" >"$tmp/manifest" 2>"$tmp/raw.errors" || {
    shown <"$tmp/raw.errors" >&2
    die 'the manifest cannot be decrypted with the keys that its record names'
  }
  awk -F '\t' -v sizes="$(cat "$tmp/sizes")" '
    function hex(text) { return length(text) == 64 && text !~ /[^0-9a-f]/ }
    function count(text) { return text ~ /^(0|[1-9][0-9]*)$/ && length(text) <= 16 }
    FNR == NR { wanted[++n] = $0; next }
    ended { exit bad = 1 }
    FNR == 1 { if ($0 != "lifeboat-manifest\t1") exit bad = 1; next }
    FNR <= n + 1 { if ($0 != wanted[FNR - 1]) exit bad = 1; next }
    # Then each of these once, in this order; extents as often as there are, and unknown lines before the end.
    $1 == "chunk-key" && at == 0 && NF == 2 && hex($2) { at = 1; next }
    # The record says sizes rounded up: all but the first bits are zero.
    function rounded(size,   e, s) {
      if (size < 2) return size
      while (2 ^ (e + 1) <= size) e++
      while (2 ^ (s + 1) <= e) s++
      e = 2 ^ (e - s - 1)
      return e <= 1 ? size : (int((size - 1) / e) + 1) * e
    }
    $1 == "sizes" && at == 1 && NF == 4 && count($2) && count($3) && count($4) {
      if (sprintf("sizes\t%.0f\t%.0f\t%.0f", rounded($2), rounded($3), rounded($4)) != sizes) exit bad = 1
      at = 2; next }
    $1 == "body" && at == 2 && NF == 3 && hex($2) && count($3) { at = 3; size = $3; next }
    $1 == "extent" && at == 3 && hex($2) && count($3) && count($4) && $4 > 0 && (NF == 4 && held || NF == 6 && count($5) && $5 < $4 && $6 != "") {
      held += $4; next }
    $1 == "facts" && at == 3 && NF == 2 { at = 4; next }
    $1 == "expectations" && at == 4 && NF == 2 { at = 5; next }
    $1 == "problems" && (at == 4 || at == 5) && NF == 2 { at = 6; next }
    $0 == "end" && at == 6 { ended = 1; next }
    at == 6 && $0 ~ /^[a-z][a-z-]*\t/ { next }
    { exit bad = 1 }
    END { exit bad || !ended || held + 0 != size }' "$tmp/ties" "$tmp/manifest" && [ -z "$(tail -c 1 "$tmp/manifest")" ] ||
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
  local pack offset length at last='' sum wanted
  : >"$tmp/body"
  awk -F '\t' '$1 == "sizes" { print $2, $4 }' "$tmp/manifest" >"$tmp/totals"
  awk -F '\t' '$1 == "extent" { print $2, $3, $4, sprintf("%.0f", at); at += $4 }' "$tmp/manifest" >"$tmp/extents"
  # Where each piece ends, and the first entry that begins in it.
  awk -F '\t' '$1 == "extent" { print sprintf("%.0f", at + $4) "\t" (NF == 6 ? sprintf("%.0f", at + $5) : "-") "\t" $6; at += $4 }' \
    "$tmp/manifest" >"$tmp/begins"
  # A pack's pieces lie among those of others: each is opened once.
  while read -r pack offset length at; do
    [ "$pack" = "$last" ] || open_pack "$pack"
    last=$pack
    dd if="$tmp/raw" of="$tmp/body" bs=1M iflag=skip_bytes,count_bytes,fullblock oflag=seek_bytes conv=notrunc \
      skip="$offset" count="$length" seek="$at" status=none
  done < <(sort "$tmp/extents")
  wanted=$(awk -F '\t' '$1 == "body" { print $2 }' "$tmp/manifest")
  sum=$(sha256sum <"$tmp/body")
  [ "${sum%% *}" = "$wanted" ] || die 'the list of files is damaged: its SHA-256 is not the recorded one. Try another copy or restore point'
}

# Reads the body and writes, into $tmp/plan, what is to be done. Every path becomes './path', quoted for bash, and every
# number is checked to be one, so that nothing in the list can do anything but name a file below TARGET.
make_plan() {
  mkdir "$tmp/plan"
  awk -F '\t' -v plan="$tmp/plan/" -v begins="$tmp/begins" -v totals="$(cat "$tmp/totals")" -v root="$([ "$(id -u)" -ne 0 ] || echo 1)" '
    function fail(why) { print "rescue: entry " FNR ": " why > "/dev/stderr"; failed = 1; exit 1 }
    function joined(text, old, new,   n, part, i, out) {
      n = split(text, part, old)
      out = part[1]
      for (i = 2; i <= n; i++) out = out new part[i]
      return out
    }
    # For comparing: bytes as they are, with / below all others.
    function sortable(text,   n, part, i, code) {
      gsub(/\//, "\001", text)
      n = split(text, part, "%")
      text = part[1]
      for (i = 2; i <= n; i++) {
        code = substr(part[i], 1, 2)
        text = text (code == "01" || code == "02" ? "\002" : "") byte[code] substr(part[i], 3)
      }
      return text
    }
    # The bytes of a value in hex.
    function hex(text,   i, out, piece, character) {
      for (i = 1; i <= length(text); i++) {
        character = substr(text, i, 1)
        if (character == "%") { piece = piece substr(text, i + 1, 2); i += 2 } else piece = piece hexed[character]
        if (length(piece) > 500) { out = out piece; piece = "" }
      }
      return out piece
    }
    function attributes_of(list, here, kind,   n, part, i, pair, name) {
      n = split(list, part, ",")
      for (i = 1; i <= n; i++) {
        if (i == 1 && part[i] == "sparse" && $1 == "f") continue
        if (part[i] !~ /^x:/ || split(substr(part[i], 3), pair, "=") != 2 || pair[1] == "") fail("extras that are none")
        attribute(pair[1], pair[2], here, kind)
      }
    }
    function attribute(name, value, here, kind,   plain) {
      plain = name; gsub(/%2c/, ",", plain); gsub(/%3d/, "=", plain)
      listed(value)
      if (plain == "inode.flags") {
        if (value !~ /^[suSDiadAcmjtTCP]+$/) fail("flags that are none")
        if (value ~ /[ia]/ && !root) { only_root++; return }
        print "chattr +" value " -- " here > (plan "flags")
        flags++
        return
      }
      if (plain !~ /^user\./ && !root) { only_root++; return }
      print "setfattr -h -n " quoted(plain) (value == "" ? "" : " -v 0x" hex(value)) " -- " here > (plan "xattrs" kind)
      attributes++
    }
    function listed(text) {
      gsub(/%([01][0-9a-f]|25|2c|3d|7f|[89a-f][0-9a-f])/, "", text)
      if (index(text, "%")) fail("a value that cannot be read")
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
    function number(text) { if (text !~ /^(0|[1-9][0-9]*)$/ || length(text) > 16) fail("a number that is none"); return text }
    function id(text) { if (number(text) > 4294967295) fail("an owner that is none"); return text }
    function extents(list,   n, part, i, word) {
      n = split(list, part, ",")
      if (n > 1000) fail("too many extents for a line")
      full = (n == 1000)
      for (i = 1; i <= n; i++) {
        if (split(part[i], word, ":") != 3) fail("an extent that is none")
        number(word[2]); number(word[3])
        if (word[3] == 0 || (word[1] == "-" && word[2] != 0)) fail("an extent that is none")
        if (at > 0 && (word[1] "") == pack && (pack == "-" || word[2] == reached)) fail("extents that are one")
        pack = word[1] ""; reached = word[2] + word[3]
        if (word[1] != "-") {
          if (length(pack) != 64 || pack ~ /[^0-9a-f]/) fail("an extent that is none")
          print word[1] "\t" word[2] "\t" word[3] "\t" sprintf("%.0f", at) "\t" files "\t" name > (plan "pieces")
        }
        at += word[3]
      }
      ends_in_hole = (word[1] == "-")
    }
    # The manifest says which entry is the first that begins in each piece of the list.
    function go_to(byte) {
      for (; piece <= pieces && byte >= ends[piece]; piece++) {
        if (!met && begin[piece] != "-") misplaced()
        met = 0
      }
    }
    function misplaced() { fail("it begins elsewhere than the manifest says") }
    function end_file() {
      if (name != "" && at != size) fail("extents that do not add up to the size")
      full = 0
      if (name != "" && ends_in_hole) print "truncate -s " sprintf("%.0f", at) " -- " name > (plan "holes")
      name = ""
    }
    BEGIN {
      quote = sprintf("%c", 39)
      n = split("folders files links hardlinks others pieces holes owners owners.folders owners.links modes modes.folders times times.folders times.links xattrs xattrs.folders xattrs.links flags hashes", out, " ")
      for (i = 1; i <= n; i++) printf "" > (plan out[i])
      while ((getline < begins) > 0) { ends[++pieces] = $1; begin[pieces] = $2; beginner[pieces] = $3 }
      piece = 1
      for (i = 0; i < 256; i++) {
        byte[sprintf("%02x", i)] = sprintf("%c", i)
        hexed[sprintf("%c", i)] = sprintf("%02x", i)
      }
    }
    # First: which files have other names.
    FNR == NR { if ($1 == "h") first[$9]; next }
    { line_at = reached_byte; reached_byte += length($0) + 1 }
    /[^ -~\t]/ { fail("a byte that must be escaped") }
    $1 == "+" {
      if (NF != 2 || name == "" || !full) fail("extents without a file")
      owned = ""; extents($2); next
    }
    $1 == "x" {
      if (NF != 2 || owned == "" || split($2, pair, "=") != 2 || pair[1] == "" || index($2, ",")) fail("an attribute that is none")
      if (type != "h") attribute(pair[1], pair[2], owned, kind)
      next }
    { end_file()
      if (NF != 10) fail("a line with " NF " columns")
      go_to(line_at)
      if (!met && (begin[piece] == "-" || begin[piece] + 0 != line_at || beginner[piece] != $2)) misplaced()
      met = 1; entries++
      if ($1 !~ /^[fdlhpscb]$/) fail("a type that is none")
      if ($3 !~ /^(0|[1-7][0-7]?[0-7]?[0-7]?)$/) fail("a mode that is none")
      if ($6 !~ /^-?(0|[1-9][0-9]*)\.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]$/ || $6 == "-0.000000000") fail("a time that is none")
      here = path($2); id($4); id($5)
      now = sortable($2)
      if (now <= last) fail("a path out of order, or twice")
      if (leaf != "" && index(now, leaf "\001") == 1) fail("a path in what is no folder")
      last = now
      if ($1 != "d") leaf = now
      if ($1 == "f" ? length($8) != 64 || $8 ~ /[^0-9a-f]/ : $7 != "-" || $8 != "-") fail("a size or sum that is none")
      if ($1 ~ /^[dps]$/ && $9 != "-") fail("a content that is none")
      if ($1 == "f" && ($2 in first)) seen[$2]
      if ($1 == "h" && !($9 in seen)) fail("another name of no file before it")
      kind = ($1 == "d") ? ".folders" : ($1 == "l") ? ".links" : ""
      if ($1 == "d") folder($2)
      else if (index($2, "/")) { parent = $2; sub(/\/[^\/]*$/, "", parent); folder(parent) }
      type = $1; owned = here
      if ($10 != "-") attributes_of($1 == "h" ? "" : $10, here, kind) }
    $1 == "f" {
      files++; at = 0; ends_in_hole = 0; name = here; pack = ""
      size = number($7); total += size
      print ": >" here > (plan "files")
      print $8 "\t" here > (plan "hashes")
      if ($9 != "-") extents($9) }
    $1 == "d" { folders++ }
    $1 == "l" { print "ln -s -T -- " quoted($9) " " here > (plan "links"); links++ }
    $1 == "h" { print "ln -T -- " path($9) " " here > (plan "hardlinks"); hardlinks++; next }
    $1 == "p" { print "mkfifo -- " here > (plan "others"); others++ }
    $1 == "c" || $1 == "b" { if (split($9, word, ":") != 2) fail("a device that is none"); print "mknod -- " here " " $1 " " id(word[1]) " " id(word[2]) > (plan "others"); others++ }
    $1 == "s" { sockets++; next }
    { print $4 ":" $5 "\t" here > (plan "owners" kind)
      if ($1 != "l") print $3 "\t" here > (plan "modes" kind)
      print $6 "\t" here > (plan "times" kind) }
    END {
      if (failed) exit 1
      end_file()
      go_to(reached_byte)
      if (sprintf("%.0f %.0f", total, entries) != totals) fail("the list ends with another number of entries or bytes than the manifest says")
      print files + 0, folders + 0, links + 0, hardlinks + 0, others + 0, sockets + 0, attributes + 0, only_root + 0, flags + 0 > (plan "counts")
    }' "$tmp/body" "$tmp/body" || die 'the list of files holds something that must not be written; nothing was'
  read -r files folders links hardlinks others sockets attributes only_root flags <"$tmp/plan/counts"
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
  need_tools age age-keygen zstd awk cat cut dd dirname id ln mkdir mkfifo mknod mktemp nproc od paste rm sha256sum sort tac tail head touch tr truncate wc chmod chown
  begin "$1"
  [ -f "$2" ] || die "the identity file $2 is missing"
  identity=$(cd "$(dirname -- "$2")" && pwd -P)/${2##*/}
  mkdir -p -- "$4" || die "cannot make $4"
  target=$(cd "$4" && pwd -P)
  for made in "$target"/* "$target"/.[!.]* "$target"/..?*; do
    [ ! -e "$made" ] && [ ! -L "$made" ] || die "$target is not empty. Name a new folder"
  done
  damaged_packs=0
  lost_lists=0
  shards=$(nproc)
  : >"$tmp/errors"

  choose_record "$3"
  : >"$tmp/raw.errors"
  open_epochs
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
  set_root
  set_flags
  report
}

# Owners first, because changing them clears set-uid and capabilities; attributes before modes, which may forbid to write; links after
# everything that is not one; folders last, inner before outer.
set_metadata() {
  local kind
  [ "$(id -u)" -ne 0 ] || by_key "$tmp/plan/owners" | in_batches 'chown -h '
  set_attributes ''
  by_key "$tmp/plan/modes" | in_batches 'chmod '
  by_key "$tmp/plan/times" | in_batches 'touch -h -c -d @'
  run "$tmp/plan/links"
  for kind in links folders; do
    [ "$(id -u)" -ne 0 ] || by_key "$tmp/plan/owners.$kind" | in_batches 'chown -h '
    set_attributes ".$kind"
    by_key "$tmp/plan/times.$kind" | in_batches 'touch -h -c -d @'
  done
  tac -- "$tmp/plan/modes.folders" | in_batches 'chmod '
}

# Last of all: some of them forbid every change.
set_flags() { ! command -v chattr >/dev/null || run "$tmp/plan/flags"; }

set_attributes() { ! command -v setfattr >/dev/null || run "$tmp/plan/xattrs$1"; }

# The folder itself is in the manifest, where the dataset is a folder: mode in decimal, time in nanoseconds.
set_root() {
  local mode uid gid time sign=
  awk -F '\t' '$1 == "facts" && match($2, /"root":\{"type":"folder","mode":[0-9]+,"uid":[0-9]+,"gid":[0-9]+,"mtimeNs":"-?[0-9]+"/) {
    split(substr($2, RSTART, RLENGTH), word, /[:,]/); gsub(/"/, "", word[11]); print word[5], word[7], word[9], word[11] }' "$tmp/manifest" >"$tmp/root"
  read -r mode uid gid time <"$tmp/root" || return 0
  [ "$kind" = files ] || return 0
  case $time in -*) sign=- time=${time#-} ;; esac
  while [ ${#time} -lt 10 ]; do time=0$time; done
  { [ "$(id -u)" -ne 0 ] || chown -h -- "$uid:$gid" "$target"
    chmod -- "$(printf '%o' "$mode")" "$target"
    touch -c -d "@$sign${time:0:${#time}-9}.${time: -9}" -- "$target"
  } 2>>"$tmp/errors" || true
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
  [ "$attributes" -eq 0 ] || command -v setfattr >/dev/null ||
    say "$attributes extended attributes and ACLs were left out: setfattr is missing. On Debian: apt-get install attr"
  [ "$flags" -eq 0 ] || command -v chattr >/dev/null ||
    say "$flags files or folders are without their flags: chattr is missing. On Debian: apt-get install e2fsprogs"
  [ "$only_root" -eq 0 ] || say "$only_root extended attributes and ACLs were left out: only root can set them."
  how_to_load
  if [ "$state" = unchecked ]; then say 'The signature of the record was not checked: openssl is missing.'
  elif [ ${#writers[@]} -gt 0 ]; then say "The record is signed by $writer, as you asked."
  else say "The record is signed by $writer. Compare that with your key file or sheet: anybody can sign with a key of their own."
  fi
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

writers=()
words=()
while [ $# -gt 0 ]; do
  case $1 in
    --writer) [ $# -ge 2 ] || usage; writers+=("$2"); shift 2 ;;
    *) words+=("$1"); shift ;;
  esac
done
case ${words[0]-} in
  list) [ ${#words[@]} -eq 2 ] || usage; list "${words[1]}" ;;
  restore) [ ${#words[@]} -eq 5 ] || usage; restore "${words[@]:1}" ;;
  *) usage ;;
esac
