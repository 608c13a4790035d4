import { LifeboatError, sentenceOf } from '../../core/errors.ts';

/** One thing that was looked at. */
export interface Checked {
  /** `configuration`, `key`, `destination`, `protection`, `clock`, `dataset`. */
  readonly area: string;
  readonly name: string;
  readonly result: 'good' | 'warning' | 'bad';
  readonly message: string;
  /** What mends it; absent when nothing is to be done. */
  readonly hint?: string;
  /** What was found out, for programs. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

export function troubled(area: string, name: string, error: unknown): Checked {
  const hint = error instanceof LifeboatError ? { hint: error.hint } : {};
  return { area, name, result: 'bad', message: sentenceOf(error), ...hint };
}
