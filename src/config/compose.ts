import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Engine } from '../sources/engine.ts';
import { engines } from '../sources/registry.ts';

export interface ComposeService {
  /** The compose file's name. */
  readonly file: string;
  readonly name: string;
  /** The engine of its image. */
  readonly engine?: Engine;
  /** What its image is known to be, and no engine is for; absent for anything else. */
  readonly other?: string;
  /** On the host. */
  readonly publishedPort?: number;
  /** Named volumes. */
  readonly volumes: readonly string[];
}

const images: ReadonlyArray<readonly [RegExp, string]> = [
  [/mysql|percona/, 'MySQL'],
  [/mongo/, 'MongoDB'],
  [/redis|valkey|keydb|dragonfly/, 'Redis or Valkey'],
  [/rabbitmq/, 'RabbitMQ'],
  [/nats/, 'NATS'],
  [/minio|garage|seaweedfs/, 'object storage'],
  [/elasticsearch|opensearch|meilisearch|typesense/, 'a search index'],
];

/** The services of the first compose file in `folder`; none when there is none or it cannot be read. */
export function readCompose(folder: string): ComposeService[] {
  const file = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'].find((name) =>
    existsSync(join(folder, name)),
  );
  if (file === undefined) return [];
  let document: unknown;
  try {
    document = parse(readFileSync(join(folder, file), 'utf8'), { maxAliasCount: 100, logLevel: 'silent' });
  } catch {
    return [];
  }
  return Object.entries(recordOf(recordOf(document).services)).map(([name, value]) => {
    const service = recordOf(value);
    const image = String(service.image ?? '')
      .replace(/^.*\//, '')
      .replace(/[:@].*$/, '');
    const engine = engines.find(({ server }) => server?.image.test(image));
    const other = engine === undefined ? images.find(([pattern]) => pattern.test(image))?.[1] : undefined;
    const publishedPort = publishedOf(service.ports);
    return {
      file,
      name,
      volumes: namedVolumes(service.volumes),
      ...(engine !== undefined && { engine }),
      ...(other !== undefined && { other }),
      ...(publishedPort !== undefined && { publishedPort }),
    };
  });
}

/** The host's port in `5433:5432`, `127.0.0.1:5433:5432/tcp` or `{ published: 5433 }`. */
function publishedOf(ports: unknown): number | undefined {
  const first: unknown = Array.isArray(ports) ? ports[0] : undefined;
  const long = recordOf(first).published;
  const text = long === undefined ? /(?:^|:)(\d+):\d+(?:\/tcp)?$/.exec(String(first))?.[1] : String(long);
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

function namedVolumes(volumes: unknown): string[] {
  if (!Array.isArray(volumes)) return [];
  return volumes.flatMap((volume: unknown) => {
    const long = recordOf(volume);
    const source =
      typeof volume === 'string' ? volume.split(':')[0] : long.type === 'volume' ? String(long.source) : '';
    return source && /^[A-Za-z0-9]/.test(source) ? [source] : [];
  });
}

function recordOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
