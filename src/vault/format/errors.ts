import { defineError } from '../../core/errors.ts';

const damagedHint = () => "Run 'lifeboat verify --all': it names what is touched and heals it from a sound copy.";

export const formatNewer = defineError({
  code: 'format-newer',
  about: 'person',
  exit: 2,
  say: (fact: { what: string; needs: string }) => `${fact.what} needs ${fact.needs}, which this program does not know.`,
  hint: () => 'A newer Lifeboat wrote it. Upgrade this one.',
});

export const vaultFileDamaged = defineError({
  code: 'vault-file-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `vault.json is damaged at ${fact.field}.`,
  hint: () => 'Copy vault.json from another destination of the same vault: it is the same everywhere.',
});

export const tocDamaged = defineError({
  code: 'toc-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `The table of contents of a pack is damaged at ${fact.field}.`,
  hint: damagedHint,
});

export const indexDamaged = defineError({
  code: 'index-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `An index delta is damaged at ${fact.field}.`,
  hint: () => 'Nothing is lost: chunks that are not in the index are sent again.',
});

export const entryDamaged = defineError({
  code: 'entry-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `An entry of a restore point is damaged at ${fact.field}.`,
  hint: damagedHint,
});

export const entryInvalid = defineError({
  code: 'entry-invalid',
  about: 'backup',
  exit: 2,
  say: (fact: { path: string; why: string }) => `${fact.path} cannot be stored: ${fact.why}.`,
  hint: () => 'Rename or exclude it in lifeboat.yaml, and give the reason.',
});

export const manifestDamaged = defineError({
  code: 'manifest-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `A manifest is damaged at ${fact.field}.`,
  hint: damagedHint,
});

export const recordDamaged = defineError({
  code: 'record-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `A snapshot record is damaged at ${fact.field}.`,
  hint: damagedHint,
});

export const listDamaged = defineError({
  code: 'list-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `A list of packs is damaged at ${fact.field}.`,
  hint: damagedHint,
});

export const recordForged = defineError({
  code: 'record-forged',
  about: 'backup',
  exit: 2,
  say: (fact: { writer: string }) => `A snapshot record is not signed by the writer that it names (${fact.writer}).`,
  hint: () => 'Do not restore from it. Find out who can write to the destination, and use an older restore point.',
});

export const generationDamaged = defineError({
  code: 'generation-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { field: string }) => `A prune generation is damaged at ${fact.field}.`,
  hint: damagedHint,
});

export const generationForged = defineError({
  code: 'generation-forged',
  about: 'backup',
  exit: 2,
  say: (fact: { writer: string }) => `A prune generation is not signed by the writer that it names (${fact.writer}).`,
  hint: () => 'Nothing is pruned until it is gone. Find out who can write to the destination.',
});

export const endorsementDamaged = defineError({
  code: 'endorsement-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { key: string; why: string }) => `Endorsement ${fact.key} does not hold: ${fact.why}.`,
  hint: () => 'It counts for nothing. Find out who can write to the destination.',
});

export const announcementDamaged = defineError({
  code: 'announcement-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { key: string; why: string }) => `Announcement ${fact.key} does not hold: ${fact.why}.`,
  hint: () => 'It counts for nothing. Find out who can write to the destination.',
});

export const coverDamaged = defineError({
  code: 'cover-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { key: string; why: string }) => `Cover ${fact.key} of a log does not hold: ${fact.why}.`,
  hint: () => 'It counts for nothing. Find out who can write to the destination.',
});

export const grantDamaged = defineError({
  code: 'grant-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { key: string; why: string }) => `Grant ${fact.key} does not hold: ${fact.why}.`,
  hint: () => 'It counts for nothing. Find out who can write to the destination.',
});

export const ledgerDamaged = defineError({
  code: 'ledger-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { key: string; why: string }) => `Ledger entry ${fact.key} does not hold: ${fact.why}.`,
  hint: () => "Run 'lifeboat evidence verify': it names every entry that was changed, and every gap in the chain.",
});
