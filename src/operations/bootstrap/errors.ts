import { defineError } from '../../core/errors.ts';

const forms = 's3://bucket/prefix?endpoint=https://…&region=…, sftp://user@host/folder, /folder or file:///folder';

export const addressUnclear = defineError({
  code: 'address-unclear',
  about: 'person',
  exit: 64,
  say: (fact: { address: string; why: string }) => `'${fact.address}' does not say where a vault is: ${fact.why}.`,
  hint: () => `Write one of: ${forms}.`,
});

export const systemUnclear = defineError({
  code: 'system-unclear',
  about: 'person',
  exit: 64,
  say: (fact: { asked?: string; systems: readonly string[] }) =>
    fact.asked === undefined
      ? `This vault serves ${fact.systems.length} systems: ${fact.systems.join(', ')}.`
      : `This vault holds no restore point of the system '${fact.asked}'.`,
  hint: (fact) => `Say which one: --system ${fact.systems[0] ?? 'NAME'}.`,
});

export const writersUnclear = defineError({
  code: 'writers-unclear',
  about: 'person',
  exit: 64,
  say: (fact: { system: string; writers: ReadonlyArray<{ key: string; words: string }> }) =>
    [
      `Nothing vouches for who signed the restore points of ${fact.system}. It may be whoever broke in.`,
      ...fact.writers.slice(0, 10).map(({ key, words }) => `  ${key}  ${words}`),
      ...(fact.writers.length > 10 ? [`  and ${fact.writers.length - 10} more`] : []),
    ].join('\n'),
  hint: () =>
    'Compare with the key that was written down: in the key file, on the sheet, in your notes. Name it with --accept-writer KEY. If you know none, look at the others first: another copy of the vault, another key.',
});

export const keyOfAnotherVault = defineError({
  code: 'key-of-another-vault',
  about: 'person',
  exit: 2,
  say: (fact: { source: string; named: readonly string[]; found: string }) =>
    `${fact.source} says that it opens vault ${fact.named.slice(0, 3).join(', ')}. This is vault ${fact.found}.`,
  hint: () =>
    "Somebody may have put another vault in its place: trust nothing in it, and look at another copy. If you know better, take the line '# vault …' out of the key file.",
});

export const placeRefused = defineError({
  code: 'place-refused',
  about: 'person',
  exit: 2,
  say: (fact: { path: string; why: string }) => `${fact.path} is not written: ${fact.why}.`,
  hint: () => 'Bring the configuration back into a folder of your own: --into FOLDER.',
});

export const configurationNotKept = defineError({
  code: 'configuration-not-kept',
  about: 'person',
  exit: 2,
  say: (fact: { system: string }) => `This vault holds no copy of the configuration of ${fact.system}.`,
  hint: () =>
    "Write a lifeboat.yaml that names this destination and the datasets listed by 'lifeboat bootstrap' without --identity; then 'lifeboat recover' works as usual.",
});

export const filesInTheWay = defineError({
  code: 'files-in-the-way',
  about: 'person',
  exit: 2,
  say: (fact: { files: readonly string[] }) =>
    `Nothing was written, because ${fact.files.length === 1 ? 'this file is there already and differs' : 'these files are there already and differ'}: ${fact.files.join(', ')}.`,
  hint: () => 'Move them away, or bring the configuration back elsewhere with --into FOLDER.',
});

export const recoveryTargetTaken = defineError({
  code: 'recovery-target-taken',
  about: 'person',
  exit: 2,
  say: (fact: { dataset: string; why: string }) =>
    `${fact.why} Nothing proves that a recovery of this machine put it there.`,
  hint: (fact) =>
    `To keep it, move it away (a database: ALTER DATABASE … RENAME TO …) and run the same command again. To replace it, run the same command with '${fact.dataset} --force', then again without: what is back stays.`,
});

export const sshKeyUnreadable = defineError({
  code: 'ssh-key-unreadable',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The SSH key ${fact.file} cannot be read: ${fact.why}.`,
  hint: () => 'Name the private key that the server knows with --ssh-key FILE.',
});
