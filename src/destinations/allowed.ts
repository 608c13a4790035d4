import { destinationDenied } from './errors.ts';

/** What `work` gives; undefined where the credentials may not do it. */
export async function allowed<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (destinationDenied.is(error)) return undefined;
    throw error;
  }
}
