import { type FilesOptions, filesSource } from './files/source.ts';
import type { Source } from './source.ts';
import { sqliteSource } from './sqlite/source.ts';

/** A dataset's configuration as far as sources need it; config/system.ts's `DatasetConfig` fits. */
export type SourceConfig =
  | ({ readonly type: 'files' } & Omit<FilesOptions, 'name'>)
  | { readonly type: 'sqlite'; readonly path: string };

export interface SourceSurroundings {
  /** An existing folder on a disk with room for a copy of the largest database; the system's temporary folder when absent. */
  readonly workFolder?: string;
}

/** Makes the source of a dataset. All engines are named here and nowhere else. */
export function openSource(name: string, config: SourceConfig, surroundings: SourceSurroundings = {}): Source {
  switch (config.type) {
    case 'files':
      return filesSource({ ...config, name });
    case 'sqlite':
      return sqliteSource({ path: config.path, name, ...surroundings });
    // PostgreSQL's author: `case 'postgres': return postgresSource(…)`, and its configuration in SourceConfig above.
  }
}
