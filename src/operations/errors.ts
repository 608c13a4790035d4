import { defineError } from '../core/errors.ts';

export const noSuchDataset = defineError({
  code: 'dataset-unknown',
  about: 'person',
  exit: 64,
  say: (fact: { dataset: string; known: readonly string[] }) =>
    `There is no dataset '${fact.dataset}'. There are: ${fact.known.join(', ')}.`,
  hint: () => 'Name datasets as lifeboat.yaml does.',
});

export const knownWritersDamaged = defineError({
  code: 'known-writers-damaged',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) =>
    `The list of known writers in ${fact.file} cannot be read: ${fact.why}.`,
  hint: (fact) =>
    `Name the writers' keys under vault.writers in lifeboat.yaml, or move ${fact.file} away: the next backup or verification makes it anew from the vault as it then is.`,
});

export const partInvalid = defineError({
  code: 'part-invalid',
  about: 'person',
  exit: 64,
  say: (fact: { text: string }) => `'${fact.text}' is no part.`,
  hint: () => 'Write it as n/m with n from 1 to m, for example --part 2/7.',
});

export const noVaultThere = defineError({
  code: 'no-vault-there',
  about: 'person',
  exit: 2,
  say: (fact: { location: string; why: string; found: readonly string[] }) =>
    `There is no vault at ${fact.location}: ${fact.why}.`,
  hint: (fact) =>
    fact.found.length === 0
      ? 'Check the bucket, the prefix or the folder: it is what lifeboat.yaml named as a destination. A vault has a file vault.json.'
      : `Further down there ${fact.found.length === 1 ? 'is one' : 'are several'}; name one of them: ${fact.found.join(', ')}`,
});
