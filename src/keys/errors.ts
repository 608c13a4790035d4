import { defineError } from '../core/errors.ts';

export const shareDamaged = defineError({
  code: 'share-damaged',
  about: 'person',
  exit: 2,
  say: (fact: { share: string; line?: number; why: string }) =>
    fact.line === undefined ? `${fact.share}: ${fact.why}.` : `${fact.share}, line ${fact.line}: ${fact.why}.`,
  hint: () =>
    'Compare it with the sheet, sign by sign. 0 and O, 1, I and L are read as the same; upper and lower case too.',
});

export const sharesMixed = defineError({
  code: 'shares-mixed',
  about: 'person',
  exit: 2,
  say: (fact: { share: string; other: string }) =>
    `${fact.share} belongs to another key, or to another splitting of it, than ${fact.other}.`,
  hint: () => 'Only shares of one set fit together: the set is printed on every sheet.',
});

export const sharesTooFew = defineError({
  code: 'shares-too-few',
  about: 'person',
  exit: 2,
  say: (fact: { given: readonly number[]; threshold: number; total: number; set: string }) =>
    `Of set ${fact.set} only share${fact.given.length === 1 ? '' : 's'} ${fact.given.join(', ')} came; any ${fact.threshold} of ${fact.total} are needed.`,
  hint: (fact) => {
    const missing = Array.from({ length: fact.total }, (_, at) => at + 1).filter((one) => !fact.given.includes(one));
    return `${fact.threshold - fact.given.length} more of these: ${missing.join(', ')}. Ask their holders.`;
  },
});

export const sharesUnfit = defineError({
  code: 'shares-unfit',
  about: 'person',
  exit: 2,
  say: (fact: { suspect?: string }) =>
    fact.suspect === undefined
      ? 'The shares are well-formed, but together they do not give the key that they name: one is not what was handed out.'
      : `${fact.suspect} is well-formed, but is not what was handed out: without it the others give the key.`,
  hint: (fact) =>
    fact.suspect === undefined
      ? 'Give one share more than are needed: then the wrong one is found.'
      : 'Leave it out, and find out who changed it.',
});

export const splitImpossible = defineError({
  code: 'split-impossible',
  about: 'person',
  exit: 64,
  say: (fact: { why: string }) => `The key cannot be split so: ${fact.why}.`,
  hint: () => 'For example: --shares 5 --threshold 3. Any 3 of the 5 then give the key back, 2 say nothing about it.',
});
