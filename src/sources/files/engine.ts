import { resolve } from 'node:path';
import { z } from 'zod';
import { isBelow } from '../../core/below.ts';
import { paths, reason, text } from '../../core/notations.ts';
import { defineEngine, type Rule } from '../engine.ts';
import { cacheRule, defaultExcludes } from './default-excludes.ts';
import { compileExcludes, type ExcludeRule } from './excludes.ts';

export const filesEngine = defineEngine({
  kind: 'files',
  title: 'files',
  holds: 'files',
  keys: {
    path: paths,
    exclude: z.record(text, reason).default({}),
    defaultExcludes: z.boolean().default(false),
    oneFileSystem: z.boolean().default(true),
    xattrs: z.boolean().default(true),
  },
  build({ path, exclude, defaultExcludes, oneFileSystem, xattrs }, { root }) {
    const rules: ExcludeRule[] = Object.entries(exclude).map(([pattern, reason]) => ({ pattern, reason }));
    return { ...buildPlaces([path].flat(), root), exclude: rules, defaultExcludes, oneFileSystem, xattrs };
  },
  validate: ({ exclude }) => void compileExcludes(exclude),
  placeOf: ({ path, places }) => ({ path, ...(places !== undefined && { parts: places }) }),
  rulesOf({ exclude, defaultExcludes: isOn }) {
    const own = exclude.map(({ pattern, reason }): Rule => ({ rule: pattern, by: 'exclude', reason }));
    const standard = defaultExcludes.map(
      ({ pattern, reason }): Rule => ({ rule: pattern, by: 'defaultExcludes', reason }),
    );
    return isOn ? [...own, ...standard, cacheRule] : own;
  },
  usual: { rpo: '1h', rto: '30m' },
  roomFactor: 1.2,
  async open(name, dataset, { elsewhere = [] }) {
    const { filesSource } = await import('./source.ts');
    return filesSource({ ...dataset, name, elsewhere });
  },
});

/** What lies in another one of them is in it already. */
function buildPlaces(written: readonly string[], root: string): { path: string; places?: readonly string[] } {
  const all = [...new Set(written.map((path) => resolve(root, path)))];
  const places = all.filter((path) => !all.some((other) => other !== path && isBelow(path, other)));
  return places.length === 1 ? { path: places[0]! } : { path: '/', places };
}
