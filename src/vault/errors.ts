import { defineError } from '../core/errors.ts';
import { countOf } from '../core/size.ts';

export const entriesOutOfOrder = defineError({
  code: 'entries-out-of-order',
  about: 'lifeboat',
  exit: 2,
  say: (fact: { first: string; second: string }) =>
    `${fact.second} came after ${fact.first}, which is not the order of entries.`,
  hint: () => 'This is a fault in Lifeboat. Earlier restore points are untouched. Please report it.',
});

export const logPieceInvalid = defineError({
  code: 'log-piece-invalid',
  about: 'lifeboat',
  exit: 2,
  say: (fact: { start: string; why: string }) => `The piece of a log at ${fact.start} cannot be stored: ${fact.why}.`,
  hint: () => 'This is a fault in Lifeboat. What was stored before is untouched. Please report it.',
});

export const vaultMissing = defineError({
  code: 'vault-missing',
  about: 'person',
  exit: 2,
  say: (fact: { destinations: string }) => `There is no vault in ${fact.destinations} yet.`,
  hint: () =>
    "The first 'lifeboat backup' makes it. If there should be one, check the paths and mounts in lifeboat.yaml.",
});

export const vaultsDiffer = defineError({
  code: 'vaults-differ',
  about: 'person',
  exit: 2,
  say: (fact: { one: string; other: string }) => `Destinations ${fact.one} and ${fact.other} hold different vaults.`,
  hint: () => 'Each destination must be empty or hold a copy of the same vault. Check their paths in lifeboat.yaml.',
});

export const vaultReplaced = defineError({
  code: 'vault-replaced',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string }) =>
    `Destination ${fact.destination} held this system's vault before and is empty now. Nothing was written to it.`,
  hint: () =>
    "Check that the right disk is mounted. If the loss is known and it should be filled anew, run 'lifeboat backup --refill'.",
});

export const noDestination = defineError({
  code: 'no-destination-left',
  about: 'backup',
  exit: 2,
  say: (fact: { why: string }) => `No destination can be written to: ${fact.why}`,
  hint: () => "Nothing was lost: earlier restore points are whole. Run 'lifeboat check' to see each destination.",
});

export const clockAhead = defineError({
  code: 'clock-ahead',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; by: string }) =>
    `No vault was made: this host's clock is ${fact.by} ahead of that of destination ${fact.destination}.`,
  hint: () =>
    "Set it by NTP (timedatectl set-ntp true), or the destination's clock, then run 'lifeboat backup' again. Nothing is lost.",
});

export const storeFailed = defineError({
  code: 'store-failed',
  about: 'backup',
  exit: 2,
  say: (fact: { why: string }) => fact.why,
  hint: () => 'Run the backup again; what was already sent is used again.',
});

export const backupRunning = defineError({
  code: 'backup-running',
  about: 'place',
  exit: 2,
  say: () => 'Another lifeboat backup of this system is running.',
  hint: () => 'Wait for it to end, or stop it: what it has sent so far is used again.',
});

export const copyRunning = defineError({
  code: 'copy-running',
  about: 'place',
  exit: 2,
  say: () => 'Another process of this host is copying between the destinations of this system.',
  hint: () => 'Wait for it to end, or stop it: what it has copied so far stays.',
});

export const writerKeysDamaged = defineError({
  code: 'writer-keys-damaged',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The writer's keys in ${fact.file} cannot be read: ${fact.why}.`,
  hint: (fact) =>
    `Restore points stay readable without them. Move ${fact.file} away and run 'lifeboat backup': it sends everything once again under new keys.`,
});

