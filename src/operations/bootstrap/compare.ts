import type { DatasetConfig } from '../../config/system.ts';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { placeOf } from '../../sources/engines.ts';
import { realPlace } from '../../sources/real-place.ts';
import type { Contents, Restored, Source } from '../../sources/source.ts';
import { checkExpectations } from '../drill/checks/expectations.ts';
import { checkIntegrity } from '../drill/checks/integrity.ts';

/** What a comparison of a dataset that is back with its restore point found. */
export interface Compared {
  /** `unknown`: it could not be looked at; every byte had its recorded hash when it was written all the same. */
  readonly verdict: 'as recorded' | 'different' | 'unknown';
  readonly message: string;
  /** Rows or files that were looked at. */
  readonly looked: number;
}

/** Where it is now, as `measure` takes it. A path may be a link's; the URL of a database is used as it is. */
async function whereIs(config: DatasetConfig, into: string | undefined): Promise<string | undefined> {
  const place = placeOf(config);
  if ('url' in place) return into ?? (await place.url.expand());
  if (into !== undefined) return await realPlace(into);
  return 'path' in place ? place.path : undefined;
}

/** What took it in may print it otherwise: in another order, under a new number. */
const throughCommand = 'It went through a command, and only what took it in knows whether all of it is there.';

/** Reads a dataset back from where it is now, as a drill does with its copy: before the application changes it. */
export async function compare(
  config: DatasetConfig,
  { source, contents, restored }: { readonly source: Source; readonly contents: Contents; readonly restored: Restored },
  run: Run,
  into?: string,
): Promise<Compared> {
  try {
    const where = await whereIs(config, into);
    if (where === undefined) return { verdict: 'unknown', message: throughCommand, looked: 0 };
    const { expectations, facts } = contents;
    const recorded = expectations ?? { algorithm: 'none', tables: [] };
    const { actual, integrity } = await source.measure(where, recorded, run, contents, restored.unset);
    const findings = [
      ...integrity.map((one) => ({ ...checkIntegrity(one), name: `${one.name}: ` })),
      { ...checkExpectations(expectations, expectations && actual, facts, restored.notCompared), name: '' },
    ];
    const bad = findings.filter(({ verdict }) => verdict === 'fail');
    const last = findings.at(-1)!;
    if (bad.length > 0) {
      const message = bad.map(({ name, message }) => `${name}${message}`).join(' ');
      return { verdict: 'different', message, looked: last.looked };
    }
    return { verdict: last.verdict === 'pass' ? 'as recorded' : 'unknown', message: last.message, looked: last.looked };
  } catch (error) {
    run.signal.throwIfAborted();
    return { verdict: 'unknown', message: sentenceOf(error), looked: 0 };
  }
}
