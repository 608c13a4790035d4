import { createHash } from 'node:crypto';
import { sentenceOf } from '../../core/errors.ts';
import type { Expectations } from '../../core/expectations.ts';
import { formatSize } from '../../core/size.ts';

/** What shows that all of an output is there. One of them is said at least. */
export interface Whole {
  readonly minBytes?: number;
  readonly lastLine?: string;
  readonly json: boolean;
}

/** Follows an output, and judges it when it has ended. */
export interface Watched {
  add(chunk: Uint8Array): void;
  /** Why it is not whole, as a sentence's end; undefined when it is. */
  lacks(): string | undefined;
  expectations(): Expectations;
}

/** The one file of a restore point: what a command printed. */
export const outputName = 'output';
/** Its one table: whatever counts files counts it as one. */
const table = 'files';
const mostJson = 64 << 20;
/** A last line that is longer is none that anybody wrote down. */
const longestLine = 64 << 10;

export function watchOutput(whole: Whole): Watched {
  const hash = createHash('sha256');
  const kept: Uint8Array[] = [];
  let sizeBytes = 0;
  let tail = Buffer.alloc(0);
  return {
    add(chunk) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      if (whole.lastLine !== undefined) {
        tail = Buffer.concat([tail, chunk.subarray(-longestLine)]).subarray(-longestLine);
      }
      if (whole.json && sizeBytes <= mostJson) kept.push(chunk.slice());
    },
    lacks() {
      const { minBytes = 0, lastLine, json } = whole;
      if (sizeBytes < minBytes)
        return `it is ${formatSize(sizeBytes)} long, and at least ${formatSize(minBytes)} are expected`;
      const last = tail.toString('utf8').trimEnd().split('\n').at(-1)?.trimEnd();
      if (lastLine !== undefined && last !== lastLine) return `its last line is not '${lastLine}'`;
      return json ? jsonLack(kept, sizeBytes) : undefined;
    },
    expectations: () => ({
      algorithm: 'sha256-1',
      tables: [{ table, rows: 1, checksum: hash.copy().digest('hex') }],
    }),
  };
}

/** Whether two outputs are the same to the byte. */
export function sameOutput(one: Expectations | undefined, other: Expectations | undefined): boolean {
  const [is, was] = [one?.tables[0]?.checksum, other?.tables[0]?.checksum];
  return is !== undefined && is === was;
}

function jsonLack(kept: readonly Uint8Array[], sizeBytes: number): string | undefined {
  if (sizeBytes > mostJson) return `it is ${formatSize(sizeBytes)} long, more than json: true can read`;
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(kept)));
    return undefined;
  } catch (error) {
    return error instanceof SyntaxError ? 'it is no JSON document' : `it is no JSON document: ${sentenceOf(error)}`;
  }
}
