import { seededRandom } from '../examples/harbor/random.ts';
import { openPayload, sealAll } from '../src/vault/age/stream.ts';
import { chunkId, digest } from '../src/vault/chunking/chunk-id.ts';
import { chunker } from '../src/vault/chunking/chunker.ts';
import { chunkSizes } from '../src/vault/chunking/profiles.ts';
import { compress, decompress } from '../src/vault/zstd.ts';
import { type Kind, makeContent } from './contents.ts';
import { median } from './report.ts';

const megabyte = 2 ** 20;
const contentBytes = 64 * megabyte;
const frameBytes = megabyte;
const rounds = 5;

export interface Throughput {
  readonly step: string;
  readonly content: Kind;
  readonly mebibytesPerSecond: number;
}

/** What one thread does of each step of the vault: medians of 5 rounds over 64 MiB, in frames of 1 MiB. */
export function measureVault(): Throughput[] {
  const found: Throughput[] = [];
  for (const content of ['text', 'program', 'packed'] as const) {
    const plain = makeContent(content, contentBytes, seededRandom(7));
    for (const [step, work] of stepsOver(plain)) {
      work();
      const times = Array.from({ length: rounds }, () => elapsed(work));
      found.push({ step, content, mebibytesPerSecond: contentBytes / megabyte / (median(times) / 1000) });
    }
  }
  return found;
}

export function showVault(found: readonly Throughput[]): string {
  const contents = [...new Set(found.map(({ content }) => content))];
  const steps = [...new Set(found.map(({ step }) => step))];
  const line = (step: string) => {
    const cells = contents.map((content) => found.find((one) => one.step === step && one.content === content)!);
    return step.padEnd(24) + cells.map((cell) => cell.mebibytesPerSecond.toFixed(0).padStart(10)).join('');
  };
  return ['MiB/s, one thread'.padEnd(24) + contents.map((name) => name.padStart(10)).join(''), ...steps.map(line)].join(
    '\n',
  );
}

function stepsOver(plain: Buffer): [string, () => void][] {
  const key = Buffer.alloc(32, 7);
  const frames = Array.from({ length: contentBytes / frameBytes }, (_, at) =>
    plain.subarray(at * frameBytes, (at + 1) * frameBytes),
  );
  const packed = frames.map((frame) => compress(frame));
  const seal = (frame: Uint8Array) => sealAll(new Uint8Array(0), key.subarray(0, 16), key.subarray(0, 16), frame);
  const sealed = frames.map(seal);
  const cutAll = (profile: 'files' | 'database') => () => {
    const { cut } = chunker(chunkSizes[profile], key);
    for (let at = 0; at < plain.length; ) at = cut(plain, at, plain.length);
  };
  const each =
    <T>(some: readonly T[], work: (one: T) => unknown) =>
    () =>
      some.forEach((one) => void work(one));
  return [
    ['cut, files', cutAll('files')],
    ['cut, database', cutAll('database')],
    ['name (SHA-256, HMAC)', each(frames, (frame) => chunkId(key, digest(frame)))],
    ['compress', each(frames, compress)],
    ['seal', each(frames, seal)],
    ['open', each(sealed, (frame) => openPayload(frame, key.subarray(0, 16)))],
    ['decompress', each(packed, (frame) => decompress(frame, frameBytes))],
  ];
}

function elapsed(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}
