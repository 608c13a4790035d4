import { resolve } from 'node:path';
import { namedIn, variablesNamed } from '../core/references.ts';
import { engineOf, placeOf } from '../sources/engines.ts';
import { locationOf } from './locations.ts';
import type { ConfigShape } from './schema.ts';
import type { DestinationConfig, System, Use } from './system.ts';

/** What matters most comes first. */
const order: readonly Use['kind'][] = ['command', 'host', 'file', 'variable', 'program', 'folder'];
/** Shells and databases read these texts, and no reference in them is filled in. */
const taken = /\.(start|run|query)$/;
/** What a drill gives its application itself. */
const ofTheDrill = /^(PORT|RESTORED_.*)$/;

/** Everything that a configuration would run, read, send, connect to or write, with each place where it says so. */
export function usesOf(
  shape: ConfigShape,
  { destinations, datasets }: Pick<System, 'destinations' | 'datasets'>,
  root: string,
): Use[] {
  const uses: Use[] = [];
  const use = (kind: Use['kind'], at: string, what: string) => void uses.push({ kind, at, what });
  for (const [at, text] of textsIn(shape, '')) {
    if (taken.test(at)) continue;
    for (const command of namedIn(text, 'command')) use('command', at, command);
    for (const file of namedIn(text, 'file')) use('file', at, resolve(root, file));
    for (const name of variablesNamed(text)) if (!ofTheDrill.test(name)) use('variable', at, name);
  }
  if (shape.envFile !== undefined) use('file', 'envFile', resolve(root, shape.envFile));
  for (const [name, config] of Object.entries(destinations)) {
    const at = `destinations.${name}`;
    use(config.type === 'local' ? 'folder' : 'host', at, serverOf(config));
    if (config.type === 'sftp' && config.knownHosts !== undefined) use('file', at, config.knownHosts);
  }
  for (const [name, dataset] of Object.entries(datasets)) {
    for (const command of engineOf(dataset.type).runs?.(dataset) ?? []) use('command', `datasets.${name}`, command);
    const place = placeOf(dataset);
    if ('url' in place) use('host', `datasets.${name}`, place.url.shown);
    if ('path' in place) for (const path of place.parts ?? [place.path]) use('folder', `datasets.${name}.path`, path);
  }
  const { app, checks } = shape.drill;
  if (app !== undefined) use('program', 'drill.app.start', app.start);
  for (const folder of app?.writes ?? []) use('folder', 'drill.app.writes', resolve(root, folder));
  for (const [id, check] of Object.entries(checks)) {
    if (check.type === 'command') use('program', `drill.checks.${id}.run`, check.run);
  }
  return uses.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

function serverOf(config: DestinationConfig): string {
  const place = locationOf(config);
  switch (config.type) {
    case 'local':
      return place;
    case 's3': {
      const profiles = [config.credentials, ...Object.values(config.roles)].flatMap((one) =>
        one !== undefined && 'profile' in one ? [one.profile] : [],
      );
      const own = config.credentials === undefined ? ["this machine's own credentials"] : [];
      const as = [...own, ...new Set(profiles.map((profile) => `profile ${profile}`))];
      const at = config.endpoint === undefined ? '' : ` at ${config.endpoint}`;
      return `${place}${at}${as.length === 0 ? '' : `, with ${as.join(' and ')}`}`;
    }
    case 'sftp':
      return `${place}${config.agent ? ", with this machine's SSH agent" : ''}`;
  }
}

function* textsIn(value: unknown, at: string): Generator<readonly [at: string, text: string]> {
  if (typeof value === 'string') yield [at, value];
  else if (value !== null && typeof value === 'object') {
    for (const [key, inner] of Object.entries(value)) yield* textsIn(inner, at === '' ? key : `${at}.${key}`);
  }
}
