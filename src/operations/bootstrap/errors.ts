import { defineError } from '../../core/errors.ts';

const forms = 's3://bucket/prefix?endpoint=https://…&region=…, sftp://user@host/folder, /folder or file:///folder';

export const addressUnclear = defineError({
  code: 'address-unclear',
  exit: 64,
  say: (fact: { address: string; why: string }) => `'${fact.address}' does not say where a vault is: ${fact.why}.`,
  hint: () => `Write one of: ${forms}.`,
});

export const noVaultThere = defineError({
  code: 'no-vault-there',
  exit: 2,
  say: (fact: { location: string; why: string; found: readonly string[] }) =>
    `There is no vault at ${fact.location}: ${fact.why}.`,
  hint: (fact) =>
    fact.found.length === 0
      ? 'Check the bucket, the prefix or the folder: it is what lifeboat.yaml named as a destination. A vault has a file vault.json.'
      : `Further down there ${fact.found.length === 1 ? 'is one' : 'are several'}; name one of them: ${fact.found.join(', ')}`,
});

export const systemUnclear = defineError({
  code: 'system-unclear',
  exit: 64,
  say: (fact: { asked?: string; systems: readonly string[] }) =>
    fact.asked === undefined
      ? `This vault serves ${fact.systems.length} systems: ${fact.systems.join(', ')}.`
      : `This vault holds no restore point of the system '${fact.asked}'.`,
  hint: (fact) => `Say which one: --system ${fact.systems[0] ?? 'NAME'}.`,
});

export const writersUnclear = defineError({
  code: 'writers-unclear',
  exit: 64,
  say: (fact: { system: string; writers: ReadonlyArray<{ key: string; words: string }> }) =>
    [
      `The restore points of ${fact.system} are signed by ${fact.writers.length} writers. One of them may be whoever broke in.`,
      ...fact.writers.map(({ key, words }) => `  ${key}  ${words}`),
    ].join('\n'),
  hint: (fact) =>
    `Name those that you know (a host that was installed anew has a new key): ${fact.writers.map(({ key }) => `--accept-writer ${key}`).join(' ')}`,
});

export const configurationNotKept = defineError({
  code: 'configuration-not-kept',
  exit: 2,
  say: (fact: { system: string }) => `This vault holds no copy of the configuration of ${fact.system}.`,
  hint: () =>
    "Write a lifeboat.yaml that names this destination and the datasets listed by 'lifeboat bootstrap' without --identity; then 'lifeboat recover' works as usual.",
});

export const filesInTheWay = defineError({
  code: 'files-in-the-way',
  exit: 2,
  say: (fact: { files: readonly string[] }) =>
    `Nothing was written, because ${fact.files.length === 1 ? 'this file is there already and differs' : 'these files are there already and differ'}: ${fact.files.join(', ')}.`,
  hint: () => 'Move them away, or bring the configuration back elsewhere with --into FOLDER.',
});

export const recoveryTargetTaken = defineError({
  code: 'recovery-target-taken',
  exit: 2,
  say: (fact: { dataset: string; why: string }) =>
    `${fact.why} Nothing proves that a recovery of this machine put it there.`,
  hint: (fact) =>
    `To keep it, move it away (a database: ALTER DATABASE … RENAME TO …) and run the same command again. To replace it, run the same command with '${fact.dataset} --force', then again without: what is back stays.`,
});

export const configurationUnusable = defineError({
  code: 'configuration-unusable',
  exit: 2,
  say: (fact: { why: string }) => `The configuration in the vault cannot be brought back: ${fact.why}.`,
  hint: () => 'Take an earlier one with --at MOMENT, or another copy of the vault.',
});

export const sshKeyUnreadable = defineError({
  code: 'ssh-key-unreadable',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The SSH key ${fact.file} cannot be read: ${fact.why}.`,
  hint: () => 'Name the private key that the server knows with --ssh-key FILE.',
});
