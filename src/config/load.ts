import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isAccepted } from '../core/accepted.ts';
import { dayMs } from '../core/duration.ts';
import { whyOf } from '../core/errors.ts';
import { isLocalHost } from '../core/local-host.ts';
import type { Problem } from '../core/run.ts';
import { objectionsTo } from '../core/storage-classes.ts';
import { stateFolderOf } from '../host/state-folder.ts';
import { engineOf, pathsOf } from '../sources/engines.ts';
import { buildDataset, buildDrill, buildWriters } from './build.ts';
import { buildDestination } from './build-destination.ts';
import { crossCheck } from './cross-check.ts';
import { readDocument } from './document.ts';
import { configMissing, configUnreadable } from './errors.ts';
import { explainIssues } from './explain.ts';
import { placesOf } from './locations.ts';
import { realPath, refuseNesting } from './nesting.ts';
import { ownFiles } from './own-files.ts';
import { configSchema } from './schema.ts';
import type { System } from './system.ts';
import { usesOf } from './uses.ts';
import { weakCheckWarnings } from './weak-checks.ts';

/**
 * Reads and checks a configuration file. Looks at the file system only for real paths; makes nothing and looks up no secret.
 * @throws `config-missing`, `config-unreadable`, `config-invalid`, `identity-in-config`, `destination-inside-source`,
 * `source-inside-destination`, `destinations-overlap`
 */
export function loadSystem(file: string, env: Readonly<Record<string, string | undefined>>): System {
  return parseSystem(readConfig(file), file, env);
}

/** The same for the `bytes` that such a file has, or had. */
export function parseSystem(bytes: Buffer, file: string, env: Readonly<Record<string, string | undefined>>): System {
  const document = readDocument(bytes.toString('utf8'), file);
  const parsed = configSchema.safeParse(document.value);
  if (!parsed.success) throw document.error(explainIssues(parsed.error.issues, document));
  const shape = parsed.data;
  const mistakes = crossCheck(shape, document);
  if (mistakes.length > 0) throw document.error(mistakes);

  const absolute = resolve(file);
  const root = dirname(absolute);
  const context = { env, root, ...(shape.envFile !== undefined && { envFile: resolve(root, shape.envFile) }) };
  const destinations = mapValues(shape.destinations, (config) => buildDestination(config, context));
  const datasets = mapValues(shape.datasets, (config, name) => buildDataset(name, config, context, shape));
  refuseNesting(destinations, datasets);

  const drill = buildDrill(shape.drill, shape.system, context);
  const accepted = Object.entries(shape.accepted).map(([what, reason]) => ({ what, reason }));
  return {
    name: shape.system,
    environment: shape.environment,
    file: absolute,
    root,
    files: ownFiles(shape, absolute, root),
    uses: usesOf(shape, { destinations, datasets }, root),
    stateDir: stateFolderOf({ system: shape.system, file: realPath(absolute), places: placesOf(destinations), env }),
    digest: createHash('sha256').update(bytes).digest('hex'),
    vault: {
      recipients: [...new Set(shape.vault.recipients)],
      writers: buildWriters(shape.vault.writers, shape.system),
      pruners: buildWriters(shape.vault.pruners, shape.system),
    },
    destinations,
    datasets,
    drill,
    accepted,
    warnings: [
      ...warningsOf(shape.vault.recipients, Object.keys(shape.destinations)),
      ...storageClassWarnings(destinations),
      ...unencryptedWarnings(destinations),
      ...weakCheckWarnings(drill.checks),
      ...codeWarnings(drill.app?.directory, datasets),
    ].filter(({ code }) => !isAccepted(accepted, code)),
  };
}

function readConfig(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw configMissing({ file }, { cause });
    throw configUnreadable({ file, why: whyOf(cause) }, { cause });
  }
}

function warningsOf(recipients: readonly string[], destinations: readonly string[]): Problem[] {
  const warnings: Problem[] = [];
  if (new Set(recipients).size < 2) {
    warnings.push({
      code: 'one-recipient',
      message: 'The vault has one recipient: if its key is lost, so is every backup. Add one that is kept offline.',
    });
  }
  if (destinations.length < 2) {
    warnings.push({
      code: 'one-destination',
      message: `There is one destination (${destinations[0]}): if it is lost, so is every backup. Add a second on another disk.`,
    });
  }
  return warnings;
}

/** What starts the application must come from somewhere too. Nobody knows of it better than who wrote where it is. */
function codeWarnings(directory: string | undefined, datasets: System['datasets']): Problem[] {
  const holds = (folder: string) => directory === folder || directory?.startsWith(`${folder === '/' ? '' : folder}/`);
  const isHeld = Object.values(datasets).some(
    (one) => engineOf(one.type).holds === 'files' && pathsOf(one).some(holds),
  );
  if (directory === undefined || isHeld) return [];
  const message = `The application's folder, ${directory}, is in no dataset: after a loss its code must come from elsewhere. Say from where under accepted: { code-not-backed-up: … }, or make it a dataset.`;
  return [{ code: 'code-not-backed-up', message }];
}

/** Said before the first bill. A lock that the bucket sets by itself is not seen here. */
function storageClassWarnings(destinations: System['destinations']): Problem[] {
  return Object.entries(destinations).flatMap(([name, config]) => {
    if (config.type !== 's3' || config.storageClass === undefined) return [];
    const lockDays = Math.floor((config.lock?.forMs ?? 0) / dayMs);
    return objectionsTo(config.storageClass, lockDays).map((why) => ({
      code: 'storage-class',
      message: `destinations.${name}: ${why}`,
    }));
  });
}

/** Data is sealed before it leaves, but what is where, and requests that can be sent again, are not. */
function unencryptedWarnings(destinations: System['destinations']): Problem[] {
  return Object.entries(destinations).flatMap(([name, config]) => {
    if (config.type !== 's3' || config.endpoint === undefined) return [];
    const url = URL.parse(config.endpoint);
    if (url?.protocol !== 'http:' || isLocalHost(url.hostname)) return [];
    const message = `destinations.${name}: plain http:// to ${url.hostname}. Whoever is on the way sees and changes what is asked and answered. Write https:// in its endpoint.`;
    return [{ code: 'endpoint-unencrypted', message }];
  });
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  change: (value: From, key: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
