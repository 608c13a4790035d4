import { resolve } from 'node:path';
import { namedIn } from '../core/references.ts';
import type { ConfigShape } from './schema.ts';

/**
 * What a configuration consists of, absolute paths: its own file first, then its `envFile`, known hosts, and what its
 * `${file:…}` references name. Whether they are there is not looked at.
 */
export function ownFiles(shape: ConfigShape, file: string, root: string): string[] {
  const named = textsIn(shape).flatMap((text) => namedIn(text, 'file'));
  const hosts = Object.values(shape.destinations).flatMap((one) => ('knownHosts' in one ? [one.knownHosts] : []));
  const others = [shape.envFile, ...hosts, ...named].filter((path) => path !== undefined);
  return [...new Set([file, ...others.map((path) => resolve(root, path))])];
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsIn) : [];
}
