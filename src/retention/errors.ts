import { defineError } from '../core/errors.ts';
import { countOf, formatSize } from '../core/size.ts';

export const pruneTooLarge = defineError({
  code: 'prune-too-large',
  about: 'person',
  exit: 1,
  say: (fact: { what: string }) => `Nothing was deleted: this would remove ${fact.what}, more than a fifth at once.`,
  hint: () =>
    "Look at 'lifeboat prune --dry-run'. If the retention in lifeboat.yaml is what you want, run 'lifeboat prune --allow-large'.",
});

export const pruneFlood = defineError({
  code: 'prune-flood',
  about: 'person',
  exit: 1,
  say: (fact: { dataset: string; found: number; usual: number }) =>
    `Nothing was deleted: ${fact.dataset} got ${countOf(fact.found, 'restore point')} within a day where ${fact.usual} are usual. They would push out others.`,
  hint: () => "Find out who made them ('lifeboat list'). If they are yours, run 'lifeboat prune --allow-flood'.",
});

export function largeText(points: number, ofPoints: number, bytes: number, ofBytes: number): string {
  return `${countOf(points, 'restore point')} of ${ofPoints} and ${formatSize(bytes)} of ${formatSize(ofBytes)}`;
}
