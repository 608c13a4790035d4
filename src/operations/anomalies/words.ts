import { lossWords, type Weighed } from '../../core/anomalies.ts';

type Lost = Extract<Weighed, { state: 'lost' }>;

/** Of a dataset in which there never was anything. */
export const nothingToCompare =
  'It is empty: there is nothing to compare, so nothing is proved. If it may be empty, say why with mayBeEmpty in lifeboat.yaml.';

/** What is gone, and since when it is. */
export function lossSentence(weighed: Lost): string {
  const at = new Date(weighed.since.timeMs).toISOString();
  return `${lossWords(weighed)} (restore point of ${at.slice(0, 16)}Z).`;
}

/** What to do about it, one line each: whoever did not mean it first. */
export function lossHelp(dataset: string, point: string, fullest: string): string[] {
  return [
    `If nobody meant that, what was there is safe: lifeboat restore ${dataset} --at ${fullest} --into ELSEWHERE`,
    `If it was meant: lifeboat accept ${dataset} --point ${point} --reason '…'`,
  ];
}
