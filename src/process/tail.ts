import type { Redactor } from './redact.ts';

/** The last bytes that a process printed. Bounded, and without secrets when read. */
export interface Tail {
  add(chunk: Uint8Array): void;
  /** The end of what was printed, whole lines where it had to be cut. */
  text(): string;
  /** The last few lines as one sentence for an error: no control characters, at most about 600 characters. */
  sentence(): string;
}

export function startTail(limitBytes: number, redactor: Redactor): Tail {
  // A character of a secret takes up to four bytes; the cut must not leave the end of a secret that is then not recognised.
  const keptBytes = limitBytes + redactor.longest * 4;
  let chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  let cut = false;

  const join = () => {
    const all = Buffer.concat(chunks, sizeBytes);
    const kept = all.subarray(Math.max(0, all.length - keptBytes));
    cut ||= kept.length < all.length;
    // A copy: else a small rest would keep a large buffer alive.
    chunks = [Buffer.from(kept)];
    sizeBytes = kept.length;
    return kept;
  };

  const text = () => {
    const redacted = redactor.redact(join().toString('utf8'));
    if (!cut) return redacted;
    const rest = redacted.slice(redactor.longest);
    return rest.slice(rest.indexOf('\n') + 1);
  };

  return {
    add(chunk) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > 2 * keptBytes) join();
    },
    text,
    sentence() {
      const lines = text()
        // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences of a tool must not reach ours
        .replace(/\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]/g, '')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '');
      const last = lines.slice(-5).join(' · ');
      return last.length > 600 ? `…${last.slice(-600)}` : last;
    },
  };
}