export const indexCacheDamaged = defineError({
  code: 'index-cache-damaged',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The list of what is stored, ${fact.file}, is damaged: ${fact.why}.`,
  hint: () =>
    "Nothing was lost: it was put aside, and the next 'lifeboat backup' makes it again from the vault. Check this host's disk and memory.",
});

export const restorePointMissing = defineError({
  code: 'restore-point-missing',
  about: 'person',
  exit: 2,
  say: (fact: { dataset: string; at: string }) => `There is no restore point of ${fact.dataset} for ${fact.at}.`,
  hint: () => "Run 'lifeboat list' to see what there is.",
});

export const restorePointDoubtful = defineError({
  code: 'restore-point-doubtful',
  about: 'backup',
  exit: 2,
  say: (fact: { dataset: string; at: string; id: string; why: string }) =>
    `No restore point of ${fact.dataset} for ${fact.at} is believed. Of the last, ${fact.id}, ${fact.why}.`,
  hint: () => "'lifeboat list' shows what is doubtful and why. If you know better, name one with --at ID.",
});

export const writerUnknown = defineError({
  code: 'writer-unknown',
  about: 'backup',
  exit: 2,
  say: (fact: { id: string; writer: string }) =>
    `Restore point ${fact.id} is signed by ${fact.writer}, which is no known writer of this vault. Nothing was restored.`,
  hint: (fact) =>
    `If that host is yours, add the key to vault.writers in lifeboat.yaml, or restore with --accept-writer ${fact.writer}.`,
});

export const epochKeyForged = defineError({
  code: 'epoch-key-forged',
  about: 'backup',
  exit: 2,
  say: (fact: { epoch: string }) => `What lies under keys/${fact.epoch.slice(0, 12)}… is not the key of that epoch.`,
  hint: () => 'Somebody else put it there. Find out who can write to the destination; another copy may be right.',
});

export const historyClosed = defineError({
  code: 'history-closed',
  about: 'person',
  exit: 2,
  say: () =>
    'This key opens only a part of the restore point: the rest was stored before it was added, or after it was removed.',
  hint: () =>
    "If it was added, who holds another key runs 'lifeboat keys admit --identity FILE' once. Or restore with that key.",
});

export const contentDamaged = defineError({
  code: 'content-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { what: string; why: string }) =>
    `${fact.what} cannot be read back: ${fact.why}. Nothing wrong was written.`,
  hint: () =>
    "Run 'lifeboat verify --deep' with --identity: what is damaged it heals from a sound copy, and what was stored wrong the next backup sends anew. An earlier restore point may be whole.",
});

export const packWrong = defineError({
  code: 'pack-wrong',
  about: 'backup',
  exit: 1,
  say: (fact: { pack: string; why: string }) => `Pack ${fact.pack} was stored wrong: ${fact.why}.`,
  hint: () =>
    "No copy heals it. Run 'lifeboat backup' on its host: it uses the pack no more and sends what it needs anew. Then find out whether that host's memory is bad, or somebody has its keys.",
});

export const pointWrong = defineError({
  code: 'restore-point-wrong',
  about: 'backup',
  exit: 1,
  say: (fact: { point: string; what: string; why: string }) =>
    `${fact.point}: ${fact.what} cannot be had: ${fact.why}.`,
  hint: () => 'An earlier or a later restore point may be whole; the next backup makes one that is.',
});

export const entryMissing = defineError({
  code: 'entry-missing',
  about: 'person',
  exit: 2,
  say: (fact: { path: string }) => `The restore point does not hold ${fact.path}.`,
  hint: () => "Paths are relative to the dataset. 'lifeboat list DATASET --files' prints them.",
});

export const unsafeEntry = defineError({
  code: 'unsafe-entry',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string }) => `The restore point names ${fact.path}, which would be written outside the target.`,
  hint: () => 'No backup of Lifeboat makes such a name: do not trust this restore point.',
});

export const targetFull = defineError({
  code: 'target-full',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) => `There is no room where the restore writes: ${fact.why}`,
  hint: () => 'What was there before is untouched. Make room, or restore elsewhere with --into.',
});

export const targetRefuses = defineError({
  code: 'target-refuses',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) => `Nothing of it can be written where the restore goes: ${fact.why}`,
  hint: () =>
    'What was there before is untouched. Restore elsewhere with --into, to a file system of Linux (ext4, xfs, btrfs).',
});

export const memoryUnsound = defineError({
  code: 'memory-unsound',
  about: 'place',
  exit: 2,
  say: (fact: { stage: string }) =>
    `What was ${fact.stage} did not come back the same when it was checked before sending.`,
  hint: () =>
    'Nothing wrong was stored. This is how bad memory shows itself: test the memory of this machine, then run again.',
});

export const pruneMet = defineError({
  code: 'prune-met',
  about: 'place',
  exit: 2,
  say: (fact: { destination: string; generation: number }) =>
    `Another prune wrote generation ${fact.generation} to ${fact.destination} at the same time. This one stopped and deleted nothing.`,
  hint: () => "Let the other one end. The next 'lifeboat prune' goes on where both stopped.",
});

export const pruneSuspect = defineError({
  code: 'prune-suspect',
  about: 'backup',
  exit: 2,
  say: (fact: { found: ReadonlyArray<{ readonly key: string; readonly why: string }> }) => {
    const [first] = fact.found;
    const more = fact.found.length > 1 ? ` And ${countOf(fact.found.length - 1, 'thing')} more.` : '';
    return `Nothing was deleted: ${first?.key} cannot be believed: ${first?.why}.${more}`;
  },
  hint: () => "Run 'lifeboat verify'. What a record needs is not known while it cannot be read, so everything stays.",
});

export const pruneNewer = defineError({
  code: 'prune-newer',
  about: 'person',
  exit: 2,
  say: (fact: { key: string; why: string }) =>
    `Nothing was deleted: what a newer Lifeboat needs is not known. ${fact.key}: ${fact.why}`,
  hint: () => 'Upgrade Lifeboat on this machine, then prune.',
});

export const pruneUnwritten = defineError({
  code: 'prune-unwritten',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) => `No destination took the list of what shall be deleted, so nothing was: ${fact.why}`,
  hint: () => "Run 'lifeboat check'. The pruner's credentials must be allowed to write below gc/.",
});
