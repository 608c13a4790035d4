import type { LifeboatError } from '../core/errors.ts';
import { targetNotEmpty } from './errors.ts';
import type { FilesOptions } from './files/source.ts';
import { targetNotEmpty as databaseNotEmpty } from './postgres/errors.ts';
import type { PostgresOptions } from './postgres/postgres.ts';
import type { Source } from './source.ts';

/** A dataset's configuration as far as sources need it; `DatasetConfig` of src/config fits. */
export type SourceConfig =
  | ({ readonly type: 'files' } & Omit<FilesOptions, 'name' | 'elsewhere'>)
  | { readonly type: 'sqlite'; readonly path: string }
  | {
      readonly type: 'postgres';
      /** The connection URL, whose secrets are looked up now. */
      readonly url: { expand(): Promise<string> };
      readonly exclude: PostgresOptions['exclude'];
      readonly expectations: 'checksums' | 'rows';
    };

export interface SourceSurroundings {
  /** An existing folder on a disk with room for a copy of the largest SQLite database; the system's temporary folder when absent. */
  readonly workFolder?: string;
  /** Paths that other datasets bring back: a link to one of them leads to nothing that is missing. */
  readonly elsewhere?: readonly string[];
}

/** Makes the source of a dataset. All engines are named here and nowhere else; each is loaded when it is first needed. */
export async function openSource(
  name: string,
  config: SourceConfig,
  surroundings: SourceSurroundings = {},
): Promise<Source> {
  switch (config.type) {
    case 'files': {
      const { filesSource } = await import('./files/source.ts');
      return filesSource({ ...config, name, elsewhere: surroundings.elsewhere ?? [] });
    }
    case 'sqlite': {
      const { sqliteSource } = await import('./sqlite/source.ts');
      const { workFolder } = surroundings;
      return sqliteSource({ path: config.path, name, ...(workFolder !== undefined && { workFolder }) });
    }
    case 'postgres': {
      const { postgresSource } = await import('./postgres/postgres.ts');
      const expectations = config.expectations === 'rows' ? 'counts' : 'checksums';
      return postgresSource({ name, url: await config.url.expand(), exclude: config.exclude, expectations });
    }
  }
}

/** Whether a restore was refused because something is at its place, of whatever kind. */
export function isTargetTaken(error: unknown): error is LifeboatError {
  return targetNotEmpty.is(error) || databaseNotEmpty.is(error);
}

/** The rules that `defaultExcludes` of a dataset of files adds, and the mark of a cache that it heeds. */
export { cacheRule, defaultExcludes } from './files/default-excludes.ts';
/** Refuses patterns of `exclude` that a backup would refuse. @throws `exclude-invalid` */
export { compileExcludes } from './files/excludes.ts';
