import { sentenceOf } from '../../core/errors.ts';
import type { QueryOptions, Rows } from '../../sources/engine.ts';
import { engineOf } from '../../sources/engines.ts';
import { queryTooSlow } from '../../sources/errors.ts';
import { queryFailed } from './errors.ts';
import { isFaultOfThePlace } from './faults.ts';
import type { Copy } from './parts.ts';

/**
 * The rows of a query on a restored database, in batches; the first comes also when there is no row. It can change nothing.
 * @throws `drill-query-failed`, `drill-query-too-slow`
 */
export async function* queryCopy(copy: Copy, query: string, options: QueryOptions): AsyncGenerator<Rows> {
  const { dataset, kind } = copy;
  const engine = engineOf(kind);
  if (engine.query === undefined) throw queryFailed({ dataset, why: `a dataset of type ${kind} answers no queries` });
  try {
    yield* engine.query(copy, query, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (queryTooSlow.is(error) || isFaultOfThePlace(error)) throw error;
    throw queryFailed({ dataset, why: sentenceOf(error) }, { cause: error });
  }
}

/** The first row, or undefined. */
export async function firstRow(copy: Copy, query: string, options: QueryOptions) {
  // The first batch may hold the columns alone.
  for await (const { rows } of queryCopy(copy, query, options)) if (rows[0] !== undefined) return rows[0];
  return undefined;
}
