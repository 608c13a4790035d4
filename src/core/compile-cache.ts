import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';

/** For the environment of what runs our own modules: this process's cache, without which their types are taken out and they are compiled anew. */
export function compileCache(): Readonly<Record<string, string>> {
  const cache = getCompileCacheDir();
  return cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };
}
