import { defineError } from '../../core/errors.ts';

export const headerDamaged = defineError({
  code: 'header-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { why: string }) => `The header of an encrypted object is damaged: ${fact.why}.`,
  hint: () => "Run 'lifeboat verify --all': it names the object and heals it from a sound copy.",
});

export const noIdentityFits = defineError({
  code: 'no-identity-fits',
  about: 'person',
  exit: 2,
  say: (fact: { identities: number }) =>
    fact.identities === 1
      ? 'The identity given does not open this vault.'
      : `None of the ${fact.identities} identities given opens this vault.`,
  hint: () => 'Give the identity file whose recipient was in lifeboat.yaml when the backup was made.',
});

export const streamDamaged = defineError({
  code: 'stream-damaged',
  about: 'backup',
  exit: 2,
  say: (fact: { why: string }) => `An encrypted object is damaged: ${fact.why}.`,
  hint: () => "Run 'lifeboat verify --all': it names the object and heals it from a sound copy.",
});

export const recipientInvalid = defineError({
  code: 'recipient-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { recipient: string; why: string }) => `${fact.recipient} is not a recipient: ${fact.why}.`,
  hint: () =>
    "Use the age1… line that 'age-keygen' or 'lifeboat keys new' printed, or the line of a .pub file (ssh-ed25519 …, ssh-rsa …).",
});

/** Carries no text of the identity: it is a secret. */
export const identityInvalid = defineError({
  code: 'identity-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { line?: number; why: string }) =>
    fact.line === undefined
      ? `This is not an identity: ${fact.why}.`
      : `Line ${fact.line} of the identity file: ${fact.why}.`,
  hint: () =>
    'An identity file holds lines that start with AGE-SECRET-KEY-1 and comments that start with #, or it is an OpenSSH private key.',
});

export const passphraseWrong = defineError({
  code: 'passphrase-wrong',
  about: 'person',
  exit: 2,
  say: (fact: { of: string }) => `The passphrase does not open ${fact.of}.`,
  hint: () =>
    'Type it again, or look where LIFEBOAT_PASSPHRASE comes from. Upper and lower case and the keyboard layout count.',
});
