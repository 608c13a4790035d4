import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** As the restore point says it. What does not look so is left out: it comes from a backup, and becomes words of a command. */
const said = z.object({
  libraries: z.array(z.string()),
  settings: z.array(z.tuple([z.string().regex(/^[A-Za-z_]\w*\.[\w.]+$/), z.string().regex(/^[^\0\n\r]{0,4096}$/)])),
});

/** Extensions that a server lets be made only where it loaded their library, for restore points that do not tell what was loaded. */
const mustBeLoaded = new Set([
  'citus',
  'pg_cron',
  'pg_net',
  'pg_squeeze',
  'pgaudit',
  'pglogical',
  'pgsodium',
  'timescaledb',
]);

/**
 * Settings of a server that holds a restored database, so that its extensions can be made there: what production's server had loaded and
 * this one has. Nothing of it works by itself: a scheduler would change what is compared.
 * @param facts of the restore point
 */
export function preloadSettings(programs: string, facts: Readonly<Record<string, unknown>>): string[] {
  const { libraries, settings } = said.safeParse(facts.preloaded).data ?? guessed(facts);
  const folders = ['lib', 'lib/postgresql', 'lib64/pgsql', 'lib/pgsql'].map((name) => join(programs, '..', name));
  const names = libraries.map((one) => basename(one, '.so')).filter((one) => /^[\w-]+$/.test(one));
  const known = [...new Set(names)].filter((one) => folders.some((folder) => existsSync(join(folder, `${one}.so`))));
  if (known.length === 0) return [];
  const own = settings.map(([name, value]) => `${name}=${value}`);
  return [`shared_preload_libraries=${known.join(',')}`, ...own, 'max_worker_processes=0'];
}

function guessed({ extensions, database }: Readonly<Record<string, unknown>>): z.infer<typeof said> {
  const found = z.array(z.object({ name: z.string() })).safeParse(extensions).data ?? [];
  const libraries = found.map(({ name }) => name).filter((name) => mustBeLoaded.has(name));
  const bound = libraries.includes('pg_cron') && typeof database === 'string';
  return { libraries, settings: bound ? [['cron.database_name', database]] : [] };
}
