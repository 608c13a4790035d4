import { defineError } from '../core/errors.ts';

export const usageWrong = defineError({
  code: 'usage-wrong',
  about: 'person',
  exit: 64,
  say: (fact: { what: string; command: string }) => fact.what,
  hint: (fact) => `Run '${fact.command} --help' to see what it takes.`,
});

export const placesUnclear = defineError({
  code: 'places-unclear',
  about: 'person',
  exit: 64,
  say: (fact: { why: string }) => `Where to is unclear: ${fact.why}.`,
  hint: () =>
    'Name a place for each dataset that comes back, or for none: --into app-db=./rehearsal/app.db --into uploads=./rehearsal/uploads, or the lines of --into-file FILE. Name datasets to bring back fewer.',
});

export const identityNeeded = defineError({
  code: 'identity-needed',
  about: 'person',
  exit: 64,
  say: () => 'This reads backups, and for that it needs a private key (an age identity).',
  hint: (fact: { found?: string }) =>
    `Pass the key file: --identity ${fact.found ?? 'lifeboat-keys/daily.txt'} (or LIFEBOAT_IDENTITY).`,
});

export const identityGivenItself = defineError({
  code: 'identity-given-itself',
  about: 'person',
  exit: 64,
  say: () => 'What was given is a private key itself, where the name of a file with one belongs.',
  hint: () =>
    "Put it into a file that only you may read, and name that, or 'command:WORDS' that print it. Words of a command are seen in logs and lists of processes: if others may have read them, replace the key ('lifeboat keys rotate').",
});

export const identityMissing = defineError({
  code: 'identity-missing',
  about: 'person',
  exit: 2,
  say: (fact: { file: string }) => `There is no identity file ${fact.file}.`,
  hint: () => 'Fetch the key from where you keep it, and name its file with --identity FILE (LIFEBOAT_IDENTITY).',
});

export const identityUnreadable = defineError({
  code: 'identity-unreadable',
  about: 'person',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The identity file ${fact.file} cannot be used: ${fact.why}.`,
  hint: () =>
    "It must hold a line that begins with AGE-SECRET-KEY-1 ('lifeboat keys new' makes such a file), an SSH private key, or a share.",
});

export const passphraseNeeded = defineError({
  code: 'passphrase-needed',
  about: 'person',
  exit: 64,
  say: (fact: { of: string; why: string }) => `${fact.of} is protected by a passphrase, and ${fact.why}.`,
  hint: () => 'Run it in a terminal, or set LIFEBOAT_PASSPHRASE, or LIFEBOAT_PASSPHRASE_FILE to a file that holds it.',
});

export const notAShare = defineError({
  code: 'not-a-share',
  about: 'person',
  exit: 64,
  say: (fact: { source: string }) => `${fact.source} holds no share of a split key. Here nothing else counts.`,
  hint: () =>
    'Name the sheets (share-1-of-5.txt …), and unset LIFEBOAT_IDENTITY. Without --escrow and --shares, any private key will do.',
});

export const unexpected = defineError({
  code: 'unexpected',
  about: 'lifeboat',
  exit: 2,
  say: (fact: { what: string }) => `Something unforeseen happened: ${fact.what}`,
  hint: () =>
    'Restore points that were complete before are not touched. Run it again with LIFEBOAT_DEBUG=1 and report what it prints.',
});

export const answerUnwritten = defineError({
  code: 'answer-unwritten',
  about: 'place',
  exit: 2,
  say: (fact: { why: string }) =>
    `The work has ended, and its answer could not be written to standard output: ${fact.why}.`,
  hint: () => "Make room where standard output goes. 'lifeboat status' says what was done.",
});

export const interrupted = defineError({
  code: 'interrupted',
  about: 'person',
  exit: 130,
  say: () => 'Interrupted. Nothing half-done is left behind as if it were whole.',
  hint: () => 'Run the same command again: what was already stored is used again.',
});

export const keyFileExists = defineError({
  code: 'key-file-exists',
  about: 'person',
  exit: 64,
  say: (fact: { file: string }) => `${fact.file} exists. It was left as it is: a private key is never overwritten.`,
  hint: () => 'Name another file. Keep the old key as long as there are backups that only it opens.',
});

export const keyFileUnwritable = defineError({
  code: 'key-file-unwritable',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) => `The key file ${fact.file} cannot be written: ${fact.why}.`,
  hint: () => 'Check the folder, its owner and its free space.',
});

export const configExists = defineError({
  code: 'config-exists',
  about: 'person',
  exit: 64,
  say: (fact: { file: string }) => `${fact.file} exists. It was left as it is.`,
  hint: () =>
    'See what would be written with --dry-run, or write it anew with --force: the keys that it names are kept.',
});

export const configUnwritable = defineError({
  code: 'config-unwritable',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) => `${fact.file} cannot be written: ${fact.why}.`,
  hint: () => 'Check the folder, its owner and its free space.',
});
