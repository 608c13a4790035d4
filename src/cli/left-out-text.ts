import { type LeftOut, leftOutWords } from '../core/left-out.ts';
import { countOf } from '../core/size.ts';

const mostShown = 12;

/** One line for each rule, those that took the most first. */
export function leftOutLines(rules: readonly LeftOut[]): string[] {
  const sorted = [...rules].sort((a, b) => b.bytes - a.bytes || b.files - a.files);
  const more = sorted.length - mostShown;
  const lines = sorted.slice(0, mostShown).map(leftOutWords);
  return more > 0 ? [...lines, `${countOf(more, 'more rule')}: see --json`] : lines;
}
