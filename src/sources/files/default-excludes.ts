import type { ExcludeRule } from './excludes.ts';

/** What `defaultExcludes` also goes by: a folder with this mark of its program keeps nothing else. */
export const cacheRule = {
  rule: 'CACHEDIR.TAG',
  by: 'defaultExcludes',
  reason: 'a program marked its folder as a cache',
} as const;

/**
 * Left out with `defaultExcludes: true`: what a program makes again by itself, under names that few give to anything precious. Who
 * uploads files may give them any name, so nothing of this is left out unasked. And `build`, `dist`, `target`, `vendor` and `tmp` are not here (they are somebody's data somewhere), and neither is
 * `.git`: a history that was never pushed exists nowhere else. What was left out is counted in every restore point.
 */
export const defaultExcludes: readonly ExcludeRule[] = [
  { pattern: 'node_modules/', reason: 'dependencies, installed again from the lock file' },
  { pattern: 'bower_components/', reason: 'dependencies, installed again' },
  { pattern: '.venv/', reason: 'dependencies, installed again' },
  { pattern: '.cache/', reason: 'cache' },
  { pattern: '**/.npm/_cacache/', reason: 'cache' },
  { pattern: '.parcel-cache/', reason: 'cache' },
  { pattern: '.turbo/', reason: 'cache' },
  { pattern: '.sass-cache/', reason: 'cache' },
  { pattern: '**/.next/cache/', reason: 'cache' },
  { pattern: '__pycache__/', reason: 'build output' },
  { pattern: '*.pyc', reason: 'build output' },
  { pattern: '.pytest_cache/', reason: 'cache' },
  { pattern: '.mypy_cache/', reason: 'cache' },
  { pattern: '.ruff_cache/', reason: 'cache' },
  { pattern: '.tox/', reason: 'build output' },
  { pattern: '.nyc_output/', reason: 'build output' },
  { pattern: '*.tmp', reason: 'temporary file' },
  { pattern: '*.swp', reason: 'temporary file of an editor' },
  { pattern: '.#*', reason: 'temporary file of an editor' },
  { pattern: '*.crdownload', reason: 'unfinished download' },
  { pattern: '.nfs0*', reason: 'removed file that a program still has open' },
  { pattern: '.DS_Store', reason: 'view settings of a file manager' },
  { pattern: 'Thumbs.db', reason: 'thumbnails of a file manager' },
  { pattern: '.thumbnails/', reason: 'thumbnails of a file manager' },
  { pattern: '.Trash-*/', reason: 'trash' },
  { pattern: '**/.local/share/Trash/', reason: 'trash' },
  { pattern: '/lost+found/', reason: 'belongs to the file system' },
];
